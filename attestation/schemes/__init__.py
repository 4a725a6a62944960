"""The signature schemes, by their number on the wire. A new scheme is one module here and one entry in `SCHEMES`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from attestation.errors import MalformedSecret, UnknownScheme
from attestation.schemes.bls12381 import BLS12381
from attestation.schemes.interface import Scheme, SigningKey
from attestation.schemes.secp256k1 import SECP256K1

__all__ = [
    "BLS12381",
    "DEFAULT_SCHEME",
    "SCHEMES",
    "SCHEMES_BY_NAME",
    "SECP256K1",
    "SECRET_LENGTH",
    "Scheme",
    "SigningKey",
    "draw_secret",
    "scheme_of",
]

SCHEMES: Final[Mapping[int, Scheme]] = MappingProxyType({scheme.number: scheme for scheme in (SECP256K1, BLS12381)})

SCHEMES_BY_NAME: Final[Mapping[str, Scheme]] = MappingProxyType({scheme.name: scheme for scheme in SCHEMES.values()})

SECRET_LENGTH: Final = 32
"""Bytes of a secret of any scheme."""

DEFAULT_SCHEME: Final[Scheme] = SECP256K1
"""What a file or a command means that names none."""


def scheme_of(number: int) -> Scheme:
    """The scheme with this number. Raises `UnknownScheme`."""
    scheme = SCHEMES.get(number)
    if scheme is None:
        raise UnknownScheme(number)
    return scheme


def draw_secret(scheme: Scheme, random_bytes: Callable[[int], bytes]) -> bytes:
    """A new secret of the scheme, 32 bytes, from a source such as `secrets.token_bytes`."""
    while True:
        secret = random_bytes(SECRET_LENGTH)
        try:
            scheme.signing_key(secret)
        except MalformedSecret:
            continue
        return secret
