"""The contract to call."""

from __future__ import annotations

import json

import pytest

from tests.cosmwasm.contract.ledger import Ledger, Refused, code, compact


@pytest.fixture
def ledger() -> Ledger:
    return Ledger().open()


@pytest.fixture
def counter(ledger: Ledger) -> str:
    return ledger.keeper.instantiate(ledger.owner, ledger.keeper.store_code(ledger.owner, code("counter")), {})


def test_it_counts_and_answers_with_the_count(ledger: Ledger, counter: str) -> None:
    assert ledger.ask(counter, {"count": {}}) == {"count": "0"}
    asked = ledger.request(payload=compact({"increment": {"by": "5"}}), target=ledger.interoperable(counter))
    concluded = ledger.run(asked).event("XVMCallConcluded")
    assert concluded["kind"] == "0"
    assert ledger.ask(counter, {"count": {}}) == {"count": "5"}


def test_it_fails_when_asked_to_and_when_it_would_overflow(ledger: Ledger, counter: str) -> None:
    for message in ({"fail": {"code": 7}}, {"increment": {"by": "-1"}}, {"increment": {}}, {"increment": {"by": 5}}):
        with pytest.raises(Refused):
            ledger.send(ledger.asker, counter, message)
    ledger.send(ledger.asker, counter, {"increment": {"by": str(2**64 - 1)}})
    with pytest.raises(Refused, match="CounterOverflow"):
        ledger.send(ledger.asker, counter, {"increment": {"by": "1"}})


def test_its_answer_is_json(ledger: Ledger, counter: str) -> None:
    result = ledger.send(ledger.asker, counter, {"increment": {"by": "2"}}).result
    assert json.loads(result.data) == {"count": "2"}


def test_it_answers_with_as_much_as_is_asked_for_and_burns_what_it_is_given(ledger: Ledger, counter: str) -> None:
    assert ledger.send(ledger.asker, counter, {"answer": {"length": 3}}).result.data == b"xxx"
    assert ledger.ask(counter, {"answer": {"length": 3}}) == "xxx"
    with pytest.raises(Refused, match="out of gas"):
        ledger.send(ledger.asker, counter, {"burn": {}}, gas_limit=300_000)
