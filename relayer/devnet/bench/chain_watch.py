"""One chain as the bench sees it: when each block and each transaction appeared, and what the gateway logged.

Its job: note the moment first, look at contents then. Times are of this process's monotonic clock, in seconds.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from attestation.keccak import keccak256
from relayer.devnet.demo.chain_session import ChainSession

_MAX_MESSAGE_BYTES: Final = 1 << 26


class Entry(NamedTuple):
    """A log of the gateway about a request, in a transaction of a block."""

    request_id: bytes
    tx_hash: bytes
    block: int
    data: bytes


@dataclass(eq=False)
class ChainWatch:
    """What was seen so far. `logs` is by event name; `pooled` and `blocks` tell when it was first heard of."""

    session: ChainSession
    logs: dict[str, list[Entry]] = field(default_factory=dict)
    pooled: dict[bytes, float] = field(default_factory=dict)
    blocks: dict[int, float] = field(default_factory=dict)
    timestamps: dict[int, int] = field(default_factory=dict)
    gas_used: dict[bytes, int] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._names = self.session.event_topics()
        self.logs = {name: [] for name in self._names.values()}

    async def run(self, http: aiohttp.ClientSession, ready: asyncio.Event) -> None:
        """Watch until cancelled; `ready` is set when nothing is missed any more."""
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_blocks(http, queue))
            async with http.ws_connect(self.session.ws_url, max_msg_size=_MAX_MESSAGE_BYTES) as socket:
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
                        self.pooled.setdefault(bytes.fromhex(result[2:]), at)
                        continue
                    height = int(result["number"], 16)
                    self.blocks[height] = at
                    self.timestamps[height] = int(result["timestamp"], 16)
                    queue.put_nowait(height)

    async def _read_blocks(self, http: aiohttp.ClientSession, queue: asyncio.Queue[int]) -> None:
        while True:
            height = await queue.get()
            place = {"address": self.session.gateway.address, "fromBlock": hex(height), "toBlock": hex(height)}
            for log in await self._call(http, "eth_getLogs", [place]):
                name = self._names.get(log["topics"][0][2:])
                if name is None:
                    continue
                entry = Entry(
                    bytes.fromhex(log["topics"][1][2:]),
                    bytes.fromhex(log["transactionHash"][2:]),
                    height,
                    bytes.fromhex(log["data"][2:]),
                )
                self.logs[name].append(entry)
            self.changed.set()

    async def fetch_gas(self, http: aiohttp.ClientSession, name: str) -> int:
        """Gas of all transactions in which the event `name` stands."""
        total = 0
        for tx_hash in {entry.tx_hash for entry in self.logs[name]}:
            receipt = await self._call(http, "eth_getTransactionReceipt", ["0x" + tx_hash.hex()])
            total += int(receipt["gasUsed"], 16)
        return total

    async def _call(self, http: aiohttp.ClientSession, method: str, params: list[Any]) -> Any:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with http.post(self.session.rpc_url, json=call) as answer:
            return orjson.loads(await answer.read())["result"]


def return_data_hash(concluded: Entry) -> bytes:
    """Of what `XVMCallConcluded` says: keccak256 of its return data, 32 bytes."""
    words = [concluded.data[place : place + 32] for place in range(0, len(concluded.data), 32)]
    place = int.from_bytes(words[3], "big") // 32
    length = int.from_bytes(words[place], "big")
    start = 32 * (place + 1)
    return keccak256(concluded.data[start : start + length])
