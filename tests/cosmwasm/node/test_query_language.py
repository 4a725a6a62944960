"""CometBFT's language of conditions on events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.event_query import MAX_QUERY_CHARACTERS, MalformedQuery, parse_query

_EVENTS = {
    "tm.event": ["Tx"],
    "tx.height": ["7"],
    "wasm-XVMCallRequested": [],
    "wasm-XVMCallRequested.request_id": ["0xab", "0xcd"],
    "transfer.amount": ["100uxvm"],
    "block.time": ["2026-05-03T14:45:00Z"],
}


@pytest.mark.parametrize(
    "query",
    [
        "tm.event='Tx'",
        "tm.event = 'Tx' AND tx.height = 7",
        "tx.height>6 AND tx.height<8 AND tx.height>=7 AND tx.height<=7",
        "wasm-XVMCallRequested.request_id EXISTS",
        "wasm-XVMCallRequested EXISTS",
        "wasm-XVMCallRequested.request_id='0xcd'",
        "wasm-XVMCallRequested.request_id CONTAINS 'xc'",
        "transfer.amount > 99.5",
        "block.time >= TIME 2026-05-03T14:45:00Z",
        "block.time > DATE 2026-05-02",
    ],
)
def test_a_query_that_holds(query: str) -> None:
    assert parse_query(query).matches(_EVENTS)


@pytest.mark.parametrize(
    "query",
    [
        "tm.event='NewBlock'",
        "tm.event='Tx' AND tx.height=8",
        "tm.event='T'",
        "tx.hash EXISTS",
        "wasm-XVMCallRequested.request_id='0xa'",
        "tx.height CONTAINS '8'",
        "tm.event > 5",
        "block.time < DATE 2026-05-02",
        "tx.height = TIME 2026-05-03T14:45:00Z",
    ],
)
def test_a_query_that_does_not_hold(query: str) -> None:
    assert not parse_query(query).matches(_EVENTS)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "tm.event",
        "tm.event=",
        "tm.event='Tx",
        "tm.event='Tx' AND",
        "tm.event='Tx' OR tx.height=1",
        "AND tm.event='Tx'",
        "tm.event=Tx",
        "tm.event CONTAINS 5",
        "tm.event < 'Tx'",
        "tx.height = TIME 2026-05-03",
        "tx.height = DATE x",
        "(tm.event='Tx')",
        "a='" + "b" * MAX_QUERY_CHARACTERS + "'",
    ],
)
def test_what_is_no_query(query: str) -> None:
    with pytest.raises(MalformedQuery):
        parse_query(query)


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_none(text: str) -> None:
    try:
        parse_query(text).matches(_EVENTS)
    except MalformedQuery:
        return
