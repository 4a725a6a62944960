from typing import cast

import pytest

from attestation.errors import EmptyBatch, MalformedStatements, OversizeBatch
from attestation.statement import Outcome, Prices, Rotate, Statement
from attestation.statement_codec import MAXIMUM_ENCODED_LENGTH, encode_statements, parse_statements
from tests.vectors.message_vectors import example_executes, example_outcomes

ALL: list[Statement] = [
    *example_executes(),
    *example_outcomes(),
    Rotate(b"\x55" * 32, 2),
    Prices(b"\x66" * 32, 3, 4),
]
KIND_OFFSET, CUT_OFFSET = 3 + 1 + 32, 3 + 1 + 32 + 1


def test_statements_come_back_in_order() -> None:
    assert parse_statements(encode_statements(ALL)) == tuple(ALL)
    assert parse_statements(encode_statements(ALL[::-1])) == tuple(ALL[::-1])


def test_an_outcome_comes_back_typed() -> None:
    (outcome,) = parse_statements(encode_statements(example_outcomes()[1:2]))
    assert isinstance(outcome, Outcome)
    assert outcome.kind.name == "REVERTED"
    assert outcome.cut is True


def test_the_layout_is_fixed() -> None:
    encoded = encode_statements([Rotate(b"\x55" * 32, 2)])
    assert encoded == bytes.fromhex("01000103" + "55" * 32 + "0000000000000002")


def test_the_bound_is_that_of_256_outcomes() -> None:
    encoded = encode_statements(example_outcomes()[:1] * 256)
    assert len(encoded) == MAXIMUM_ENCODED_LENGTH
    assert len(parse_statements(encoded)) == 256


def test_a_list_has_1_to_256_statements() -> None:
    with pytest.raises(EmptyBatch):
        encode_statements([])
    with pytest.raises(OversizeBatch) as caught:
        encode_statements(ALL[:1] * 257)
    assert caught.value.count == 257


@pytest.mark.parametrize("statement", ALL)
def test_every_cut_and_every_trailing_byte_is_refused(statement: Statement) -> None:
    encoded = encode_statements([statement])
    for length in range(len(encoded)):
        with pytest.raises(MalformedStatements):
            parse_statements(encoded[:length])
    with pytest.raises(MalformedStatements, match="follow"):
        parse_statements(encoded + b"\x00")


def test_a_foreign_header_is_refused() -> None:
    encoded = encode_statements(ALL)
    for version in (0, 2, 255):
        with pytest.raises(MalformedStatements, match="version"):
            parse_statements(bytes((version,)) + encoded[1:])
    with pytest.raises(EmptyBatch):
        parse_statements(b"\x01\x00\x00")
    with pytest.raises(OversizeBatch) as caught:
        parse_statements(b"\x01\x01\x01" + encoded[3:])
    assert caught.value.count == 257


@pytest.mark.parametrize("tag", [0, 5, 255])
def test_an_unknown_tag_is_refused(tag: int) -> None:
    encoded = encode_statements(ALL)
    with pytest.raises(MalformedStatements, match="kind"):
        parse_statements(encoded[:3] + bytes((tag,)) + encoded[4:])


@pytest.mark.parametrize("kind", [5, 255])
def test_an_unknown_outcome_kind_is_refused(kind: int) -> None:
    encoded = bytearray(encode_statements(example_outcomes()[:1]))
    encoded[KIND_OFFSET] = kind
    with pytest.raises(MalformedStatements, match="outcome kind"):
        parse_statements(bytes(encoded))


def test_security_a_flag_is_zero_or_one() -> None:
    """SECURITY: any other byte would read as true, and one leaf would have many encodings."""
    encoded = bytearray(encode_statements(example_outcomes()[:1]))
    for flag in (2, 255):
        encoded[CUT_OFFSET] = flag
        with pytest.raises(MalformedStatements, match="flag"):
            parse_statements(bytes(encoded))


def test_only_statements_can_be_encoded() -> None:
    with pytest.raises(AssertionError):
        encode_statements([cast("Statement", object())])
