"""Scheme 2 by py-ecc, which shares no code with the package."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.optimized_bls12_381 import FQ, G2, add, multiply, normalize, pairing


def bytes_of_point(point: Any) -> bytes:
    """A point without padding; its coordinates are FQ, or FQ2 with two coefficients."""
    numbers = [int(part) for coordinate in normalize(point) for part in getattr(coordinate, "coeffs", (coordinate,))]
    return b"".join(number.to_bytes(48, "big") for number in numbers)


def public_key(secret: bytes) -> bytes:
    return bytes_of_point(multiply(G2, int.from_bytes(secret, "big")))


def message_point(message: bytes, tag: str) -> bytes:
    return bytes_of_point(hash_to_G1(message, tag.encode(), sha256))


def sign(secret: bytes, message: bytes, tag: str) -> bytes:
    return bytes_of_point(multiply(hash_to_G1(message, tag.encode(), sha256), int.from_bytes(secret, "big")))


def is_signed(signature: bytes, message: bytes, tag: str, secrets: Sequence[bytes]) -> bool:
    """Whether the signature is that of the message by the sum of these secrets' public keys."""
    x, y = (FQ(int.from_bytes(signature[start : start + 48], "big")) for start in (0, 48))
    first, *others = (multiply(G2, int.from_bytes(secret, "big")) for secret in secrets)
    total = first
    for key in others:
        total = add(total, key)
    return bool(pairing(G2, (x, y, FQ(1))) == pairing(total, hash_to_G1(message, tag.encode(), sha256)))
