"""The gateway's JSON: requests and signer sets as it writes them.

Its job: from a parsed object to the value, with every member in its one form. It must not know where the object came
from.

Source: contracts/cosmwasm/schema.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

from attestation.errors import MalformedJson
from attestation.json_object import JsonObject
from attestation.request import Mode, Request
from attestation.signer_set import MAXIMUM_SIGNER_COUNT, Signer, SignerSet
from attestation.words import WORD_LENGTH

_MODES: Final = tuple(Mode)
_MAX_NUMBER: Final = 2**32 - 1

_REQUEST_NAMES: Final = Request.__slots__
_SET_NAMES: Final = ("scheme", "threshold", "valid_until", "grace_seconds", "signers")


def parse_request(document: JsonObject) -> Request:
    """A whole request. Raises `MalformedJson`, or `MalformedRequest`."""
    document.require_names(*_REQUEST_NAMES)
    return Request(
        source_gateway=document.hex_bytes("source_gateway"),
        sender=document.hex_bytes("sender"),
        destination_gateway=document.hex_bytes("destination_gateway"),
        target=document.hex_bytes("target"),
        nonce=document.uint64("nonce"),
        mode=_mode(_number(document, "mode")),
        own_account=document.value("own_account", bool),
        payload=_base64(document, "payload"),
        execution_gas_limit=document.uint64("execution_gas_limit"),
        callback_gas_limit=document.uint64("callback_gas_limit"),
        return_limit=_number(document, "return_limit"),
        expiry=document.uint64("expiry"),
        ordered_after=int.from_bytes(_word(document, "ordered_after"), "big"),
        origin=int.from_bytes(_word(document, "origin"), "big"),
        code_hash=_word(document, "code_hash"),
        dispute_blocks=_number(document, "dispute_blocks"),
        metadata=_base64(document, "metadata"),
    )


def parse_signer_set(document: JsonObject) -> SignerSet:
    """A whole set. Raises `MalformedJson`, or `MalformedSignerSet`."""
    document.require_names(*_SET_NAMES)
    members = document.members("signers")
    # A gateway holds no larger set; the bound keeps a lying endpoint from having us build one.
    if len(members) > MAXIMUM_SIGNER_COUNT:
        raise MalformedJson("too many signers")
    return SignerSet(
        scheme=_number(document, "scheme"),
        threshold=document.uint64("threshold"),
        valid_until=document.uint64("valid_until"),
        grace_seconds=document.uint64("grace_seconds"),
        signers=tuple(_parse_signer(member) for member in members),
    )


def parse_canonical_base64(text: str) -> bytes:
    """Bytes in base64 with padding, in its one form. Raises `MalformedJson`."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        data = None
    # SECURITY: the bits that padding leaves over could say anything, and one value would have several texts.
    if data is None or b64encode(data).decode() != text:
        raise MalformedJson("not canonical base64")
    return data


def _parse_signer(document: JsonObject) -> Signer:
    document.require_names("key", "weight", "operator")
    return Signer(document.hex_bytes("key"), document.uint64("weight"), _word(document, "operator"))


def _number(document: JsonObject, name: str) -> int:
    number = document.value(name, int)
    if not 0 <= number <= _MAX_NUMBER:
        raise MalformedJson(f"{name} does not fit 32 bits")
    return number


def _mode(number: int) -> Mode:
    if number >= len(_MODES):
        raise MalformedJson("an unknown mode")
    return _MODES[number]


def _word(document: JsonObject, name: str) -> bytes:
    word = document.hex_bytes(name)
    if len(word) != WORD_LENGTH:
        raise MalformedJson(f"{name} is {len(word)} bytes long")
    return word


def _base64(document: JsonObject, name: str) -> bytes:
    return parse_canonical_base64(document.value(name, str))
