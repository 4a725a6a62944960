"""The JSON file of a signer set and its epoch: what operators hand one another before a rotation. It judges no rules.

Its JSON is that of `json_object`, so a file says one set, and one hash, to everybody.
"""

from dataclasses import dataclass
from typing import Final

from attestation.errors import MalformedJson, MalformedSignerSet
from attestation.json_object import JsonObject, format_json, hex_text, parse_object
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from attestation.statement import Rotate
from attestation.words import UINT64_BITS, require_uint

MAXIMUM_SIGNER_SET_LENGTH: Final = 262_144
"""Characters. 256 signers with the longest keys of any scheme need a third of it."""

_KIND: Final = "SIGNER_SET"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class NumberedSet:
    """A signer set and the epoch (uint64, from 1 on) that it is for. Raises `MalformedSignerSet`."""

    epoch: int
    signer_set: SignerSet

    def __post_init__(self) -> None:
        require_uint(MalformedSignerSet, "epoch", self.epoch, UINT64_BITS)
        if not self.epoch:
            raise MalformedSignerSet("epoch", "is zero")

    @property
    def rotate(self) -> Rotate:
        """What the signers of the epoch before sign to bring it in."""
        return Rotate(signer_set_hash(self.signer_set), self.epoch)


def encode_signer_set(numbered: NumberedSet) -> str:
    """The JSON text of the set, without a newline at its end."""
    signer_set = numbered.signer_set
    return format_json(
        {
            "kind": _KIND,
            "version": _VERSION,
            "epoch": str(numbered.epoch),
            "scheme": signer_set.scheme,
            "threshold": str(signer_set.threshold),
            "validUntil": str(signer_set.valid_until),
            "graceSeconds": str(signer_set.grace_seconds),
            "signers": [
                {"key": hex_text(signer.key), "weight": str(signer.weight), "operator": hex_text(signer.operator)}
                for signer in signer_set.signers
            ],
        }
    )


def parse_signer_set(text: str) -> NumberedSet:
    """Parse a file of at most 262,144 characters. White space does not count. Raises `MalformedSignerSet`."""
    if len(text) > MAXIMUM_SIGNER_SET_LENGTH:
        raise MalformedSignerSet("file", f"has {len(text)} characters, more than a signer set needs")
    try:
        document = parse_object("set", text)
        document.require_names(
            "kind", "version", "epoch", "scheme", "threshold", "validUntil", "graceSeconds", "signers"
        )
        kind, version = document.value("kind", str), document.value("version", int)
        numbered = NumberedSet(
            document.uint64("epoch"),
            SignerSet(
                scheme=document.value("scheme", int),
                threshold=document.uint64("threshold"),
                valid_until=document.uint64("validUntil"),
                grace_seconds=document.uint64("graceSeconds"),
                signers=tuple(map(_parse_signer, document.members("signers"))),
            ),
        )
    except MalformedJson as error:
        raise MalformedSignerSet("file", f"is not a signer set: {error}") from error
    if kind != _KIND or version != _VERSION:
        raise MalformedSignerSet("file", "is of an unknown kind or version")
    return numbered


def _parse_signer(signer: JsonObject) -> Signer:
    signer.require_names("key", "weight", "operator")
    return Signer(signer.hex_bytes("key"), signer.uint64("weight"), signer.hex_bytes("operator"))
