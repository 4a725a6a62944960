"""How long this host may work for one transaction.

Its job: a bound that gas does not give. A chain's gas counts microseconds of compiled code; imports here are Python,
and some of them take a hundred times as long as a chain takes, and as it charges.

SECURITY: without it a transaction of few fees could keep a node busy for minutes.
"""

from __future__ import annotations

from typing import Final

from relayer.devnet.cosmwasm.vm.errors import VmError

MAX_MICROSECONDS: Final = 5_000_000
"""Some seconds. It is counted, not measured: the same transaction always ends at the same place."""

CALL_MICROSECONDS: Final = 25
"""Of any import."""

_GAS_PER_MICROSECOND: Final = 1_000_000
_SLOWER: Final = 20


class HostWork:
    """What is left of it."""

    def __init__(self) -> None:
        self._left = MAX_MICROSECONDS

    def spend(self, microseconds: int) -> None:
        """Raises `VmError` when there is no more."""
        self._left -= microseconds
        if self._left < 0:
            raise VmError(f"more work than this host does for one transaction: {MAX_MICROSECONDS // 1_000_000} s")

    def spend_for(self, gas: int) -> None:
        """What computing something takes here for which a chain charges so much CosmWasm gas. Raises `VmError`."""
        self.spend(gas * _SLOWER // _GAS_PER_MICROSECOND)
