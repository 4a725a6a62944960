"""The schemas say what the contract takes, answers and logs: no more, no less."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.request import request_id
from attestation.statement import OutcomeKind
from relayer.devnet.cosmwasm.messages import ExecuteContract
from tests.cosmwasm.contract import schema
from tests.cosmwasm.contract.ledger import (
    CONTRACTS,
    REMOTE_GATEWAY,
    Refused,
    Sent,
    compact,
    hexed,
    request_json,
    set_json,
    word,
)
from tests.cosmwasm.contract.source_side import (
    CHAIN,
    ENOUGH,
    PRICE,
    ROUTE,
    WEEK,
    SourceLedger,
    asked_in,
    cancelling,
    retrying,
)

EXECUTE = {next(iter(form["properties"])): form for form in schema.load("execute")["oneOf"]}
QUERY = {next(iter(form["properties"])): form for form in schema.load("query")["oneOf"]}
EVENTS = schema.load("events")["properties"]
ANSWERS = schema.load("responses")["properties"]

MALFORMED = {"MalformedField", "MalformedJson", "MissingField", "UnknownField", "NotOneMessage", "UnknownMessage"}


@cache
def standing() -> SourceLedger:
    """A gateway that these tests ask and leave as it is."""
    return SourceLedger().open()


def refusal(message: Any) -> str:
    """By what a message of the owner's would be refused; empty if it would not."""
    source = standing()
    result = source.keeper.simulate([ExecuteContract(source.owner, source.gateway, compact(message), ())])
    return Refused(result.log).name if result.code else ""


def messages(name: str) -> st.SearchStrategy[Any]:
    """Messages of a name that conform."""
    source = standing()
    return schema.values(EXECUTE[name], schema.load("execute"), [source.owner, source.asker, source.probe])


def arms(function: str) -> set[str]:
    """The names that a function of the contract's tells apart."""
    text = (CONTRACTS / "gateway" / "src" / "lib.rs").read_text()
    return set(re.findall(r'^        "(\w+)" =>', text.split(f"fn {function}(")[1].split("\n}\n")[0], re.MULTILINE))


def test_every_message_and_query_has_its_schema_and_every_query_its_answers() -> None:
    assert set(EXECUTE) == arms("act")
    assert set(QUERY) == arms("tell") == set(ANSWERS)
    sources = "".join(path.read_text() for path in (CONTRACTS / "gateway" / "src").glob("*.rs"))
    assert set(EVENTS) == set(re.findall(r'"((?:XVM|Ownership)[A-Z]?\w+)"', sources)) - {"XVM"}


@pytest.mark.parametrize("name", sorted(EXECUTE))
def test_what_conforms_is_understood_and_what_lacks_or_adds_a_field_is_not(name: str) -> None:
    @settings(max_examples=15, deadline=None)
    @given(messages(name), st.data())
    def holds(message: Any, data: st.DataObject) -> None:
        assert not schema.fault(EXECUTE[name], message, schema.load("execute"))
        assert refusal(message) not in MALFORMED
        assert refusal({name: {**message[name], "more": 1}}) == "UnknownField"
        required = EXECUTE[name]["properties"][name]["required"]
        if required:
            gone = data.draw(st.sampled_from(required))
            lacking = {key: value for key, value in message[name].items() if key != gone}
            nullable = gone == "guardian"
            assert (refusal({name: lacking}) == "MissingField") is not nullable

    holds()


def test_answers_conform() -> None:
    source = SourceLedger().open()
    asked, sent = source.ask_from(source.asker, ordered=True)
    bodies: dict[str, Any] = {
        "quote": {"target": source.asked()["target"], "payload_length": 4, "options": {}},
        "outbound": {"chain": CHAIN},
        "price": {"chain": CHAIN},
        "inbound": {"source_gateway": hexed(REMOTE_GATEWAY)},
        "next_nonce": {"sender": source.asker},
        "pending_request": {"request_id": hexed(request_id(asked))},
        "last_ordered": {"sender": source.asker, "route_hash": sent.event("XVMCallRequested")["route_hash"]},
        "consumed": {"request_id": word(1)},
        "is_lapsed": {"request_id": word(1)},
        "credits": {"account": source.asker},
        "signers_pool": {"epoch": "1"},
        "signer_set": {"epoch": "1"},
        "account_of": {"sender": hexed(source.address)},
    }
    for name, form in QUERY.items():
        body = bodies.get(name, {})
        assert not schema.fault(form, {name: body}, schema.load("query")), name
        assert not schema.fault(ANSWERS[name], source.tell(name, **body), schema.load("responses")), name


def test_a_callback_conforms() -> None:
    source = SourceLedger().open()
    source.deliver(source.outcome(request_id(source.ask_by_contract(source.probe))))
    (told,) = source.callbacks_of(source.probe)
    told.pop("sender")
    assert not schema.fault(schema.load("callback"), {"xvm_callback": told}, schema.load("callback"))


def everything(source: SourceLedger) -> list[Sent]:
    """What logs every event there is."""
    owner, asker = source.owner, source.asker
    believed = {"source_gateway": hexed(REMOTE_GATEWAY)}
    first, asking = source.ask_from(asker)
    second, _ = source.ask_from(asker)
    third = source.ask_by_contract(source.probe)
    source.close(source.probe)
    sent = [asking, source.act(asker, "add_fee", {"request_id": hexed(request_id(first))}, funds=1)]
    sent += [source.deliver(source.outcome(request_id(one))) for one in (first, first, third)]
    source.pass_deadline()
    retried = source.act(asker, "retry", retrying(second), funds=ENOUGH)
    source.pass_deadline()
    sent += [retried, source.act(asker, "cancel", cancelling(asked_in(retried)))]
    sent += [source.deliver(source.outcome(request_id(second), OutcomeKind.EXPIRED))]
    executed = source.request()
    sent += [source.run(executed), source.run(executed)]
    lapsed = request_json(source.request(1, expiry=1), by_hash=True)
    sent += [source.act(asker, "show_lapsed", {"requests": [lapsed]})]
    sent += [source.act(asker, "collect", {"epoch": "1"}), source.act(asker, "withdraw", {})]
    source.keeper.advance(WEEK)
    sent += [source.act(asker, "reclaim", {"request_id": hexed(request_id(asked_in(retried)))})]
    for name, body in (
        ("set_outbound", {"chain": CHAIN, "route": ROUTE}),
        ("set_price", {"chain": CHAIN, "price": PRICE}),
        ("set_inbound", {**believed, "registered": True}),
        ("pause", {"direction": 2, "blocks": 1}),
        ("pause_outbound", {"chain": CHAIN, "blocks": 1}),
        ("pause_inbound", {**believed, "blocks": 1}),
        ("remove_outbound", {"chain": CHAIN}),
        ("set_offices", {"guardian": None, "treasury": asker}),
        ("set_sender_limit", {"window_blocks": 1, "max_requests": 1}),
        ("transfer_ownership", {"to": asker}),
    ):
        sent.append(source.act(owner, name, body))
    return [*sent, source.act(asker, "accept_ownership", {})]


def test_events_conform() -> None:
    source = SourceLedger()
    logged = source.act(source.owner, "install", {"set": set_json(source.set)}).events
    source = SourceLedger().open()
    logged += [event for sent in everything(source) for event in sent.events]
    assert {name for name, _ in logged} == set(EVENTS)
    for name, attributes in logged:
        assert not schema.fault(EVENTS[name], attributes, schema.load("events")), name
