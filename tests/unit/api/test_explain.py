"""The paragraph about a request: every status has one, and it names what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.schemes import BLS12381
from attestation.statement import OutcomeKind
from relayer.api.account_texts import AccountTexts
from relayer.api.explain import Facts, explain
from relayer.domain.blocks import BlockRef
from relayer.domain.halt import Halt
from relayer.domain.route import Route
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.node_status import ChainStatus
from relayer.ports.signer import Attestation
from relayer.ports.store import OwnTransaction, StoredEpoch, TransactionStatus, Transition
from relayer.vms.evm.commands import CastCommands
from tests.factories import (
    CALL_ROUTE,
    DESTINATION_CHAIN,
    DESTINATION_GATEWAY,
    LONG_KEYS,
    NOW,
    QUERY_ROUTE,
    SIGNING_KEYS,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    attest,
    execute_batch,
    make_conclusion,
    make_epoch,
    make_query,
    make_request,
    make_signer_set,
    make_transaction,
    track,
    word,
)

SOURCE = ChainStatus(SOURCE_CHAIN, "one", SOURCE_GATEWAY, BlockRef(14, word("tip")), 8, 8)
DESTINATION = ChainStatus(DESTINATION_CHAIN, "two", DESTINATION_GATEWAY, BlockRef(24, word("tip")), 18, 18)


def _facts(
    request: TrackedRequest,
    *,
    route: Route | None = CALL_ROUTE,
    transitions: tuple[Transition, ...] = (),
    transactions: tuple[OwnTransaction, ...] = (),
    attestations: tuple[Attestation, ...] = (),
    epoch: StoredEpoch | None = None,
    source: ChainStatus = SOURCE,
    destination: ChainStatus = DESTINATION,
) -> Facts:
    chains = {SOURCE_CHAIN: source, DESTINATION_CHAIN: destination}
    commands = {"eip155": CastCommands()}
    return Facts(
        request, route, transitions, transactions, attestations, epoch, chains, commands, AccountTexts({}), NOW
    )


def _at(status: Status, reason: str = "", kind: OutcomeKind = OutcomeKind.EXECUTED) -> TrackedRequest:
    request = track()
    conclusion = make_conclusion(request.request_id, kind=kind)
    return replace(request, status=status, hold_reason=reason, conclusion=conclusion)


def test_a_request_that_is_not_final_counts_the_blocks_that_are_missing() -> None:
    text = explain(_facts(track()))
    assert "stands in block 10 of eip155:31337" in text
    assert "2 more blocks of eip155:31337 must become final (it is at 8)" in text
    assert "1 more block of" in explain(_facts(track(), source=replace(SOURCE, final_number=9)))
    assert "about to be taken in" in explain(_facts(track(), source=replace(SOURCE, final_number=10)))


def test_a_request_without_a_quorum_names_who_has_not_signed() -> None:
    request = replace(track(), status=Status.FINAL)
    batch = execute_batch(request)
    signed = (attest(batch, SIGNING_KEYS[0]), attest(batch, SIGNING_KEYS[2]))
    text = explain(_facts(request, attestations=signed, epoch=make_epoch(DESTINATION_GATEWAY)))
    assert "weight 2 of the 3 needed have signed for epoch 1" in text
    for index, key in enumerate(SIGNING_KEYS):
        assert (f"0x{key.key.hex()}" in text) is (index in {1, 3})
    assert "xvm doctor" in text


def test_long_keys_are_named_by_their_beginning() -> None:
    request = replace(track(), status=Status.FINAL)
    signer_set = make_signer_set(LONG_KEYS, scheme=BLS12381)
    epoch = make_epoch(DESTINATION_GATEWAY, signer_set=signer_set)
    signed = (attest(execute_batch(request), LONG_KEYS[0]),)
    text = explain(_facts(request, attestations=signed, epoch=epoch))
    assert "weight 1 of the 3" in text
    assert f"Not yet: {', '.join(f'0x{key.key[:20].hex()}' for key in LONG_KEYS[1:])}." in text


def test_signatures_for_another_epoch_do_not_count() -> None:
    request = replace(track(), status=Status.FINAL)
    old = (attest(execute_batch(request), epoch=1),)
    assert "weight 0 of the 3" in explain(_facts(request, attestations=old, epoch=make_epoch(epoch=2)))


def test_a_request_whose_fee_is_too_low_comes_with_the_command_that_raises_it() -> None:
    request = _at(Status.EXECUTION_HELD, "fee_below_cost")
    text = explain(_facts(request))
    assert "does not cover" in text
    assert f'cast send 0x{"51" * 20} "addFee(uint256)" 0x{request.request_id.hex()} --value <wei>' in text
    assert "addFee" in explain(_facts(_at(Status.CALLBACK_HELD, "fee_below_cost")))


def test_hashes_are_as_the_chains_people_write_them() -> None:
    sent = replace(track(), status=Status.DISPATCHED, execute_tx_hash=bytes(63) + b"\1")
    solana = b"\0\1\0\2\x20" + bytes(32) + b"\x20" + bytes(32)
    there = replace(sent, request=replace(sent.request, target=solana))
    assert f"in transaction 0x{'00' * 63}01 and" in explain(_facts(sent, route=None))
    assert f"in transaction {'1' * 63}2 and" in explain(_facts(there, route=None))
    nowhere = replace(sent, request=replace(sent.request, target=b"\xff"))
    assert f"to an unknown chain in transaction 0x{'00' * 63}01" in explain(_facts(nowhere, route=None))


def test_another_reason_to_hold_is_shown_and_no_fee_is_asked_for() -> None:
    text = explain(_facts(_at(Status.EXECUTION_HELD, "RoutePaused")))
    assert "it would fail with RoutePaused" in text
    assert "addFee" not in text


def test_a_call_that_nobody_executes_says_when_it_ends() -> None:
    held = _at(Status.EXECUTION_HELD, "it aborts")
    later = replace(held, request=replace(held.request, expiry=int(NOW) + 90))
    assert "If nobody executes it within 1 min 30 s, it ends as EXPIRED." in explain(_facts(later))
    assert "past its expiry, so that it ends as EXPIRED" in explain(
        _facts(replace(held, request=replace(held.request, expiry=1)))
    )


def test_a_cancelled_call_says_that_it_may_have_run_and_whom_the_rest_of_its_fee_pays() -> None:
    request = replace(_at(Status.CALLBACK_HELD, "fee_below_cost"), returned_fee=track().fee - 7)
    text = explain(_facts(request))
    assert "no callback" in text
    assert "may have been executed" in text
    assert "What is left of its fee, 7 of the chain's smallest unit, pays whoever executed it" in text
    assert "addFee" not in text
    ended = explain(_facts(replace(request, status=Status.CANCELLED, hold_reason="")))
    assert "took the request back" in ended
    assert "left" not in ended


def test_a_failed_handler_comes_with_the_command_that_replays_it() -> None:
    request = _at(Status.HANDLER_FAILED)
    assert request.conclusion is not None
    text = explain(_facts(request))
    item = f"(0x{request.request_id.hex()},0,false,20,0x{request.conclusion.outcome.block_hash.hex()},0,0,"
    assert "retryCallback((uint256,uint8,bool,uint64,bytes32,uint32,uint32,bytes32,uint32,bytes),uint64)" in text
    assert item in text
    assert ',0x2a)" 600000' in text


def test_a_command_too_long_to_type_is_left_out() -> None:
    request = _at(Status.HANDLER_FAILED)
    assert request.conclusion is not None
    request = replace(request, conclusion=replace(request.conclusion, return_data=bytes(1_025)))
    text = explain(_facts(request))
    assert "cast send" not in text
    assert "replay it with more gas, at the source gateway" in text


def test_a_gateway_whose_vm_has_no_commands_is_named_without_one() -> None:
    request = _at(Status.EXECUTION_HELD, "fee_below_cost")
    solana = bytes.fromhex("0001000220") + bytes(32) + b"\x20" + bytes(32)
    for gateway in (solana, b"\xff"):
        text = explain(_facts(replace(request, request=replace(request.request, source_gateway=gateway))))
        assert "cast" not in text
        assert "add to the fee at the source gateway" in text


def test_what_the_node_itself_sent_is_shown() -> None:
    request = replace(track(), status=Status.DISPATCHED, execute_tx_hash=word("tx"))
    waiting = make_transaction(0, [request.request_id])
    assert "offered 1 time so far" in explain(_facts(request, transactions=(waiting,)))
    mined = replace(waiting, status=TransactionStatus.MINED, mined=BlockRef(20, word("mined")))
    text = explain(_facts(request, transactions=(mined,)))
    assert "mined in block 20. 2 more blocks of eip155:31338 must become final" in text
    assert word("tx").hex() in text


def test_a_query_is_explained_as_a_question() -> None:
    query = replace(track(make_query()), status=Status.FINAL)
    assert "as of the last block" in explain(_facts(query, route=QUERY_ROUTE))
    present = replace(DESTINATION, reads_history=False)
    text = explain(_facts(query, route=QUERY_ROUTE, destination=present))
    assert "signers name in turn what they read, 4 seconds each" in text
    assert "as of the last block" not in text
    done = replace(query, status=Status.DELIVERED, conclusion=make_conclusion(query.request_id))
    assert "The question was answered as of block 20" in explain(_facts(done, route=QUERY_ROUTE))
    assert done.conclusion is not None
    in_round = replace(done, conclusion=replace(done.conclusion, outcome=replace(done.conclusion.outcome, round=7)))
    assert "The question was answered in round 7 on" in explain(_facts(in_round, route=QUERY_ROUTE))


def test_a_halted_chain_of_the_route_is_told_of() -> None:
    halted = replace(SOURCE, halt=Halt(SOURCE.caip2, "reorg_below_finality", "block 7", None, b"", 1.0))
    text = explain(_facts(track(), source=halted))
    assert "halted eip155:31337 (reorg_below_finality: block 7)" in text
    assert "`xvm chain resume one`" in text
    assert "halted" not in explain(_facts(_at(Status.DELIVERED), source=halted))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.2 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (3_599, "59 min 59 s"), (3_660, "1 h 1 min")],
)
def test_durations_are_told_in_two_units(seconds: float, text: str) -> None:
    request = track()
    first = Transition(request.request_id, None, Status.OBSERVED, "observed", "", NOW - seconds)
    assert f"been so for {text}," in explain(_facts(request, transitions=(first,)))


def test_a_request_that_is_done_tells_how_long_it_took() -> None:
    request = _at(Status.DELIVERED)
    steps = (
        Transition(request.request_id, None, Status.OBSERVED, "observed", "", NOW - 100),
        Transition(request.request_id, Status.SUBMITTED, Status.DELIVERED, "CallbackFinal", "", NOW - 96),
    )
    assert "It took 4.0 s from first sight." in explain(_facts(request, transitions=steps))


def test_what_became_of_a_call_is_told_in_words() -> None:
    words = {
        OutcomeKind.EXECUTED: "was executed",
        OutcomeKind.REVERTED: "reverted",
        OutcomeKind.UNREACHED: "could not be reached",
        OutcomeKind.EXPIRED: "before it expired",
        OutcomeKind.DUPLICATE: "earlier attempt",
    }
    assert set(words) == set(OutcomeKind)
    for kind, phrase in words.items():
        assert phrase in explain(_facts(_at(Status.DELIVERED, kind=kind)))


def test_a_call_that_nobody_executed_is_told_with_what_it_was_last_held_back_for() -> None:
    request = _at(Status.DELIVERED, kind=OutcomeKind.EXPIRED)
    held = [
        Transition(request.request_id, Status.CERTIFIED, Status.EXECUTION_HELD, "ExecutionHeld", reason, NOW)
        for reason in ("fee_below_cost", "counter failed: custom program error: 0x7")
    ]
    text = explain(_facts(request, transitions=tuple(held)))
    assert "had not executed it because it would fail with counter failed: custom program error: 0x7." in text
    executed = _at(Status.DELIVERED)
    assert "because" not in explain(_facts(executed, transitions=tuple(held)))


@given(
    status=st.sampled_from(Status),
    is_call=st.booleans(),
    is_concluded=st.booleans(),
    is_routed=st.booleans(),
    has_epoch=st.booleans(),
    reason=st.sampled_from(["", "fee_below_cost", "no_route", "malformed", "SomeNamedError"]),
)
def test_every_state_has_a_paragraph_of_whole_sentences(
    *, status: Status, is_call: bool, is_concluded: bool, is_routed: bool, has_epoch: bool, reason: str
) -> None:
    request = track(make_request() if is_call else make_query())
    conclusion = make_conclusion(request.request_id) if is_concluded else None
    request = replace(request, status=status, hold_reason=reason, conclusion=conclusion)
    route = (CALL_ROUTE if is_call else QUERY_ROUTE) if is_routed else None
    text = explain(_facts(request, route=route, epoch=make_epoch() if has_epoch else None))
    assert text.endswith(".")
    assert text == text.strip()
    assert "  " not in text
    assert "None" not in text
    assert text[0].isupper()
