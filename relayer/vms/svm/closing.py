"""Getting back the rent of roots and stages.

Its job: to remember the roots that this account has paid for and the stages that it filled, and to close them once they
have been of no use for a while: what they were for is done, or somebody else did it. What is still open then is brought
again when its turn comes. It must not remember for longer than its process lives: after an epoch anybody may close a
root that was forgotten, and the rent goes to who paid it.

Source: contracts/svm/src/certificates.h, `close_root`; stage.h, `close_stage`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from relayer.vms.svm.accounts import Root, Stage
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.preparing import Plan
from relayer.vms.svm.states import StateReader
from relayer.vms.svm.transactions import draft_of

REST_SECONDS: Final = 600.0
"""Since an account was last of use. What was sent by then is mined or never will be, and what is held is looked at more
often."""

_MAX_AT_ONCE: Final = 16
"""Accounts closed at a look, so that what is wanted is not kept waiting."""

_MAX_REMEMBERED: Final = 65_536
"""Accounts, of some 200 bytes; the oldest are forgotten beyond."""

_CLOSING_UNITS: Final = 30_000


class Closer:
    """Closes what `payer` has paid for. `clock` is monotonic seconds."""

    def __init__(
        self,
        states: StateReader,
        instructions: GatewayInstructions,
        payer: Pubkey,
        clock: Callable[[], float],
    ) -> None:
        self._states = states
        self._instructions = instructions
        self._payer = payer
        self._clock = clock
        self._used_at: dict[Pubkey, tuple[float, type[Root | Stage]]] = {}
        """Of each account: when it was last of use, and what it is; the longest ago first."""

    def note_root(self, key: Pubkey, state: Root) -> None:
        """Something is still looked for under this root."""
        if state.payer == self._payer:
            self._note(key, Root)

    def note_stage(self, key: Pubkey) -> None:
        """This stage is filled or about to be used."""
        self._note(key, Stage)

    def _note(self, key: Pubkey, kind: type[Root | Stage]) -> None:
        self._used_at.pop(key, None)
        self._used_at[key] = (self._clock(), kind)
        if len(self._used_at) > _MAX_REMEMBERED:
            del self._used_at[next(iter(self._used_at))]

    async def plans(self) -> list[Plan]:
        """The transactions that close what has rested. Raises `RpcUnavailable`."""
        before = self._clock() - REST_SECONDS
        oldest = itertools.takewhile(lambda item: item[1][0] <= before, self._used_at.items())
        rested = [(key, kind) for key, (_, kind) in itertools.islice(oldest, _MAX_AT_ONCE)]
        states = await self._states.fetch([key for key, _ in rested])
        plans = []
        for key, kind in rested:
            if not states.is_known(key):
                continue
            step = self._step(key, states.get(Root, key) if kind is Root else states.get(Stage, key))
            if step is None:
                del self._used_at[key]
            else:
                draft = draft_of(self._payer, [step])
                plans.append(Plan(draft, _CLOSING_UNITS, SIGNATURE_LAMPORTS, (), is_groundwork=True))
        return plans

    def _step(self, key: Pubkey, state: Root | Stage | None) -> Instruction | None:
        """What closes the account; None if it is gone, or its rent another's."""
        if isinstance(state, Root) and state.payer == self._payer:
            return self._instructions.close_root(key, state.epoch)
        if isinstance(state, Stage) and state.authority == self._payer:
            return self._instructions.close_stage(key)
        return None
