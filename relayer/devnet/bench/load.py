"""What a bench asks: how many requests of which mode, how fast, and the transactions that ask them.

Its job: each request its own user transaction, signed before the clock runs and sent in time. It does not watch what
becomes of them.

Source: EIP-1559, EIP-2718 (the transactions).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import coincurve
import orjson
import rlp

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.devnet.demo.chain_session import ChainSession
from relayer.errors import CallReverted, ConfigError

MAX_RATE: Final = 10_000
"""Requests a second. One process that sends could not hold more."""

MAX_REQUESTS: Final = 1_000_000
"""Of one bench: each is a kilobyte of the bench's memory, and more of the chain's."""

_SENDS_PER_EXCHANGE: Final = 200
_SENDS_PER_SECOND: Final = 20
"""Exchanges a second at a held rate: fine enough that blocks fill evenly."""

_ASK_GAS: Final = 300_000
_EXECUTION_GAS: Final = 100_000
_CALLBACK_GAS: Final = 100_000
_EXPIRY_SECONDS: Final = 250
_MAX_FEE_WEI: Final = 100 * 10**9
_TIP_WEI: Final = 10**9

_REQUESTS_PER_SENDER: Final = 500
"""Of one asking contract: half of what the gateways of a devnet let one sender ask within a window of blocks."""

_CALL: Final = b'{"jsonrpc":"2.0","id":%d,"method":"eth_sendRawTransaction","params":["0x%s"]}'


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` requests a second for `seconds`, or with rate 0 `burst` requests at once.

    Raises:
        ConfigError: the numbers contradict each other, or nobody can mean them.
    """

    mode: Mode = Mode.CALL
    rate: float = 0.0
    burst: int = 0
    seconds: float = 10.0

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise ConfigError([fault])

    def _fault(self) -> str:
        # Written so that what is not a number at all is refused as well.
        if not 0 <= self.rate <= MAX_RATE:
            return f"--rate {self.rate:g}: more than 0 and at most {MAX_RATE} requests a second"
        if not 0 <= self.burst <= MAX_REQUESTS:
            return f"--burst {self.burst}: from 1 to {MAX_REQUESTS} requests"
        if bool(self.rate) == bool(self.burst):
            return "either --rate R, held for --seconds S, or --burst N"
        if not 0 < self.seconds <= MAX_REQUESTS:
            return f"--seconds {self.seconds:g}: more than 0 and at most {MAX_REQUESTS}"
        if not 1 <= self.count <= MAX_REQUESTS:
            asked = f"--rate {self.rate:g} for --seconds {self.seconds:g}"
            return f"{asked} is {self.count} requests; from 1 to {MAX_REQUESTS} can be asked"
        return ""

    @property
    def count(self) -> int:
        """Requests in all."""
        return self.burst or math.floor(self.rate * self.seconds)


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Raw bytes as nodes take them, and their hash (32 bytes)."""

    hash: bytes
    raw: bytes


class Asker:
    """The load's transactions, of the source chain's funded accounts. `accounts` are the devnet's, with their keys.

    `late_seconds` is how late at a held rate the latest request was sent.
    """

    def __init__(
        self, load: Load, source: ChainSession, destination: ChainSession, accounts: Sequence[Mapping[str, Any]]
    ) -> None:
        self._load = load
        self._source = source
        self.late_seconds = 0.0
        pings = source.create("XvmPing", math.ceil(load.count / _REQUESTS_PER_SENDER))
        (counter,) = destination.create("XvmCounter")
        self.counter = counter
        target = evm_account(destination.chain_id, _bytes(counter.address)).to_bytes()
        call = ("increment", [1]) if load.mode is Mode.CALL else ("answer", [1])
        payload = _bytes(counter.encode_abi(*call))
        options = source.options(
            mode=int(load.mode),
            executionGasLimit=_EXECUTION_GAS,
            callbackGasLimit=_CALLBACK_GAS,
            expiry=source.now() + _EXPIRY_SECONDS + math.ceil(load.seconds) if load.mode is Mode.CALL else 0,
        )
        fee = source.quote(target, len(payload), options)
        ask = _bytes(pings[0].encode_abi("ask", [target, payload, options]))
        senders = [
            (coincurve.PrivateKey(_bytes(str(account["private_key"]))), source.next_nonce(str(account["address"])))
            for account in accounts
        ]
        askers = [_bytes(ping.address) for ping in pings]
        self._transactions = [
            _sign(*senders[number % len(senders)], number // len(senders), source.chain_id, asker, fee, ask)
            for number, asker in ((number, askers[number % len(askers)]) for number in range(load.count))
        ]

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
            batch = self._transactions[len(sent) : min(due, len(sent) + _SENDS_PER_EXCHANGE)]
            if not batch:
                await asyncio.sleep(1 / _SENDS_PER_SECOND)
                continue
            at = time.monotonic()
            if self._load.rate:
                self.late_seconds = max(self.late_seconds, at - began - len(sent) / self._load.rate)
            await self._send(session, batch)
            sent.update((transaction.hash, at) for transaction in batch)
            report(len(sent))
            if self._load.rate and len(batch) < _SENDS_PER_EXCHANGE:
                await asyncio.sleep(max(0.0, at + 1 / _SENDS_PER_SECOND - time.monotonic()))
        return sent

    async def _send(self, session: aiohttp.ClientSession, batch: Sequence[SignedTransaction]) -> None:
        body = b"[%s]" % b",".join(_CALL % (number, item.raw.hex().encode()) for number, item in enumerate(batch))
        headers = {"Content-Type": "application/json"}
        async with session.post(self._source.rpc_url, data=body, headers=headers) as answer:
            text = await answer.read()
        if b'"error"' in text:
            fault = next(item["error"] for item in orjson.loads(text) if "error" in item)
            raise CallReverted(f"the chain's pool: {fault.get('message')}")


def _sign(
    key: coincurve.PrivateKey, nonce: int, earlier: int, chain_id: int, to: bytes, value: int, data: bytes
) -> SignedTransaction:
    """The transaction of the account whose next nonce is `nonce`, when it has sent so many `earlier` ones."""
    numbers = (chain_id, nonce + earlier, _TIP_WEI, _MAX_FEE_WEI, _ASK_GAS)
    fields = [*map(_number, numbers), to, _number(value), data, []]
    signature = key.sign_recoverable(keccak256(b"\x02" + rlp.encode(fields)), hasher=None)
    parts = (signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"))
    raw = b"\x02" + rlp.encode([*fields, *map(_number, parts)])
    return SignedTransaction(keccak256(raw), raw)


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
