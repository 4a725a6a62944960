"""What a bench asks: how many requests of which mode, how fast, and the transactions that ask them.

Its job: each request its own user transaction, sent in time. It does not watch what becomes of them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
import orjson

from attestation.address import evm_account
from attestation.request import Mode
from relayer.devnet.demo.chain_session import ChainSession
from relayer.errors import CallReverted, ConfigError

_SENDS_PER_EXCHANGE: Final = 50
_SENDS_PER_SECOND: Final = 40
"""Exchanges a second at a held rate: fine enough that blocks fill evenly."""

_ASK_GAS: Final = 300_000
_EXECUTION_GAS: Final = 100_000
_CALLBACK_GAS: Final = 100_000
_EXPIRY_SECONDS: Final = 250

_REQUESTS_PER_SENDER: Final = 500
"""Of one asking contract: half of what the gateways of a devnet let one sender ask within a window of blocks."""


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` requests a second for `seconds`, or with rate 0 `burst` requests at once.

    Raises:
        ConfigError: the numbers contradict each other.
    """

    mode: Mode = Mode.CALL
    rate: float = 0.0
    burst: int = 0
    seconds: float = 10.0

    def __post_init__(self) -> None:
        if (self.rate > 0) == (self.burst > 0):
            raise ConfigError(["bench: either --rate R or --burst N"])
        if self.count < 1:
            raise ConfigError([f"bench: --rate {self.rate:g} for --seconds {self.seconds:g} is not even one request"])

    @property
    def count(self) -> int:
        """Requests in all."""
        return self.burst or math.floor(self.rate * self.seconds)


class Asker:
    """Sends the load's transactions from the chain's funded accounts, which the devnet's chains sign for."""

    def __init__(self, load: Load, source: ChainSession, destination: ChainSession) -> None:
        self._load = load
        self._source = source
        pings = source.create("XvmPing", math.ceil(load.count / _REQUESTS_PER_SENDER))
        (counter,) = destination.create("XvmCounter")
        self.counter = counter
        target = evm_account(destination.chain_id, bytes.fromhex(counter.address[2:])).to_bytes()
        call = ("increment", [1]) if load.mode is Mode.CALL else ("answer", [1])
        payload = bytes.fromhex(counter.encode_abi(*call)[2:])
        options = source.options(
            mode=int(load.mode),
            executionGasLimit=_EXECUTION_GAS,
            callbackGasLimit=_CALLBACK_GAS,
            expiry=source.now() + _EXPIRY_SECONDS + math.ceil(load.seconds) if load.mode is Mode.CALL else 0,
        )
        fee = source.quote(target, len(payload), options)
        self._fields = {
            "data": pings[0].encode_abi("ask", [target, payload, options]),
            "value": hex(fee),
            "gas": hex(_ASK_GAS),
            "maxFeePerGas": hex(100 * 10**9),
            "maxPriorityFeePerGas": hex(10**9),
        }
        self._askers = [ping.address for ping in pings]
        self._nonces = {address: source.next_nonce(address) for address in source.accounts}

    async def send_all(self, session: aiohttp.ClientSession, report: Callable[[int], None]) -> dict[bytes, float]:
        """Send everything at the load's pace: transaction hash → the moment (monotonic) at which it was sent.

        Raises `CallReverted` if the chain takes one not.
        """
        sent: dict[bytes, float] = {}
        began = time.monotonic()
        while len(sent) < self._load.count:
            due = self._load.count
            if self._load.rate:
                due = min(due, math.ceil((time.monotonic() - began) * self._load.rate))
            size = min(due - len(sent), _SENDS_PER_EXCHANGE)
            if size <= 0:
                await asyncio.sleep(1 / _SENDS_PER_SECOND)
                continue
            at = time.monotonic()
            for tx_hash in await self._send(session, len(sent), size):
                sent[tx_hash] = at
            report(len(sent))
        return sent

    async def _send(self, session: aiohttp.ClientSession, first: int, size: int) -> list[bytes]:
        accounts = list(self._nonces)
        calls = []
        for number in range(first, first + size):
            sender = accounts[number % len(accounts)]
            asker = self._askers[number % len(self._askers)]
            fields = {**self._fields, "from": sender, "to": asker, "nonce": hex(self._nonces[sender])}
            self._nonces[sender] += 1
            calls.append({"jsonrpc": "2.0", "id": number, "method": "eth_sendTransaction", "params": [fields]})
        headers = {"Content-Type": "application/json"}
        async with session.post(self._source.rpc_url, data=orjson.dumps(calls), headers=headers) as answer:
            answers = orjson.loads(await answer.read())
        for item in answers:
            if "error" in item:
                raise CallReverted(f"the chain's pool: {item['error'].get('message')}")
        return [bytes.fromhex(item["result"][2:]) for item in answers]
