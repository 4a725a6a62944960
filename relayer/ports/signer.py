"""The one door to this operator's signature.

Its job: sign batches, never against itself. SECURITY: a leaf is signed only after its guard key is on disk under a
unique constraint that all processes of the operator share; one leaf per key, across all epochs and batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from attestation.statement import Statement
from relayer.domain.batch import Batch
from relayer.errors import ConflictingAttestation


@dataclass(frozen=True, slots=True)
class Attestation:
    """One signer's signature over a batch root. `gateway` (ERC-7930) verifies it, `signer` is the key bytes."""

    gateway: bytes
    root: bytes
    count: int
    epoch: int
    signer: bytes
    signature: bytes


class Signer(Protocol):
    """This operator's identity."""

    @property
    def key(self) -> bytes:
        """The public key by which signer sets know this operator, of its scheme's length."""
        ...

    @property
    def peer_key(self) -> bytes:
        """The 20-byte address by which peers know this node's messages."""
        ...

    async def sign_batch(self, batch: Batch, epoch: int) -> Attestation:
        """Guard every leaf, then sign the root for this epoch.

        Raises:
            ConflictingAttestation: a guard key of the batch already has another leaf; nothing was signed.
        """
        ...

    async def sign_batches(
        self, batches: Sequence[tuple[Batch, int]]
    ) -> Sequence[Attestation | ConflictingAttestation]:
        """As `sign_batch` for each (batch, epoch), in order; the refusal stands in the place of what is not signed.

        Many batches cost the guard one write, as long as none contradicts anything.
        """
        ...

    def sign_peer_message(self, body_hash: bytes, sent_at_milliseconds: int, recipient: bytes) -> bytes:
        """The peer key's signature over `attestation.domain.peer_message_digest` of these, in the peers' own domain.

        SECURITY: it takes the parts and not a digest, so that nothing but a peer message can be signed past the guard.
        """
        ...


@dataclass(frozen=True, slots=True)
class GuardConflict:
    """A guard key (attestation.guard_key bytes) that already has another 32-byte leaf than the one asked for."""

    guard_key: bytes
    held_leaf: bytes
    asked_leaf: bytes


class Guard(Protocol):
    """The durable memory of what was signed."""

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        """Write all (guard key, leaf, statement), or none if one conflicts. Durable on return; safe across processes.

        A key that already holds the same leaf is no conflict.
        """
        ...
