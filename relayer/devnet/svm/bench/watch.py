"""A Solana chain's record: its slots and roots by subscription, the gateway's events block by block.

Its job: note the moment first, look at contents then, when they are final.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import orjson
from solders.signature import Signature

from relayer.devnet.bench.exchange import exchange
from relayer.devnet.bench.records import ChainRecord
from relayer.devnet.svm.bench.events import read_block

_MAX_MESSAGE_BYTES: Final = 1 << 26
_BLOCK_OPTIONS: Final = {"encoding": "json", "maxSupportedTransactionVersion": 0, "rewards": False}


class SvmWatch:
    """Writes the record of one chain. `changed` is set with each block whose events are in it."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._name = str(description["name"])
        self._rpc_url, self._ws_url = str(description["rpc_url"]), str(description["ws_url"])
        self._gateway = str(description["gateway"])
        self._final = 0
        self.record = ChainRecord()
        self.relayed_units = 0
        self.changed = asyncio.Event()

    async def run(self, http: aiohttp.ClientSession, ready: asyncio.Event) -> None:
        """Watch until cancelled; `ready` is set when nothing is missed any more. Raises `aiohttp.ClientError`."""
        (self._final,) = await exchange(http, self._rpc_url, [("getSlot", [])])
        queue: asyncio.Queue[int] = asyncio.Queue()
        topics: tuple[tuple[str, list[Any]], ...] = (
            ("slotSubscribe", []),
            ("rootSubscribe", []),
            ("logsSubscribe", [{"mentions": [self._gateway]}, {"commitment": "processed"}]),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_blocks(http, queue))
            async with http.ws_connect(self._ws_url, max_msg_size=_MAX_MESSAGE_BYTES) as socket:
                for number, (method, params) in enumerate(topics):
                    await socket.send_json({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
                async for message in socket:
                    at = time.monotonic()
                    told = orjson.loads(message.data)
                    if "params" not in told:
                        if told["id"] == len(topics) - 1:
                            ready.set()
                        continue
                    self._note(told["method"], told["params"]["result"], at, queue)
                raise aiohttp.ServerDisconnectedError(f"the subscription to {self._name} ended")

    def _note(self, topic: str, told: Any, at: float, queue: asyncio.Queue[int]) -> None:
        if topic == "logsNotification":
            signature = bytes(Signature.from_string(told["value"]["signature"]))
            self.record.pooled.setdefault(signature, at)
        elif topic == "slotNotification":
            # A slot is told when it opens; its parent's block is whole then.
            self.record.blocks.setdefault(int(told["parent"]), at)
        else:
            for slot in range(self._final + 1, told + 1):
                self.record.blocks.setdefault(slot, at)
                self.record.finals[slot] = at
            self._final = told
            queue.put_nowait(told)

    async def _read_blocks(self, http: aiohttp.ClientSession, queue: asyncio.Queue[int]) -> None:
        while True:
            slot = await queue.get()
            (block,) = await exchange(http, self._rpc_url, [("getBlock", [slot, _BLOCK_OPTIONS])])
            told = read_block(block, slot, self._gateway)
            self.record.asked += told.asked
            self.record.concluded += told.concluded
            self.record.delivered += told.delivered
            self.relayed_units += told.relayed_units
            self.changed.set()
