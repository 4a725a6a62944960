import json
from typing import Any

import pytest

from attestation.errors import MalformedEvidence
from attestation.evidence_file import MAXIMUM_EVIDENCE_LENGTH, encode_evidence, parse_evidence
from tests.vectors.evidence_vectors import example_equivocation, example_evidence

GOOD = example_equivocation()
TEXT = encode_evidence(GOOD)


def changed(path: str, value: Any) -> str:
    """The file with the member at a dotted path replaced, or removed if the value is `...`."""
    document = json.loads(TEXT)
    *parents, last = path.split(".")
    member = document
    for name in parents:
        member = member[name]
    if value is ...:
        del member[last]
    else:
        member[last] = value
    return json.dumps(document)


@pytest.mark.parametrize("name", example_evidence())
def test_evidence_comes_back(name: str) -> None:
    evidence = example_evidence()[name]
    assert parse_evidence(encode_evidence(evidence)) == evidence


def test_a_file_can_be_read_by_people() -> None:
    document = json.loads(TEXT)
    assert document["kind"] == "EQUIVOCATION"
    assert document["version"] == 1
    assert document["first"]["epoch"] == "1"
    assert document["first"]["statement"]["type"] == "Execute"
    assert document["first"]["statement"]["requestId"].startswith("0x")
    assert document["first"]["statement"]["height"] == "100"
    assert encode_evidence(GOOD).startswith('{\n  "kind"')


def test_a_file_is_bounded() -> None:
    padding = " " * (MAXIMUM_EVIDENCE_LENGTH - len(TEXT))
    assert parse_evidence(TEXT + padding) == GOOD
    with pytest.raises(MalformedEvidence, match="more than evidence needs"):
        parse_evidence(TEXT + padding + " ")


@pytest.mark.parametrize("name", example_evidence())
def test_the_longest_file_is_far_below_the_bound(name: str) -> None:
    assert 2 * len(encode_evidence(example_evidence()[name])) < MAXIMUM_EVIDENCE_LENGTH


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1", '"EQUIVOCATION"', "{}", "[" * 10_000, '{"a":' * 3_000, "\ud800", "9" * 5_000]
)
def test_other_text_is_no_evidence(text: str) -> None:
    with pytest.raises(MalformedEvidence):
        parse_evidence(text)


MEMBERS = [
    "kind",
    "version",
    "scheme",
    "signerKey",
    "first",
    "second",
    "first.gateway",
    "first.root",
    "first.count",
    "first.epoch",
    "first.statement",
    "first.path",
    "first.signature",
    "first.statement.type",
    "first.statement.requestId",
    "first.statement.height",
    "first.statement.blockHash",
    "first.statement.txIndex",
    "first.statement.logIndex",
]


@pytest.mark.parametrize("path", MEMBERS)
def test_every_member_must_be_there_and_of_its_type(path: str) -> None:
    for value in (..., None, [1], {"a": 1}, 1.0, True, -1, "", "x", "0xg0", "0x0", "0xAB"):
        if value == -1 and path == "scheme":
            continue  # a number; no scheme has it, which is for the verifier to say
        with pytest.raises(MalformedEvidence):
            parse_evidence(changed(path, value))


@pytest.mark.parametrize(
    "path", ["kind", "signerKey", "first.root", "second.epoch", "first.path", "second.statement.height"]
)
def test_a_fault_is_named_by_its_place(path: str) -> None:
    with pytest.raises(MalformedEvidence, match=f"evidence.{path} ".replace(".", r"\.")):
        parse_evidence(changed(path, 1))
    if path == "first.path":
        with pytest.raises(MalformedEvidence, match=r"evidence\.first\.path "):
            parse_evidence(changed(path, ["0xx"]))


@pytest.mark.parametrize("path", ["more", "first.more", "second.statement.more"])
def test_an_unknown_member_is_refused(path: str) -> None:
    with pytest.raises(MalformedEvidence, match="members"):
        parse_evidence(changed(path, 1))


def test_security_a_repeated_name_is_refused() -> None:
    """SECURITY: parsers differ in which of the two they keep, so a file could say two things."""
    doubled = TEXT.replace('"version": 1', '"version": 1, "version": 1', 1)
    assert json.loads(doubled) == json.loads(TEXT)
    with pytest.raises(MalformedEvidence, match="twice"):
        parse_evidence(doubled)


@pytest.mark.parametrize("kind", ["FALSE_OUTCOME", "equivocation"])
def test_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(MalformedEvidence, match="unknown"):
        parse_evidence(changed("kind", kind))


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_is_refused(version: int) -> None:
    with pytest.raises(MalformedEvidence, match="unknown"):
        parse_evidence(changed("version", version))


@pytest.mark.parametrize("digits", ["01", "+1", " 1", "1_0", "18446744073709551616", "1" * 21, "0x1", "\u0661", "1.0"])
def test_numbers_have_one_form_and_fit(digits: str) -> None:
    for path in ("first.epoch", "second.statement.height"):
        with pytest.raises(MalformedEvidence):
            parse_evidence(changed(path, digits))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("first.statement.type", "Execution"),
        ("first.statement.type", "Rotate"),
        ("first.statement.requestId", "0x" + "00" * 31),
        ("first.statement.txIndex", 2**32),
        ("first.root", "0x" + "00" * 32),
        ("first.count", 0),
        ("first.gateway", "0x00"),
        ("first.path", ["0x00", 1]),
        ("first.path", {}),
    ],
)
def test_values_that_no_statement_or_batch_has_are_refused(path: str, value: Any) -> None:
    with pytest.raises(MalformedEvidence):
        parse_evidence(changed(path, value))


def test_an_outcome_comes_back_typed_and_of_a_known_kind() -> None:
    text = encode_evidence(example_evidence()["two outcomes of one request"])
    parsed = parse_evidence(text)
    assert repr(parsed.second.statement).startswith("Outcome(")
    assert "OutcomeKind.REVERTED" in repr(parsed.second.statement)
    document = json.loads(text)
    for member, value in (("kind", 5), ("kind", True), ("cut", 0), ("cut", "false"), ("round", -1)):
        broken = json.loads(text)
        broken["second"]["statement"] = {**document["second"]["statement"], member: value}
        with pytest.raises(MalformedEvidence):
            parse_evidence(json.dumps(broken))
