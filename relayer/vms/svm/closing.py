"""Getting back the rent of certified roots.

Its job: to remember the roots that this account has paid for, and to close them once nothing has been looked for under
them for a while. What is still open then is certified again when its turn comes. It remembers no longer than its
process lives: after an epoch anybody may close what was forgotten, and the rent goes to who paid it.

Source: contracts/svm/src/certificates.h, `close_root`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from solders.pubkey import Pubkey

from relayer.vms.svm.accounts import Root
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.preparing import Plan
from relayer.vms.svm.states import StateReader
from relayer.vms.svm.transactions import draft_of

REST_SECONDS: Final = 600.0
"""Since anything was last looked for under a root. What was sent by then is mined or never will be, and what is held is
looked at more often."""

_MAX_AT_ONCE: Final = 16
"""Roots closed at a look, so that what is wanted is not kept waiting."""

_MAX_REMEMBERED: Final = 65_536
"""Roots, of some 200 bytes; the oldest are forgotten beyond."""

_CLOSING_UNITS: Final = 30_000


class RootCloser:
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
        self._used_at: dict[Pubkey, tuple[float, int]] = {}
        """Of each root: when something was last looked for under it, and its epoch; the longest ago first."""

    def note_use(self, key: Pubkey, state: Root) -> None:
        """Something is still looked for under this root."""
        if state.payer == self._payer:
            self._used_at.pop(key, None)
            self._used_at[key] = (self._clock(), state.epoch)
            for oldest in list(self._used_at)[: max(len(self._used_at) - _MAX_REMEMBERED, 0)]:
                del self._used_at[oldest]

    async def plans(self) -> list[Plan]:
        """The transactions that close what has rested. Raises `RpcUnavailable`."""
        before = self._clock() - REST_SECONDS
        rested: list[tuple[Pubkey, int]] = []
        for key, (used_at, epoch) in self._used_at.items():
            if used_at > before or len(rested) == _MAX_AT_ONCE:
                break
            rested.append((key, epoch))
        states = await self._states.fetch([key for key, _ in rested])
        plans = []
        for key, epoch in rested:
            if not states.is_known(key):
                continue
            state = states.get(Root, key)
            # SECURITY: the rent of a root that somebody else made anew is not ours to take back, and asking would fail.
            if state is None or state.payer != self._payer:
                del self._used_at[key]
                continue
            draft = draft_of(self._payer, [self._instructions.close_root(key, epoch)])
            plans.append(Plan(draft, _CLOSING_UNITS, SIGNATURE_LAMPORTS, (), is_groundwork=True))
        return plans
