"""Accounts' names: bech32 text and bytes.

Source: ADR 28 of cosmos/cosmos-sdk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from attestation.errors import MalformedAddress
from attestation.textcodecs import bech32_decode, bech32_encode

CONTRACT_ADDRESS_BYTES: Final = 32
_ACCOUNT_ADDRESS_BYTES: Final = 20
_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class AddressFormat:
    """The text form of this chain's accounts."""

    prefix: str

    def text(self, address: bytes) -> str:
        """Of 20 bytes, or of a contract's 32. Raises `ValueError`."""
        if len(address) not in (_ACCOUNT_ADDRESS_BYTES, CONTRACT_ADDRESS_BYTES):
            raise ValueError("unknown address: invalid address length")
        return _encode(self.prefix, address)

    def parse(self, text: str) -> bytes:
        """The inverse; all in capitals is the same account. Raises `ValueError`."""
        if not text.strip():
            raise ValueError("empty address string is not allowed")
        try:
            prefix, address = _decode(text.lower() if text.isupper() else text)
        except MalformedAddress as error:
            raise ValueError(f"decoding bech32 failed: {error}") from None
        if prefix != self.prefix:
            raise ValueError(f"invalid Bech32 prefix; expected {self.prefix}, got {prefix}")
        if len(address) not in (_ACCOUNT_ADDRESS_BYTES, CONTRACT_ADDRESS_BYTES):
            raise ValueError("unknown address: invalid address length")
        return address


def module_address(name: str) -> bytes:
    """The account of a module of the chain."""
    return hashlib.sha256(name.encode()).digest()[:_ACCOUNT_ADDRESS_BYTES]


@lru_cache(_KEPT)
def _encode(prefix: str, address: bytes) -> str:
    return bech32_encode(prefix, address)


@lru_cache(_KEPT)
def _decode(text: str) -> tuple[str, bytes]:
    return bech32_decode(text)
