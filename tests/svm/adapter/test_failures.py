"""What people are told about a transaction that would fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.vms.svm.failures import failed_place, failure_text
from tests.svm.program.ledger import PROBE, PROGRAM

GATEWAY_FAILED = f"Program {PROGRAM} failed: custom program error: 0x17b4"
TARGET_FAILED = f"Program {PROBE} failed: custom program error: 0x17b4"


def custom(code: int) -> Any:
    return {"InstructionError": [2, {"Custom": code}]}


@pytest.mark.parametrize(
    ("error", "logs", "text"),
    [
        (custom(6068), [GATEWAY_FAILED], "AlreadyConsumed"),
        (custom(6068), [TARGET_FAILED, GATEWAY_FAILED], f"{PROBE} failed: custom program error: 0x17b4"),
        (
            custom(1),
            ["Program log: first", "Program log: second", "Program log: third", TARGET_FAILED],
            f"{PROBE} failed: custom program error: 0x17b4; second; third",
        ),
        (
            custom(1),
            [f"Program log: {GATEWAY_FAILED}", TARGET_FAILED],
            f"{PROBE} failed: custom program error: 0x17b4; {GATEWAY_FAILED}",
        ),
        (custom(6068), [], "AlreadyConsumed"),
        (custom(6068), ["Log truncated"], "AlreadyConsumed"),
        ({"InstructionError": [0, "ComputationalBudgetExceeded"]}, [], "ComputationalBudgetExceeded"),
        ({"InsufficientFundsForRent": {"account_index": 0}}, [], "InsufficientFundsForRent"),
        ("AccountNotFound", [], "AccountNotFound"),
        ({}, [], "failed"),
        (7, [], "failed"),
        ("", [], "failed"),
    ],
)
def test_a_failure_is_named_by_who_failed(error: Any, logs: list[str], text: str) -> None:
    assert failure_text(error, logs, PROGRAM) == text


def test_what_a_program_says_is_shown_printable_and_short() -> None:
    """SECURITY: a hostile program writes into operators' terminals and records."""
    logs = ["Program log: \x1b[31m\n" + "x" * 10_000, TARGET_FAILED]
    text = failure_text(custom(1), logs, PROGRAM)
    assert text.isprintable()
    assert len(text) <= 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.one_of(json_values, json_values.map(lambda value: {"InstructionError": value})),
    st.lists(st.one_of(json_values, st.text().map(lambda text: f"Program {PROGRAM} failed: {text}"))),
)
def test_anything_that_an_endpoint_says_becomes_a_line(error: Any, logs: list[Any]) -> None:
    """SECURITY: an endpoint may answer anything."""
    text = failure_text(error, logs, PROGRAM)
    assert text
    assert text.isprintable()
    assert len(text) <= 200
    place = failed_place(error)
    assert place is None or place >= 0
