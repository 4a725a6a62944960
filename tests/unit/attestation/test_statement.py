from dataclasses import fields, replace
from typing import Any, cast

import pytest

from attestation.errors import MalformedStatement
from attestation.keccak import keccak256
from attestation.request import RequestId
from attestation.statement import (
    EMPTY_DATA_HASH,
    Execute,
    Outcome,
    OutcomeKind,
    Prices,
    Rotate,
    Statement,
    StatementKind,
    guard_key,
)

GATEWAY, OTHER_GATEWAY = b"gateway", b"another gateway"
ID = RequestId(b"\x11" * 32)
EXECUTE = Execute(ID, 1, b"\x22" * 32, 2, 3)
OUTCOME = Outcome(ID, OutcomeKind.EXECUTED, False, b"\x33" * 32, 1, b"\x22" * 32, 2, 3, b"\x44" * 32, 0)  # noqa: FBT003
ROTATE = Rotate(b"\x55" * 32, 2)
PRICES = Prices(b"\x66" * 32, 3, 4)
ALL: tuple[Statement, ...] = (EXECUTE, OUTCOME, ROTATE, PRICES)

UINTS = [
    *((EXECUTE, field, bits) for field, bits in (("height", 64), ("tx_index", 32), ("log_index", 32))),
    *((OUTCOME, field, bits) for field, bits in (("height", 64), ("tx_index", 32), ("log_index", 32), ("round", 32))),
    (ROTATE, "new_epoch", 64),
    (PRICES, "sequence", 64),
    (PRICES, "valid_until", 64),
]
WORDS = [
    (EXECUTE, "request_id"),
    (EXECUTE, "block_hash"),
    (OUTCOME, "request_id"),
    (OUTCOME, "return_data_hash"),
    (OUTCOME, "block_hash"),
    (OUTCOME, "payee"),
    (ROTATE, "signer_set_hash"),
    (PRICES, "table_hash"),
]


@pytest.mark.parametrize(("statement", "field", "bits"), UINTS)
def test_numbers_fit_their_widths(statement: Any, field: str, bits: int) -> None:
    assert replace(statement, **{field: 2**bits - 1}).leaf != replace(statement, **{field: 0}).leaf
    for value in (-1, 2**bits):
        with pytest.raises(MalformedStatement) as caught:
            replace(statement, **{field: value})
        assert caught.value.field == field


@pytest.mark.parametrize(("statement", "field"), WORDS)
def test_security_hashes_are_words(statement: Any, field: str) -> None:
    """SECURITY: packing would pad or cut them, and two statements would share a leaf."""
    for length in (0, 31, 33):
        with pytest.raises(MalformedStatement) as caught:
            replace(statement, **{field: bytes(length)})
        assert caught.value.field == field


@pytest.mark.parametrize("kind", [-1, 5, 255])
def test_an_outcome_of_no_known_kind_is_refused(kind: Any) -> None:
    with pytest.raises(MalformedStatement) as caught:
        replace(OUTCOME, kind=kind)
    assert caught.value.field == "kind"
    assert caught.value.reason == f"{kind} is unknown"


@pytest.mark.parametrize("statement", ALL)
def test_leaves_are_hashed_twice(statement: Statement) -> None:
    assert statement.leaf == keccak256(statement.struct_hash)
    assert len(statement.leaf) == 32


@pytest.mark.parametrize("statement", ALL)
def test_the_leaf_commits_to_every_field(statement: Any) -> None:
    leaves = {statement.leaf}
    for field in fields(statement):
        value = getattr(statement, field.name)
        if isinstance(value, bytes):
            changed: Any = b"\x99" * 32
        elif isinstance(value, bool):
            changed = not value
        elif isinstance(value, OutcomeKind):
            changed = OutcomeKind.REVERTED
        else:
            changed = value + 1
        leaves.add(replace(statement, **{field.name: changed}).leaf)
    assert len(leaves) == len(fields(statement)) + 1


def test_the_numbers_of_kinds_are_the_protocols() -> None:
    assert [kind.name for kind in OutcomeKind] == ["EXECUTED", "REVERTED", "UNREACHED", "EXPIRED", "DUPLICATE"]
    assert list(OutcomeKind) == [0, 1, 2, 3, 4]
    assert list(StatementKind) == [1, 2, 3, 4]


def test_no_data_hashes_as_no_bytes() -> None:
    assert EMPTY_DATA_HASH.hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_guard_keys_have_their_layout() -> None:
    salt = keccak256(GATEWAY)
    assert guard_key(EXECUTE, GATEWAY) == b"\x01" + ID
    assert guard_key(replace(OUTCOME, round=7), GATEWAY) == b"\x02" + ID + b"\x00\x00\x00\x07"
    assert guard_key(ROTATE, GATEWAY) == b"\x03" + salt + (2).to_bytes(8, "big")
    assert guard_key(PRICES, GATEWAY) == b"\x04" + salt + (3).to_bytes(8, "big")


def test_security_the_guard_key_holds_whatever_else_a_statement_says() -> None:
    """SECURITY: what is said of a request, its kind included, is no part of the key under which it is said once."""
    same: tuple[tuple[Statement, Statement], ...] = (
        (EXECUTE, replace(EXECUTE, height=9, block_hash=bytes(32), tx_index=9, log_index=9)),
        (OUTCOME, replace(OUTCOME, kind=OutcomeKind.EXPIRED, cut=True, payee=bytes(32), height=9)),
        (ROTATE, replace(ROTATE, signer_set_hash=bytes(32))),
        (PRICES, replace(PRICES, table_hash=bytes(32), valid_until=9)),
    )
    for first, second in same:
        assert guard_key(first, GATEWAY) == guard_key(second, GATEWAY)


def test_guard_keys_of_different_matters_differ() -> None:
    keys = {
        guard_key(statement, gateway)
        for statement in (*ALL, replace(OUTCOME, round=1), replace(ROTATE, new_epoch=3), replace(PRICES, sequence=4))
        for gateway in (GATEWAY, OTHER_GATEWAY)
    }
    assert len(keys) == 3 + 2 * 4  # requests have one key whatever the gateway, the numbered ones one a gateway


def test_only_statements_have_guard_keys() -> None:
    with pytest.raises(AssertionError):
        guard_key(cast("Statement", object()), GATEWAY)
