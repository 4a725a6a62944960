"""Preparation against a scripted gateway: an interpreter of the calldata that this package encodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from eth_abi.abi import decode

from attestation.request import RequestId
from relayer.domain.finality import FinalityRule
from relayer.errors import RpcUnavailable
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.vms.bundling.preparing import OVERSIZE
from relayer.vms.bundling.trials import NO_ANSWER, Trial
from relayer.vms.evm import interface
from relayer.vms.evm.bundling import make_preparer
from relayer.vms.evm.chain import ChainIdentity, ChainParts
from relayer.vms.evm.chain_id import CHAIN_ID_CALL
from relayer.vms.evm.codec import LogCodec
from relayer.vms.evm.destination import EvmDestination
from relayer.vms.evm.quantities import format_data
from relayer.vms.evm.simulation import Simulator
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from relayer.vms.jsonrpc.weighing import MAX_GAS_PER_EXCHANGE
from tests.factories import blank_certificate, execute_batch, make_request, track
from tests.unit.evm.contract_abi import types_of
from tests.unit.evm.gateway_logs import CHAIN_ID, GATEWAY, VERIFIER
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve_pool

SENDER = b"\xee" * 20
PAYEE = bytes(32)
CERTIFICATE = blank_certificate()
GAS_CAP = 16_777_216
GAS_USED = 123_456
FUNCTIONS = {interface.selector(interface.EXECUTE): "execute", interface.selector(interface.EXPIRE): "expire"}


@dataclass
class Gateway:
    """What the scripted gateway holds against requests, by nonce."""

    consumed: set[int] = field(default_factory=set)
    skips: dict[int, str] = field(default_factory=dict)
    reverts: dict[int, str] = field(default_factory=dict)
    reverts_together: int = 10**9
    has_simulate: bool = True
    revert_data_in_error: bool = False
    tried: list[list[int]] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    ids: dict[bytes, int] = field(default_factory=dict)

    def node(self) -> ScriptedNode:
        return ScriptedNode(self._answer)

    def _answer(self, method: str, params: list[Any]) -> Any:
        if method == "eth_simulateV1":
            if not self.has_simulate:
                raise NodeFault(-32601, "Method not found")
            (call,) = params[0]["blockStateCalls"][0]["calls"]
            return [{"number": "0x1", "calls": [self._simulate(call)]}]
        if method == "eth_estimateGas":
            return hex(GAS_USED)
        data = bytes.fromhex(params[0]["data"][2:])
        if data[:4] == interface.selector(interface.CONSUMED):
            is_consumed = self.ids.get(data[4:]) in self.consumed
            return format_data(bytes(31) + bytes([is_consumed]))
        error = self._error(self._nonces(data))
        if error:
            raise NodeFault(3, "execution reverted", format_data(interface.selector(error)))
        return "0x"

    def _nonces(self, data: bytes) -> list[int]:
        function = FUNCTIONS[data[:4]]
        self.called.append(function)
        batches, payee = decode(types_of("XvmGateway", function), data[4:])
        assert payee == PAYEE
        nonces = [item[0][4] for batch in batches for item in batch[2]]
        self.tried.append(nonces)
        return nonces

    def _error(self, nonces: Sequence[int]) -> str:
        if len(nonces) > self.reverts_together:
            return "MalformedBatch()"
        return next((self.reverts[nonce] for nonce in nonces if nonce in self.reverts), "")

    def _simulate(self, call: dict[str, Any]) -> dict[str, Any]:
        assert call["from"] == format_data(SENDER)
        assert call["to"] == format_data(GATEWAY)
        nonces = self._nonces(bytes.fromhex(call["input"][2:]))
        error = self._error(nonces)
        if error:
            data = format_data(interface.selector(error))
            where = {"error": {"code": 3, "message": "reverted", "data": data}, "returnData": "0x"}
            return {"status": "0x0", "gasUsed": "0x1", "logs": [], "returnData": data} | (
                where if self.revert_data_in_error else {}
            )
        identifiers = {nonce: identifier for identifier, nonce in self.ids.items()}
        skips = dict.fromkeys(self.consumed, "AlreadyConsumed()") | self.skips
        logs = [
            {
                "address": format_data(GATEWAY),
                "topics": [
                    format_data(interface.topic(interface.CALL_SKIPPED)),
                    format_data(identifiers[nonce]),
                ],
                "data": format_data(interface.selector(skips[nonce]).ljust(32, b"\0")),
            }
            for nonce in nonces
            if nonce in skips
        ]
        foreign = {"address": "0x" + "ab" * 20, "topics": [], "data": "0x"}
        return {"status": "0x1", "gasUsed": hex(GAS_USED), "logs": [foreign, *logs], "returnData": "0x"}


def certified(*nonces: int, first_height: int = 10, **changes: Any) -> CertifiedBatch:
    """One batch over requests with these nonces, all of them to be acted on."""
    requests = [track(make_request(nonce, **changes)) for nonce in nonces]
    return CertifiedBatch(execute_batch(*requests, first_height=first_height), CERTIFICATE, tuple(requests))


async def prepare(
    gateway: Gateway,
    *batches: CertifiedBatch,
    nodes: int = 1,
    gas_cap: int = GAS_CAP,
    expire: bool = False,
    timeout_seconds: float = 5,
) -> Preparation:
    gateway.ids |= {r.request_id: r.request.nonce for batch in batches for r in batch.requests}
    each = [gateway.node() for _ in range(nodes)]
    async with serve_pool(*each, quorum=nodes, timeout_seconds=timeout_seconds) as pool:
        identity = ChainIdentity("test", f"eip155:{CHAIN_ID}", CHAIN_ID, GATEWAY, VERIFIER)
        hints = HeadHints(None, "test", (), CHAIN_ID_CALL, 1.0, None, None)  # type: ignore[arg-type]
        codec = LogCodec(CHAIN_ID, GATEWAY, VERIFIER)
        parts = ChainParts(identity, pool, codec, hints, RecentTimes(), FinalityRule(depth_blocks=0), 10)
        simulator = Simulator(pool, GATEWAY, SENDER)
        chain = EvmDestination(parts, simulator, make_preparer(simulator, GATEWAY, gas_cap))
        return await (chain.prepare_expire if expire else chain.prepare_execute)(batches, PAYEE)


def nonces_of(preparation: Preparation, batches: Sequence[CertifiedBatch]) -> list[list[int]]:
    by_id = {r.request_id: r.request.nonce for batch in batches for r in batch.requests}
    return [[by_id[identifier] for identifier in call.request_ids] for call in preparation.calls]


def ids(*batches: CertifiedBatch) -> dict[int, RequestId]:
    return {r.request.nonce: r.request_id for batch in batches for r in batch.requests}


@pytest.mark.parametrize("has_simulate", [True, False])
async def test_several_batches_go_into_one_transaction(*, has_simulate: bool) -> None:
    batches = [certified(0, 1), certified(2)]
    prepared = await prepare(Gateway(has_simulate=has_simulate), *batches)
    assert nonces_of(prepared, batches) == [[0, 1, 2]]
    (call,) = prepared.calls
    assert (call.to, call.value, call.expected_gas) == (GATEWAY, 0, GAS_USED)
    assert 1_500_000 < call.gas_limit < 2_500_000
    assert not prepared.settled
    assert not prepared.refused


async def test_what_was_asked_first_is_executed_first() -> None:
    batches = [certified(2, first_height=12), certified(0, first_height=10), certified(1, first_height=11)]
    prepared = await prepare(Gateway(), *batches)
    assert nonces_of(prepared, batches) == [[0, 1, 2]]


async def test_full_limits_count_so_that_transactions_stay_under_the_cap() -> None:
    batches = [certified(*range(40))]
    prepared = await prepare(Gateway(), *batches)
    assert sorted(nonce for nonces in nonces_of(prepared, batches) for nonce in nonces) == list(range(40))
    assert len(prepared.calls) == 2
    assert all(call.gas_limit <= GAS_CAP for call in prepared.calls)


@pytest.mark.parametrize("has_simulate", [True, False])
async def test_what_is_consumed_is_settled_and_becomes_a_bare_leaf(*, has_simulate: bool) -> None:
    gateway, batch = Gateway(consumed={1}, has_simulate=has_simulate), certified(0, 1, 2)
    prepared = await prepare(gateway, batch, nodes=2)
    assert prepared.settled == (ids(batch)[1],)
    assert nonces_of(prepared, [batch]) == [[0, 2]]
    ((given, bare, items, _),), _ = decode(types_of("XvmGateway", "execute"), prepared.calls[0].data[4:])
    assert given == 0b101
    assert list(bare) == [batch.batch.statements[1].leaf]
    assert len(items) == 2


async def test_a_retry_that_ran_under_its_first_attempt_is_settled() -> None:
    first = track(make_request(0)).request_id
    retry = certified(1, origin=int.from_bytes(first, "big"))
    gateway = Gateway(has_simulate=False)
    honest = gateway.node()
    own_word = b"\x01" + ids(retry)[1][1:]
    slots = {bytes(ids(retry)[1]): bytes(32), bytes(first): own_word}

    def consumed(params: list[Any]) -> str:
        return format_data(slots[bytes.fromhex(params[0]["data"][10:])])

    honest.overrides["eth_call"] = consumed
    gateway.node = lambda: honest  # type: ignore[method-assign]
    assert (await prepare(gateway, retry)).settled == (ids(retry)[1],)
    slots[bytes(first)] = b"\x03" + first[1:]
    assert not (await prepare(gateway, retry)).settled


async def test_security_one_endpoint_cannot_call_a_request_settled() -> None:
    """SECURITY: a liar could otherwise keep a request from being executed for ever."""
    batch = certified(0)
    liar, honest = Gateway(consumed={0}, has_simulate=False), Gateway(has_simulate=False)
    liar.ids = {ids(batch)[0]: 0}
    nodes = iter([liar.node(), honest.node()])
    honest.node = lambda: next(nodes)  # type: ignore[method-assign]
    prepared = await prepare(honest, batch, nodes=2)
    assert not prepared.settled
    assert nonces_of(prepared, [batch]) == [[0]]


async def test_security_a_simulation_alone_cannot_call_a_request_settled() -> None:
    """SECURITY: the one endpoint that simulates could otherwise keep a request from being executed, unnoticed."""
    gateway, batch = Gateway(skips={0: "AlreadyConsumed()"}), certified(0, 1)
    prepared = await prepare(gateway, batch, nodes=2)
    assert not prepared.settled
    assert prepared.refused == ((ids(batch)[0], "AlreadyConsumed"),)
    assert nonces_of(prepared, [batch]) == [[1]]


async def test_what_the_gateway_would_pass_over_is_left_out() -> None:
    gateway = Gateway(consumed={2}, skips={1: "InboundPaused()"})
    batch = certified(0, 1, 2, 3)
    prepared = await prepare(gateway, batch)
    assert nonces_of(prepared, [batch]) == [[0, 3]]
    assert prepared.settled == (ids(batch)[2],)
    assert prepared.refused == ((ids(batch)[1], "InboundPaused"),)


async def test_nothing_is_sent_when_all_would_be_passed_over() -> None:
    gateway = Gateway(skips={0: "UnregisteredSourceGateway()"})
    batch = certified(0)
    prepared = await prepare(gateway, batch)
    assert not prepared.calls
    assert prepared.refused == ((ids(batch)[0], "UnregisteredSourceGateway"),)


@pytest.mark.parametrize(("has_simulate", "in_error"), [(True, False), (True, True), (False, False)])
async def test_one_bad_item_harms_no_other(*, has_simulate: bool, in_error: bool) -> None:
    gateway = Gateway(reverts={2: "ForgedSignature(uint256)"}, has_simulate=has_simulate, revert_data_in_error=in_error)
    batches = [certified(0, 1), certified(2, 3), certified(4)]
    prepared = await prepare(gateway, *batches)
    assert nonces_of(prepared, batches) == [[0, 1, 3, 4]]
    assert prepared.refused == ((ids(*batches)[2], "ForgedSignature"),)


async def test_items_that_run_alone_but_not_together_are_refused() -> None:
    gateway = Gateway(reverts_together=1)
    batches = [certified(0, 1)]
    prepared = await prepare(gateway, *batches)
    assert not prepared.calls
    assert [reason for _, reason in prepared.refused] == ["MalformedBatch", "MalformedBatch"]


async def test_an_item_that_fits_no_transaction_is_refused() -> None:
    huge, small = certified(0, execution_gas_limit=20_000_000), certified(1)
    prepared = await prepare(Gateway(), huge, small)
    assert nonces_of(prepared, [huge, small]) == [[1]]
    assert prepared.refused == ((ids(huge)[0], OVERSIZE),)


async def test_requests_that_expire_need_no_execution_gas() -> None:
    gateway, batch = Gateway(), certified(0, 1)
    prepared = await prepare(gateway, batch, expire=True)
    assert set(gateway.called) == {"expire"}
    assert nonces_of(prepared, [batch]) == [[0, 1]]
    assert prepared.calls[0].gas_limit < 500_000


async def test_only_wanted_requests_of_a_batch_are_acted_on() -> None:
    whole = certified(0, 1, 2)
    wanted = CertifiedBatch(whole.batch, whole.certificate, whole.requests[1:2])
    prepared = await prepare(Gateway(), wanted)
    assert nonces_of(prepared, [whole]) == [[1]]


@pytest.mark.parametrize("topic", [interface.CALL_SKIPPED, interface.OUTCOME_SKIPPED])
async def test_security_a_skip_that_names_no_request_is_no_answer(topic: str) -> None:
    """SECURITY: one endpoint that leaves out a topic could otherwise end the process."""
    log = {"address": format_data(GATEWAY), "topics": [format_data(interface.topic(topic))], "data": "0x"}
    call = {"status": "0x1", "gasUsed": "0x1", "logs": [log], "returnData": "0x"}
    gateway = Gateway()
    hostile = gateway.node()
    hostile.overrides["eth_simulateV1"] = lambda _: [{"calls": [call]}]
    gateway.node = lambda: hostile  # type: ignore[method-assign]
    with pytest.raises(RpcUnavailable, match="malformed simulation"):
        await prepare(gateway, certified(0))


async def test_nothing_to_prepare_is_no_exchange() -> None:
    gateway = Gateway()
    prepared = await prepare(gateway)
    assert prepared == Preparation(())
    assert not gateway.tried


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        [{}],
        [{"calls": []}],
        [{"calls": [{}]}],
        [{"calls": [{"status": "0x1", "gasUsed": "0x1", "logs": [{}]}]}],
        [{"calls": [{"status": "0x1", "gasUsed": "x", "logs": []}]}],
        [{"calls": [{"status": "0x0", "gasUsed": "0x1", "logs": [], "error": 7}]}],
        [{"calls": [{"status": "0x0", "gasUsed": "0x1", "logs": [], "returnData": 7}]}],
    ],
)
async def test_a_malformed_simulation_is_no_answer(answer: Any) -> None:
    gateway = Gateway()
    node = gateway.node()
    node.overrides["eth_simulateV1"] = lambda _: answer
    gateway.node = lambda: node  # type: ignore[method-assign]
    with pytest.raises(RpcUnavailable):
        await prepare(gateway, certified(0))


@pytest.mark.parametrize("has_simulate", [True, False])
async def test_a_nodes_failure_is_no_revert_and_another_node_is_asked(*, has_simulate: bool) -> None:
    gateway, batch = Gateway(has_simulate=has_simulate), certified(0)
    failing, sound = gateway.node(), gateway.node()
    honest = failing.answer

    def answer(method: str, params: list[Any]) -> Any:
        if method == "eth_simulateV1" or (method == "eth_call" and "gas" in params[0]):
            raise NodeFault(-32000, "header not found")
        return honest(method, params)

    failing.answer = answer
    nodes = iter([failing, sound])
    gateway.node = lambda: next(nodes)  # type: ignore[method-assign]
    assert nonces_of(await prepare(gateway, batch, nodes=2), [batch]) == [[0]]
    gateway.node = lambda: failing  # type: ignore[method-assign]
    prepared = await prepare(gateway, batch)
    assert not prepared.calls
    assert prepared.refused == ((ids(batch)[0], NO_ANSWER),)


@pytest.mark.parametrize("has_simulate", [True, False])
@pytest.mark.parametrize("is_silent", [True, False])
async def test_security_a_request_that_no_node_finishes_harms_no_other(*, has_simulate: bool, is_silent: bool) -> None:
    """SECURITY: anyone could otherwise stop all deliveries to a chain with one heavy request."""
    gateway, batch = Gateway(has_simulate=has_simulate), certified(0, 1, 2)
    node = gateway.node()
    honest = node.answer

    def is_heavy(method: str, params: list[Any]) -> bool:
        if method == "eth_simulateV1":
            data = params[0]["blockStateCalls"][0]["calls"][0]["input"]
        elif method == "eth_call" and "gas" in params[0]:
            data = params[0]["data"]
        else:
            return False
        return 1 in gateway._nonces(bytes.fromhex(data[2:]))

    def answer(method: str, params: list[Any]) -> Any:
        if (has_simulate or method != "eth_simulateV1") and is_heavy(method, params):
            raise NodeFault(-32000, "execution aborted (timeout = 5s)")
        return honest(method, params)

    if is_silent:
        known = {"eth_simulateV1"} if has_simulate else {"eth_call"}
        node.is_too_much = lambda calls: any(
            call["method"] in known and is_heavy(call["method"], call["params"]) for call in calls
        )
    else:
        node.answer = answer
    gateway.node = lambda: node  # type: ignore[method-assign]
    prepared = await prepare(gateway, batch, timeout_seconds=0.3)
    assert nonces_of(prepared, [batch]) == [[0, 2]]
    assert prepared.refused == ((ids(batch)[1], NO_ANSWER),)


async def test_security_heavy_trials_travel_in_several_exchanges() -> None:
    """SECURITY: many of them in one exchange would never be answered, and stop the chain."""
    gateway = Gateway()
    node = gateway.node()
    gateway.node = lambda: node  # type: ignore[method-assign]
    batch = certified(*range(6), execution_gas_limit=10_000_000)
    assert len((await prepare(gateway, batch)).calls) == 6
    tries = [calls for calls in node.exchanges if calls[0]["method"] == "eth_simulateV1"]
    assert all(
        sum(int(call["params"][0]["blockStateCalls"][0]["calls"][0]["gas"], 16) for call in calls)
        <= MAX_GAS_PER_EXCHANGE
        for calls in tries
    )


async def test_endpoints_that_are_down_find_nothing() -> None:
    node = Gateway().node()
    node.is_hanging = True
    async with serve_pool(node, quorum=1, timeout_seconds=0.3) as pool:
        pool.members[0].is_verified = True
        with pytest.raises(RpcUnavailable):
            await Simulator(pool, GATEWAY, SENDER).run([Trial(b"", 1)])
