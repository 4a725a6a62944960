"""An EVM chain as a bench's source and destination.

Its job: the example contracts, the load's transactions, the record and its costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp
from web3.contract import Contract

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.devnet.bench.exchange import exchange
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.records import ChainRecord
from relayer.devnet.bench.sides import Aim
from relayer.devnet.evm.bench.asks import SignedTransaction, contract_address, sign_asks
from relayer.devnet.evm.bench.watch import EvmWatch
from relayer.devnet.evm.chain_session import ChainSession

_EXECUTION_GAS: Final = 100_000
_RECEIPTS_PER_EXCHANGE: Final = 100

_ANSWER_HASH: Final = keccak256((32).to_bytes(32, "big") + (1).to_bytes(32, "big") + b"\xab".ljust(32, b"\0"))
"""Of what a query is told: one byte, 0xab, ABI-encoded."""


class EvmSide:
    """Implements the port `BenchSide`."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._session = ChainSession(description)
        self._accounts = description["accounts"]
        self._watch = EvmWatch(self._session, int(description["finality_depth"]))
        self._counter: Contract
        self._asks: Sequence[SignedTransaction] = ()

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
        """Put an `XvmCounter` there."""
        del http  # web3.py has connections of its own
        (self._counter,) = self._session.create("XvmCounter")
        call = ("increment", [1]) if mode is Mode.CALL else ("answer", [1])
        return Aim(
            account=evm_account(self._session.chain_id, contract_address(self._counter)).to_bytes(),
            payload=bytes.fromhex(self._counter.encode_abi(*call).removeprefix("0x")),
            execution_gas=_EXECUTION_GAS,
            answer_hash=_ANSWER_HASH,
        )

    async def fetch_count(self, http: aiohttp.ClientSession) -> int:
        """What the `XvmCounter` counted."""
        del http
        return int(self._counter.functions.count().call())

    async def prepare_asking(self, http: aiohttp.ClientSession, load: Load, aim: Aim) -> None:
        """Sign everything."""
        del http
        self._asks = sign_asks(self._session, load, aim, self._accounts)

    async def ask(self, http: aiohttp.ClientSession, first: int, count: int) -> Sequence[bytes]:
        """Send what was signed."""
        some = self._asks[first : first + count]
        await exchange(
            http, self._session.rpc_url, [("eth_sendRawTransaction", [f"0x{item.raw.hex()}"]) for item in some]
        )
        return [item.hash for item in some]

    async def fetch_relayed_gas(self, http: aiohttp.ClientSession) -> int:
        """By the receipts of all transactions that executed or delivered."""
        record = self.record
        hashes = list({sighting.transaction for sighting in (*record.concluded, *record.delivered)})
        total = 0
        for first in range(0, len(hashes), _RECEIPTS_PER_EXCHANGE):
            some = hashes[first : first + _RECEIPTS_PER_EXCHANGE]
            calls = [("eth_getTransactionReceipt", [f"0x{transaction.hex()}"]) for transaction in some]
            receipts = await exchange(http, self._session.rpc_url, calls)
            total += sum(int(receipt["gasUsed"], 16) for receipt in receipts)
        return total
