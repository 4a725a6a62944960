"""The gateway program itself, as the upgradeable loader keeps it.

Its job: whether a program is there, since when, and who may upgrade it. It must not judge the program's code.

Source: `UpgradeableLoaderState` of solana-loader-v3-interface.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcEndpoint, require_result
from relayer.vms.svm.account_reading import accounts_call, parse_accounts
from relayer.vms.svm.accounts import AccountState
from relayer.vms.svm.addresses import UPGRADEABLE_LOADER, GatewayAddresses

_CONFIRMED: Final = "confirmed"
_HEAD: Final = struct.Struct("<IQB32s")
_PROGRAM_DATA: Final = 3


@dataclass(frozen=True, slots=True)
class ProgramState:
    """A program that is there. `slot` is that of its last deployment; `upgrade_authority` None: nobody."""

    slot: int
    upgrade_authority: Pubkey | None


async def fetch_program(pool: EndpointPool, addresses: GatewayAddresses) -> ProgramState | None:
    """The gateway's program, None if none is there that the upgradeable loader runs. Raises `RpcUnavailable`."""
    program, data = await _fetch(pool, [addresses.program, addresses.program_data])
    if program is None or data is None or not program.is_executable:
        return None
    if {program.owner, data.owner} != {UPGRADEABLE_LOADER} or len(data.data) < _HEAD.size:
        return None
    tag, slot, has_authority, authority = _HEAD.unpack_from(data.data)
    return ProgramState(slot, Pubkey(authority) if has_authority else None) if tag == _PROGRAM_DATA else None


async def fetch_lamports(pool: EndpointPool, key: Pubkey) -> int:
    """What an account holds. Raises `RpcUnavailable`."""
    (account,) = await _fetch(pool, [key])
    return 0 if account is None else account.lamports


async def _fetch(pool: EndpointPool, keys: Sequence[Pubkey]) -> tuple[AccountState | None, ...]:
    async def ask(endpoint: RpcEndpoint) -> tuple[AccountState | None, ...]:
        (answer,) = await endpoint.call([accounts_call(keys, _CONFIRMED)])
        return parse_accounts(require_result(answer, endpoint), len(keys)).accounts

    return await pool.first(ask)
