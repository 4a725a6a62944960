"""What evidence says, for people and as JSON.

Its job: lay out an `Equivocation` that convicts: who signed which two statements, where, and in what they differ. Pure;
it verifies nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from attestation.address import parse_account
from attestation.domain import domain_salt
from attestation.evidence import Equivocation, SignedStatement
from attestation.evidence_file import encode_evidence
from attestation.json_object import hex_text
from attestation.request import format_request_id
from attestation.schemes import scheme_of
from attestation.signer_set_file import NumberedSet
from attestation.statement import Execute, Outcome, OutcomeKind, Prices, Rotate, Statement

OFFENCE = "EQUIVOCATION"


@dataclass(frozen=True, slots=True)
class Membership:
    """The signer set that the evidence was held against, and the signer's place in it."""

    numbered: NumberedSet
    index: int


def evidence_document(evidence: Equivocation, membership: Membership | None) -> dict[str, Any]:
    """As JSON: the file's own members, and what follows from them."""
    document = json.loads(encode_evidence(evidence))
    for name, signed in (("first", evidence.first), ("second", evidence.second)):
        document[name] |= {
            "gatewayAccount": _account(signed.batch.gateway),
            "domainSalt": hex_text(domain_salt(signed.batch.gateway)),
            "leaf": hex_text(signed.statement.leaf),
            "digest": hex_text(signed.batch.digest()),
        }
    return {
        "offence": OFFENCE,
        "signer": hex_text(evidence.signer_key),
        "scheme": scheme_of(evidence.scheme).name,
        "about": about(evidence.first.statement),
        "differs": differences(evidence),
        "signer_set": None if membership is None else _membership_document(membership),
        "first": document["first"],
        "second": document["second"],
    }


def evidence_lines(evidence: Equivocation, membership: Membership | None) -> Iterator[str]:
    """As text. Nothing is wrapped or cut: what it shows can be compared and pasted."""
    yield f"offence     {OFFENCE}: two different statements signed where only one may ever be"
    yield f"signer      {hex_text(evidence.signer_key)} ({scheme_of(evidence.scheme).name})"
    yield f"about       {about(evidence.first.statement)}"
    yield f"differs in  {', '.join(differences(evidence))}"
    if membership is None:
        yield "signer set  not looked at: with --signer-set FILE, whether the signer was one of its members"
    else:
        numbered = membership.numbered
        digest = hex_text(numbered.rotate.signer_set_hash)
        yield f"signer set  {digest}, epoch {numbered.epoch}: the signer is its signer {membership.index}"
    for name, signed in (("first", evidence.first), ("second", evidence.second)):
        yield ""
        yield from _signed_lines(name, signed)


def about(statement: Statement) -> str:
    """What one leaf may ever be signed of: the guard key, in words."""
    match statement:
        case Execute():
            return f"the place of request {format_request_id(statement.request_id)}"
        case Outcome():
            request = format_request_id(statement.request_id)
            return f"the outcome of request {request}" + (f", round {statement.round}" if statement.round else "")
        case Rotate():
            return f"the signer set of epoch {statement.new_epoch}"
        case Prices():
            return f"the prices with the number {statement.sequence}"
        case _:
            assert_never(statement)


def differences(evidence: Equivocation) -> list[str]:
    """The fields in which the two statements differ, by their names in EIP-712."""
    first, second = (_fields_of(signed.statement) for signed in (evidence.first, evidence.second))
    return [name for name, value in first.items() if second.get(name) != value]


def _signed_lines(name: str, signed: SignedStatement) -> Iterator[str]:
    batch = signed.batch
    yield f"{name} statement: {type(signed.statement).__name__}"
    yield from (f"  {member:<16}{value}" for member, value in _fields_of(signed.statement).items())
    yield f"  signed in epoch {batch.epoch} for {_account(batch.gateway)}"
    yield f"  domain salt     {hex_text(domain_salt(batch.gateway))}"
    yield f"  batch           {hex_text(batch.root)}, {batch.count} {'leaf' if batch.count == 1 else 'leaves'}"
    yield f"  signature       {hex_text(signed.signature)}"


def _fields_of(statement: Statement) -> Mapping[str, str]:
    match statement:
        case Execute():
            return {"requestId": format_request_id(statement.request_id), **_location(statement)}
        case Outcome():
            return {
                "requestId": format_request_id(statement.request_id),
                "kind": OutcomeKind(statement.kind).name,
                "cut": "yes" if statement.cut else "no",
                "returnDataHash": hex_text(statement.return_data_hash),
                **_location(statement),
                "payee": hex_text(statement.payee),
                "round": str(statement.round),
            }
        case Rotate():
            return {"signerSetHash": hex_text(statement.signer_set_hash), "newEpoch": str(statement.new_epoch)}
        case Prices():
            return {
                "tableHash": hex_text(statement.table_hash),
                "sequence": str(statement.sequence),
                "validUntil": str(statement.valid_until),
            }
        case _:
            assert_never(statement)


def _location(statement: Execute | Outcome) -> Mapping[str, str]:
    return {
        "height": str(statement.height),
        "blockHash": hex_text(statement.block_hash),
        "txIndex": str(statement.tx_index),
        "logIndex": str(statement.log_index),
    }


def _membership_document(membership: Membership) -> dict[str, Any]:
    numbered = membership.numbered
    return {"hash": hex_text(numbered.rotate.signer_set_hash), "epoch": numbered.epoch, "index": membership.index}


def _account(gateway: bytes) -> str:
    return str(parse_account(gateway))
