"""What contracts may have computed, against other implementations of the same curves."""

from __future__ import annotations

import hashlib

import pytest
from coincurve import PrivateKey
from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS, eddsa
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc.bls import G2Basic
from py_ecc.bls.g2_primitives import G1_to_pubkey, G2_to_signature, pubkey_to_G1, signature_to_G2
from py_ecc.optimized_bls12_381 import G1, add, multiply

from relayer.devnet.cosmwasm.vm import curves

_K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_R1_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _high(signature: bytes, order: int) -> bytes:
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + (order - s).to_bytes(32, "big")


@settings(max_examples=25, deadline=None)
@given(st.integers(1, _K1_ORDER - 1), st.binary(max_size=40))
def test_secp256k1_verifies_and_recovers_high_and_low(secret: int, message: bytes) -> None:
    key = PrivateKey(secret.to_bytes(32, "big"))
    digest = hashlib.sha256(message).digest()
    signed = key.sign_recoverable(digest, hasher=None)
    signature, recovery = signed[:64], signed[64]
    public = key.public_key
    for form in (public.format(), public.format(compressed=False)):
        assert curves.secp256k1_verify(digest, signature, form) == curves.VALID
        assert curves.secp256k1_verify(digest, _high(signature, _K1_ORDER), form) == curves.VALID
        assert curves.secp256k1_verify(hashlib.sha256(digest).digest(), signature, form) == curves.INVALID
    assert curves.secp256k1_recover(digest, signature, recovery) == public.format(compressed=False)
    high = _high(signature, _K1_ORDER)
    assert curves.secp256k1_recover(digest, high, recovery ^ 1) == public.format(compressed=False)


@settings(max_examples=10, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40))
def test_secp256r1_verifies_and_recovers(seed: bytes, message: bytes) -> None:
    key = ECC.construct(curve="P-256", d=int.from_bytes(seed, "big") % (_R1_ORDER - 1) + 1)
    signature = DSS.new(key, "deterministic-rfc6979").sign(SHA256.new(message))
    digest = hashlib.sha256(message).digest()
    public = key.public_key().export_key(format="SEC1", compress=False)
    assert curves.secp256r1_verify(digest, signature, public) == curves.VALID
    assert curves.secp256r1_verify(digest, _high(signature, _R1_ORDER), public) == curves.VALID
    assert curves.secp256r1_verify(hashlib.sha256(digest).digest(), signature, public) == curves.INVALID
    assert public in {curves.secp256r1_recover(digest, signature, recovery) for recovery in (0, 1)}


def test_ecdsa_says_what_is_wrong_by_its_codes() -> None:
    digest, signature = bytes(32), b"\x01" * 64
    for verify in (curves.secp256k1_verify, curves.secp256r1_verify):
        assert verify(bytes(31), signature, bytes(33)) == curves.INVALID_HASH_FORMAT
        assert verify(digest, bytes(63), bytes(33)) == curves.INVALID_SIGNATURE_FORMAT
        assert verify(digest, signature, bytes(33)) == curves.INVALID_PUBKEY_FORMAT
        assert verify(digest, bytes(64), b"\x02" + bytes(32)) == curves.GENERIC_ERROR
        assert verify(digest, signature, b"\x02" + b"\xff" * 32) == curves.GENERIC_ERROR
    for recover, most in ((curves.secp256k1_recover, 1), (curves.secp256r1_recover, 3)):
        with pytest.raises(curves.CurveError) as refused:
            recover(digest, signature, most + 1)
        assert refused.value.code == curves.INVALID_RECOVERY_PARAM


def test_ed25519_verifies_one_and_many() -> None:
    keys = [ECC.construct(curve="Ed25519", seed=bytes([n]) * 32) for n in range(3)]
    publics = [key.public_key().export_key(format="raw") for key in keys]
    messages = [bytes([n]) for n in range(3)]
    signatures = [eddsa.new(key, "rfc8032").sign(each) for key, each in zip(keys, messages, strict=True)]
    assert curves.ed25519_verify(messages[0], signatures[0], publics[0]) == curves.VALID
    assert curves.ed25519_verify(messages[1], signatures[0], publics[0]) == curves.INVALID
    assert curves.ed25519_verify(b"", bytes(63), publics[0]) == curves.INVALID_SIGNATURE_FORMAT
    assert curves.ed25519_verify(b"", bytes(64), bytes(31)) == curves.INVALID_PUBKEY_FORMAT
    batch = curves.ed25519_batch_verify
    assert batch(messages, signatures, publics) == curves.VALID
    assert batch(messages[::-1], signatures, publics) == curves.INVALID
    assert batch(messages[:1], signatures[:1], publics) == curves.BATCH_ERROR
    assert batch([], [], []) == curves.VALID
    same = [eddsa.new(key, "rfc8032").sign(b"one") for key in keys]
    assert batch([b"one"], same, publics) == curves.VALID


def test_bls12_381_aggregates_hashes_and_pairs() -> None:
    tag = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
    secrets = (7, 11)
    publics = [bytes(G2Basic.SkToPk(secret)) for secret in secrets]
    signatures = [bytes(G2Basic.Sign(secret, b"hello")) for secret in secrets]
    both = curves.bls12_381_aggregate_g1(b"".join(publics))
    assert both == bytes(G1_to_pubkey(add(pubkey_to_G1(publics[0]), pubkey_to_G1(publics[1]))))
    signed = curves.bls12_381_aggregate_g2(b"".join(signatures))
    assert signed == bytes(G2_to_signature(add(signature_to_G2(signatures[0]), signature_to_G2(signatures[1]))))
    point = curves.bls12_381_hash_to_g2(0, b"hello", tag)
    generator = bytes(G1_to_pubkey(multiply(G1, 1)))
    assert curves.bls12_381_pairing_equality(both, point, generator, signed) == curves.VALID
    assert curves.bls12_381_pairing_equality(both, point, generator, signatures[0]) == curves.INVALID
    assert curves.bls12_381_pairing_equality(both[1:], point, generator, signed) == curves.NOT_MULTIPLE_OF_G1
    assert curves.bls12_381_pairing_equality(both, point[1:], generator, signed) == curves.NOT_MULTIPLE_OF_G2
    assert curves.bls12_381_pairing_equality(b"", point, generator, signed) == curves.UNEQUAL_POINT_AMOUNT
    assert curves.bls12_381_pairing_equality(bytes(48), point, generator, signed) == curves.INVALID_POINT
    assert len(curves.bls12_381_hash_to_g1(0, b"hello", tag)) == curves.G1_BYTES
    for data, code in ((b"", curves.NOTHING_TO_AGGREGATE), (bytes(47), curves.NOT_MULTIPLE_TO_AGGREGATE)):
        with pytest.raises(curves.CurveError) as refused:
            curves.bls12_381_aggregate_g1(data)
        assert refused.value.code == code
    with pytest.raises(curves.CurveError) as refused:
        curves.bls12_381_hash_to_g1(1, b"", tag)
    assert refused.value.code == curves.UNKNOWN_HASH_FUNCTION
