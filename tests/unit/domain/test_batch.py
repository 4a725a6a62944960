"""Batches depend on what final blocks hold, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.keccak import keccak256
from attestation.merkle import merkle_root
from attestation.request import Request, RequestId, request_id
from attestation.statement import Execute, Outcome, OutcomeKind
from relayer.domain.batch import (
    MAX_BATCH_LEAVES,
    BatchKind,
    conclusion_of,
    execute_batches,
    is_servable,
    outcome_batches,
    receipt_batches,
    request_ids,
    routed_requests,
)
from relayer.domain.observations import CallbackDelivered, FeeAdded, Observation, RequestCancelled
from relayer.domain.route import RouteTable
from tests.unit.domain.examples import (
    CALL_ROUTE,
    DESTINATION_GATEWAY,
    OTHER_CALL_ROUTE,
    OTHER_GATEWAY,
    QUERY_ROUTE,
    SOURCE_GATEWAY,
    asked,
    block,
    call,
    concluded,
    conclusion,
    location_at,
    query,
)

ROUTES = RouteTable([CALL_ROUTE, OTHER_CALL_ROUTE, QUERY_ROUTE])


def calls(count: int, **changes: object) -> list[Request]:
    return [replace(call(nonce), **changes) for nonce in range(count)]  # type: ignore[arg-type]  # fields by name


def test_the_requests_of_a_block_are_one_batch_in_log_order() -> None:
    requests = calls(3)
    [batch] = execute_batches(block(5, *(asked(r, log_index=i) for i, r in enumerate(requests))), ROUTES)
    assert batch.kind is BatchKind.EXECUTE
    assert batch.route == CALL_ROUTE.key
    assert batch.verifying_gateway == DESTINATION_GATEWAY
    assert batch.verifying_chain == "eip155:2"
    assert batch.first_height == 5
    assert batch.count == 3
    assert request_ids(batch) == tuple(request_id(request) for request in requests)
    assert batch.statements == tuple(
        Execute(request_id(request), 5, location_at(5).block.hash, 0, index) for index, request in enumerate(requests)
    )
    assert batch.root == merkle_root([statement.leaf for statement in batch.statements])


def test_the_order_of_logs_is_the_order_of_leaves() -> None:
    first, second = (asked(request, log_index=i) for i, request in enumerate(calls(2)))
    [forwards] = execute_batches(block(5, first, second), ROUTES)
    [backwards] = execute_batches(block(5, second, first), ROUTES)
    assert request_ids(forwards) == request_ids(backwards)[::-1]


def test_routes_do_not_share_a_batch() -> None:
    mine, theirs = call(0), call(0, OTHER_GATEWAY, 3)
    logs = [asked(request, log_index=index) for index, request in enumerate([mine, theirs, call(1)])]
    batches = execute_batches(block(5, *logs), ROUTES)
    assert [(batch.route, batch.count) for batch in batches] == [(CALL_ROUTE.key, 2), (OTHER_CALL_ROUTE.key, 1)]
    assert request_ids(batches[0]) == (request_id(mine), request_id(call(1)))


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (256, [256]), (257, [256, 1]), (513, [256, 256, 1])],
)
def test_a_batch_is_cut_at_256_leaves(count: int, sizes: list[int]) -> None:
    requests = calls(count)
    batches = execute_batches(block(5, *(asked(r, log_index=i) for i, r in enumerate(requests))), ROUTES)
    assert [batch.count for batch in batches] == sizes
    assert {batch.first_height for batch in batches} == {5}
    assert [i for batch in batches for i in request_ids(batch)] == [request_id(request) for request in requests]
    assert all(batch.root == merkle_root([s.leaf for s in batch.statements]) for batch in batches)
    receipts = [concluded(request_id(request), log_index=index) for index, request in enumerate(requests)]
    assert [batch.count for batch in receipt_batches(block(7, *receipts), DESTINATION_GATEWAY, ROUTES)] == sizes


def test_a_certificate_can_name_every_leaf_of_a_full_batch() -> None:
    assert MAX_BATCH_LEAVES == 256


def test_only_requests_give_birth_to_executions() -> None:
    identifier = request_id(call())
    rest: list[Observation] = [
        FeeAdded(identifier, 9, location_at(5, 1)),
        CallbackDelivered(identifier, is_handler_failed=False, location=location_at(5, 2)),
        RequestCancelled(identifier, 400, location_at(5, 3)),
        concluded(identifier, 5, 4),
    ]
    assert execute_batches(block(5, *rest), ROUTES) == []
    [alone] = execute_batches(block(5, asked(call())), ROUTES)
    [among_others] = execute_batches(block(5, *rest[:2], asked(call()), *rest[2:]), ROUTES)
    assert alone == among_others


def test_a_query_is_not_executed() -> None:
    assert execute_batches(block(5, asked(query())), ROUTES) == []
    assert [route for route, _ in routed_requests(block(5, asked(query())), ROUTES)] == [QUERY_ROUTE]


def test_a_request_without_a_route_is_in_no_batch() -> None:
    assert execute_batches(block(5, asked(call(0, OTHER_GATEWAY, 3))), RouteTable([CALL_ROUTE])) == []


def test_security_a_request_that_breaks_the_rules_is_in_no_batch_and_harms_no_other() -> None:
    """SECURITY: no honest signer says of a malformed request that it is to be executed."""
    bad = replace(call(0), metadata=bytes(257))
    good = call(1)
    assert not is_servable(bad)
    assert is_servable(good)
    [batch] = execute_batches(block(5, asked(bad), asked(good, log_index=1)), ROUTES)
    assert request_ids(batch) == (request_id(good),)
    assert batch.statements == (Execute(request_id(good), 5, location_at(5).block.hash, 0, 1),)


def test_receipts_of_a_block_are_one_batch_a_source_gateway() -> None:
    ids = [RequestId(bytes([n]) * 32) for n in range(1, 4)]
    logs = [
        concluded(ids[0]),
        concluded(ids[1], log_index=1, source_gateway=OTHER_GATEWAY),
        concluded(ids[2], log_index=2),
    ]
    mine, theirs = receipt_batches(block(7, *logs), DESTINATION_GATEWAY, ROUTES)
    assert (mine.kind, mine.route, request_ids(mine)) == (BatchKind.OUTCOME, CALL_ROUTE.key, (ids[0], ids[2]))
    assert (mine.verifying_gateway, mine.verifying_chain, mine.first_height) == (SOURCE_GATEWAY, "eip155:1", 7)
    assert (theirs.route, theirs.verifying_gateway, request_ids(theirs)) == (
        OTHER_CALL_ROUTE.key,
        OTHER_GATEWAY,
        (ids[1],),
    )


def test_a_receipt_needs_no_request_known_here() -> None:
    [batch] = receipt_batches(block(7, concluded(RequestId(b"\x99" * 32))), DESTINATION_GATEWAY, ROUTES)
    assert batch.count == 1


def test_a_receipt_for_a_gateway_that_is_not_served_is_in_no_batch() -> None:
    unserved = block(7, concluded(RequestId(b"\x99" * 32)), asked(call(), 7, 1))
    assert receipt_batches(unserved, OTHER_GATEWAY, ROUTES) == []
    assert receipt_batches(unserved, DESTINATION_GATEWAY, RouteTable([])) == []


def test_an_outcome_says_what_and_where_the_receipt_is() -> None:
    identifier = RequestId(b"\x99" * 32)
    receipt = replace(concluded(identifier, 7, 3), kind=OutcomeKind.REVERTED, cut=True)
    told = conclusion_of(receipt)
    assert told.outcome == Outcome(
        request_id=identifier,
        kind=OutcomeKind.REVERTED,
        cut=True,
        return_data_hash=keccak256(b"\x2a"),
        height=7,
        block_hash=location_at(7).block.hash,
        tx_index=0,
        log_index=3,
        payee=b"\x66" * 32,
        round=0,
    )
    assert (told.return_data, told.tx_hash) == (b"\x2a", location_at(7).tx_hash)


def test_answers_are_batched_under_the_asking_blocks_height() -> None:
    outcomes = [conclusion(request_id(query(nonce))).outcome for nonce in range(2)]
    [batch] = outcome_batches(QUERY_ROUTE, 5, outcomes)
    assert (batch.kind, batch.route, batch.first_height) == (BatchKind.OUTCOME, QUERY_ROUTE.key, 5)
    assert (batch.verifying_gateway, batch.verifying_chain) == (SOURCE_GATEWAY, "eip155:1")
    assert batch.statements == tuple(outcomes)


def test_nothing_makes_no_batch() -> None:
    assert outcome_batches(QUERY_ROUTE, 5, []) == []
    assert execute_batches(block(5), ROUTES) == []
    assert receipt_batches(block(5), DESTINATION_GATEWAY, ROUTES) == []


def test_the_route_table_finds_by_key_and_lists_all() -> None:
    assert ROUTES.get(CALL_ROUTE.key) is CALL_ROUTE
    assert ROUTES.get(b"elsewhere") is None
    assert list(ROUTES) == [CALL_ROUTE, OTHER_CALL_ROUTE, QUERY_ROUTE]
