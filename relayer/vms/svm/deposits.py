"""The rent that the relayer's account lends, and how it comes back.

Its job: the port `Deposits`: which certified roots the account has paid for, and the transactions that close them; with
them go stages and lookup tables that nobody has looked for since the last time, as when another relayer ran their
request first. One
endpoint's list is a hint and no more: what is closed, M endpoints know as ours. The account's credit is opened before
anything is earned: what is delivered to a payee without one is the treasury's. It must not judge whether a root is
still needed.

Source: contracts/svm/src/certificates.h, `close_root`; stage.h, `close_stage`; agave's RPC, `getProgramAccounts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Final, TypeVar

import structlog
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from attestation.textcodecs import base58_encode
from relayer.errors import RpcUnavailable
from relayer.ports.deposits import Deposit
from relayer.ports.wallet import PreparedCall
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, require_result
from relayer.vms.svm.account_reading import MAX_ACCOUNTS_PER_CALL
from relayer.vms.svm.accounts import DISCRIMINATOR_LENGTH, Credit, Layout, Root, Stage
from relayer.vms.svm.acting import Acting
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS
from relayer.vms.svm.preparing import Plan
from relayer.vms.svm.states import COMMITMENT, States
from relayer.vms.svm.sysvar_clock import fetch_time
from relayer.vms.svm.tabling import noted_slot
from relayer.vms.svm.transactions import draft_of
from relayer.vms.svm.values import parse_hash, parse_member

ROOT_KEPT_SECONDS: Final = 600
"""That a root serves, from its making or completion on, before its payer may close it; Source: certificates.h."""

_MAX_ROOTS: Final = 1_000
"""Looked at in one go, ten calls; what is beyond comes when these are closed."""

_MAX_STEPS: Final = 12
"""Of one transaction: so many fit, were they closings of roots that are all of other epochs."""

_MAX_ENDINGS: Final = _MAX_STEPS // 2
"""Of lookup tables: two steps each, at the most."""

_UNITS_PER_STEP: Final = 40_000
"""Compute units: some 4,000 of a closing, 10,000 of a credit and 1,500 for each attempt at its address."""

_ROOT_PAYER: Final = DISCRIMINATOR_LENGTH + 32 + 8 + 8 + 16 + 8
_STAGE_AUTHORITY: Final = DISCRIMINATOR_LENGTH
"""Where in its account a root says who paid for it, and a stage whose it is."""

T = TypeVar("T", bound=Layout)

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class SvmDeposits:
    """The rent that `acting`'s account has lent."""

    def __init__(self, pool: EndpointPool, acting: Acting) -> None:
        self._pool = pool
        self._acting = acting
        self._stages: frozenset[Pubkey] = frozenset()
        """Those that were there at the last look."""

    async def fetch(self) -> list[Deposit]:
        """The roots that M endpoints know as paid for by this account, and that it may close by now.

        Raises `RpcUnavailable`.
        """
        payer = self._acting.payer
        keys = (await self._list(Root, _ROOT_PAYER))[:_MAX_ROOTS]
        if not keys:
            return []
        states = await self._acting.states.fetch(keys)
        # The gateway would refuse what is too early, and all that stands in one transaction with it.
        made_by = (await fetch_time(self._pool, COMMITMENT)).seconds - ROOT_KEPT_SECONDS
        roots = [(key, root) for key, root in _among(states, Root, keys) if root.since <= made_by]
        return [Deposit(bytes(key), root.root, root.epoch) for key, root in roots if root.payer == payer]

    async def prepare(self, idle: Sequence[Deposit]) -> list[PreparedCall]:
        """Closings of these, and of stages that are there since the last time and were not asked for; and the credit.

        Raises `RpcUnavailable`.
        """
        acting = self._acting
        stages = await self._idle_stages()
        notes = {key: slot for key, stage in stages if (slot := noted_slot(stage)) is not None}
        steps = [acting.instructions.close_root(Pubkey(deposit.key), deposit.epoch) for deposit in idle]
        steps += [acting.instructions.close_stage(key) for key, _ in stages if key not in notes]
        parts = [steps[at : at + _MAX_STEPS] for at in range(0, len(steps), _MAX_STEPS)]
        # Apart from the others: only the chain itself knows which of the last slots had no block.
        endings = await acting.tables.endings(notes)
        parts += [
            list(chain.from_iterable(endings[at : at + _MAX_ENDINGS])) for at in range(0, len(endings), _MAX_ENDINGS)
        ]
        # Alone: an account that cannot lend what is missing needs what comes back all the more.
        parts += [[step] for step in await self._missing()]
        plans = [
            Plan(draft_of(acting.payer, part), len(part) * _UNITS_PER_STEP, SIGNATURE_LAMPORTS, ()) for part in parts
        ]
        calls = []
        for plan, finding in zip(plans, await acting.preparer.try_all(plans), strict=True):
            if finding.error:
                _log.warning("deposits_not_settled", reason=finding.error)
            else:
                calls.append(acting.preparer.call_of(plan, finding))
        return calls

    async def _missing(self) -> list[Instruction]:
        """The account's credit, while there is none."""
        acting = self._acting
        credit = acting.addresses.credit(bytes(acting.payer))
        states = await acting.states.fetch([credit])
        return [] if states.get(Credit, credit) else [acting.instructions.open_credit(acting.payer)]

    async def _idle_stages(self) -> list[tuple[Pubkey, Stage]]:
        acting = self._acting
        wanted = acting.stager.take_wanted() | acting.tables.take_wanted()
        there = await self._list(Stage, _STAGE_AUTHORITY)
        idle = [key for key in there if key in self._stages and key not in wanted][:MAX_ACCOUNTS_PER_CALL]
        self._stages = frozenset(there)
        states = await acting.states.fetch(idle)
        return [(key, stage) for key, stage in _among(states, Stage, idle) if stage.authority == acting.payer]

    async def _list(self, layout: type[Layout], owner_at: int) -> list[Pubkey]:
        """The addresses of the gateway's accounts of this type that say this account's address there."""
        options = {
            "commitment": COMMITMENT,
            "encoding": "base64",
            "dataSlice": {"offset": 0, "length": 0},
            "filters": [
                {"memcmp": {"offset": 0, "bytes": base58_encode(layout.DISCRIMINATOR)}},
                {"memcmp": {"offset": owner_at, "bytes": str(self._acting.payer)}},
            ],
        }
        call = RpcCall("getProgramAccounts", [str(self._acting.addresses.program), options])

        async def ask(endpoint: RpcEndpoint) -> list[Pubkey]:
            (answer,) = await endpoint.call([call])
            items = require_result(answer, endpoint)
            if not isinstance(items, list):
                raise RpcUnavailable(f"{endpoint.label} answered with what is no list of accounts")
            # SECURITY: what is listed twice would be closed twice in one transaction, which fails.
            return list(dict.fromkeys(Pubkey(parse_hash(parse_member(item, "pubkey"))) for item in items))

        return await self._pool.first(ask)


def _among(states: States, layout: type[T], keys: Sequence[Pubkey]) -> list[tuple[Pubkey, T]]:
    """Those of the keys at which there is such an account."""
    found = []
    for key in keys:
        # SECURITY: a list that names accounts of other types must not keep the rest from being looked at.
        with suppress(RpcUnavailable):
            account = states.get(layout, key)
            if account is not None:
                found.append((key, account))
    return found
