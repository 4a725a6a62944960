"""The signatures and curves that contracts may have the chain compute.

Its job: answer as CosmWasm's crypto package does, with its codes: 0 for yes, 1 for no, more for what cannot be asked.
Bytes in, bytes or a code out; nothing here knows of memory or gas.

ed25519 is checked by RFC 8032. A chain follows ZIP 215, which also takes a few keys and signatures that no honest
signer makes.

Source: `packages/crypto/src` of CosmWasm/cosmwasm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from coincurve import PublicKey
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from py_arkworks_bls12381 import GT, G1Point, G2Point

VALID: Final = 0
INVALID: Final = 1
INVALID_HASH_FORMAT: Final = 3
INVALID_SIGNATURE_FORMAT: Final = 4
INVALID_PUBKEY_FORMAT: Final = 5
INVALID_RECOVERY_PARAM: Final = 6
BATCH_ERROR: Final = 7
INVALID_POINT: Final = 8
UNKNOWN_HASH_FUNCTION: Final = 9
GENERIC_ERROR: Final = 10
NOT_MULTIPLE_OF_G1: Final = 11
NOT_MULTIPLE_OF_G2: Final = 12
UNEQUAL_POINT_AMOUNT: Final = 13
NOTHING_TO_AGGREGATE: Final = 14
NOT_MULTIPLE_TO_AGGREGATE: Final = 15

HASH_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
G1_BYTES: Final = 48
G2_BYTES: Final = 96
_ED25519_KEY_BYTES: Final = 32
_SHA256: Final = 0

_K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_R1_PRIME: Final = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_R1_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_R1_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

_Point = TypeVar("_Point", G1Point, G2Point)


class CurveError(Exception):
    """There is no answer; `code` is what the contract gets."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


def secp256k1_verify(digest: bytes, signature: bytes, public_key: bytes) -> int:
    """A code. High and low `s` are both taken."""
    try:
        r, s = _scalars(digest, signature, _K1_ORDER)
        _require_sec1(public_key)
        try:
            key = PublicKey(public_key)
        except ValueError:
            return GENERIC_ERROR
    except CurveError as error:
        return error.code
    low = min(s, _K1_ORDER - s)
    is_valid = key.verify(_der(r, low), digest, hasher=None)
    return VALID if is_valid else INVALID


def secp256k1_recover(digest: bytes, signature: bytes, recovery: int) -> bytes:
    """The 65 bytes of a public key; `recovery` is 0 or 1. Raises `CurveError`."""
    if recovery not in (0, 1):
        _require_lengths(digest, signature)
        raise CurveError(INVALID_RECOVERY_PARAM)
    _scalars(digest, signature, _K1_ORDER)
    try:
        key = PublicKey.from_signature_and_message(signature + bytes([recovery]), digest, hasher=None)
    except ValueError:
        raise CurveError(GENERIC_ERROR) from None
    return bytes(key.format(compressed=False))


def secp256r1_verify(digest: bytes, signature: bytes, public_key: bytes) -> int:
    """A code. High and low `s` are both taken."""
    try:
        r, s = _scalars(digest, signature, _R1_ORDER)
        _require_sec1(public_key)
        try:
            key = ECC.import_key(public_key, curve_name="P-256").pointQ
        except ValueError:
            return GENERIC_ERROR
    except CurveError as error:
        return error.code
    inverse = pow(s, -1, _R1_ORDER)
    generator = _r1_generator()
    point = generator * (int.from_bytes(digest, "big") * inverse % _R1_ORDER) + key * (r * inverse % _R1_ORDER)
    is_valid = not point.is_point_at_infinity() and int(point.x) % _R1_ORDER == r
    return VALID if is_valid else INVALID


def secp256r1_recover(digest: bytes, signature: bytes, recovery: int) -> bytes:
    """The 65 bytes of a public key; `recovery` is 0 to 3. Raises `CurveError`."""
    if recovery > 3:  # noqa: PLR2004 -- two bits: y is odd, x was reduced
        _require_lengths(digest, signature)
        raise CurveError(INVALID_RECOVERY_PARAM)
    r, s = _scalars(digest, signature, _R1_ORDER)
    x = r + (_R1_ORDER if recovery & 2 else 0)
    square = (x**3 - 3 * x + _R1_B) % _R1_PRIME
    y = pow(square, (_R1_PRIME + 1) // 4, _R1_PRIME)
    if x >= _R1_PRIME or y * y % _R1_PRIME != square:
        raise CurveError(GENERIC_ERROR)
    if y & 1 != recovery & 1:
        y = _R1_PRIME - y
    inverse = pow(r, -1, _R1_ORDER)
    nonce = ECC.EccPoint(x, y, "P-256")
    digest_part = _r1_generator() * (-int.from_bytes(digest, "big") * inverse % _R1_ORDER)
    key = nonce * (s * inverse % _R1_ORDER) + digest_part
    if key.is_point_at_infinity():
        raise CurveError(GENERIC_ERROR)
    return b"\x04" + int(key.x).to_bytes(32, "big") + int(key.y).to_bytes(32, "big")


def ed25519_verify(message: bytes, signature: bytes, public_key: bytes) -> int:
    """A code."""
    if len(signature) != SIGNATURE_BYTES:
        return INVALID_SIGNATURE_FORMAT
    if len(public_key) != _ED25519_KEY_BYTES:
        return INVALID_PUBKEY_FORMAT
    try:
        eddsa.new(eddsa.import_public_key(public_key), "rfc8032").verify(message, signature)
    except ValueError:
        return INVALID
    return VALID


def ed25519_batch_verify(messages: Sequence[bytes], signatures: Sequence[bytes], keys: Sequence[bytes]) -> int:
    """A code for all of them together. One message, or one key, stands for as many as there are signatures."""
    count = len(signatures)
    if len(messages) == 1 and len(keys) == count:
        messages = [*messages] * count
    elif len(keys) == 1 and len(messages) == count:
        keys = [*keys] * count
    elif not len(messages) == len(keys) == count:
        return BATCH_ERROR
    codes = [ed25519_verify(*each) for each in zip(messages, signatures, keys, strict=True)]
    return next((code for code in codes if code > INVALID), max(codes, default=VALID))


def bls12_381_aggregate_g1(points: bytes) -> bytes:
    """The sum of compressed points. Raises `CurveError`."""
    return _sum(G1Point, points, G1_BYTES)


def bls12_381_aggregate_g2(points: bytes) -> bytes:
    """The sum of compressed points. Raises `CurveError`."""
    return _sum(G2Point, points, G2_BYTES)


def bls12_381_pairing_equality(ps: bytes, qs: bytes, r: bytes, s: bytes) -> int:
    """A code: whether the product of e(p, q) is e(r, s)."""
    if len(ps) % G1_BYTES:
        return NOT_MULTIPLE_OF_G1
    if len(qs) % G2_BYTES:
        return NOT_MULTIPLE_OF_G2
    if len(ps) // G1_BYTES != len(qs) // G2_BYTES:
        return UNEQUAL_POINT_AMOUNT
    try:
        g1 = [*_points(G1Point, ps, G1_BYTES), -_point(G1Point, r, G1_BYTES)]
        g2 = [*_points(G2Point, qs, G2_BYTES), _point(G2Point, s, G2_BYTES)]
    except CurveError as error:
        return error.code
    return VALID if GT.multi_pairing(g1, g2) == GT.one() else INVALID


def bls12_381_hash_to_g1(hash_function: int, message: bytes, tag: bytes) -> bytes:
    """A compressed point. Raises `CurveError`."""
    if hash_function != _SHA256:
        raise CurveError(UNKNOWN_HASH_FUNCTION)
    return bytes(G1Point.hash_to_curve(message, tag).to_compressed_bytes())


def bls12_381_hash_to_g2(hash_function: int, message: bytes, tag: bytes) -> bytes:
    """A compressed point. Raises `CurveError`."""
    if hash_function != _SHA256:
        raise CurveError(UNKNOWN_HASH_FUNCTION)
    return bytes(G2Point.hash_to_curve(message, tag).to_compressed_bytes())


def _require_lengths(digest: bytes, signature: bytes) -> None:
    if len(digest) != HASH_BYTES:
        raise CurveError(INVALID_HASH_FORMAT)
    if len(signature) != SIGNATURE_BYTES:
        raise CurveError(INVALID_SIGNATURE_FORMAT)


def _scalars(digest: bytes, signature: bytes, order: int) -> tuple[int, int]:
    _require_lengths(digest, signature)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < order and 0 < s < order):
        raise CurveError(GENERIC_ERROR)
    return r, s


def _require_sec1(public_key: bytes) -> None:
    if (len(public_key), public_key[:1]) not in ((33, b"\x02"), (33, b"\x03"), (65, b"\x04")):
        raise CurveError(INVALID_PUBKEY_FORMAT)


def _der(r: int, s: int) -> bytes:
    parts = b"".join(b"\x02" + bytes([len(n)]) + n for n in (_der_integer(r), _der_integer(s)))
    return b"\x30" + bytes([len(parts)]) + parts


def _der_integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _r1_generator() -> ECC.EccPoint:
    return ECC.EccPoint(
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        "P-256",
    )


def _sum(kind: type[_Point], points: bytes, size: int) -> bytes:
    if not points:
        raise CurveError(NOTHING_TO_AGGREGATE)
    if len(points) % size:
        raise CurveError(NOT_MULTIPLE_TO_AGGREGATE)
    total = kind.identity()
    for point in _points(kind, points, size):
        total += point
    return bytes(total.to_compressed_bytes())


def _points(kind: type[_Point], points: bytes, size: int) -> list[_Point]:
    return [_point(kind, points[start : start + size], size) for start in range(0, len(points), size)]


def _point(kind: type[_Point], data: bytes, size: int) -> _Point:
    if len(data) != size:
        raise CurveError(INVALID_POINT)
    try:
        return kind.from_compressed_bytes(data)
    except ValueError:
        raise CurveError(INVALID_POINT) from None
