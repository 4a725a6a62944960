"""What the EVM client costs: from the bytes of an answer to observations, from a batch to calldata, and an exchange.

Run: `python -m tests.bench.evm`. Prints one JSON object, asserts nothing: CPU time of this process in the best of some
rounds, so that a busy machine disturbs little; trust ratios, not figures.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

import orjson

from attestation.merkle import MAXIMUM_BATCH_COUNT, merkle_root
from relayer.domain.batch import Batch
from relayer.domain.events import ReceiptFinal, RequestFinal
from relayer.domain.finality import FinalityRule
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.wallet import FeeBid, PreparedCall
from relayer.vms.evm.block_reader import BlockReader
from relayer.vms.evm.bundling import make_preparer
from relayer.vms.evm.chain import ChainIdentity, ChainParts
from relayer.vms.evm.chain_id import CHAIN_ID_CALL, chain_probe
from relayer.vms.evm.codec import LogCodec
from relayer.vms.evm.destination import EvmDestination
from relayer.vms.evm.headers import parse_header
from relayer.vms.evm.logs import Log, MinedLog, parse_logs, parse_whole
from relayer.vms.evm.quantities import format_data
from relayer.vms.evm.rotating import Rotator
from relayer.vms.evm.simulation import Simulator
from relayer.vms.evm.source import EvmSource
from relayer.vms.evm.wallet import EvmWallet
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, open_session
from tests.factories import (
    blank_certificate,
    execute_batch,
    make_conclusion,
    make_outcome,
    make_request,
    outcome_batch,
    track,
)
from tests.unit.evm.gateway_logs import CHAIN_ID, GATEWAY, VERIFIER, concluded_log, delivered_log, requested_log
from tests.unit.evm.json_chain import JsonChain, JsonTransaction
from tests.unit.jsonrpc.scripted_node import Answer

ROUNDS: Final = 7
LOGS: Final = 2_000
LOGS_A_DELIVERY: Final = 256
EXCHANGES: Final = 300

T = TypeVar("T")


class RecordedEndpoint(RpcEndpoint):
    """Answers as it is told to; the answers' JSON is made before the clock runs and parsed while it does."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(None, "http://recorded", 0, 1.0)  # type: ignore[arg-type]
        self._answer = answer
        self._recorded: dict[bytes, bytes] = {}

    async def call(self, calls: Sequence[RpcCall]) -> list[Any]:
        key = orjson.dumps([list(call) for call in calls])
        if key not in self._recorded:
            answers = [self._answer(call.method, list(call.params)) for call in calls]
            self._recorded[key] = orjson.dumps(answers)
        parsed: list[Any] = orjson.loads(self._recorded[key])
        return parsed


def microseconds(count: int, work: Callable[[], Any]) -> float:
    """CPU time of one of `count` things that `work` does."""
    spent: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return round(min(spent) / count * 1e6, 2)


def awaited_microseconds(count: int, work: Callable[[], Awaitable[Any]]) -> float:
    """The same of what has to be awaited."""

    async def rounds() -> float:
        spent: list[float] = []
        for _ in range(ROUNDS):
            started = time.process_time()
            await work()
            spent.append(time.process_time() - started)
        return min(spent)

    return round(asyncio.run(rounds()) / count * 1e6, 2)


def per_second(microseconds_each: float) -> float:
    return round(1e6 / microseconds_each)


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of what never has to wait, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it had to wait")


class Samples:
    """A block of requests, one a transaction, and blocks of receipts and deliveries, many a transaction."""

    def __init__(self) -> None:
        self.codec = LogCodec(CHAIN_ID, GATEWAY, VERIFIER)
        self.requests = [make_request(nonce, payload=bytes(range(1, 133))) for nonce in range(LOGS)]
        asked = [requested_log(request) for request in self.requests]
        ids = [log.topics[1] for log in asked]
        self.requested = _chain_of([[log] for log in asked])
        self.concluded = _chain_of(_cut([concluded_log(identifier, return_data=bytes(64)) for identifier in ids]))
        self.delivered = _chain_of(_cut([delivered_log(identifier) for identifier in ids]))


def _cut(logs: Sequence[Log]) -> list[Sequence[Log]]:
    return [logs[start : start + LOGS_A_DELIVERY] for start in range(0, len(logs), LOGS_A_DELIVERY)]


def _chain_of(transactions: Sequence[Sequence[Log]]) -> JsonChain:
    chain = JsonChain()
    chain.mine(*(JsonTransaction(tuple(logs)) for logs in transactions))
    return chain


def measure_kind(samples: Samples, chain: JsonChain, name: str) -> dict[str, float]:
    """From JSON to observations, in the two ways in which a block is read, and as a whole."""
    codec = samples.codec
    header = parse_header(chain.header("0x1"))
    assert header is not None
    known = {chain.answer("eth_getBlockByNumber", ["0x1"])["hash"]: header.ref}
    logs = orjson.dumps(chain.logs(codec.watched.range_call(1, 1).params[0]))
    all_logs = orjson.dumps(chain.logs({"fromBlock": "0x1", "toBlock": "0x1"}))
    endpoint, reader = RecordedEndpoint(chain.answer), BlockReader(codec.watched)

    def read() -> Any:
        (block,) = _at_once(reader.read(endpoint, 1, 1))
        return block

    block = read()
    assert len(codec.decode(block)) == LOGS

    def from_logs() -> list[MinedLog]:
        return parse_logs(orjson.loads(logs), known)

    decode = microseconds(LOGS, lambda: codec.decode(block))
    parse = microseconds(LOGS, from_logs)
    whole = microseconds(LOGS, lambda: parse_whole(orjson.loads(all_logs), header, codec.watched))
    return {
        f"{name}_decode_us": decode,
        f"{name}_our_logs_parse_us": parse,
        f"{name}_all_logs_parse_us": whole,
        f"{name}_block_us": microseconds(LOGS, lambda: codec.decode(read())),
        f"{name}_ingest_logs_per_second": per_second(decode + whole),
    }


def measure_batch(samples: Samples) -> dict[str, float]:
    """Leaves and roots of full batches."""
    requests = [track(request) for request in samples.requests[:MAXIMUM_BATCH_COUNT]]
    executions = execute_batch(*requests)
    outcomes = outcome_batch(*(make_outcome(request.request_id) for request in requests))
    leaves = [statement.leaf for statement in outcomes.statements]
    count = outcomes.count
    return {
        "execute_leaf_us": _leaves_us(executions),
        "outcome_leaf_us": _leaves_us(outcomes),
        "outcome_leaf_again_us": microseconds(count, lambda: [statement.leaf for statement in outcomes.statements]),
        "merkle_root_us_per_leaf": microseconds(count, lambda: merkle_root(leaves)),
    }


def _leaves_us(batch: Batch) -> float:
    """Of statements that nobody has seen before."""
    rounds = iter(
        [[replace(statement, height=height) for statement in batch.statements] for height in range(1000, 1000 + ROUNDS)]
    )
    return microseconds(batch.count, lambda: [statement.leaf for statement in next(rounds)])


def measure_submission(samples: Samples) -> dict[str, float]:
    """Full batches, from certificates to simulated calls, and a signature over as much calldata as a bundle has."""
    batch = samples.requests[:MAXIMUM_BATCH_COUNT]
    requests = [track(request) for request in batch]
    conclusions = [make_conclusion(request.request_id) for request in requests]
    concluded = [
        track(request, RequestFinal(b"root"), ReceiptFinal(conclusion, b"root"))
        for request, conclusion in zip(batch, conclusions, strict=True)
    ]
    executions = CertifiedBatch(execute_batch(*requests), blank_certificate(), tuple(requests))
    outcomes = outcome_batch(*(conclusion.outcome for conclusion in conclusions))
    deliveries = CertifiedBatch(outcomes, blank_certificate(), tuple(concluded))
    logs = samples.concluded.logs({"fromBlock": "0x1", "toBlock": "0x1"})[: len(batch)]
    pending = bytes(32 * 4) + (1).to_bytes(32, "big") + bytes(32)

    def answer(method: str, _: list[Any]) -> Any:
        match method:
            case "eth_simulateV1":
                return [{"calls": [{"status": "0x1", "gasUsed": "0xf4240", "logs": logs, "returnData": "0x"}]}]
            case "eth_call":
                return format_data(pending)
        return hex(CHAIN_ID)

    pool = EndpointPool([RecordedEndpoint(answer)], 1, chain_probe(CHAIN_ID), 1, time.monotonic, lambda: 0.5)
    wallet = EvmWallet(pool, CHAIN_ID, bytes(31) + b"\1", 10**12)
    identity = ChainIdentity("bench", f"eip155:{CHAIN_ID}", CHAIN_ID, GATEWAY, VERIFIER)
    hints = HeadHints(None, "bench", (), CHAIN_ID_CALL, 1.0, asyncio.sleep, lambda: 0.5)  # type: ignore[arg-type]
    parts = ChainParts(identity, pool, samples.codec, hints, RecentTimes(), FinalityRule(depth_blocks=0), 10)
    simulator = Simulator(pool, GATEWAY, wallet.address)
    preparer = make_preparer(simulator, GATEWAY, 30_000_000)
    rotator = Rotator(Simulator(pool, VERIFIER, wallet.address), VERIFIER, 30_000_000)
    source, destination = EvmSource(parts, preparer, rotator), EvmDestination(parts, simulator, preparer)
    call = PreparedCall(GATEWAY, bytes(range(256)) * 400, 15_000_000, 10_000_000, 0, ())
    bid = FeeBid(3 * 10**9, 10**9, 2 * 10**9)
    return {
        "prepare_execute_us": awaited_microseconds(
            len(batch), lambda: destination.prepare_execute([executions], wallet.payee)
        ),
        "prepare_deliver_us": awaited_microseconds(len(batch), lambda: source.prepare_deliver([deliveries])),
        "sign_bundle_us": microseconds(20, lambda: [wallet.sign(call, nonce, bid) for nonce in range(20)]),
    }


def measure_exchange() -> dict[str, float]:
    """One call in one exchange with a server on loopback, which another process plays."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/"

    async def ask(times: int) -> tuple[float, float]:
        async with open_session() as session:
            endpoint = RpcEndpoint(session, url, 0, 10)
            pool = EndpointPool([endpoint], 1, chain_probe(CHAIN_ID), 10, time.monotonic, lambda: 0.5)
            calls = [CHAIN_ID_CALL]

            async def alone() -> None:
                await endpoint.call(calls)

            async def voted() -> None:
                await pool.vote(lambda asked: asked.call(calls))

            return await _spent(alone, times), await _spent(voted, times)

    try:
        rounds = [asyncio.run(ask(EXCHANGES)) for _ in range(3)]
    finally:
        server.terminate()
        server.join()
    alone, voted = (round(min(figures) * 1e6, 1) for figures in zip(*rounds, strict=True))
    return {"rpc_exchange_us": alone, "rpc_vote_us": voted}


async def _spent(work: Callable[[], Awaitable[None]], times: int) -> float:
    """CPU seconds of one, the connection being open."""
    await work()
    started = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - started) / times


def _serve(pipe: Connection) -> None:
    """A node that answers one call at a time, always alike."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                (call,) = orjson.loads(await reader.readexactly(length))
                body = orjson.dumps([{"jsonrpc": "2.0", "id": call["id"], "result": hex(CHAIN_ID)}])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def measure() -> dict[str, float]:
    """All figures. Microseconds are CPU time of this process."""
    samples = Samples()
    return {
        **measure_kind(samples, samples.requested, "requested"),
        **measure_kind(samples, samples.concluded, "concluded"),
        **measure_kind(samples, samples.delivered, "delivered"),
        **measure_batch(samples),
        **measure_submission(samples),
        **measure_exchange(),
    }


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(measure(), option=orjson.OPT_INDENT_2).decode() + "\n")
