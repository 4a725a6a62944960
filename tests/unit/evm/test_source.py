from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from eth_abi.abi import encode

from attestation.statement import OutcomeKind
from relayer.domain.events import ReceiptFinal, RequestFinal
from relayer.domain.finality import FinalityRule
from relayer.errors import RpcUnavailable
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.vms.evm import interface
from relayer.vms.evm.bundling import make_preparer
from relayer.vms.evm.chain import ChainIdentity, ChainParts
from relayer.vms.evm.chain_id import CHAIN_ID_CALL
from relayer.vms.evm.codec import LogCodec
from relayer.vms.evm.quantities import format_data
from relayer.vms.evm.rotating import Rotator
from relayer.vms.evm.simulation import Simulator
from relayer.vms.evm.source import EvmSource
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from tests.factories import blank_certificate, make_conclusion, make_request, outcome_batch, track
from tests.unit.evm.gateway_logs import CHAIN_ID, GATEWAY, VERIFIER
from tests.unit.jsonrpc.scripted_node import ScriptedNode, serve_pool

NONE, PENDING, HANDLER_FAILED, CANCELLED = range(4)
CERTIFICATE = blank_certificate()


def delivery(count: int) -> CertifiedBatch:
    """One certified batch of outcomes, all to be delivered."""
    requests = []
    for nonce in range(count):
        request = track(make_request(nonce))
        conclusion = make_conclusion(request.request_id, kind=OutcomeKind.EXECUTED)
        requests.append(track(make_request(nonce), RequestFinal(b"root"), ReceiptFinal(conclusion, b"root")))
    outcomes = [request.conclusion.outcome for request in requests if request.conclusion]
    return CertifiedBatch(outcome_batch(*outcomes), CERTIFICATE, tuple(requests))


def pending(state: int, *, is_eoa: bool = False) -> str:
    types = ["address", "bool", "uint64", "uint64", "uint8", "uint256"]
    return format_data(encode(types, [b"\x01" * 20, is_eoa, 300_000, 99, state, 10**16]))


def node(states: Sequence[str], batch: CertifiedBatch, skipped: Sequence[int] = ()) -> ScriptedNode:
    """A gateway that gives these words for the requests in order, and passes over some when it simulates."""
    identifiers = [request.request_id for request in batch.requests]

    def answer(method: str, params: list[Any]) -> Any:
        if method == "eth_call":
            data = bytes.fromhex(params[0]["data"][2:])
            assert data[:4] == interface.selector(interface.PENDING_REQUEST)
            return states[identifiers.index(data[4:])]
        logs = [
            {
                "address": format_data(GATEWAY),
                "topics": [format_data(interface.topic(interface.OUTCOME_SKIPPED)), format_data(identifiers[place])],
                "data": "0x",
            }
            for place in skipped
        ]
        other = {"address": format_data(GATEWAY), "topics": [format_data(bytes(32))], "data": "0x"}
        return [{"calls": [{"status": "0x1", "gasUsed": "0x10", "logs": [other, *logs], "returnData": "0x"}]}]

    return ScriptedNode(answer)


@asynccontextmanager
async def source(*nodes: ScriptedNode, quorum: int = 1) -> AsyncIterator[EvmSource]:
    async with serve_pool(*nodes, quorum=quorum) as pool:
        identity = ChainIdentity("test", f"eip155:{CHAIN_ID}", CHAIN_ID, GATEWAY, VERIFIER)
        hints = HeadHints(None, "test", (), CHAIN_ID_CALL, 1.0, None, None)  # type: ignore[arg-type]
        codec = LogCodec(CHAIN_ID, GATEWAY, VERIFIER)
        parts = ChainParts(identity, pool, codec, hints, RecentTimes(), FinalityRule(depth_blocks=0), 10)
        preparer = make_preparer(Simulator(pool, GATEWAY, b"\xee" * 20), GATEWAY, 16_777_216)
        rotator = Rotator(Simulator(pool, VERIFIER, b"\xee" * 20), VERIFIER, 16_777_216)
        yield EvmSource(parts, preparer, rotator)


async def prepare(batch: CertifiedBatch, *nodes: ScriptedNode, quorum: int = 1) -> Preparation:
    async with source(*nodes, quorum=quorum) as chain:
        return await chain.prepare_deliver([batch])


async def test_what_is_no_longer_pending_is_settled_and_what_was_cancelled_is_still_paid() -> None:
    batch = delivery(4)
    states = [pending(state) for state in (NONE, PENDING, HANDLER_FAILED, CANCELLED)]
    prepared = await prepare(batch, node(states, batch))
    ids = [request.request_id for request in batch.requests]
    assert prepared.settled == (ids[0], ids[2])
    assert [call.request_ids for call in prepared.calls] == [(ids[1], ids[3])]


async def test_deliveries_are_tried_anew_only_where_the_chain_holds_them_otherwise_than_most() -> None:
    plain, paid = delivery(2), delivery(2)
    states = [pending(PENDING), pending(PENDING)]
    told = node(states, plain)
    async with source(told) as chain:
        for held, tries in (((PENDING, False), 1), ((PENDING, True), 3), ((PENDING, True), 4), ((PENDING, False), 5)):
            states[0] = pending(held[0], is_eoa=held[1])
            assert [call.request_ids for call in (await chain.prepare_deliver([paid])).calls] == [
                tuple(request.request_id for request in paid.requests)
            ]
            assert told.methods.count("eth_simulateV1") == tries
        states[0] = pending(PENDING)
        await chain.prepare_deliver([plain])
        assert told.methods.count("eth_simulateV1") == 6


async def test_a_transactions_own_sender_and_who_cancelled_need_no_callback_gas() -> None:
    batch = delivery(1)
    called = await prepare(batch, node([pending(PENDING)], batch))
    for state in (pending(PENDING, is_eoa=True), pending(CANCELLED)):
        told = await prepare(batch, node([state], batch))
        assert called.calls[0].gas_limit - told.calls[0].gas_limit >= batch.requests[0].request.callback_gas_limit


async def test_security_one_endpoint_cannot_call_a_delivery_settled_nor_shrink_its_gas() -> None:
    """SECURITY: a liar could otherwise keep callbacks from running, or have our transactions revert."""
    batch = delivery(1)
    honest = await prepare(batch, node([pending(PENDING)], batch))
    for lie in (pending(NONE), pending(PENDING, is_eoa=True), pending(CANCELLED)):
        prepared = await prepare(batch, node([lie], batch), node([pending(PENDING)], batch), quorum=2)
        assert prepared == honest


async def test_an_outcome_that_would_be_passed_over_is_settled() -> None:
    batch = delivery(2)
    prepared = await prepare(batch, node([pending(PENDING)] * 2, batch, skipped=[0]))
    assert prepared.settled == (batch.requests[0].request_id,)
    assert [call.request_ids for call in prepared.calls] == [(batch.requests[1].request_id,)]


@pytest.mark.parametrize("word", ["0x", "0x" + "00" * 31, "0x" + "ff" * 192, None])
async def test_a_malformed_view_is_no_answer(word: Any) -> None:
    batch = delivery(1)
    with pytest.raises(RpcUnavailable):
        await prepare(batch, node([word], batch))
