"""What becomes of certified requests: each is consumed once, and a receipt tells what became of it."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from hashlib import sha256

import pytest

from attestation.address import Chain, InteroperableAddress, Namespace
from attestation.keccak import keccak256
from attestation.request import Mode, Request, request_id
from attestation.statement import OutcomeKind
from tests.cosmwasm.contract.ledger import (
    OTHER_SENDER,
    PAYEE,
    REMOTE_GATEWAY,
    REMOTE_SENDER,
    Ledger,
    Refused,
    Sent,
    b64,
    code,
    hexed,
    request_json,
)


def kinds(sent: Sent) -> list[OutcomeKind]:
    """What became of each concluded request, in order."""
    return [OutcomeKind(int(event["kind"])) for event in sent.all("XVMCallConcluded")]


def identifier(asked: Request) -> int:
    """As a field of another request has it."""
    return int.from_bytes(request_id(asked), "big")


def reason(sent: Sent) -> str:
    """Why the one request was skipped."""
    assert sent.names == ["XVMCallSkipped"]
    return sent.event("XVMCallSkipped")["reason"]


def test_a_request_is_executed_and_its_receipt_says_what_the_target_answered(ledger: Ledger) -> None:
    asked = ledger.request()
    sent = ledger.run(asked)
    assert sent.names == ["XVMCallConcluded"]
    assert sent.event("XVMCallConcluded") == {
        "request_id": hexed(request_id(asked)),
        "source_gateway_hash": hexed(keccak256(REMOTE_GATEWAY)),
        "source_gateway": hexed(REMOTE_GATEWAY),
        "kind": "0",
        "cut": "false",
        "return_data": b64(b"hello"),
        "payee": hexed(PAYEE),
    }
    assert ledger.consumed(asked) == bytes([OutcomeKind.EXECUTED]) + request_id(asked)[1:]


def test_the_target_is_told_which_request_it_is_called_for(ledger: Ledger) -> None:
    first, second = ledger.request(0), ledger.request(1, sender=OTHER_SENDER)
    ledger.run(first, second)
    executor = ledger.tell("config")["executor"]
    assert ledger.ask(ledger.probe, {"callers": {}}) == [
        {"sender": executor, "current": {"request_id": hexed(request_id(one)), "sender": hexed(one.sender)}}
        for one in (first, second)
    ]
    assert ledger.tell("current_request") == {"request_id": hexed(bytes(32)), "sender": "0x"}


def test_an_empty_answer_is_an_answer(ledger: Ledger) -> None:
    sent = ledger.run(ledger.request(call={"knock": {}}))
    assert kinds(sent) == [OutcomeKind.EXECUTED]
    assert sent.event("XVMCallConcluded")["return_data"] == ""


def test_a_target_that_fails_is_reverted_with_the_chain_s_words(ledger: Ledger) -> None:
    sent = ledger.run(ledger.request(call={"fail": {"text": "not today"}}))
    assert kinds(sent) == [OutcomeKind.REVERTED]
    assert b"ProbeFails: not today" in b64decode(sent.event("XVMCallConcluded")["return_data"])


@pytest.mark.parametrize("call", [{"panic": {}}, {"burn": {}}, {"unheard of": {}}, b"not json", b""])
def test_whatever_a_target_does_wrong_is_reverted(ledger: Ledger, call: object) -> None:
    assert kinds(ledger.run(ledger.request(call=call))) == [OutcomeKind.REVERTED]


def test_answers_are_cut_at_the_request_s_limit(ledger: Ledger) -> None:
    call = {"answer": {"data": b64(b"0123456789"), "size": 10}}
    sent = ledger.run(ledger.request(0, call=call, return_limit=15), ledger.request(1, call=call, return_limit=100))
    cut, whole = sent.all("XVMCallConcluded")
    assert (cut["cut"], b64decode(cut["return_data"])) == ("true", b"012345678901234")
    assert (whole["cut"], b64decode(whole["return_data"])) == ("false", b"0123456789" * 10)


def test_a_failing_target_leaves_nothing_behind_and_harms_no_other(ledger: Ledger) -> None:
    """SECURITY: requests of one transaction have nothing to do with each other."""
    pass_on = {"answer": {"data": b64(b"x")}}
    doomed = {"send": {"guarded": False, "messages": [b64(b'{"bank":{"burn":{"amount":[]}}}')]}}
    sent = ledger.run(
        ledger.request(0, call=pass_on),
        ledger.request(1, call=doomed),
        ledger.request(2, call={"burn": {}}),
        ledger.request(3, call=pass_on),
    )
    assert kinds(sent)[0] == kinds(sent)[3] == OutcomeKind.EXECUTED
    assert kinds(sent)[2] == OutcomeKind.REVERTED
    callers = ledger.ask(ledger.probe, {"callers": {}})
    executed = [kind for kind in kinds(sent) if kind is OutcomeKind.EXECUTED]
    assert len(callers) == len(executed)


def test_with_own_account_the_target_is_called_by_the_sender_s_account(ledger: Ledger) -> None:
    first, second = (ledger.request(nonce, own_account=True) for nonce in (0, 1))
    third = ledger.request(2, own_account=True, sender=OTHER_SENDER)
    assert kinds(ledger.run(first, second, third)) == [OutcomeKind.EXECUTED] * 3
    assert kinds(ledger.run(ledger.request(3, own_account=True))) == [OutcomeKind.EXECUTED]
    own, other = (ledger.tell("account_of", sender=hexed(sender)) for sender in (REMOTE_SENDER, OTHER_SENDER))
    assert [one["sender"] for one in ledger.ask(ledger.probe, {"callers": {}})] == [own, own, other, own]
    info = ledger.keeper.contract_info(own)
    assert info is not None
    assert (info.creator, info.admin) == (ledger.gateway, "")


def test_a_code_hash_is_the_wasm_checksum(ledger: Ledger) -> None:
    right, wrong = sha256(code("probe")).digest(), sha256(code("hashes")).digest()
    assert kinds(ledger.run(ledger.request(0, code_hash=right))) == [OutcomeKind.EXECUTED]
    assert kinds(ledger.run(ledger.request(1, code_hash=wrong))) == [OutcomeKind.UNREACHED]


def test_where_there_is_no_contract_nothing_is_reached(ledger: Ledger) -> None:
    nobody = InteroperableAddress(ledger.chain, keccak256(b"nobody")).to_bytes()
    wallet = ledger.interoperable(ledger.relayer)
    odd = ledger.address[:-33] + bytes([21]) + bytes(range(21))
    short = ledger.address[:-1]
    asked = [ledger.request(nonce, target=target) for nonce, target in enumerate((nobody, wallet, odd, short))]
    sent = ledger.run(*asked)
    assert kinds(sent) == [OutcomeKind.UNREACHED] * 4
    assert {event["return_data"] for event in sent.all("XVMCallConcluded")} == {""}
    assert [ledger.consumed(one)[0] for one in asked] == [OutcomeKind.UNREACHED] * 4


def test_requests_that_do_not_belong_here_are_skipped(ledger: Ledger) -> None:
    other_chain = Chain(Namespace.COSMOS, b"another-1")
    elsewhere = InteroperableAddress(other_chain, ledger.keeper.addresses.parse(ledger.probe)).to_bytes()
    skipped = {
        "WrongGateway": {"destination_gateway": REMOTE_GATEWAY},
        "WrongChain": {"target": elsewhere},
        "UnregisteredSourceGateway": {"source_gateway": REMOTE_GATEWAY[:-1] + b"\x00"},
    }
    for name, changes in skipped.items():
        asked = ledger.request(**changes)
        assert reason(ledger.run(asked)) == name
        assert ledger.consumed(asked) == bytes(32)
    query = replace(ledger.request(), mode=Mode.QUERY)
    assert reason(ledger.run(query)) == "WrongGateway"


def test_a_paused_source_gateway_s_requests_wait_but_still_expire(ledger: Ledger) -> None:
    asked = ledger.request()
    ledger.act(ledger.guardian, "pause_inbound", {"source_gateway": hexed(REMOTE_GATEWAY), "blocks": 100})
    assert reason(ledger.run(asked)) == "InboundPaused"
    ledger.keeper.advance(601)
    assert kinds(ledger.run(asked, how="expire")) == [OutcomeKind.EXPIRED]


def test_a_pause_of_executions_stops_execute_and_not_expire(ledger: Ledger) -> None:
    asked = ledger.request()
    ledger.act(ledger.guardian, "pause", {"direction": 1, "blocks": 100})
    with pytest.raises(Refused, match="Paused"):
        ledger.run(asked)
    ledger.keeper.advance(601)
    assert kinds(ledger.run(asked, how="expire")) == [OutcomeKind.EXPIRED]


@pytest.mark.parametrize("how", ["execute", "expire"])
def test_past_its_expiry_a_request_is_expired_and_its_target_not_called(ledger: Ledger, how: str) -> None:
    asked = ledger.request()
    ledger.keeper.advance(601)
    sent = ledger.run(asked, how="expire" if how == "expire" else "execute")
    assert kinds(sent) == [OutcomeKind.EXPIRED]
    assert ledger.ask(ledger.probe, {"callers": {}}) == []
    assert ledger.consumed(asked) == bytes([OutcomeKind.EXPIRED]) + request_id(asked)[1:]


def test_in_its_last_second_a_request_is_executed(ledger: Ledger) -> None:
    asked = ledger.request()
    ledger.keeper.advance(600)
    assert reason(ledger.run(asked, how="expire")) == "NotExpired"
    assert kinds(ledger.run(asked)) == [OutcomeKind.EXECUTED]


def test_a_retry_of_what_was_executed_is_a_duplicate_and_says_so(ledger: Ledger) -> None:
    first = ledger.request()
    retry = ledger.request(1, origin=identifier(first))
    ledger.run(first)
    sent = ledger.run(retry)
    assert kinds(sent) == [OutcomeKind.DUPLICATE]
    assert b64decode(sent.event("XVMCallConcluded")["return_data"]) == ledger.consumed(first)
    assert ledger.consumed(retry)[0] == OutcomeKind.DUPLICATE
    assert len(ledger.ask(ledger.probe, {"callers": {}})) == 1


@pytest.mark.parametrize(
    ("call", "became"),
    [
        ({"answer": {"data": ""}}, OutcomeKind.EXECUTED),
        ({"fail": {"text": ""}}, OutcomeKind.REVERTED),
    ],
)
def test_a_retry_beside_its_first_attempt_tells_what_became_of_it(
    ledger: Ledger, call: object, became: OutcomeKind
) -> None:
    """SECURITY: a duplicate says whether the attempt before it succeeded: it is told after that attempt, not before."""
    first = ledger.request(0, call=call)
    retry = ledger.request(1, origin=identifier(first), call=call)
    again = ledger.request(2, origin=identifier(first), call=call)
    other = ledger.request(3)
    sent = ledger.run(first, retry, again, other)
    assert kinds(sent) == [became, OutcomeKind.DUPLICATE, OutcomeKind.DUPLICATE, OutcomeKind.EXECUTED]
    duplicates = sent.all("XVMCallConcluded")[1:3]
    expected = bytes([became]) + request_id(first)[1:]
    assert [b64decode(one["return_data"]) for one in duplicates] == [expected, expected]
    assert ledger.tell("current_request")["request_id"] == hexed(bytes(32))


def test_a_retry_of_what_expired_runs(ledger: Ledger) -> None:
    first = ledger.request()
    ledger.keeper.advance(601)
    ledger.run(first, how="expire")
    retry = ledger.request(1, origin=identifier(first))
    assert kinds(ledger.run(retry)) == [OutcomeKind.EXECUTED]
    assert ledger.consumed(retry) == bytes(32)
    assert reason(ledger.run(retry)) == "AlreadyConsumed"


def test_what_is_ordered_waits_for_its_predecessor(ledger: Ledger) -> None:
    first = ledger.request(0, ordered_after=1)
    second = ledger.request(1, ordered_after=identifier(first))
    assert reason(ledger.run(second)) == "PredecessorOpen"
    assert kinds(ledger.run(first, second)) == [OutcomeKind.EXECUTED] * 2


def test_what_is_ordered_after_a_lapsed_request_runs_once_that_is_shown(ledger: Ledger) -> None:
    first = ledger.request(0, ordered_after=1)
    second = ledger.request(1, ordered_after=identifier(first), expiry=ledger.now + 6_000)
    ledger.keeper.advance(601)
    assert reason(ledger.run(second)) == "PredecessorOpen"
    shown = ledger.act(ledger.asker, "show_lapsed", {"requests": [request_json(first, by_hash=True)]})
    assert shown.event("XVMLapseShown") == {"request_id": hexed(request_id(first))}
    assert ledger.tell("is_lapsed", request_id=hexed(request_id(first))) is True
    assert kinds(ledger.run(second)) == [OutcomeKind.EXECUTED]
    assert kinds(ledger.run(first, how="expire")) == [OutcomeKind.EXPIRED]


def test_leaves_that_are_not_acted_on_come_bare(ledger: Ledger) -> None:
    asked = [ledger.request(nonce) for nonce in range(3)]
    leaves = [ledger.leaf(one) for one in asked]
    only = ledger.batch([asked[1]], bare=[leaves[0], leaves[2]], given=0b010, certificate=ledger.certificate(leaves))
    sent = ledger.act(ledger.relayer, "execute", {"batches": [only], "payee": hexed(PAYEE)})
    assert [one["request_id"] for one in sent.all("XVMCallConcluded")] == [hexed(request_id(asked[1]))]


def test_several_batches_fit_one_message(ledger: Ledger) -> None:
    asked = [ledger.request(nonce) for nonce in range(4)]
    batches = [ledger.batch(asked[:2]), ledger.batch(asked[2:])]
    sent = ledger.act(ledger.relayer, "execute", {"batches": batches, "payee": hexed(PAYEE)})
    assert kinds(sent) == [OutcomeKind.EXECUTED] * 4


def test_the_owner_migrates_the_gateway_and_all_that_it_knows_stays(ledger: Ledger) -> None:
    asked = ledger.request()
    ledger.run(asked)
    before = ledger.tell("config")
    body = {"code_id": str(ledger.gateway_code), "msg": b64(b"{}")}
    with pytest.raises(Refused, match="NotOwner"):
        ledger.act(ledger.relayer, "migrate", body)
    ledger.act(ledger.owner, "migrate", body)
    assert ledger.tell("config") == before
    assert reason(ledger.run(asked)) == "AlreadyConsumed"


def test_a_gateway_is_instantiated_only_over_the_account_code_that_it_is_told() -> None:
    ledger = Ledger()
    with pytest.raises(Refused, match="WrongChecksum"):
        ledger.instantiate(b"another", account_checksum=hexed(bytes(32)))
