"""Whether the node is alive, and whether it is ready to be counted on.

Its job: pure verdicts over what was observed elsewhere, each with a reason that tells a person what to look at. It asks
nobody anything.

Not ready is no reason to restart a node (it may be catching up, or its peers may be down); not alive is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from attestation.signer_set import SignerSet
from relayer.ports.node_status import ChainStatus

MAX_LAG_BLOCKS: Final = 16
"""Final blocks that a ready node may lack on a chain: one fetch or two behind is work, more is a backlog."""

MAX_SILENCE_SECONDS: Final = 30.0
"""A loop that has not come round for so long hangs: it is longer than every timeout within it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One named verdict. `reason` is for people and never empty."""

    name: str
    is_ok: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """All checks that were made."""

    checks: tuple[Check, ...]

    @property
    def is_ok(self) -> bool:
        """Whether every check is."""
        return all(check.is_ok for check in self.checks)


def check_chain(chain: ChainStatus, max_lag_blocks: int = MAX_LAG_BLOCKS) -> Check:
    """Whether the chain is worked on and its final blocks are taken in, but for `max_lag_blocks`."""
    name = f"chain {chain.caip2}"
    if chain.halt_reason:
        reason = f"halted: {chain.halt_reason}; see `xvm chain halts`"
        return Check(name, is_ok=False, reason=reason)
    if chain.tip is None:
        return Check(name, is_ok=False, reason="its head has not been read yet: do the RPC endpoints answer?")
    lag = chain.lag_blocks
    return Check(name, is_ok=lag <= max_lag_blocks, reason=f"{lag} final blocks behind, {max_lag_blocks} are allowed")


def check_store(fault: str) -> Check:
    """Whether the last write succeeded."""
    return Check("store", is_ok=not fault, reason=fault or "writable")


def check_quorum(gateway_text: str, signer_set: SignerSet | None, reachable: frozenset[bytes]) -> Check:
    """Whether the signers in `reachable` (keys, this node's own among them) could make a quorum for a gateway.

    `signer_set` is that of the gateway's newest epoch, None while none is known.
    """
    name = f"quorum {gateway_text}"
    if signer_set is None:
        return Check(name, is_ok=False, reason="no signer set of this gateway is known yet")
    weight = signer_set.weight_of(reachable)
    reason = f"signers with weight {weight} of {signer_set.total_weight} are up, {signer_set.threshold} is needed"
    return Check(name, is_ok=weight >= signer_set.threshold, reason=reason)


def check_beat(last_beat_at: float, now: float, max_silence_seconds: float = MAX_SILENCE_SECONDS) -> Check:
    """Whether the service's loop came round lately. Times in wall-clock seconds."""
    silence = now - last_beat_at
    return Check("loop", is_ok=silence <= max_silence_seconds, reason=f"last round {max(silence, 0.0):.1f} s ago")


def readiness(chains: Iterable[Check], store: Check, quorums: Iterable[Check]) -> Health:
    """Ready: every chain caught up, the store writable, and a quorum within reach for every gateway."""
    return Health((*chains, store, *quorums))


def liveness(beat: Check) -> Health:
    """Alive: the loop comes round. Peers, chains and the store have no part in it: a restart would not mend them."""
    return Health((beat,))
