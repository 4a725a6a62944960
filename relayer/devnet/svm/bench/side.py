"""A Solana chain as a bench's source and destination.

Its job: the example counter, the load's transactions, the record and its compute units.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from attestation.address import InteroperableAddress, parse_chain_text
from attestation.request import Mode
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.records import ChainRecord
from relayer.devnet.bench.sides import Aim
from relayer.devnet.svm.bench.asks import SvmAsks
from relayer.devnet.svm.bench.target import ANSWER_HASH, EXECUTION_UNITS, SvmTarget
from relayer.devnet.svm.bench.watch import SvmWatch


class SvmSide:
    """Implements the port `BenchSide`."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._url = str(description["rpc_url"])
        self._chain = parse_chain_text(str(description["caip2"]))
        self._gateway = Pubkey.from_string(str(description["gateway"]))
        self._keys = [
            Keypair.from_seed(bytes.fromhex(str(account["private_key"]).removeprefix("0x")))
            for account in description["accounts"]
        ]
        self._target = SvmTarget(Pubkey.from_string(str(description["programs"]["counter"])))
        self._watch = SvmWatch(description)
        self._asks: SvmAsks

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
        """Make the example counter's account: the program is there."""
        await self._target.bring(http, self._url, self._keys[0])
        return Aim(
            account=InteroperableAddress(self._chain, bytes(self._target.program)).to_bytes(),
            payload=self._target.payload(mode),
            execution_gas=EXECUTION_UNITS,
            answer_hash=ANSWER_HASH,
        )

    async def fetch_count(self, http: aiohttp.ClientSession) -> int:
        """What the counter counted."""
        return await self._target.fetch_count(http, self._url)

    async def prepare_asking(self, http: aiohttp.ClientSession, load: Load, aim: Aim) -> None:
        """Choose who asks."""
        del http  # all is signed when it is sent
        self._asks = SvmAsks(self._gateway, self._keys, load, aim)

    async def ask(self, http: aiohttp.ClientSession, first: int, count: int) -> Sequence[bytes]:
        """Sign and send."""
        return await self._asks.ask(http, self._url, first, count)

    async def fetch_relayed_gas(self, http: aiohttp.ClientSession) -> int:
        """Compute units of all transactions of the gateway that asked for nothing: certificates are among them."""
        del http  # they stand in the blocks that were read
        return self._watch.relayed_units
