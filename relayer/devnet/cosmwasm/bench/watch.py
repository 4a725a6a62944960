"""A CosmWasm chain's record: its blocks by subscription, which hold all that they told.

Its job: note the moment first, look at contents then. Nodes tell of no transaction before its block.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import orjson

from relayer.devnet.bench.records import ChainRecord
from relayer.devnet.cosmwasm.bench.events import read_block

_MAX_MESSAGE_BYTES: Final = 1 << 26
_SUBSCRIBING: Final = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "subscribe",
    "params": {"query": "tm.event='NewBlock'"},
}


class CosmWasmWatch:
    """Writes the record of one chain. `changed` is set with each block whose events are in it."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._name = str(description["name"])
        self._ws_url = str(description["ws_url"])
        self._gateway = str(description["gateway"])
        self._depth = int(description["finality_depth"])
        self.record = ChainRecord()
        self.relayed_gas = 0
        self.changed = asyncio.Event()

    async def run(self, http: aiohttp.ClientSession, ready: asyncio.Event) -> None:
        """Watch until cancelled; `ready` is set when nothing is missed any more. Raises `aiohttp.ClientError`."""
        async with http.ws_connect(self._ws_url, max_msg_size=_MAX_MESSAGE_BYTES) as socket:
            await socket.send_json(_SUBSCRIBING)
            async for message in socket:
                at = time.monotonic()
                result = orjson.loads(message.data)["result"]
                if result:
                    self._note(result["data"]["value"], at)
                else:
                    ready.set()
            raise aiohttp.ServerDisconnectedError(f"the subscription to {self._name} ended")

    def _note(self, event: Mapping[str, Any], at: float) -> None:
        told = read_block(event, self._gateway)
        self.record.blocks[told.height] = at
        self.record.finals[told.height - self._depth] = at
        self.record.timestamps[told.height] = told.timestamp
        self.record.asked += told.asked
        self.record.concluded += told.concluded
        self.record.delivered += told.delivered
        self.relayed_gas += told.relayed_gas
        self.changed.set()
