"""The signer whose key is in this process.

Its job: guard first, sign then, and never in another order. It must not decide what is true: whoever asks has seen the
statements on a final block. It keeps no memory of its own; the guard's is durable and shared by all processes.
"""

from __future__ import annotations

from collections.abc import Sequence

from attestation.domain import batch_digest, peer_message_digest
from attestation.merkle import merkle_root
from attestation.schemes import SigningKey
from attestation.statement import Statement, guard_key
from relayer.domain.batch import Batch
from relayer.errors import ConflictingAttestation
from relayer.ports.signer import Attestation, Guard, GuardConflict


class LocalSigner:
    """Implements the port `Signer` with a key of the operator's scheme, and a key of the peers' scheme for messages.

    Without `peer_key` the signer's own signs messages too: for signers of that scheme only.
    """

    def __init__(self, signing_key: SigningKey, guard: Guard, peer_key: SigningKey | None = None) -> None:
        self._signing_key = signing_key
        self._guard = guard
        self._peer_key = peer_key or signing_key

    @property
    def key(self) -> bytes:
        """The public key by which signer sets know this operator, of its scheme's length."""
        return self._signing_key.key

    @property
    def peer_key(self) -> bytes:
        """The 20-byte address by which peers know this node's messages."""
        return self._peer_key.key

    async def sign_batch(self, batch: Batch, epoch: int) -> Attestation:
        """Guard every leaf, then sign the root for this epoch.

        Raises:
            ConflictingAttestation: a guard key already has another leaf, in the guard or in this very batch; nothing
                was signed.
            ValueError: the root is not that of the statements, which is a bug of whoever built the batch.
        """
        await self._claim([batch])
        return self._sign(batch, epoch)

    async def sign_batches(
        self, batches: Sequence[tuple[Batch, int]]
    ) -> Sequence[Attestation | ConflictingAttestation]:
        """As `sign_batch` for each (batch, epoch), in order; the refusal stands in the place of what is not signed.

        Raises `ValueError` as `sign_batch` does.
        """
        try:
            await self._claim([batch for batch, _ in batches])
        except ConflictingAttestation:
            return [await self._sign_or_refuse(batch, epoch) for batch, epoch in batches]
        return [self._sign(batch, epoch) for batch, epoch in batches]

    async def _claim(self, batches: Sequence[Batch]) -> None:
        """Guard every leaf of all batches with one write, or none of them. Raises as `sign_batch`."""
        entries: dict[bytes, tuple[bytes, bytes, Statement]] = {}
        for batch in batches:
            leaves = [statement.leaf for statement in batch.statements]
            # SECURITY: the guard is told the statements, the signature covers the root. If they did not belong
            # together, any root could be signed past the guard.
            if merkle_root(leaves) != batch.root:
                raise ValueError("the batch's root is not that of its statements")
            for leaf, statement in zip(leaves, batch.statements, strict=True):
                key = guard_key(statement, batch.verifying_gateway)
                held = entries.setdefault(key, (key, leaf, statement))
                # SECURITY: what is claimed together can contradict itself, and a guard that writes all its rows at
                # once would not see it.
                if held[1] != leaf:
                    raise _conflict((GuardConflict(key, held[1], leaf),))
        # SECURITY: durable before the signature exists. Whatever the guard raises goes up, and nothing is signed.
        conflicts = tuple(await self._guard.claim(tuple(entries.values())))
        if conflicts:
            raise _conflict(conflicts)

    async def _sign_or_refuse(self, batch: Batch, epoch: int) -> Attestation | ConflictingAttestation:
        try:
            return await self.sign_batch(batch, epoch)
        except ConflictingAttestation as conflict:
            return conflict

    def _sign(self, batch: Batch, epoch: int) -> Attestation:
        """The signature over what is claimed."""
        return Attestation(
            gateway=batch.verifying_gateway,
            root=batch.root,
            count=batch.count,
            epoch=epoch,
            signer=self.key,
            signature=self._signing_key.sign(batch_digest(batch.verifying_gateway, batch.root, batch.count, epoch)),
        )

    def sign_peer_message(self, body_hash: bytes, sent_at_milliseconds: int, recipient: bytes) -> bytes:
        """A signature over a peer message, in the peers' own domain; no guard stands here, and none is needed.

        SECURITY: the digest is computed here, from the parts. Whoever calls can have nothing else signed by it.
        """
        return self._peer_key.sign(peer_message_digest(body_hash, sent_at_milliseconds, recipient))

    def __repr__(self) -> str:
        return f"LocalSigner(key=0x{self.key.hex()})"


def _conflict(conflicts: tuple[GuardConflict, ...]) -> ConflictingAttestation:
    first = conflicts[0]
    return ConflictingAttestation(
        f"{len(conflicts)} guard keys hold another leaf; the first is 0x{first.guard_key.hex()} with leaf "
        f"0x{first.held_leaf.hex()}, asked for 0x{first.asked_leaf.hex()}"
    )
