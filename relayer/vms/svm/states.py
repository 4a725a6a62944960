"""What the gateway's accounts hold now, as M endpoints know.

Its job: many accounts in few calls, for who prepares transactions. SECURITY: what is called settled here is not sent:
one endpoint that makes a slot up could keep a request from being executed for ever. It must not judge what it read.

Source: agave's RPC, `getMultipleAccounts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from solders.pubkey import Pubkey

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcEndpoint, require_result
from relayer.vms.svm.account_reading import MAX_ACCOUNTS_PER_CALL, accounts_call, parse_accounts
from relayer.vms.svm.accounts import AccountState, Layout, parse_account
from relayer.vms.svm.borsh import MalformedBorsh

COMMITMENT: Final = "confirmed"
"""What is looked at before something is sent: almost as new as what is processed, and it hardly ever goes away."""

FINALIZED: Final = "finalized"
"""What must not go away any more."""

T = TypeVar("T", bound=Layout)


class _Seen(NamedTuple):
    """An account, or that there is none: either is a voice."""

    account: AccountState | None


class States:
    """Accounts by address. One that M endpoints did not tell alike is not among the `known`."""

    def __init__(self, program: Pubkey, seen: Mapping[Pubkey, _Seen]) -> None:
        self._program = program
        self._seen = seen

    def is_known(self, key: Pubkey) -> bool:
        """Whether M endpoints said what is there, or that nothing is."""
        return key in self._seen

    def account(self, key: Pubkey) -> AccountState | None:
        """Whatever stands there, without its lamports."""
        seen = self._seen.get(key)
        return None if seen is None else seen.account

    def get(self, layout: type[T], key: Pubkey) -> T | None:
        """The gateway's account there, None without one.

        Raises:
            RpcUnavailable: what stands there cannot stand there.
        """
        try:
            return parse_account(layout, self.account(key), self._program)
        except MalformedBorsh as fault:
            raise RpcUnavailable(f"the endpoints told of an impossible account: {fault}") from None


class StateReader:
    """Reads accounts of one gateway."""

    def __init__(self, pool: EndpointPool, program: Pubkey) -> None:
        self._pool = pool
        self._program = program

    async def fetch(self, keys: Sequence[Pubkey], commitment: str = COMMITMENT) -> States:
        """These accounts. Raises `RpcUnavailable`."""
        wanted = list(dict.fromkeys(keys))
        parts = [wanted[at : at + MAX_ACCOUNTS_PER_CALL] for at in range(0, len(wanted), MAX_ACCOUNTS_PER_CALL)]
        calls = [accounts_call(part, commitment) for part in parts]

        async def ask(endpoint: RpcEndpoint) -> list[_Seen | None]:
            answers = await endpoint.call(calls)
            return [
                _Seen(None if account is None else _without_lamports(account))
                for part, answer in zip(parts, answers, strict=True)
                for account in parse_accounts(require_result(answer, endpoint), len(part)).accounts
            ]

        verdicts = await self._pool.vote(ask, at_tip=True) if calls else ()
        return States(self._program, dict(_agreed(wanted, [verdict.value for verdict in verdicts])))


def _agreed(keys: Sequence[Pubkey], seen: Sequence[_Seen | None]) -> Iterator[tuple[Pubkey, _Seen]]:
    for key, one in zip(keys, seen, strict=True):
        if one is not None:
            yield key, one


def _without_lamports(account: AccountState) -> AccountState:
    """SECURITY: anybody may send lamports anywhere, and would have the endpoints disagree for a while."""
    return replace(account, lamports=0)
