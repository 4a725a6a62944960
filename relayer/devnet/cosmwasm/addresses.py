"""Accounts' names: bech32 text and bytes, and the addresses that contracts get.

Source: `x/wasm/keeper/addresses.go` of CosmWasm/wasmd; ADR 28 of cosmos/cosmos-sdk.
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


def classic_address(code_id: int, instance_id: int) -> bytes:
    """Of a contract, by its number among all."""
    return _wasm_address(code_id.to_bytes(8, "big") + instance_id.to_bytes(8, "big"))


def predictable_address(checksum: bytes, creator: bytes, salt: bytes, message: bytes = b"") -> bytes:
    """Of a contract made by instantiate2; `message` only where it was asked to be part of the address."""
    parts = (checksum, creator, salt, message)
    return _wasm_address(b"".join(len(part).to_bytes(8, "big") + part for part in parts))


def _wasm_address(key: bytes) -> bytes:
    kind = hashlib.sha256(b"module").digest()
    return hashlib.sha256(kind + b"wasm\0" + key).digest()


@lru_cache(_KEPT)
def _encode(prefix: str, address: bytes) -> str:
    return bech32_encode(prefix, address)


@lru_cache(_KEPT)
def _decode(text: str) -> tuple[str, bytes]:
    return bech32_decode(text)
