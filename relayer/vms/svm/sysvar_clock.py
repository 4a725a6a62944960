"""The chain's own clock, which its programs go by.

Its job: which slot and second it is, as M endpoints have reached it. A wall clock differs from it by as much as
validators let it drift. It must not judge what is due.

Source: agave's RPC, `getMultipleAccounts`; the sysvar `Clock`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from solders.pubkey import Pubkey

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcEndpoint, require_result
from relayer.vms.svm.account_reading import accounts_call, parse_accounts
from relayer.vms.svm.borsh import Borsh, MalformedBorsh

_CLOCK: Final = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")


class ChainTime(NamedTuple):
    """A slot that has a block, and its second."""

    slot: int
    seconds: int


async def fetch_time(pool: EndpointPool, commitment: str) -> ChainTime:
    """The time that M endpoints have reached at this commitment. Raises `RpcUnavailable`."""

    async def ask(endpoint: RpcEndpoint) -> ChainTime:
        (answer,) = await endpoint.call([accounts_call([_CLOCK], commitment)])
        (account,) = parse_accounts(require_result(answer, endpoint), 1).accounts
        try:
            return _parse(b"" if account is None else account.data)
        except MalformedBorsh as fault:
            raise RpcUnavailable(f"{endpoint.label} told of an impossible clock: {fault}") from None

    times = await pool.each(ask)
    # SECURITY: no single endpoint puts it forward: what is done too early fails and is paid for.
    return ChainTime(pool.reached(time.slot for time in times), pool.reached(time.seconds for time in times))


def _parse(data: bytes) -> ChainTime:
    borsh = Borsh(data)
    slot = borsh.u64()
    borsh.fixed(24)  # when the epoch began, its number, that of the newest known leader schedule
    seconds = borsh.u64()
    borsh.finish()
    return ChainTime(slot, seconds)
