"""The JSON file of a piece of evidence: one text, all that a verifier needs. It verifies nothing.

Its JSON is that of `json_object`; statements carry the field names of their EIP-712 types.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from attestation.batch import Batch
from attestation.errors import MalformedEvidence
from attestation.evidence import Equivocation, SignedStatement
from attestation.json_object import JsonObject, format_json, hex_text, parse_object
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
    return format_json(
        {
            "kind": _KIND,
            "version": _VERSION,
            "scheme": evidence.scheme,
            "signerKey": hex_text(evidence.signer_key),
            "first": _encode_signed(evidence.first),
            "second": _encode_signed(evidence.second),
        }
    )


def parse_evidence(text: str) -> Equivocation:
    """Parse an evidence file of at most 16,384 characters. Raises `MalformedEvidence`."""
    if len(text) > MAXIMUM_EVIDENCE_LENGTH:
        raise MalformedEvidence(f"{len(text)} characters are more than evidence needs")
    try:
        document = parse_object("evidence", text)
        document.require_names("kind", "version", "scheme", "signerKey", "first", "second")
        if document.value("kind", str) != _KIND or document.value("version", int) != _VERSION:
            raise MalformedEvidence("the kind or the version of the evidence is unknown")
        return Equivocation(
            scheme=document.value("scheme", int),
            signer_key=document.hex_bytes("signerKey"),
            first=_parse_signed(document.member("first")),
            second=_parse_signed(document.member("second")),
        )
    # ValueError: a kind of outcome that is unknown; every error of this package is one, too.
    except ValueError as error:
        raise MalformedEvidence(f"not an evidence file: {error}") from error


def _encode_signed(signed: SignedStatement) -> dict[str, Any]:
    batch = signed.batch
    return {
        "gateway": hex_text(batch.gateway),
        "root": hex_text(batch.root),
        "count": batch.count,
        "epoch": str(batch.epoch),
        "statement": _encode_statement(signed.statement),
        "path": [hex_text(node) for node in signed.path],
        "signature": hex_text(signed.signature),
    }


def _parse_signed(signed: JsonObject) -> SignedStatement:
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
                document[member] = hex_text(value)
            case "uint64":
                document[member] = str(value)
            case _:
                document[member] = value
    return document


def _parse_statement(document: JsonObject) -> Statement:
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
