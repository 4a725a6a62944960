"""Values as Solana's JSON-RPC writes them, parsed strictly.

Its job: from untrusted JSON to bounded numbers and bytes of exact length, or `RpcUnavailable`: an endpoint that writes
anything else is not one to build on. It must not know which value it parses.

Source: agave's rpc-client-types: numbers are JSON's, hashes, keys, signatures and instructions' data base58, accounts'
data base64 if that is asked for.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

from solders.pubkey import Pubkey
from solders.signature import Signature

from attestation.errors import MalformedAddress
from attestation.textcodecs import base58_decode
from relayer.errors import RpcUnavailable

HASH_LENGTH: Final = 32
SIGNATURE_LENGTH: Final = 64

MAX_COUNT: Final = 2**63 - 1
"""Slots, seconds, heights and lamports: statements and the store keep 64 bits, and sums of two must fit those too."""


def parse_count(value: Any) -> int:
    """A slot, a height, a timestamp in seconds, lamports or compute units: at most `MAX_COUNT`."""
    # SECURITY: what is larger would raise where it is stored or signed, far from the endpoint that made it up.
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise _malformed("a count")
    return value


def parse_hash(value: Any) -> bytes:
    """A block's or the genesis' hash, or an account's address: 32 bytes."""
    if isinstance(value, str):
        try:
            return bytes(Pubkey.from_string(value))
        except ValueError:
            pass
    raise _malformed("a hash")


def parse_signature(value: Any) -> bytes:
    """A transaction's first signature, 64 bytes, which names it."""
    if isinstance(value, str):
        try:
            return bytes(Signature.from_string(value))
        except ValueError:
            pass
    raise _malformed("a signature")


def parse_base58(value: Any, max_characters: int) -> bytes:
    """Bytes of any length in so many characters."""
    if isinstance(value, str):
        try:
            return base58_decode(value, max_characters)
        except MalformedAddress:
            pass
    raise _malformed("base58")


def parse_base64(value: Any) -> bytes:
    """Bytes of any length, written as `[<base64>, "base64"]`."""
    match value:
        case [str(text), "base64"]:
            try:
                return b64decode(text, validate=True)
            except ValueError:
                pass
    raise _malformed("base64")


def parse_flag(value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise _malformed("a flag")
    return value


def parse_member(value: Any, name: str) -> Any:
    """What an object has under a name; null is None."""
    if not isinstance(value, dict) or name not in value:
        raise _malformed(f"an object with {name}")
    return value[name]


def parse_list(value: Any, count: int) -> list[Any]:
    """A list of exactly so many values."""
    if not isinstance(value, list) or len(value) != count:
        raise _malformed(f"a list of {count}")
    return value


def format_signature(signature: bytes) -> str:
    """Base58 of a transaction's 64-byte signature."""
    return str(Signature(signature))


def _malformed(what: str) -> RpcUnavailable:
    return RpcUnavailable(f"an endpoint answered with what is not {what}")
