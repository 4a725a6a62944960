"""Asking from a CosmWasm chain: ids, fees, bounds, order, giving up and asking again."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.address import Chain, evm_account
from attestation.keccak import keccak256
from attestation.request import Mode, Request, request_id
from tests.cosmwasm.contract.ledger import (
    DENOM,
    HEIGHT,
    NOW,
    REMOTE_CHAIN,
    REMOTE_GATEWAY,
    Refused,
    b64,
    hexed,
    word,
)
from tests.cosmwasm.contract.source_side import (
    CHAIN,
    ENOUGH,
    PRICE,
    REMOTE_TARGET,
    ROUTE,
    WEEK,
    SourceLedger,
    asked_in,
    cancelling,
    retrying,
)


def fee_of(price: dict[str, Any], asked: Request) -> int:
    """What a call costs, as the price table says it, in Python's whole numbers."""

    def up(value: int, divisor: int) -> int:
        return -(-value // divisor)

    gas = asked.execution_gas_limit + len(asked.payload) * price["execution_gas_per_byte"]
    answer = asked.return_limit * price["callback_gas_per_byte"]
    callback_gas = asked.callback_gas_limit + price["callback_overhead_gas"] + answer
    callback = up(callback_gas * int(price["callback_price"]), 10**9)
    if asked.mode is Mode.QUERY:
        execution, query = 0, up(up(gas * int(price["execution_price"]), 10**9) * price["query_bps"], 10_000)
    else:
        execution, query = up((gas + price["execution_overhead_gas"]) * int(price["execution_price"]), 10**9), 0
    margin = (execution + callback) * price["margin_bps"] // 10_000
    return execution + callback + int(price["signers_fee"]) + query + margin


def test_a_request_is_logged_whole_and_its_id_is_its_hash(source: SourceLedger) -> None:
    asked, sent = source.ask_from(source.asker, payload=b"\xca\x11" * 9, metadata=b64(b"label"), code_hash=word(7))
    event = sent.event("XVMCallRequested")
    assert event["request_id"] == hexed(request_id(asked))
    assert sent.result.data == request_id(asked)
    assert event["sender"] == source.asker
    assert event["route_hash"] == hexed(keccak256(source.address + REMOTE_GATEWAY))
    assert event["deadline"] == str(HEIGHT + 100)
    assert asked == Request(
        source_gateway=source.address,
        sender=source.interoperable(source.asker),
        destination_gateway=REMOTE_GATEWAY,
        target=REMOTE_TARGET,
        nonce=0,
        mode=Mode.CALL,
        own_account=False,
        payload=b"\xca\x11" * 9,
        execution_gas_limit=500_000,
        callback_gas_limit=300_000,
        return_limit=1_024,
        expiry=NOW + 90,
        ordered_after=0,
        origin=0,
        code_hash=(7).to_bytes(32, "big"),
        dispute_blocks=0,
        metadata=b"label",
    )


def test_what_is_chosen_is_what_is_asked(source: SourceLedger) -> None:
    asked, sent = source.ask_from(
        source.asker,
        own_account=True,
        execution_gas_limit="9999999",
        callback_gas_limit="1",
        return_limit=4_096,
        expiry=str(NOW + 60),
        deadline_blocks="100000",
    )
    assert (asked.own_account, asked.execution_gas_limit, asked.callback_gas_limit) == (True, 9_999_999, 1)
    assert (asked.return_limit, asked.expiry) == (4_096, NOW + 60)
    assert sent.event("XVMCallRequested")["deadline"] == str(HEIGHT + 100_000)


def test_a_query_names_no_gateway_and_its_route_ends_at_the_chain(source: SourceLedger) -> None:
    asked, sent = source.ask_from(source.asker, mode=1)
    assert (asked.mode, asked.destination_gateway, asked.expiry) == (Mode.QUERY, b"", 0)
    assert sent.event("XVMCallRequested")["route_hash"] == hexed(keccak256(source.address + REMOTE_CHAIN.to_bytes()))


@pytest.mark.parametrize("options", [{}, {"mode": 1}, {"return_limit": 7, "payload": b"x" * 999}])
def test_the_fee_is_the_quote_and_what_is_above_comes_back(source: SourceLedger, options: dict[str, Any]) -> None:
    before = source.balance_of(source.asker)
    asked, sent = source.ask_from(source.asker, **options)
    fee = int(sent.event("XVMCallRequested")["fee"])
    assert fee == fee_of(PRICE, asked)
    options.pop("payload", None)
    assert fee == int(
        source.tell("quote", target=hexed(REMOTE_TARGET), payload_length=len(asked.payload), options=options)
    )
    assert before - source.balance_of(source.asker) == fee == source.balance_of(source.gateway)
    assert source.pending(request_id(asked)) == {
        "requester": source.asker,
        "is_eoa": True,
        "callback_gas_limit": "300000",
        "deadline": str(HEIGHT + 100),
        "state": 1,
        "fee": str(fee),
    }
    with pytest.raises(Refused, match="InsufficientFee"):
        source.ask_from(source.asker, funds=fee - 1, payload=asked.payload, **options)
    source.ask_from(source.asker, funds=fee, payload=asked.payload, **options)


def test_nonces_rise_by_one_for_each_sender(source: SourceLedger) -> None:
    nonces = [source.ask_from(sender)[0].nonce for sender in (source.asker, source.asker, source.owner, source.asker)]
    assert nonces == [0, 1, 0, 2]
    assert source.tell("next_nonce", sender=source.asker) == "3"
    with pytest.raises(Refused):
        source.ask_from(source.asker, funds=1)
    assert source.tell("next_nonce", sender=source.asker) == "3"


OTHER_CHAIN_TARGET = evm_account(5, b"\x7a" * 20).to_bytes()
UNASKABLE: list[tuple[str, dict[str, Any]]] = [
    ("MalformedTarget", {"target": b""}),
    ("MalformedTarget", {"target": REMOTE_TARGET + b"\0"}),
    ("MalformedTarget", {"target": REMOTE_TARGET[:-1]}),
    ("MalformedTarget", {"target": REMOTE_CHAIN.to_bytes()}),
    ("MalformedTarget", {"target": REMOTE_CHAIN.to_bytes()[:-1] + b"\x13" + b"\x7a" * 19}),
    ("MalformedTarget", {"target": REMOTE_CHAIN.to_bytes()[:-1] + b"\x54" + b"\x7a" * 84}),
    ("Unrouted", {"target": OTHER_CHAIN_TARGET}),
    ("PayloadTooLarge: 8193, 8192", {"payload": bytes(8_193)}),
    ("MetadataTooLarge: 257, 256", {"metadata": b64(bytes(257))}),
    ("ReturnLimitTooHigh: 4097, 4096", {"return_limit": 4_097}),
    ("ExecutionGasTooHigh: 10000001", {"execution_gas_limit": "10000001"}),
    ("CallbackGasTooHigh: 18446744073709551615", {"callback_gas_limit": str(2**64 - 1)}),
    ("DeadlineOutOfBounds: 99, 100, 100000", {"deadline_blocks": "99"}),
    ("DeadlineOutOfBounds", {"deadline_blocks": "100001"}),
    ("ExpiryOutOfBounds", {"expiry": str(NOW + 59)}),
    ("ExpiryOutOfBounds", {"expiry": str(NOW + 86_401)}),
    ("ExpiryOutOfBounds", {"mode": 1, "expiry": str(NOW + 90)}),
    ("NotForQueries", {"mode": 1, "ordered": True}),
    ("NotForQueries", {"mode": 1, "own_account": True}),
    ("NotForQueries", {"mode": 1, "code_hash": word(1)}),
    ("UnknownMode: 2", {"mode": 2}),
    ("DisputesUnsupported", {"dispute_blocks": 1}),
]


@pytest.mark.parametrize(
    ("error", "options"), UNASKABLE, ids=[f"{e.split(':')[0]}-{n}" for n, (e, _) in enumerate(UNASKABLE)]
)
def test_what_is_out_of_bounds_is_refused_by_name(source: SourceLedger, error: str, options: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=error):
        source.ask_from(source.asker, **options)


def test_a_route_may_offer_calls_alone_or_queries_alone(source: SourceLedger) -> None:
    source.act(source.owner, "set_outbound", {"chain": CHAIN, "route": {**ROUTE, "queries": False}})
    with pytest.raises(Refused, match="Unrouted"):
        source.ask_from(source.asker, mode=1)
    source.act(source.owner, "set_outbound", {"chain": CHAIN, "route": {**ROUTE, "destination_gateway": "0x"}})
    source.ask_from(source.asker, mode=1)
    with pytest.raises(Refused, match="Unrouted"):
        source.ask_from(source.asker)
    source.act(source.owner, "remove_outbound", {"chain": CHAIN})
    with pytest.raises(Refused, match="Unrouted"):
        source.ask_from(source.asker, mode=1)
    assert source.tell("price", chain=CHAIN)["price"] == PRICE


def test_ordered_requests_follow_each_other_and_never_expire_before(source: SourceLedger) -> None:
    unordered, _ = source.ask_from(source.asker)
    first, sent = source.ask_from(source.asker, ordered=True, expiry=str(NOW + 500))
    second, _ = source.ask_from(source.asker, ordered=True)
    assert (unordered.ordered_after, first.ordered_after) == (0, 1)
    assert second.ordered_after == int.from_bytes(request_id(first), "big")
    assert second.expiry == NOW + 500
    with pytest.raises(Refused, match="ExpiryBeforePredecessor"):
        source.ask_from(source.asker, ordered=True, expiry=str(NOW + 499))
    route_hash = sent.event("XVMCallRequested")["route_hash"]
    last = {"request_id": hexed(request_id(second)), "expiry": str(NOW + 500)}
    assert source.tell("last_ordered", sender=source.asker, route_hash=route_hash) == last
    assert source.tell("last_ordered", sender=source.owner, route_hash=route_hash) == {
        "request_id": word(0),
        "expiry": "0",
    }
    assert source.ask_from(source.owner, ordered=True)[0].ordered_after == 1


def test_a_price_change_costs_nobody_more_than_the_quote_while_that_is_valid(source: SourceLedger) -> None:
    cheap = int(source.tell("quote", target=hexed(REMOTE_TARGET), payload_length=4, options={}))
    dear = {**PRICE, "signers_fee": "1000000"}
    event = source.act(source.owner, "set_price", {"chain": CHAIN, "price": dear}).event("XVMPriceSet")
    assert event["settled_from_block"] == str(HEIGHT + 10)
    assert int(source.tell("quote", target=hexed(REMOTE_TARGET), payload_length=4, options={})) == cheap + 995_000
    with pytest.raises(Refused, match=f"PriceUnsettled: {HEIGHT + 10}"):
        source.act(source.owner, "set_price", {"chain": CHAIN, "price": PRICE})
    assert int(source.ask_from(source.asker)[1].event("XVMCallRequested")["fee"]) == cheap
    source.keeper.advance(10, 10)
    assert int(source.ask_from(source.asker)[1].event("XVMCallRequested")["fee"]) == cheap + 995_000
    source.act(source.owner, "set_price", {"chain": CHAIN, "price": PRICE})
    assert int(source.ask_from(source.asker)[1].event("XVMCallRequested")["fee"]) == cheap


def test_a_fee_beyond_what_is_stored_is_refused(source: SourceLedger) -> None:
    for price in (2**128 - 1, 1 << 92):
        source.act(source.owner, "set_price", {"chain": CHAIN, "price": {**PRICE, "execution_price": str(price)}})
        source.keeper.advance(10, 10)
        with pytest.raises(Refused, match="FeeTooHigh"):
            source.ask_from(source.asker)
    with pytest.raises(Refused, match="MalformedField: signers_fee"):
        source.act(source.owner, "set_price", {"chain": CHAIN, "price": {**PRICE, "signers_fee": str(2**96)}})


def test_an_unpriced_chain_is_not_asked(source: SourceLedger) -> None:
    chain = Chain.evm(31338).to_bytes()
    route = {**ROUTE, "destination_gateway": hexed(evm_account(31338, b"\x51" * 20).to_bytes())}
    source.act(source.owner, "set_outbound", {"chain": hexed(chain), "route": route})
    for attempt in (
        lambda: source.ask_from(source.asker, target=evm_account(31338, b"\x7a" * 20).to_bytes()),
        lambda: source.tell("price", chain=hexed(chain)),
    ):
        with pytest.raises(Refused, match="Unpriced"):
            attempt()


def test_a_fee_is_topped_up_in_proportion(source: SourceLedger) -> None:
    asked, sent = source.ask_from(source.asker)
    fee = int(sent.event("XVMCallRequested")["fee"])
    request = {"request_id": hexed(request_id(asked))}
    event = source.act(source.owner, "add_fee", request, funds=1_001).event("XVMFeeAdded")
    assert event == {**request, "amount": "1001", "fee": str(fee + 1_001)}
    assert source.pending(request_id(asked))["fee"] == str(fee + 1_001)
    execution, callback = 1_200_128, 1_080_720
    source.deliver(source.outcome(request_id(asked)))
    to_execution = 1_001 * execution // (execution + callback)
    assert source.credit_of(source.payee_account()) == execution + to_execution
    assert source.credit_of(source.relayer) == callback + 1_001 - to_execution
    with pytest.raises(Refused, match="NotPending"):
        source.act(source.owner, "add_fee", request, funds=1)


def test_a_request_is_given_up_by_its_requester_after_deadline_and_expiry(source: SourceLedger) -> None:
    asked, _ = source.ask_from(source.asker)
    with pytest.raises(Refused, match=f"DeadlineNotOver: {HEIGHT + 100}"):
        source.act(source.asker, "cancel", cancelling(asked))
    source.keeper.advance(89, 101)
    with pytest.raises(Refused, match=f"ExpiryNotOver: {asked.expiry + 300}"):
        source.act(source.asker, "cancel", cancelling(asked))
    source.keeper.advance(301)
    source.keeper.advance(1)
    before = source.balance_of(source.asker)
    event = source.act(source.asker, "cancel", cancelling(asked)).event("XVMCancelled")
    assert event == {"request_id": hexed(request_id(asked)), "returned": "1080720"}
    assert source.balance_of(source.asker) == before + 1_080_720
    assert source.pending(request_id(asked))["state"] == 3
    with pytest.raises(Refused, match="NotPending"):
        source.act(source.asker, "cancel", cancelling(asked))


def test_a_query_is_given_up_after_its_deadline_alone(source: SourceLedger) -> None:
    asked, _ = source.ask_from(source.asker, mode=1)
    source.keeper.advance(1, 101)
    source.act(source.asker, "cancel", cancelling(asked))


def test_what_is_left_of_a_cancelled_fee_is_credited_after_a_week(source: SourceLedger) -> None:
    asked, sent = source.ask_from(source.asker)
    source.pass_deadline()
    source.act(source.asker, "cancel", cancelling(asked))
    request = {"request_id": hexed(request_id(asked))}
    with pytest.raises(Refused, match=f"TooEarlyToReclaim: {source.now + WEEK}"):
        source.act(source.relayer, "reclaim", request)
    source.keeper.advance(WEEK)
    left = int(sent.event("XVMCallRequested")["fee"]) - 1_080_720
    event = source.act(source.relayer, "reclaim", request).event("XVMReclaimed")
    assert event == {**request, "returned": str(left)}
    assert source.credit_of(source.asker) == left
    with pytest.raises(Refused, match="NotCancelled"):
        source.act(source.relayer, "reclaim", request)
    assert source.act(
        source.relayer, "deliver", {"batches": [source.delivery(source.outcome(request_id(asked)))]}
    ).names == ["XVMOutcomeSkipped"]


def test_a_retry_cancels_and_asks_for_the_same_with_its_origin(source: SourceLedger) -> None:
    first, _ = source.ask_from(source.asker, own_account=True, metadata=b64(b"m"), code_hash=word(3))
    source.pass_deadline()
    sent = source.act(source.asker, "retry", retrying(first), funds=ENOUGH)
    assert sent.names == ["XVMCancelled", "XVMCallRequested"]
    second = asked_in(sent)
    assert second.origin == int.from_bytes(request_id(first), "big")
    assert (second.nonce, second.expiry) == (1, source.now + 90)
    assert (second.own_account, second.metadata, second.code_hash) == (True, b"m", first.code_hash)
    source.pass_deadline()
    source.act(source.asker, "cancel", cancelling(second))
    third = asked_in(source.act(source.asker, "retry", retrying(second, source.now + 70, 101), funds=ENOUGH))
    assert third.origin == second.origin
    assert third.expiry == source.now + 70


def test_a_retry_is_refused_where_it_could_run_twice_or_is_not_the_askers(source: SourceLedger) -> None:
    ordered, _ = source.ask_from(source.asker, ordered=True)
    query, _ = source.ask_from(source.asker, mode=1)
    asked, _ = source.ask_from(source.asker)
    with pytest.raises(Refused, match="DeadlineNotOver"):
        source.act(source.asker, "retry", retrying(asked), funds=ENOUGH)
    source.pass_deadline()
    for request in (ordered, query):
        with pytest.raises(Refused, match="NotRetriable"):
            source.act(source.asker, "retry", retrying(request), funds=ENOUGH)
    with pytest.raises(Refused, match="NotRequester"):
        source.act(source.owner, "retry", retrying(asked), funds=ENOUGH)
    source.act(source.asker, "cancel", cancelling(asked))
    with pytest.raises(Refused, match="NotRequester"):
        source.act(source.owner, "retry", retrying(asked), funds=ENOUGH)
    elsewhere = hexed(evm_account(31337, b"\x52" * 20).to_bytes())
    source.act(source.owner, "set_outbound", {"chain": CHAIN, "route": {**ROUTE, "destination_gateway": elsewhere}})
    with pytest.raises(Refused, match="RouteMoved"):
        source.act(source.asker, "retry", retrying(asked), funds=ENOUGH)


def test_a_sender_asks_so_often_in_a_window_of_blocks(source: SourceLedger) -> None:
    event = source.act(source.owner, "set_sender_limit", {"window_blocks": 10, "max_requests": 2}).event(
        "XVMSenderLimitSet"
    )
    assert event == {"window_blocks": "10", "max_requests": "2"}
    assert source.tell("sender_limit") == {"window_blocks": 10, "max_requests": 2}
    for _ in range(2):
        source.ask_from(source.asker)
    with pytest.raises(Refused, match=f"SenderLimit: {HEIGHT + 10}"):
        source.ask_from(source.asker)
    source.ask_from(source.owner)
    source.keeper.advance(10, 10)
    source.ask_from(source.asker)
    source.act(source.owner, "set_sender_limit", {"window_blocks": 0, "max_requests": 2})
    for _ in range(3):
        source.ask_from(source.asker)


def test_a_contract_that_asks_is_no_eoa_and_gets_its_change(source: SourceLedger) -> None:
    asked = source.ask_by_contract(source.probe)
    pending = source.pending(request_id(asked))
    assert (pending["requester"], pending["is_eoa"]) == (source.probe, False)
    assert asked.sender == source.interoperable(source.probe)
    assert source.keeper.balance(source.probe, DENOM) == ENOUGH - int(pending["fee"])


def test_an_unknown_request_has_no_state(source: SourceLedger) -> None:
    assert source.tell("pending_request", request_id=word(9)) == {
        "requester": None,
        "is_eoa": False,
        "callback_gas_limit": "0",
        "deadline": "0",
        "state": 0,
        "fee": "0",
    }
