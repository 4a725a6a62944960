"""What every store promises about requests: the docstrings of `relayer.ports.store`, as facts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from attestation.address import evm_account
from attestation.request import RequestId
from attestation.signer_set_file import NumberedSet
from relayer.domain.batch import BatchKind
from relayer.domain.events import (
    CallbackFinal,
    CallbackSubmitted,
    ExecuteCertified,
    ExecutionDispatched,
    ExecutionHeld,
    OutcomeCertified,
    ReceiptFinal,
    ReceiptOrphaned,
    ReceiptSeen,
    RequestFinal,
    RequestOrphaned,
    RequestReobserved,
)
from relayer.domain.lifecycle import decide
from relayer.domain.reorg import ChainCursor, SeenBlock
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.errors import StoreConflict
from relayer.ports.store import AcceptedSet, Change, Commit, FeeEntry, RequestFilter, Store, Transition
from tests.factories import (
    DESTINATION_CHAIN,
    DESTINATION_GATEWAY,
    NOW,
    QUERY_ROUTE,
    SENDER,
    SIGNING_KEYS,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    attest,
    block_ref,
    execute_batch,
    make_conclusion,
    make_epoch,
    make_location,
    make_query,
    make_request,
    make_signer_set,
    make_transaction,
    track,
    word,
)

BIGGEST_UINT64 = 2**64 - 1
BIGGEST_UINT256 = 2**256 - 1
ROOT = word("root")


def observed(*requests: TrackedRequest) -> Commit:
    return Commit(observed=tuple(Change(r.status, r, "CallRequested", NOW) for r in requests))


def moved(before: TrackedRequest, after: TrackedRequest, cause: str = "Moved", at: float = NOW + 1) -> Change:
    return Change(before.status, after, cause, at)


async def listed(store: Store, where: RequestFilter = RequestFilter(), limit: int = 100) -> list[TrackedRequest]:  # noqa: B008 - frozen
    return [request for _, request in await store.list_requests(where, limit)]


# Observing and changing


async def test_a_request_comes_back_as_it_was_observed(store: Store) -> None:
    request = track()
    await store.commit(observed(request))
    assert await store.load_requests([request.request_id]) == {request.request_id: request}


async def test_every_field_of_a_request_comes_back_after_every_step_of_its_life(store: Store) -> None:
    request = track()
    conclusion = make_conclusion(request.request_id, return_data=b"\x01" * 1_000)
    await store.commit(observed(request))
    for event in (
        RequestFinal(word("execute")),
        ExecuteCertified(b"\x01" * 32),
        ExecutionHeld("fee_below_cost"),
        ExecutionDispatched(word("dispatched")),
        ReceiptSeen(conclusion),
        ReceiptFinal(conclusion, word("outcome")),
        OutcomeCertified(b"\x02" * 32),
        CallbackSubmitted(word("submitted")),
        CallbackFinal(is_handler_failed=True),
    ):
        after = decide(request, event).request
        await store.commit(Commit(changes=(moved(request, after),)))
        assert (await store.load_requests([request.request_id]))[request.request_id] == after
        request = after


async def test_the_biggest_numbers_that_a_chain_can_name_come_back_unchanged(store: Store) -> None:
    """SECURITY: databases count to 2^63; a request beyond that must not fail a commit, or come back as another."""
    request = track(
        make_request(
            BIGGEST_UINT64,
            expiry=BIGGEST_UINT64,
            execution_gas_limit=BIGGEST_UINT64,
            callback_gas_limit=BIGGEST_UINT64,
            return_limit=2**32 - 1,
            ordered_after=BIGGEST_UINT256,
            origin=BIGGEST_UINT256,
            dispute_blocks=2**32 - 1,
            payload=bytes(range(256)) * 256,
            metadata=b"\xff" * 256,
        ),
        location=replace(make_location(BIGGEST_UINT64), tx_index=2**32 - 1, log_index=2**32 - 1),
        fee=BIGGEST_UINT256,
        deadline=BIGGEST_UINT64,
    )
    request = replace(request, source_timestamp=BIGGEST_UINT64)
    await store.commit(observed(request))
    assert await store.load_requests([request.request_id]) == {request.request_id: request}
    assert await store.load_requests_at(SOURCE_GATEWAY, [BIGGEST_UINT64]) == [request]


async def test_a_malformed_request_is_kept_for_people_to_see(store: Store) -> None:
    request = track(make_request(source_gateway=b"\x00", destination_gateway=b"junk", sender=b"", target=b""))
    rejected = replace(request, status=Status.REJECTED, hold_reason="malformed")
    await store.commit(observed(rejected))
    assert await listed(store) == [rejected]
    assert await store.count_by_status() == {("", Status.REJECTED): 1}


async def test_observing_a_known_request_conflicts_and_writes_nothing(store: Store) -> None:
    first, second = track(), track(make_request(1))
    await store.commit(observed(first))
    with pytest.raises(StoreConflict):
        await store.commit(replace(observed(second, first), batches=(execute_batch(first),)))
    assert await listed(store) == [first]
    assert await store.load_batches([execute_batch(first).root]) == {}


async def test_observing_a_request_twice_in_one_commit_conflicts(store: Store) -> None:
    with pytest.raises(StoreConflict):
        await store.commit(observed(track(), track()))
    assert await listed(store) == []


async def test_a_change_decided_on_another_status_conflicts(store: Store) -> None:
    """SECURITY: two steps that both move a request on would pay for it twice."""
    request = track()
    await store.commit(observed(request))
    final = decide(request, RequestFinal(ROOT)).request
    await store.commit(Commit(changes=(moved(request, final),)))
    with pytest.raises(StoreConflict):
        await store.commit(Commit(changes=(moved(request, decide(request, RequestOrphaned()).request),)))
    assert await listed(store) == [final]


async def test_changing_an_unknown_request_conflicts(store: Store) -> None:
    request = track()
    with pytest.raises(StoreConflict):
        await store.commit(Commit(changes=(moved(request, decide(request, RequestFinal(ROOT)).request),)))
    assert await listed(store) == []


async def test_a_commit_whose_last_change_conflicts_writes_nothing_at_all(store: Store) -> None:
    first, second, unknown = track(), track(make_request(1)), track(make_request(2))
    await store.commit(observed(first))
    batch, transaction = execute_batch(first), make_transaction(0, [first.request_id])
    conflicting = Commit(
        observed=(Change(second.status, second, "CallRequested", NOW),),
        changes=(
            moved(first, decide(first, RequestFinal(ROOT)).request),
            moved(unknown, decide(unknown, RequestFinal(ROOT)).request),
        ),
        batches=(batch,),
        attestations=(attest(batch),),
        transactions=(transaction,),
        fees=(FeeEntry(first.request_id, SOURCE_CHAIN, "offered", 1, word("tx"), NOW),),
        cursors=(ChainCursor(SOURCE_CHAIN, block_ref(1)),),
        peer_cursors=((b"peer", "7"),),
        epochs=(make_epoch(),),
    )
    with pytest.raises(StoreConflict):
        await store.commit(conflicting)
    assert await listed(store) == [first]
    assert len(await store.load_transitions(first.request_id)) == 1
    assert await store.load_batches([batch.root]) == {}
    assert await store.load_attestations([batch.root]) == {}
    assert await store.load_transactions_of(first.request_id) in ([], ())
    assert not await store.load_fees(first.request_id)
    assert await store.load_cursor(SOURCE_CHAIN) is None
    assert await store.load_peer_cursor(b"peer") == ""
    assert not await store.load_epochs(SOURCE_GATEWAY)
    assert await store.count_by_status() == {(SOURCE_CHAIN, Status.OBSERVED): 1}


async def test_of_two_steps_that_decide_on_one_status_at_the_same_time_exactly_one_is_written(store: Store) -> None:
    request = track()
    await store.commit(observed(request))
    final, orphaned = decide(request, RequestFinal(ROOT)).request, decide(request, RequestOrphaned()).request
    results = await asyncio.gather(
        store.commit(Commit(changes=(moved(request, final),))),
        store.commit(Commit(changes=(moved(request, orphaned),))),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "StoreConflict"]
    assert len(await store.load_transitions(request.request_id)) == 2


async def test_an_empty_commit_is_nothing(store: Store) -> None:
    await store.commit(Commit())
    assert await listed(store) == []


async def test_one_commit_may_observe_a_request_and_move_it_on(store: Store) -> None:
    request = track()
    final = decide(request, RequestFinal(ROOT)).request
    conclusion = make_conclusion(request.request_id)
    landed = decide(final, ReceiptSeen(conclusion)).request
    await store.commit(replace(observed(request), changes=(moved(request, final), moved(final, landed))))
    assert await listed(store) == [landed]
    assert [(t.before, t.after) for t in await store.load_transitions(request.request_id)] == [
        (None, Status.OBSERVED),
        (Status.OBSERVED, Status.FINAL),
        (Status.FINAL, Status.LANDED),
    ]


async def test_changes_of_one_request_that_do_not_follow_one_another_conflict(store: Store) -> None:
    request = track()
    await store.commit(observed(request))
    final = decide(request, RequestFinal(ROOT)).request
    with pytest.raises(StoreConflict):
        await store.commit(Commit(changes=(moved(request, final), moved(request, final))))
    assert await listed(store) == [request]


async def test_a_reorg_moves_a_request_and_takes_back_its_conclusion(store: Store) -> None:
    request = track(None, RequestFinal(ROOT), ReceiptSeen(make_conclusion(track().request_id)))
    await store.commit(observed(request))
    undone = decide(request, ReceiptOrphaned()).request
    assert undone.conclusion is None
    await store.commit(Commit(changes=(moved(request, undone),)))
    assert await listed(store) == [undone]
    seen_elsewhere = decide(undone, ReceiptSeen(make_conclusion(request.request_id, make_location(21)))).request
    await store.commit(Commit(changes=(moved(undone, seen_elsewhere),)))
    assert await listed(store) == [seen_elsewhere]


async def test_a_request_is_found_at_its_new_place_after_a_reorg(store: Store) -> None:
    request = track(None, RequestOrphaned())
    await store.commit(observed(request))
    again = decide(request, RequestReobserved(make_location(12, 3, 4, fork="b"), 1_234)).request
    await store.commit(Commit(changes=(moved(request, again),)))
    assert await store.load_requests_at(SOURCE_GATEWAY, [10]) == []
    assert await store.load_requests_at(SOURCE_GATEWAY, [12]) == [again]


# Transitions, fees, counts


async def test_transitions_tell_a_life_oldest_first_with_cause_and_reason(store: Store) -> None:
    request = track(None, RequestFinal(ROOT), ExecuteCertified(b"\x01" * 32))
    held = decide(request, ExecutionHeld("fee_below_cost")).request
    await store.commit(observed(request))
    await store.commit(Commit(changes=(moved(request, held, "ExecutionHeld", NOW + 2.5),)))
    assert list(await store.load_transitions(request.request_id)) == [
        Transition(request.request_id, None, Status.CERTIFIED, "CallRequested", "", NOW),
        Transition(
            request.request_id, Status.CERTIFIED, Status.EXECUTION_HELD, "ExecutionHeld", "fee_below_cost", NOW + 2.5
        ),
    ]


async def test_a_change_that_keeps_the_status_writes_the_request_and_no_transition(store: Store) -> None:
    request = track()
    await store.commit(observed(request))
    richer = replace(request, fee=request.fee + 1)
    await store.commit(Commit(changes=(moved(request, richer),)))
    assert await listed(store) == [richer]
    assert len(await store.load_transitions(request.request_id)) == 1


async def test_an_unknown_request_has_no_transitions_and_no_fees(store: Store) -> None:
    assert not await store.load_transitions(RequestId(word("unknown")))
    assert not await store.load_fees(RequestId(word("unknown")))


async def test_fees_are_kept_in_order_and_repeat(store: Store) -> None:
    request = track()
    offered = FeeEntry(request.request_id, SOURCE_CHAIN, "offered", BIGGEST_UINT256, word("tx"), NOW)
    spent = FeeEntry(request.request_id, DESTINATION_CHAIN, "spent_execute", 0, word("tx", 2), NOW)
    other = replace(offered, request_id=RequestId(word("other")))
    await store.commit(Commit(fees=(offered, other, spent)))
    await store.commit(Commit(fees=(offered,)))
    assert list(await store.load_fees(request.request_id)) == [offered, spent, offered]


async def test_requests_are_counted_by_source_chain_and_status_without_empty_pairs(store: Store) -> None:
    requests = [track(make_request(nonce)) for nonce in range(3)]
    elsewhere = track(make_request(9, source_gateway=evm_account(10, b"\x01" * 20).to_bytes()))
    await store.commit(observed(*requests, elsewhere))
    final = decide(requests[0], RequestFinal(ROOT)).request
    await store.commit(
        Commit(changes=(moved(requests[0], final), moved(elsewhere, decide(elsewhere, RequestOrphaned()).request)))
    )
    assert await store.count_by_status() == {
        (SOURCE_CHAIN, Status.OBSERVED): 2,
        (SOURCE_CHAIN, Status.FINAL): 1,
        ("eip155:10", Status.ORPHANED): 1,
    }


# Looking for requests


async def test_requests_come_in_the_order_asked_for_and_unknown_ones_are_left_out(store: Store) -> None:
    requests = [track(make_request(nonce)) for nonce in range(5)]
    await store.commit(observed(*requests))
    ids = [requests[n].request_id for n in (3, 0, 4)]
    found = await store.load_requests([ids[0], RequestId(word("unknown")), ids[1], ids[0], ids[2]])
    assert list(found) == ids


async def test_loading_nothing_gives_nothing(store: Store) -> None:
    assert await store.load_requests([]) == {}
    assert await store.load_requests_at(SOURCE_GATEWAY, []) == []
    assert await store.load_receipts([]) == {}
    assert await store.load_batches([]) == {}
    assert await store.load_certificates([]) == {}


async def test_more_requests_than_a_statement_has_variables_are_written_and_loaded(store: Store) -> None:
    requests = [track(make_request(nonce), location=make_location(nonce)) for nonce in range(9_000)]
    await store.commit(observed(*requests))
    assert len(await store.load_requests([request.request_id for request in requests])) == 9_000
    assert await store.load_requests_at(SOURCE_GATEWAY, range(9_000)) == requests


async def test_requests_of_blocks_come_in_log_order_from_that_gateway_only(store: Store) -> None:
    places = [(12, 0, 0), (10, 2, 0), (10, 0, 1), (11, 0, 0), (10, 0, 0), (10, 1, 5)]
    requests = {place: track(make_request(n), location=make_location(*place)) for n, place in enumerate(places)}
    other = track(make_request(99, source_gateway=DESTINATION_GATEWAY), location=make_location(10))
    await store.commit(observed(*requests.values(), other))
    found = await store.load_requests_at(SOURCE_GATEWAY, [12, 10, 10])
    assert found == [requests[place] for place in sorted(places) if place[0] != 11]


async def test_queries_of_a_block_come_in_log_order_whatever_became_of_them(store: Store) -> None:
    here = [track(make_query(n), location=make_location(10, 5 - n)) for n in range(3)]
    here[1] = replace(here[1], status=Status.CANCELLED)
    elsewhere = track(make_query(7), location=make_location(11))
    other_chain = track(make_query(8, target=evm_account(10, b"\x01" * 20).to_bytes()), location=make_location(10))
    call = replace(track(make_request(9), location=make_location(10)), route=QUERY_ROUTE.key)
    await store.commit(observed(*here, elsewhere, other_chain, call))
    assert await store.load_queries_at(QUERY_ROUTE.key, 10) == here[::-1]


async def test_expired_calls_that_wait_for_execution_come_oldest_expiry_first(store: Store) -> None:
    def waiting(nonce: int, expiry: int, status: Status) -> TrackedRequest:
        return replace(track(make_request(nonce, expiry=expiry)), status=status)

    late = waiting(1, 90, Status.CERTIFIED)
    later = waiting(2, 80, Status.EXECUTION_HELD)
    latest = waiting(3, 80, Status.CERTIFIED)
    others = [waiting(10 + n, 50, status) for n, status in enumerate(set(Status) - {late.status, later.status})]
    in_time = waiting(4, 100, Status.CERTIFIED)
    never = waiting(5, BIGGEST_UINT64, Status.CERTIFIED)
    query = replace(track(make_query(6)), status=Status.CERTIFIED)
    elsewhere = waiting(7, 10, Status.CERTIFIED)
    gateway = evm_account(10, b"\x01" * 20).to_bytes()
    elsewhere = replace(track(replace(elsewhere.request, destination_gateway=gateway)), status=Status.CERTIFIED)
    await store.commit(observed(late, later, latest, *others, in_time, never, query, elsewhere))
    assert list(await store.load_expiring(DESTINATION_CHAIN, 100, 10)) == [
        later.request_id,
        latest.request_id,
        late.request_id,
    ]
    assert list(await store.load_expiring(DESTINATION_CHAIN, 100, 1)) == [later.request_id]


# Lists for people


async def test_lists_are_newest_first_and_page_on_by_row(store: Store) -> None:
    requests = [track(make_request(nonce)) for nonce in range(7)]
    await store.commit(observed(*requests[:4]))
    await store.commit(observed(*requests[4:]))
    pages: list[TrackedRequest] = []
    before: int | None = None
    while page := await store.list_requests(RequestFilter(before_row=before), 3):
        assert len(page) <= 3
        pages += [request for _, request in page]
        before = page[-1][0]
    assert pages == requests[::-1]


@pytest.mark.parametrize(
    ("where", "nonces"),
    [
        (RequestFilter(), [5, 4, 3, 2, 1, 0]),
        (RequestFilter(statuses=frozenset({Status.FINAL})), [4, 2]),
        (RequestFilter(statuses=frozenset({Status.FINAL, Status.ORPHANED})), [4, 3, 2]),
        (RequestFilter(statuses=frozenset({Status.DELIVERED})), []),
        (RequestFilter(sender=SENDER), [4, 3, 2, 0]),
        (RequestFilter(sender=b"nobody"), []),
        (RequestFilter(source_chain=SOURCE_CHAIN), [4, 3, 2, 1, 0]),
        (RequestFilter(source_chain="eip155:10"), [5]),
        (RequestFilter(source_chain="eip155:11"), []),
        (RequestFilter(statuses=frozenset({Status.FINAL}), sender=SENDER, source_chain=SOURCE_CHAIN), [4, 2]),
        (RequestFilter(statuses=frozenset({Status.OBSERVED}), source_chain=SOURCE_CHAIN), [1, 0]),
        (RequestFilter(sender=SENDER, source_chain="eip155:10"), []),
    ],
)
async def test_lists_hold_what_meets_every_condition(store: Store, where: RequestFilter, nonces: list[int]) -> None:
    other_sender = evm_account(31337, b"\x0f" * 20).to_bytes()
    requests = [
        track(make_request(0)),
        track(make_request(1, sender=other_sender)),
        track(make_request(2), RequestFinal(ROOT)),
        track(make_request(3), RequestOrphaned()),
        track(make_request(4), RequestFinal(ROOT)),
        track(make_request(5, source_gateway=evm_account(10, b"\x01" * 20).to_bytes(), sender=other_sender)),
    ]
    await store.commit(observed(*requests))
    assert [request.request.nonce for request in await listed(store, where)] == nonces
    assert [request.request.nonce for request in await listed(store, where, 1)] == nonces[:1]
    if len(nonces) > 1:
        first = (await store.list_requests(where, 1))[0][0]
        assert [r.request.nonce for r in await listed(store, replace(where, before_row=first))] == nonces[1:]


# Roots that wait


async def test_roots_wait_for_execution_from_finality_to_the_final_receipt(store: Store) -> None:
    roots = {status: word("root", status) for status in Status}
    requests = [
        replace(track(make_request(n)), status=status, execute_root=roots[status]) for n, status in enumerate(Status)
    ]
    query = replace(track(make_query(50)), status=Status.FINAL, execute_root=word("query"))
    await store.commit(observed(*requests, query))
    waiting = {Status.FINAL, Status.CERTIFIED, Status.EXECUTION_HELD, Status.DISPATCHED, Status.LANDED}
    found = await store.load_unlanded_roots(BatchKind.EXECUTE, DESTINATION_GATEWAY, 100)
    assert list(found) == sorted(roots[status] for status in waiting)
    assert not await store.load_unlanded_roots(BatchKind.EXECUTE, SOURCE_GATEWAY, 100)


async def test_roots_wait_for_delivery_from_the_conclusion_to_the_final_callback(store: Store) -> None:
    roots = {status: word("root", status) for status in Status}
    requests = [
        replace(track(make_request(n)), status=status, outcome_root=roots[status]) for n, status in enumerate(Status)
    ]
    query = replace(track(make_query(50)), status=Status.CONCLUDED, outcome_root=word("query"))
    without = replace(track(make_query(51)), status=Status.CONCLUDED)
    await store.commit(observed(*requests, query, without))
    waiting = {Status.CONCLUDED, Status.ATTESTED, Status.CALLBACK_HELD, Status.SUBMITTED}
    found = await store.load_unlanded_roots(BatchKind.OUTCOME, SOURCE_GATEWAY, 100)
    assert list(found) == sorted([*(roots[status] for status in waiting), word("query")])


async def test_waiting_roots_are_named_once_and_page_on_by_the_last_one(store: Store) -> None:
    requests = [
        replace(track(make_request(n)), status=Status.CONCLUDED, outcome_root=word("root", n // 3)) for n in range(12)
    ]
    await store.commit(observed(*requests))
    pages: list[bytes] = []
    while page := await store.load_unlanded_roots(BatchKind.OUTCOME, SOURCE_GATEWAY, 3, pages[-1] if pages else b""):
        pages += page
    assert pages == sorted(word("root", n) for n in range(4))


async def test_row_numbers_are_those_of_the_list(store: Store) -> None:
    requests = [track(make_request(nonce=nonce)) for nonce in range(3)]
    for request in requests:
        await store.commit(observed(request))
    listed = {request.request_id: row for row, request in await store.list_requests(RequestFilter(), 10)}
    known = [request.request_id for request in requests]
    assert await store.load_rows([*known, RequestId(word("never seen"))]) == listed


# Watchers


async def test_a_watcher_is_told_of_every_commit_once_it_is_written_until_it_leaves(store: Store) -> None:
    told: list[Commit] = []
    leave = store.watch(told.append)
    commits = [Commit(peer_cursors=((b"peer", str(number)),)) for number in range(3)]
    await store.commit(commits[0])
    await store.commit(commits[1])
    leave()
    await store.commit(commits[2])
    assert told == commits[:2]


async def test_a_watcher_hears_nothing_of_a_commit_that_conflicts(store: Store) -> None:
    told: list[Commit] = []
    request = track()
    await store.commit(observed(request))
    store.watch(told.append)
    with pytest.raises(StoreConflict):
        await store.commit(observed(request))
    assert not told


# Chains


async def test_a_chain_that_was_never_taken_in_has_no_cursor(store: Store) -> None:
    assert await store.load_cursor(SOURCE_CHAIN) is None


async def test_a_cursor_comes_back_with_its_seen_blocks_and_is_replaced_by_chain(store: Store) -> None:
    def seen(number: int, fork: str = "") -> SeenBlock:
        return SeenBlock(block_ref(number, fork=fork), block_ref(number - 1, fork=fork).hash, number)

    first = ChainCursor(SOURCE_CHAIN, block_ref(5), tuple(seen(n) for n in range(6, 10)))
    other = ChainCursor(DESTINATION_CHAIN, block_ref(BIGGEST_UINT64 - 1), (seen(BIGGEST_UINT64),))
    await store.commit(Commit(cursors=(first, other)))
    assert await store.load_cursor(SOURCE_CHAIN) == first
    for fork in (
        ChainCursor(SOURCE_CHAIN, block_ref(7), (seen(8), seen(9, "b"), seen(10, "b"))),
        ChainCursor(SOURCE_CHAIN, block_ref(7), (seen(8),)),
        ChainCursor(SOURCE_CHAIN, block_ref(10)),
    ):
        await store.commit(Commit(cursors=(fork,)))
        assert await store.load_cursor(SOURCE_CHAIN) == fork
    assert await store.load_cursor(DESTINATION_CHAIN) == other


async def test_epochs_come_oldest_first_and_a_cut_validity_replaces_the_old_one(store: Store) -> None:
    first, second = make_epoch(epoch=1), make_epoch(epoch=2)
    far = replace(make_epoch(epoch=BIGGEST_UINT64), valid_until=BIGGEST_UINT64)
    await store.commit(Commit(epochs=(far, second, first, make_epoch(DESTINATION_GATEWAY))))
    assert list(await store.load_epochs(SOURCE_GATEWAY)) == [first, second, far]
    cut = replace(first, valid_until=int(NOW))
    await store.commit(Commit(epochs=(cut,)))
    assert list(await store.load_epochs(SOURCE_GATEWAY)) == [cut, second, far]


async def test_accepted_sets_come_by_epoch_and_the_last_word_about_what_follows_a_set_counts(store: Store) -> None:
    assert not await store.load_accepted_sets()
    one, two = bytes(32), b"\x01" * 32
    second, beside, far = (
        AcceptedSet(NumberedSet(epoch, make_signer_set()), predecessor, NOW)
        for epoch, predecessor in ((2, one), (2, two), (BIGGEST_UINT64, one))
    )
    await store.commit(Commit(accepted=(far, beside, second)))
    assert list(await store.load_accepted_sets()) == [second, beside, far]
    other = AcceptedSet(NumberedSet(2, make_signer_set(SIGNING_KEYS[::-1])), one, NOW + 1)
    await store.commit(Commit(accepted=(other,)))
    assert list(await store.load_accepted_sets()) == [other, beside, far]


async def test_peer_cursors_begin_empty_and_are_replaced_by_key(store: Store) -> None:
    assert await store.load_peer_cursor(b"peer") == ""
    await store.commit(Commit(peer_cursors=((b"peer", "1"), (b"other", "5"))))
    await store.commit(Commit(peer_cursors=((b"peer", "2"),)))
    assert await store.load_peer_cursor(b"peer") == "2"
    assert await store.load_peer_cursor(b"other") == "5"
