"""The signature schemes, by their number on the wire. A new scheme is one module here and one entry in `SCHEMES`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attestation.errors import UnknownScheme
from attestation.schemes.bls12381 import BLS12381
from attestation.schemes.interface import Scheme, SigningKey
from attestation.schemes.secp256k1 import SECP256K1

__all__ = ["BLS12381", "SCHEMES", "SECP256K1", "Scheme", "SigningKey", "scheme_of"]

SCHEMES: Final[Mapping[int, Scheme]] = MappingProxyType({scheme.number: scheme for scheme in (SECP256K1, BLS12381)})


def scheme_of(number: int) -> Scheme:
    """The scheme with this number. Raises `UnknownScheme`."""
    scheme = SCHEMES.get(number)
    if scheme is None:
        raise UnknownScheme(number)
    return scheme
