"""How many logs a second the EVM client takes in, from the bytes of an answer to observations.

Run: `python -m tests.bench.evm_decode_bench [logs]`. Prints a table; asserts nothing: trust ratios, not figures.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from eth_abi.abi import decode

from relayer.vms.evm.block_reader import BlockContents, BlockReader
from relayer.vms.evm.codec import LogCodec
from relayer.vms.evm.headers import Stamp
from relayer.vms.evm.logs import MinedLog, PlacedLog, parse_logs
from relayer.vms.evm.rpc import RpcCall, RpcEndpoint
from tests.factories import make_request
from tests.unit.evm.gateway_logs import CHAIN_ID, GATEWAY, REQUEST_TYPE, VERIFIER, concluded_log, requested_log
from tests.unit.evm.json_chain import JsonChain, JsonTransaction

ROUNDS = 3


class RecordedEndpoint(RpcEndpoint):
    """Answers from a chain in memory; the answers' JSON is made before the clock runs and parsed while it does."""

    def __init__(self, chain: JsonChain) -> None:
        super().__init__(None, "http://recorded", 0, 1.0)  # type: ignore[arg-type]
        self._chain = chain
        self._recorded: dict[bytes, bytes] = {}

    async def call(self, calls: Sequence[RpcCall]) -> list[Any]:
        key = orjson.dumps([list(call) for call in calls])
        if key not in self._recorded:
            answers = [self._chain.answer(call.method, list(call.params)) for call in calls]
            self._recorded[key] = orjson.dumps(answers)
        parsed: list[Any] = orjson.loads(self._recorded[key])
        return parsed


def best(count: int, work: Callable[[], Any]) -> float:
    """Logs a second in the best of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return count / min(seconds)


def main(count: int) -> None:
    requests = [make_request(nonce, payload=bytes(range(1, 133))) for nonce in range(count)]
    chain = JsonChain()
    chain.mine(*(JsonTransaction((requested_log(request),)) for request in requests))
    codec = LogCodec(CHAIN_ID, GATEWAY, VERIFIER)
    written = orjson.dumps(chain.logs(codec.watched.range_call(1, 1).params[0]))
    mined: list[MinedLog] = parse_logs(orjson.loads(written))
    requested = contents(mined)
    concluded = contents([log._replace(log=concluded_log(log.log.topics[1], return_data=bytes(64))) for log in mined])
    endpoint, reader = RecordedEndpoint(chain), BlockReader(codec.watched)

    async def ingest() -> None:
        (block,) = await reader.read(endpoint, 1, 1)
        assert block is not None
        assert len(codec.decode(block)) == count

    asyncio.run(ingest())
    figures = {
        "JSON of eth_getLogs, parsed strictly": best(count, lambda: parse_logs(orjson.loads(written))),
        "XVMCallRequested to observation, id recomputed": best(count, lambda: codec.decode(requested)),
        "XVMCallConcluded to observation": best(count, lambda: codec.decode(concluded)),
        "one endpoint's block, receipts and all, to observations": best(count, lambda: asyncio.run(ingest())),
        "for comparison: XVMCallRequested by eth_abi, nothing checked": best(count, lambda: by_eth_abi(mined)),
    }
    assert codec.dropped == 0
    print(f"{count} logs of {len(mined[0].log.data)} bytes, best of {ROUNDS}")  # noqa: T201 - its purpose
    for name, rate in figures.items():
        print(f"{rate:>10,.0f} logs/s  {1e6 / rate:6.1f} us  {name}")  # noqa: T201


def contents(mined: list[MinedLog]) -> BlockContents:
    chain = JsonChain()
    logs = tuple(PlacedLog(log.log, log.tx_hash, log.tx_index, 0) for log in mined)
    header = chain.blocks[0]
    return BlockContents(Stamp(header.ref, header.parent_hash, header.timestamp), logs)


def by_eth_abi(mined: list[MinedLog]) -> None:
    for log in mined:
        decode([REQUEST_TYPE, "uint256", "uint64"], log.log.data)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
