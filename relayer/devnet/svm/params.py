"""Parameters of a call, from untrusted JSON to values. Whatever does not fit is -32602, never anything else."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature

from attestation.errors import MalformedAddress
from attestation.textcodecs import base58_decode
from relayer.devnet.svm.chain import Commitment
from relayer.devnet.svm.rpc_errors import RpcError, invalid_params

MAX_U64: Final = 2**64 - 1

_BASE58_SIGNATURE_CHARACTERS: Final = 88
_SIGNATURE_BYTES: Final = 64
_BASE58_BITS: Final = 5.8
"""A character of base58 carries a little more: an upper bound of characters for bytes."""


class Options:
    """The object of named settings that ends the parameters of most methods."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def integer(self, name: str, default: int | None = None, *, least: int = 0, most: int = MAX_U64) -> int | None:
        """A whole number, or `default` where there is none."""
        value = self._values.get(name)
        return default if value is None else as_integer(value, name, least, most)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A truth value."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise invalid_params(f"{name} must be a boolean")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of these words."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in choices:
            raise invalid_params(f"{name} must be one of {', '.join(choices)}")
        return value

    def commitment(
        self, default: Commitment = Commitment.FINALIZED, *, name: str = "commitment", least: Commitment | None = None
    ) -> Commitment:
        """A commitment; the old words `recent`, `max`, `root`, `single` and `singleGossip` count as they did."""
        value = self._values.get(name)
        if value is None:
            return default
        found = _COMMITMENTS.get(value) if isinstance(value, str) else None
        if found is None:
            raise invalid_params(f"unknown commitment in {name}")
        if least is Commitment.CONFIRMED and found is Commitment.PROCESSED:
            raise invalid_params("Method does not support commitment below `confirmed`")
        return found

    def signature(self, name: str) -> Signature | None:
        """A signature, or None."""
        value = self._values.get(name)
        return None if value is None else as_signature(value)

    def nested(self, name: str) -> Options | None:
        """An object within, or None."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise invalid_params(f"{name} must be an object")
        return Options(value)

    def items(self, name: str, most: int) -> list[Any]:
        """A list of at most so many; empty where there is none."""
        return as_list(self._values.get(name, []) or [], name, most)

    def raw(self, name: str) -> Any:
        """What is there, unread."""
        return self._values.get(name)


class Params:
    """The list of positional parameters."""

    def __init__(self, values: Sequence[Any], most: int) -> None:
        if len(values) > most:
            raise invalid_params(f"expected at most {most}, got {len(values)}")
        self._values = values

    def _at(self, place: int) -> Any:
        if place >= len(self._values):
            raise invalid_params(f"expected at least {place + 1}, got {len(self._values)}")
        return self._values[place]

    def has(self, place: int) -> bool:
        """Whether there is a parameter at this place that is not null."""
        return place < len(self._values) and self._values[place] is not None

    def raw(self, place: int) -> Any:
        """What is there, unread."""
        return self._at(place)

    def pubkey(self, place: int) -> Pubkey:
        """An account's address."""
        return as_pubkey(self._at(place))

    def signature(self, place: int) -> Signature:
        """A transaction's signature."""
        return as_signature(self._at(place))

    def blockhash(self, place: int) -> Hash:
        """A blockhash."""
        return as_blockhash(self._at(place))

    def integer(self, place: int, *, least: int = 0, most: int = MAX_U64) -> int:
        """A whole number."""
        return as_integer(self._at(place), f"parameter {place}", least, most)

    def text(self, place: int, most: int) -> str:
        """A text of at most so many characters."""
        return as_text(self._at(place), f"parameter {place}", most)

    def items(self, place: int, most: int) -> list[Any]:
        """A list of at most so many."""
        return as_list(self._at(place), f"parameter {place}", most)

    def options(self, place: int) -> Options:
        """The settings; none where there are none."""
        if not self.has(place):
            return Options({})
        value = self._values[place]
        if not isinstance(value, dict):
            raise invalid_params(f"parameter {place} must be an object")
        return Options(value)


def as_integer(value: Any, name: str, least: int = 0, most: int = MAX_U64) -> int:
    """A whole number within bounds; a boolean is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_params(f"{name} must be a whole number")
    if not least <= value <= most:
        raise invalid_params(f"{name} must be between {least} and {most}")
    return value


def as_text(value: Any, name: str, most: int) -> str:
    """A text within bounds."""
    if not isinstance(value, str):
        raise invalid_params(f"{name} must be a string")
    if len(value) > most:
        raise invalid_params(f"{name} is too large: {len(value)} characters, at most {most}")
    return value


def as_list(value: Any, name: str, most: int) -> list[Any]:
    """A list within bounds."""
    if not isinstance(value, list):
        raise invalid_params(f"{name} must be a list")
    if len(value) > most:
        raise invalid_params(f"Too many inputs provided; max {most}")
    return value


def as_pubkey(value: Any) -> Pubkey:
    """An account's address in base58."""
    try:
        return Pubkey.from_string(as_text(value, "an address", _BASE58_SIGNATURE_CHARACTERS))
    except ValueError:
        raise RpcError(-32602, "Invalid param: Invalid") from None


def as_blockhash(value: Any) -> Hash:
    """A blockhash in base58."""
    try:
        return Hash.from_string(as_text(value, "a blockhash", _BASE58_SIGNATURE_CHARACTERS))
    except ParseHashError:
        raise RpcError(-32602, "Invalid param: Invalid") from None


def as_signature(value: Any) -> Signature:
    """A signature in base58."""
    data = as_base58(as_text(value, "a signature", _BASE58_SIGNATURE_CHARACTERS), _SIGNATURE_BYTES)
    if len(data) != _SIGNATURE_BYTES:
        raise RpcError(-32602, "Invalid param: WrongSize")
    return Signature.from_bytes(data)


def as_base58(text: str, most_bytes: int) -> bytes:
    """Bytes in base58, at most so many."""
    try:
        data = base58_decode(text, int(most_bytes * 8 / _BASE58_BITS) + 1)
    except MalformedAddress as error:
        raise invalid_params(f"invalid base58 encoding: {error}") from None
    if len(data) > most_bytes:
        raise invalid_params(f"decoded too large: {len(data)} bytes (max: {most_bytes} bytes)")
    return data


def as_base64(text: str, most_bytes: int) -> bytes:
    """Bytes in padded base64, at most so many."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_params(f"invalid base64 encoding: {error}") from None
    if len(data) > most_bytes:
        raise invalid_params(f"decoded too large: {len(data)} bytes (max: {most_bytes} bytes)")
    return data


_COMMITMENTS: Final = {
    **{commitment.value: commitment for commitment in Commitment},
    "recent": Commitment.PROCESSED,
    "single": Commitment.CONFIRMED,
    "singleGossip": Commitment.CONFIRMED,
    "max": Commitment.FINALIZED,
    "root": Commitment.FINALIZED,
}
