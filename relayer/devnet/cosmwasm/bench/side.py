"""A CosmWasm chain as a bench's source and destination.

Its job: the example counter, the load's transactions, the record and its gas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from attestation.address import parse_account_text, parse_chain_text
from attestation.request import Mode
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.records import ChainRecord
from relayer.devnet.bench.sides import Aim
from relayer.devnet.cosmwasm.bench.asks import sign_asks
from relayer.devnet.cosmwasm.bench.sending import Account, send
from relayer.devnet.cosmwasm.bench.target import ANSWER_HASH, EXECUTION_GAS, CosmWasmTarget
from relayer.devnet.cosmwasm.bench.watch import CosmWasmWatch


class CosmWasmSide:
    """Implements the port `BenchSide`."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._url = str(description["rpc_url"])
        self._caip2 = str(description["caip2"])
        self._gateway = str(description["gateway"])
        self._terms = parse_chain_text(self._caip2).reference_text, str(description["fee_denom"])
        secret = bytes.fromhex(str(description["accounts"][0]["private_key"]).removeprefix("0x"))
        self._owner = Account(secret, *self._terms)
        self._target = CosmWasmTarget()
        self._watch = CosmWasmWatch(description)
        self._asks: Sequence[bytes] = ()

    @property
    def record(self) -> ChainRecord:
        """What has been seen of it."""
        return self._watch.record

    @property
    def changed(self) -> asyncio.Event:
        """Set with each block whose events are in the record."""
        return self._watch.changed

    async def watch(self, http: aiohttp.ClientSession, ready: asyncio.Event) -> None:
        """Write the record until cancelled."""
        await self._watch.run(http, ready)

    async def bring_target(self, http: aiohttp.ClientSession, mode: Mode) -> Aim:
        """Put the example counter there."""
        await self._owner.look(http, self._url)
        await self._target.bring(http, self._url, self._owner)
        return Aim(
            account=parse_account_text(f"{self._caip2}:{self._target.text}").to_bytes(),
            payload=self._target.payload(mode),
            execution_gas=EXECUTION_GAS,
            answer_hash=ANSWER_HASH,
        )

    async def fetch_count(self, http: aiohttp.ClientSession) -> int:
        """What the counter counted."""
        return await self._target.fetch_count(http, self._url)

    async def prepare_asking(self, http: aiohttp.ClientSession, load: Load, aim: Aim) -> None:
        """Pay those who ask, and sign everything."""
        await self._owner.look(http, self._url)
        self._asks = await sign_asks(http, self._url, self._gateway, self._owner, self._terms, load, aim)

    async def ask(self, http: aiohttp.ClientSession, first: int, count: int) -> Sequence[bytes]:
        """Send what was signed."""
        return await send(http, self._url, self._asks[first : first + count])

    async def fetch_relayed_gas(self, http: aiohttp.ClientSession) -> int:
        """Gas of all transactions to the gateway that asked for nothing, failed ones among them."""
        del http  # it stands in the blocks that were read
        return self._watch.relayed_gas
