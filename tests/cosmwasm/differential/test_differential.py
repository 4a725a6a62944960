"""Contracts do the same on the devnet's chain as on npm's cw-simulate, but for what `twins.KNOWN` answers for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from attestation.request import request_id
from attestation.statement import OutcomeKind
from tests.cosmwasm.contract.ledger import (
    CHAIN_ID,
    DENOM,
    HEIGHT,
    MACHINE_CODE,
    NOW,
    REMOTE_SENDER,
    Refused,
    b64,
    code,
    compact,
    hexed,
)
from tests.cosmwasm.contract.source_side import CHAIN, ENOUGH, PRICE, SourceLedger, cancelling
from tests.cosmwasm.contract.test_schema import everything
from tests.cosmwasm.differential.twins import KNOWN, TwinKeeper

CW20: Final = Path(__file__).resolve().parents[3] / "node_modules/@oraichain/common-contracts-build/data/cw20-base.wasm"


@pytest.fixture
def twins() -> Iterator[TwinKeeper]:
    MACHINE_CODE.mkdir(mode=0o700, parents=True, exist_ok=True)
    keeper = TwinKeeper(CHAIN_ID, height=HEIGHT, time_ns=NOW * 10**9, cache=MACHINE_CODE)
    yield keeper
    keeper.close()


@pytest.fixture
def source(twins: TwinKeeper) -> SourceLedger:
    return SourceLedger(keeper=twins).open()


def questions(source: SourceLedger) -> None:
    """Every query that the gateway answers."""
    for name in ("config", "current_request", "current_epoch", "sender_limit", "pausings"):
        source.tell(name)
    target = source.asked()["target"]
    for options in ({}, {"mode": 1}, {"return_limit": 0}):
        source.tell("quote", target=target, payload_length=100, options=options)
    for account in (source.asker, source.relayer, source.treasury, source.probe):
        source.tell("credits", account=account)
        source.tell("next_nonce", sender=account)
    source.tell("signer_set", epoch="1")
    source.tell("signers_pool", epoch="1")
    source.tell("outbound", chain=CHAIN)
    source.tell("price", chain=CHAIN)
    source.tell("account_of", sender=hexed(REMOTE_SENDER))
    for wrong in ({"signer_set": {"epoch": "9"}}, {"consumed": {}}, {"credits": {"account": "nobody"}}, {"no": {}}):
        with pytest.raises(Refused):
            source.ask(source.gateway, wrong)


def test_requests_their_outcomes_and_their_money(source: SourceLedger, twins: TwinKeeper) -> None:
    first, _ = source.ask_from(source.asker, ordered=True)
    second, _ = source.ask_from(source.asker, mode=1, callback_gas_limit="50000")
    third = source.ask_by_contract(source.probe)
    source.act(source.relayer, "add_fee", {"request_id": hexed(request_id(first))}, funds=77)
    for refused in ({"ordered": True, "expiry": "1"}, {"mode": 2}, {"dispute_blocks": 1}):
        with pytest.raises(Refused):
            source.ask_from(source.asker, **refused)
    with pytest.raises(Refused, match="InsufficientFee"):
        source.ask_from(source.asker, funds=1)
    with pytest.raises(Refused, match="DeadlineNotOver"):
        source.act(source.asker, "cancel", cancelling(first))
    source.deliver(source.outcome(request_id(first)), source.outcome(request_id(third), OutcomeKind.REVERTED))
    questions(source)
    source.pass_deadline()
    source.act(source.asker, "cancel", cancelling(second))
    source.deliver(source.outcome(request_id(second), OutcomeKind.EXPIRED), source.outcome(request_id(first)))
    source.act(source.relayer, "withdraw", {})
    with pytest.raises(Refused, match="NoCredit"):
        source.act(source.relayer, "withdraw", {})
    assert source.callbacks_of(source.probe)
    questions(source)
    assert len(twins.compared) > 100


def test_every_event_there_is(source: SourceLedger) -> None:
    assert len(everything(source)) > 20
    for question in ({"config": {}}, {"pausings": {}}, {"sender_limit": {}}, {"credits": {"account": source.relayer}}):
        source.ask(source.gateway, question)


def test_executions(source: SourceLedger, twins: TwinKeeper) -> None:
    calls: list[Any] = [
        {"answer": {"data": b64(b"hello")}},
        {"answer": {"data": b64(b"0123456789" * 50), "size": 3}},
        {"fail": {"text": "no"}},
        {"unknown": {}},
        {"send": {"guarded": False, "messages": [b64(compact(source.gateway_call("withdraw", {})))]}},
        {"flood": {"count": 3, "size": 5}},
    ]
    asked = [source.request(nonce, call=call) for nonce, call in enumerate(calls)]
    source.run(*asked)
    source.run(asked[0], source.request(90, own_account=True), source.request(91, own_account=True))
    source.run(source.request(92, own_account=True), source.request(93, return_limit=2))
    source.run(source.request(94, code_hash=b"\1" * 32), source.request(95, target=source.address))
    first = source.request(96, ordered_after=1)
    source.run(source.request(97, ordered_after=int.from_bytes(request_id(first), "big")), first)
    again = source.request(98, origin=int.from_bytes(request_id(asked[0]), "big"))
    source.run(again)
    source.run(source.request(99, expiry=source.now - 1), how="expire")
    for one in (*asked, again, first):
        source.consumed(one)
    assert source.ask(source.probe, {"callers": {}})
    # each difference that the table answers for is one
    assert twins.differences == set(KNOWN)


def test_handlers_that_fail_and_come_back(source: SourceLedger) -> None:
    asked = [source.ask_by_contract(source.probe) for _ in range(3)]
    source.close(source.probe)
    source.deliver(*(source.outcome(request_id(one)) for one in asked))
    replay = {"outcome": source.outcome(request_id(asked[0])), "gas_limit": "300000"}
    with pytest.raises(Refused):
        source.act(source.relayer, "retry_callback", replay)
    source.close(source.probe, closed=False)
    source.act(source.relayer, "retry_callback", replay)
    with pytest.raises(Refused, match="NotHandlerFailed"):
        source.act(source.relayer, "retry_callback", replay)
    assert len(source.callbacks_of(source.probe)) == 1


def test_owners_guardians_and_strangers(source: SourceLedger) -> None:
    for sender in (source.owner, source.guardian, source.asker):
        for name, body in (
            ("pause", {"direction": 0, "blocks": 5}),
            ("unpause", {"direction": 0}),
            ("set_price", {"chain": CHAIN, "price": {**PRICE, "margin_bps": 1}}),
            ("transfer_ownership", {"to": source.asker}),
            ("migrate", {"code_id": str(source.gateway_code), "msg": b64(b"{}")}),
            ("install", {"set": {}}),
            ("call_back", {"number": 0, "return_data": ""}),
        ):
            with suppress(Refused):
                source.act(sender, name, body)
    source.act(source.asker, "accept_ownership", {})
    questions(source)


def test_the_examples(source: SourceLedger, twins: TwinKeeper) -> None:
    counter = twins.instantiate(source.owner, twins.store_code(source.owner, code("counter")), {})
    add = {"increment": {"by": "5"}}
    source.send(source.asker, counter, add)
    target = source.interoperable(counter)
    source.run(source.request(0, target=target, call=add), source.request(1, target=target, call={"fail": {"code": 7}}))
    assert source.ask(counter, {"count": {}}) == {"count": "10"}
    asker = twins.instantiate(source.owner, twins.store_code(source.owner, code("asker")), {"gateway": source.gateway})
    question = {"target": source.asked()["target"], "payload": "AAAA", "options": {}}
    for fails in (False, True):
        sent = source.send(source.asker, asker, {"ask": {**question, "fails_callback": fails}}, funds=ENOUGH)
        requested = sent.event("XVMCallRequested")["request_id"]
        source.ask(asker, {"told": {"request_id": requested}})
        source.deliver({**source.outcome(request_id(source.request())), "request_id": requested})
        source.ask(asker, {"told": {"request_id": requested}})
    assert source.ask(asker, {"callbacks": {}})


def test_a_public_token(twins: TwinKeeper) -> None:
    owner, other = (twins.addresses.text(bytes([number]) * 20) for number in (1, 2))
    twins.mint(owner, {DENOM: 1})
    made = {"name": "Token", "symbol": "TOK", "decimals": 6, "initial_balances": [{"address": owner, "amount": "1000"}]}
    made["mint"] = {"minter": owner, "cap": "2000"}
    token = twins.instantiate(owner, twins.store_code(owner, CW20.read_bytes()), made)
    for sender, message in (
        (owner, {"transfer": {"recipient": other, "amount": "7"}}),
        (other, {"transfer": {"recipient": owner, "amount": "8"}}),
        (owner, {"mint": {"recipient": other, "amount": "1000"}}),
        (owner, {"mint": {"recipient": other, "amount": "1"}}),
        (other, {"mint": {"recipient": other, "amount": "1"}}),
        (owner, {"increase_allowance": {"spender": other, "amount": "50"}}),
        (other, {"transfer_from": {"owner": owner, "recipient": other, "amount": "30"}}),
        (other, {"transfer_from": {"owner": owner, "recipient": other, "amount": "30"}}),
        (other, {"burn": {"amount": "1"}}),
        (owner, {"unheard_of": {}}),
    ):
        twins.execute(sender, token, message)
    for question in (
        {"token_info": {}},
        {"balance": {"address": other}},
        {"all_accounts": {}},
        {"all_allowances": {"owner": owner}},
        {"minter": {}},
    ):
        twins.query_smart(token, question)
