"""Accounts: their addresses, and what a chain knows of them.

Source: cosmos/auth/v1beta1/{auth,query}.proto of the Cosmos SDK 0.50; its ADR 028 for addresses.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import coincurve
from Crypto.Hash import RIPEMD160

from attestation.errors import MalformedAddress
from attestation.textcodecs import bech32_decode, bech32_encode
from relayer.cosmos.base import AnyMessage
from relayer.cosmos.protobuf import Message, one, text, u64

ACCOUNT: Final = "/cosmos.auth.v1beta1.Query/Account"

ACCOUNT_BYTES: Final = 20
CONTRACT_BYTES: Final = 32


def account_of_key(public_key: bytes) -> bytes:
    """The 20 bytes of the account of a secp256k1 key of 33 bytes."""
    return RIPEMD160.new(hashlib.sha256(public_key).digest()).digest()


def account_of_secret(secret: bytes) -> bytes:
    """The 20 bytes of the account of a 32-byte secret, which is a secp256k1 key."""
    return account_of_key(coincurve.PrivateKey(secret).public_key.format(compressed=True))


def to_bech32(prefix: str, account: bytes) -> str:
    """An account's 20 or 32 bytes as text. Raises `MalformedAddress`."""
    if len(account) not in (ACCOUNT_BYTES, CONTRACT_BYTES):
        raise MalformedAddress(f"an account has {ACCOUNT_BYTES} or {CONTRACT_BYTES} bytes, not {len(account)}")
    return bech32_encode(prefix, account)


def from_bech32(prefix: str, account: str) -> bytes:
    """The 20 or 32 bytes of an account's text. Raises `MalformedAddress`."""
    found, data = bech32_decode(account)
    if found != prefix:
        raise MalformedAddress(f"the prefix is {found!r}, not {prefix!r}")
    if len(data) not in (ACCOUNT_BYTES, CONTRACT_BYTES):
        raise MalformedAddress(f"an account has {ACCOUNT_BYTES} or {CONTRACT_BYTES} bytes, not {len(data)}")
    return data


@dataclass(frozen=True, slots=True)
class QueryAccountRequest(Message):
    """`QueryAccountRequest`."""

    address: str = text(1)


@dataclass(frozen=True, slots=True)
class QueryAccountResponse(Message):
    """`QueryAccountResponse`; the `Any` is a `BaseAccount` for whoever signs with one key."""

    account: AnyMessage | None = one(1, AnyMessage)


@dataclass(frozen=True, slots=True)
class BaseAccount(Message):
    """`BaseAccount`. A chain knows the public key once it has seen a signature."""

    TYPE_URL = "/cosmos.auth.v1beta1.BaseAccount"
    address: str = text(1)
    pub_key: AnyMessage | None = one(2, AnyMessage)
    account_number: int = u64(3)
    sequence: int = u64(4)
