"""An EVM chain's record: its heads and its pool by subscription, the gateway's logs block by block.

Its job: note the moment first, look at contents then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import orjson

from attestation.keccak import keccak256
from attestation.statement import OutcomeKind
from relayer.devnet.bench.exchange import exchange
from relayer.devnet.bench.records import ChainRecord, Outcome, Sighting
from relayer.devnet.evm.chain_session import ChainSession

_MAX_MESSAGE_BYTES: Final = 1 << 26
_WORD: Final = 32


class EvmWatch:
    """Writes the record of one chain. `changed` is set with each block whose logs are in it."""

    def __init__(self, session: ChainSession, finality_depth: int) -> None:
        self._session = session
        self._depth = finality_depth
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
                    self.record.finals[height - self._depth] = at
                    self.record.timestamps[height] = int(result["timestamp"], 16)
                    queue.put_nowait(height)
                raise aiohttp.ServerDisconnectedError(f"the subscription to {self._session.name} ended")

    async def _read_blocks(self, http: aiohttp.ClientSession, queue: asyncio.Queue[int]) -> None:
        lists = {
            "XVMCallRequested": (self.record.asked, lambda _: None),
            "XVMCallConcluded": (self.record.concluded, _concluded),
            "XVMCallbackDelivered": (self.record.delivered, _delivered),
        }
        while True:
            height = await queue.get()
            place = {"address": self._session.gateway.address, "fromBlock": hex(height), "toBlock": hex(height)}
            (logs,) = await exchange(http, self._session.rpc_url, [("eth_getLogs", [place])])
            for log in logs:
                known = lists.get(self._names.get(log["topics"][0][2:], ""))
                if known is not None:
                    found, parse = known
                    found.append(_sighting(log, height, parse))
            self.changed.set()


def _sighting(log: Mapping[str, Any], height: int, parse: Callable[[bytes], Outcome | None]) -> Sighting:
    request_id, transaction = (bytes.fromhex(text[2:]) for text in (log["topics"][1], log["transactionHash"]))
    return Sighting(request_id, transaction, height, parse(bytes.fromhex(log["data"][2:])))


def _delivered(data: bytes) -> Outcome:
    kind, success, told = (data[place : place + _WORD] for place in range(0, 3 * _WORD, _WORD))
    return Outcome(OutcomeKind(int.from_bytes(kind, "big")), any(success), told)


def _concluded(data: bytes) -> Outcome:
    """Source: XVMCallConcluded's data: source gateway, kind, cut, return data, payee."""
    words = [data[place : place + _WORD] for place in range(0, len(data), _WORD)]
    kind = OutcomeKind(int.from_bytes(words[1], "big"))
    place = int.from_bytes(words[3], "big") // _WORD
    length = int.from_bytes(words[place], "big")
    start = _WORD * (place + 1)
    return Outcome(kind, kind is OutcomeKind.EXECUTED, keccak256(data[start : start + length]))
