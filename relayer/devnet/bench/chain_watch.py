"""One chain as the bench sees it: when each block and each transaction appeared, and what the gateway logged.

Its job: note the moment first, look at contents then. Times are of this process's monotonic clock, in seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from attestation.keccak import keccak256
from relayer.devnet.demo.chain_session import ChainSession

_MAX_MESSAGE_BYTES: Final = 1 << 26
_RECEIPTS_PER_EXCHANGE: Final = 100


class Entry(NamedTuple):
    """A log of the gateway about a request, in a transaction of a block."""

    request_id: bytes
    tx_hash: bytes
    block: int
    data: bytes


@dataclass(eq=False)
class ChainRecord:
    """What was seen so far. `logs` is by event name; `pooled` and `blocks` tell when it was first heard of."""

    logs: defaultdict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    pooled: dict[bytes, float] = field(default_factory=dict)
    blocks: dict[int, float] = field(default_factory=dict)
    timestamps: dict[int, int] = field(default_factory=dict)

    def pooled_at(self, entry: Entry) -> float:
        """When its transaction was first heard of: in the pool or, where nobody told of it there, in its block."""
        return self.pooled.get(entry.tx_hash, self.blocks[entry.block])


class ChainWatch:
    """Writes the record of one chain. `changed` is set with each block whose logs are in it."""

    def __init__(self, session: ChainSession) -> None:
        self._session = session
        self._names = session.event_topics()
        self.record = ChainRecord()
        self.changed = asyncio.Event()

    async def run(self, http: aiohttp.ClientSession, ready: asyncio.Event) -> None:
        """Watch until cancelled; `ready` is set when nothing is missed any more. Raises `aiohttp.ClientError`."""
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_blocks(http, queue))
            async with http.ws_connect(self._session.ws_url, max_msg_size=_MAX_MESSAGE_BYTES) as socket:
                for number, kind in enumerate(("newHeads", "newPendingTransactions")):
                    await socket.send_json(
                        {"jsonrpc": "2.0", "id": number, "method": "eth_subscribe", "params": [kind]}
                    )
                async for message in socket:
                    at = time.monotonic()
                    told = orjson.loads(message.data)
                    if "params" not in told:
                        if told["id"] == 1:
                            ready.set()
                        continue
                    result = told["params"]["result"]
                    if isinstance(result, str):
                        self.record.pooled.setdefault(bytes.fromhex(result[2:]), at)
                        continue
                    height = int(result["number"], 16)
                    self.record.blocks[height] = at
                    self.record.timestamps[height] = int(result["timestamp"], 16)
                    queue.put_nowait(height)
                raise aiohttp.ServerDisconnectedError(f"the subscription to {self._session.name} ended")

    async def _read_blocks(self, http: aiohttp.ClientSession, queue: asyncio.Queue[int]) -> None:
        while True:
            height = await queue.get()
            place = {"address": self._session.gateway.address, "fromBlock": hex(height), "toBlock": hex(height)}
            (logs,) = await self._call(http, [("eth_getLogs", [place])])
            for log in logs:
                name = self._names.get(log["topics"][0][2:])
                if name is None:
                    continue
                entry = Entry(
                    bytes.fromhex(log["topics"][1][2:]),
                    bytes.fromhex(log["transactionHash"][2:]),
                    height,
                    bytes.fromhex(log["data"][2:]),
                )
                self.record.logs[name].append(entry)
            self.changed.set()

    async def fetch_gas(self, http: aiohttp.ClientSession, name: str) -> int:
        """Gas of all transactions in which the event `name` stands."""
        hashes = list({entry.tx_hash for entry in self.record.logs[name]})
        total = 0
        for first in range(0, len(hashes), _RECEIPTS_PER_EXCHANGE):
            some = hashes[first : first + _RECEIPTS_PER_EXCHANGE]
            receipts = await self._call(
                http, [("eth_getTransactionReceipt", ["0x" + tx_hash.hex()]) for tx_hash in some]
            )
            total += sum(int(receipt["gasUsed"], 16) for receipt in receipts)
        return total

    async def _call(self, http: aiohttp.ClientSession, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        batch = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        async with http.post(self._session.rpc_url, json=batch) as answer:
            return [item["result"] for item in orjson.loads(await answer.read())]


def return_data_hash(concluded: Entry) -> bytes:
    """Of what `XVMCallConcluded` says: keccak256 of its return data, 32 bytes."""
    words = [concluded.data[place : place + 32] for place in range(0, len(concluded.data), 32)]
    place = int.from_bytes(words[3], "big") // 32
    length = int.from_bytes(words[place], "big")
    start = 32 * (place + 1)
    return keccak256(concluded.data[start : start + length])
