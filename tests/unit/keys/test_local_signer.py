"""The signer never signs past its guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from attestation.address import evm_account
from attestation.domain import batch_digest, peer_message_digest
from attestation.merkle import merkle_root
from attestation.request import RequestId
from attestation.schemes import SECP256K1, SigningKey
from attestation.schemes.secp256k1 import recover
from attestation.statement import Execute, Outcome, OutcomeKind, Statement, guard_key
from relayer.domain.batch import Batch, BatchKind
from relayer.errors import ConflictingAttestation, StoreConflict
from relayer.keys.local_signer import LocalSigner
from relayer.ports.signer import Attestation, GuardConflict

KEY = SECP256K1.signing_key(b"\x07" * 32)
GATEWAY = evm_account(31337, b"\x11" * 20).to_bytes()


class CountingKey:
    """A signing key that tells how often it was used."""

    def __init__(self, inner: SigningKey) -> None:
        self._inner = inner
        self.signed: list[bytes] = []

    @property
    def key(self) -> bytes:
        return self._inner.key

    def sign(self, digest: bytes) -> bytes:
        self.signed.append(digest)
        return self._inner.sign(digest)


class DictGuard:
    """A guard in memory. Claims are seen by `key` at the time of the claim, to prove the order."""

    def __init__(self, key: CountingKey) -> None:
        self._key = key
        self.leaves: dict[bytes, bytes] = {}
        self.signed_at_claim: list[int] = []

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        self.signed_at_claim.append(len(self._key.signed))
        conflicts = [
            GuardConflict(key, self.leaves[key], leaf) for key, leaf, _ in entries if self.leaves.get(key, leaf) != leaf
        ]
        if not conflicts:
            self.leaves.update({key: leaf for key, leaf, _ in entries})
        return conflicts


class BrokenGuard:
    """A guard whose disk is full."""

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        raise StoreConflict(f"cannot write {len(entries)} rows")


def _execute(number: int, height: int = 5) -> Execute:
    return Execute(RequestId(bytes([number]) * 32), height, b"\x22" * 32, 0, 0)


def _outcome(kind: OutcomeKind) -> Outcome:
    return Outcome(
        RequestId(b"\x01" * 32), kind, cut=False, return_data_hash=b"\x33" * 32, height=5, block_hash=b"\x22" * 32,
        tx_index=0, log_index=0, payee=bytes(32), round=0,
    )  # fmt: skip


def _batch(*statements: Statement) -> Batch:
    return Batch(
        kind=BatchKind.EXECUTE,
        root=merkle_root([statement.leaf for statement in statements]),
        route=GATEWAY + GATEWAY,
        verifying_gateway=GATEWAY,
        verifying_chain="eip155:31337",
        first_height=5,
        statements=statements,
    )


@pytest.fixture
def key() -> CountingKey:
    return CountingKey(KEY)


@pytest.fixture
def guard(key: CountingKey) -> DictGuard:
    return DictGuard(key)


@pytest.fixture
def signer(key: CountingKey, guard: DictGuard) -> LocalSigner:
    return LocalSigner(key, guard)


async def test_a_batch_is_signed_in_the_domain_of_its_verifying_gateway(signer: LocalSigner) -> None:
    batch = _batch(_execute(1), _execute(2))
    attestation = await signer.sign_batch(batch, 3)
    assert (attestation.gateway, attestation.root, attestation.count, attestation.epoch) == (GATEWAY, batch.root, 2, 3)
    assert attestation.signer == signer.key == KEY.key
    assert recover(batch_digest(GATEWAY, batch.root, 2, 3), attestation.signature) == KEY.key


async def test_security_the_claim_is_durable_before_the_key_is_used(
    signer: LocalSigner, key: CountingKey, guard: DictGuard
) -> None:
    """SECURITY: a crash between signature and claim would let another process contradict it."""
    batch = _batch(_execute(1), _execute(2))
    await signer.sign_batch(batch, 1)
    assert guard.signed_at_claim == [0]
    assert len(key.signed) == 1
    assert guard.leaves == {guard_key(statement, GATEWAY): statement.leaf for statement in batch.statements}


async def test_security_no_claim_no_signature(key: CountingKey) -> None:
    """SECURITY: a guard that cannot write means that nothing is signed."""
    with pytest.raises(StoreConflict):
        await LocalSigner(key, BrokenGuard()).sign_batch(_batch(_execute(1)), 1)
    assert key.signed == []


async def test_security_a_second_leaf_under_one_key_is_refused(
    signer: LocalSigner, key: CountingKey, guard: DictGuard
) -> None:
    """SECURITY: this is the equivocation for which a signer loses its stake."""
    await signer.sign_batch(_batch(_execute(1, height=5)), 1)
    with pytest.raises(ConflictingAttestation, match="01" * 32):
        await signer.sign_batch(_batch(_execute(2), _execute(1, height=6)), 1)
    assert len(key.signed) == 1
    assert guard_key(_execute(2), GATEWAY) not in guard.leaves


async def test_security_an_outcome_of_another_kind_is_a_contradiction(signer: LocalSigner, key: CountingKey) -> None:
    """SECURITY: the guard key of an outcome does not hold its kind."""
    await signer.sign_batch(_batch(_outcome(OutcomeKind.EXECUTED)), 1)
    with pytest.raises(ConflictingAttestation):
        await signer.sign_batch(_batch(_outcome(OutcomeKind.REVERTED)), 2)
    assert len(key.signed) == 1


async def test_security_a_batch_that_contradicts_itself_is_refused(
    signer: LocalSigner, key: CountingKey, guard: DictGuard
) -> None:
    """SECURITY: a guard that writes all rows at once would see no conflict."""
    with pytest.raises(ConflictingAttestation):
        await signer.sign_batch(_batch(_execute(1, height=5), _execute(1, height=6)), 1)
    assert key.signed == []
    assert guard.leaves == {}


async def test_security_a_root_that_is_not_of_the_statements_is_refused(
    signer: LocalSigner, key: CountingKey, guard: DictGuard
) -> None:
    """SECURITY: or any root could be signed while the guard remembers something else."""
    batch = replace(_batch(_execute(1)), root=_batch(_execute(2)).root)
    with pytest.raises(ValueError, match="root"):
        await signer.sign_batch(batch, 1)
    assert key.signed == []
    assert guard.leaves == {}


async def test_the_same_leaf_in_another_batch_or_epoch_is_signed(signer: LocalSigner, key: CountingKey) -> None:
    await signer.sign_batch(_batch(_execute(1), _execute(2)), 1)
    await signer.sign_batch(_batch(_execute(2)), 1)
    await signer.sign_batch(_batch(_execute(1), _execute(2)), 2)
    assert len(set(key.signed)) == 3


async def test_the_same_statement_twice_in_a_batch_is_no_contradiction(signer: LocalSigner) -> None:
    assert (await signer.sign_batch(_batch(_execute(1), _execute(1)), 1)).count == 2


def test_a_peer_message_is_signed_with_the_same_key(signer: LocalSigner) -> None:
    parts = (b"\x01" * 32, 5, b"\x02" * 32)
    assert recover(peer_message_digest(*parts), signer.sign_peer_message(*parts)) == KEY.key


def test_security_the_signer_shows_its_public_key_only() -> None:
    """SECURITY: a signer in a log line or a traceback gives no secret away."""
    text = repr(LocalSigner(KEY, BrokenGuard()))
    assert text == f"LocalSigner(key=0x{KEY.key.hex()})"
    assert "07" * 32 not in repr(vars(LocalSigner(KEY, BrokenGuard())))


async def test_many_batches_are_claimed_with_one_write(signer: LocalSigner, key: CountingKey, guard: DictGuard) -> None:
    """A batch that finds no quorum is split into twice as many parts as it has leaves, all at once."""
    batches = [(_batch(_execute(1), _execute(2)), 1), (_batch(_execute(1)), 1), (_batch(_execute(2)), 1)]
    signed = await signer.sign_batches(batches)
    assert [attestation.root for attestation in signed if isinstance(attestation, Attestation)] == [
        batch.root for batch, _ in batches
    ]
    assert guard.signed_at_claim == [0]
    assert len(key.signed) == 3


async def test_security_of_many_batches_those_that_contradict_are_refused_and_no_others(
    signer: LocalSigner, key: CountingKey
) -> None:
    """SECURITY: claiming many batches at once must refuse what claiming each would."""
    await signer.sign_batch(_batch(_execute(1, height=5)), 1)
    contradicting = [_batch(_execute(1, height=6)), _batch(_execute(3, height=7))]
    sound = [_batch(_execute(2)), _batch(_execute(3, height=6))]
    signed = await signer.sign_batches(
        [(batch, 1) for batch in (sound[0], contradicting[0], sound[1], contradicting[1])]
    )
    assert [isinstance(attestation, Attestation) for attestation in signed] == [True, False, True, False]
    assert [type(refused) for refused in signed[1::2]] == [ConflictingAttestation] * 2
    assert len(key.signed) == 3


async def test_security_of_many_batches_none_is_signed_if_the_guard_cannot_write(key: CountingKey) -> None:
    """SECURITY: no claim, no signature."""
    with pytest.raises(StoreConflict):
        await LocalSigner(key, BrokenGuard()).sign_batches([(_batch(_execute(1)), 1), (_batch(_execute(2)), 1)])
    assert key.signed == []
