"""Accounts as an endpoint gives them.

Its job: the call for several accounts as of one slot, and its answer parsed strictly. It must not know what they hold.

Source: agave's RPC, `getMultipleAccounts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.svm.accounts import AccountState
from relayer.vms.svm.values import parse_base64, parse_count, parse_hash

MAX_ACCOUNTS_PER_CALL: Final = 100
"""As nodes allow."""


class AccountsAnswer(NamedTuple):
    """Accounts in the order in which they were asked for, None where there is none, and the slot that they are of."""

    slot: int
    accounts: tuple[AccountState | None, ...]


class DataPart(NamedTuple):
    """A part of an account's data, in bytes. What lies behind its end is not there."""

    offset: int
    length: int


def accounts_call(keys: Sequence[Pubkey], commitment: str, min_slot: int = 0, part: DataPart | None = None) -> RpcCall:
    """The call for at most `MAX_ACCOUNTS_PER_CALL` accounts, as of `min_slot` or later; of their data this part."""
    options: dict[str, Any] = {"commitment": commitment, "encoding": "base64", "minContextSlot": min_slot}
    if part is not None:
        options["dataSlice"] = {"offset": part.offset, "length": part.length}
    return RpcCall("getMultipleAccounts", [[str(key) for key in keys], options])


def parse_accounts(answer: Any, count: int) -> AccountsAnswer:
    """So many accounts. Raises `RpcUnavailable`."""
    match answer:
        case {"context": {"slot": slot}, "value": list(accounts)} if len(accounts) == count:
            return AccountsAnswer(parse_count(slot), tuple(map(_parse_account, accounts)))
    raise _malformed()


def _parse_account(item: Any) -> AccountState | None:
    match item:
        case None:
            return None
        case {"owner": owner, "lamports": lamports, "data": data, "executable": bool(is_executable)}:
            return AccountState(Pubkey(parse_hash(owner)), parse_count(lamports), parse_base64(data), is_executable)
    raise _malformed()


def _malformed() -> RpcUnavailable:
    return RpcUnavailable("an endpoint answered with malformed accounts")
