from dataclasses import replace
from typing import Any

import pytest

from attestation.address import Chain
from attestation.batch import Attestation, Batch, sign_batch, verify_attestation
from attestation.domain import batch_digest
from attestation.errors import (
    EmptyBatch,
    ForgedSignature,
    HighS,
    MalformedAddress,
    MalformedBatch,
    MalformedSignature,
    SignerOutOfOrder,
    UnknownSigner,
)
from attestation.merkle import merkle_root
from tests.vectors.certificate_vectors import fixtures, high_s_signature
from tests.vectors.examples import (
    DESTINATION_GATEWAY,
    FOUR,
    SOURCE_GATEWAY,
    UINT64_MAX,
    example_keys,
    example_leaves,
    hash_of,
)

BATCH = Batch.of_leaves(SOURCE_GATEWAY, example_leaves(5), 7)
KEYS = example_keys("four", 4)


def test_a_batch_of_leaves_has_their_root_and_count() -> None:
    assert Batch(SOURCE_GATEWAY, merkle_root(example_leaves(5)), 5, 7) == BATCH
    assert BATCH.digest() == batch_digest(SOURCE_GATEWAY, BATCH.root, 5, 7)
    with pytest.raises(EmptyBatch):
        Batch.of_leaves(SOURCE_GATEWAY, [], 1)


@pytest.mark.parametrize(("field", "value"), [("count", 1), ("count", 256), ("epoch", 1), ("epoch", UINT64_MAX)])
def test_the_ends_of_the_ranges_are_batches(field: str, value: int) -> None:
    assert getattr(replace(BATCH, **{field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("root", bytes(32)),
        ("root", b"\x01" * 31),
        ("root", b"\x01" * 33),
        ("count", 0),
        ("count", 257),
        ("count", -1),
        ("epoch", 0),
        ("epoch", -1),
        ("epoch", 2**64),
    ],
)
def test_security_nothing_else_can_be_signed(field: str, value: Any) -> None:
    """SECURITY: a signature of a zero root or of no leaves must not exist."""
    with pytest.raises(MalformedBatch) as caught:
        replace(BATCH, **{field: value})
    assert caught.value.field == field
    assert caught.value.reason.startswith("is ")


@pytest.mark.parametrize("gateway", [b"", Chain.evm(1).to_bytes(), SOURCE_GATEWAY + b"\x00"])
def test_a_batch_is_for_a_gateway(gateway: bytes) -> None:
    with pytest.raises(MalformedAddress):
        replace(BATCH, gateway=gateway)


def test_a_signers_own_attestation_verifies() -> None:
    for index, key in enumerate(KEYS):
        attestation = sign_batch(BATCH, index, key)
        assert attestation == Attestation(BATCH, index, key.sign(BATCH.digest()))
        assert verify_attestation(attestation, FOUR) == attestation


@pytest.mark.parametrize("index", [-1, 4, 255])
def test_an_index_beyond_the_set_is_unknown(index: int) -> None:
    with pytest.raises(UnknownSigner) as caught:
        verify_attestation(Attestation(BATCH, index, KEYS[0].sign(BATCH.digest())), FOUR)
    assert caught.value.index == index


def test_security_an_attestation_is_of_its_signer_and_batch() -> None:
    """SECURITY: weight is counted from what passes here."""
    good = sign_batch(BATCH, 1, KEYS[1])
    with pytest.raises(SignerOutOfOrder) as out_of_order:
        verify_attestation(replace(good, signer_index=2), FOUR)
    assert out_of_order.value.index == 2
    for other in (
        replace(BATCH, root=hash_of("another root")),
        replace(BATCH, count=4),
        replace(BATCH, epoch=8),
        replace(BATCH, gateway=DESTINATION_GATEWAY),
    ):
        with pytest.raises(ForgedSignature) as forged:
            verify_attestation(replace(good, batch=other), FOUR)
        assert forged.value.index == 1
    with pytest.raises(MalformedSignature):
        verify_attestation(replace(good, signature=good.signature + b"\x00"), FOUR)


def test_security_a_high_s_is_no_attestation() -> None:
    """SECURITY: a certificate that held it would be refused."""
    fixture = fixtures()["high s"]
    with pytest.raises(HighS):
        verify_attestation(Attestation(fixture.batch(2), 0, high_s_signature()), fixture.sets[1])
