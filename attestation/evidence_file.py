"""The JSON file of a piece of evidence: one text, all that a verifier needs. It verifies nothing.

Bytes and 256-bit values are hex with 0x, uint64 decimal strings, narrower integers numbers. Statements carry the field
names of their EIP-712 types. Unknown, missing and repeated names are refused: a file says one thing to everybody.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar, cast

from attestation.batch import Batch
from attestation.errors import MalformedEvidence
from attestation.evidence import Equivocation, SignedStatement
from attestation.statement import (
    EXECUTE_TYPE,
    OUTCOME_TYPE,
    PRICES_TYPE,
    ROTATE_TYPE,
    Execute,
    Outcome,
    OutcomeKind,
    Prices,
    Rotate,
    Statement,
)

MAXIMUM_EVIDENCE_LENGTH: Final = 16_384
"""Characters. Two statements, two full paths and the longest addresses need under half of it."""

_KIND: Final = "EQUIVOCATION"
_VERSION: Final = 1

_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,19}")

_T = TypeVar("_T")


def _members(cls: type[Statement], eip712_type: str) -> tuple[tuple[str, str, str], ...]:
    """Of each field: its name in Python, its name and its type in EIP-712."""
    declared = [member.split(" ") for member in eip712_type[eip712_type.index("(") + 1 : -1].split(",")]
    return tuple((field.name, name, type_) for field, (type_, name) in zip(fields(cls), declared, strict=True))


_STATEMENTS: Final[Mapping[str, type[Statement]]] = {
    "Execute": Execute,
    "Outcome": Outcome,
    "Rotate": Rotate,
    "Prices": Prices,
}
_MEMBERS: Final = {
    "Execute": _members(Execute, EXECUTE_TYPE),
    "Outcome": _members(Outcome, OUTCOME_TYPE),
    "Rotate": _members(Rotate, ROTATE_TYPE),
    "Prices": _members(Prices, PRICES_TYPE),
}


def encode_evidence(evidence: Equivocation) -> str:
    """The JSON text of the evidence."""
    return json.dumps(
        {
            "kind": _KIND,
            "version": _VERSION,
            "scheme": evidence.scheme,
            "signerKey": _hex(evidence.signer_key),
            "first": _encode_signed(evidence.first),
            "second": _encode_signed(evidence.second),
        },
        indent=2,
    )


def parse_evidence(text: str) -> Equivocation:
    """Parse an evidence file of at most 16,384 characters. Raises `MalformedEvidence`."""
    if len(text) > MAXIMUM_EVIDENCE_LENGTH:
        raise MalformedEvidence(f"{len(text)} characters are more than evidence needs")
    try:
        document = _Object("evidence", json.loads(text, object_pairs_hook=_refuse_repeated_names))
        document.require_names("kind", "version", "scheme", "signerKey", "first", "second")
        if document.value("kind", str) != _KIND or document.value("version", int) != _VERSION:
            raise MalformedEvidence("the kind or the version of the evidence is unknown")
        return Equivocation(
            scheme=document.value("scheme", int),
            signer_key=document.hex_bytes("signerKey"),
            first=_parse_signed(document.member("first")),
            second=_parse_signed(document.member("second")),
        )
    # ValueError is also what JSON that does not parse and every error of this package are. RecursionError: a nesting
    # that is too deep fits the length.
    except (ValueError, RecursionError) as error:
        raise MalformedEvidence(f"not an evidence file: {error}") from error


class _Object:
    """A JSON object whose members are read by name and type."""

    def __init__(self, name: str, value: object) -> None:
        if not isinstance(value, dict):
            raise MalformedEvidence(f"{name} is not an object")
        self._name = name
        self._members = cast("dict[str, object]", value)

    def require_names(self, *names: str) -> None:
        if self._members.keys() != set(names):
            raise MalformedEvidence(f"{self._name} has not the members {', '.join(names)} and no others")

    def value(self, name: str, type_: type[_T]) -> _T:
        value = self._members.get(name)
        # The type itself, not isinstance: to Python, true is an integer.
        if type(value) is not type_:
            raise MalformedEvidence(f"{self._name}.{name} is not a JSON {type_.__name__}")
        return value

    def member(self, name: str) -> "_Object":
        return _Object(f"{self._name}.{name}", self._members.get(name))

    def hex_bytes(self, name: str) -> bytes:
        return self._parse_hex(name, self._members.get(name))

    def hex_list(self, name: str) -> tuple[bytes, ...]:
        items = cast("list[object]", self.value(name, list))
        return tuple(self._parse_hex(name, item) for item in items)

    def uint64(self, name: str) -> int:
        digits = self.value(name, str)
        if _DECIMAL.fullmatch(digits) is None:
            raise MalformedEvidence(f"{self._name}.{name} is not a decimal number")
        return int(digits)

    def _parse_hex(self, name: str, digits: object) -> bytes:
        if not isinstance(digits, str) or _HEX.fullmatch(digits) is None:
            raise MalformedEvidence(f"{self._name}.{name} is not lower-case hex")
        return bytes.fromhex(digits[2:])


def _encode_signed(signed: SignedStatement) -> dict[str, Any]:
    batch = signed.batch
    return {
        "gateway": _hex(batch.gateway),
        "root": _hex(batch.root),
        "count": batch.count,
        "epoch": str(batch.epoch),
        "statement": _encode_statement(signed.statement),
        "path": [_hex(node) for node in signed.path],
        "signature": _hex(signed.signature),
    }


def _parse_signed(signed: _Object) -> SignedStatement:
    signed.require_names("gateway", "root", "count", "epoch", "statement", "path", "signature")
    return SignedStatement(
        statement=_parse_statement(signed.member("statement")),
        batch=Batch(
            gateway=signed.hex_bytes("gateway"),
            root=signed.hex_bytes("root"),
            count=signed.value("count", int),
            epoch=signed.uint64("epoch"),
        ),
        path=signed.hex_list("path"),
        signature=signed.hex_bytes("signature"),
    )


def _encode_statement(statement: Statement) -> dict[str, Any]:
    name = type(statement).__name__
    document: dict[str, Any] = {"type": name}
    for attribute, member, type_ in _MEMBERS[name]:
        value = getattr(statement, attribute)
        match type_:
            case "uint256" | "bytes32":
                document[member] = _hex(value)
            case "uint64":
                document[member] = str(value)
            case _:
                document[member] = value
    return document


def _parse_statement(document: _Object) -> Statement:
    name = document.value("type", str)
    if name not in _STATEMENTS:
        raise MalformedEvidence(f"{name!r} is not a kind of statement")
    document.require_names("type", *(member for _, member, _ in _MEMBERS[name]))
    values: dict[str, Any] = {}
    for attribute, member, type_ in _MEMBERS[name]:
        match type_:
            case "uint256" | "bytes32":
                values[attribute] = document.hex_bytes(member)
            case "uint64":
                values[attribute] = document.uint64(member)
            case "bool":
                values[attribute] = document.value(member, bool)
            case _:
                values[attribute] = document.value(member, int)
    if "kind" in values:
        values["kind"] = OutcomeKind(values["kind"])
    return _STATEMENTS[name](**values)


def _refuse_repeated_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    # SECURITY: parsers differ in which of two equal names they keep, so one file could say two things.
    if len(document) != len(pairs):
        raise MalformedEvidence("a name stands twice in one object")
    return document


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"
