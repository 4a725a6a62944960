"""Puts a Solana chain together.

Its job: the sides of one connected chain, over the same connections. It must not connect by itself, nor start anything
that runs by itself.
"""

from __future__ import annotations

import time

import aiohttp
from solders.pubkey import Pubkey

from relayer.ports.vm import ChainSettings
from relayer.vms.svm.acting import Acting
from relayer.vms.svm.answers import AnswerReader
from relayer.vms.svm.connect import connect
from relayer.vms.svm.delivering import Deliverer
from relayer.vms.svm.deposits import SvmDeposits
from relayer.vms.svm.destination import SvmDestination
from relayer.vms.svm.executing import Executor
from relayer.vms.svm.pendings import PendingFinder
from relayer.vms.svm.rotating import Rotator
from relayer.vms.svm.source import SvmSource
from relayer.vms.svm.wallet import SvmWallet


class SvmOpenChain:
    """One connected chain. The sides share connections and memory."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        source: SvmSource,
        destination: SvmDestination,
        wallet: SvmWallet,
        deposits: SvmDeposits,
    ) -> None:
        self._session = session
        self._source = source
        self._destination = destination
        self._wallet = wallet
        self._deposits = deposits

    @property
    def source(self) -> SvmSource:
        """Its delivering side."""
        return self._source

    @property
    def destination(self) -> SvmDestination:
        """Its executing side."""
        return self._destination

    @property
    def wallet(self) -> SvmWallet:
        """The relayer's account on it."""
        return self._wallet

    @property
    def deposits(self) -> SvmDeposits:
        """The rent that this account has lent."""
        return self._deposits

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()


async def open_chain(settings: ChainSettings) -> SvmOpenChain:
    """Connect.

    Raises:
        ConfigError: settings that cannot be meant, or an endpoint that serves another chain.
    """
    session, parts = await connect(settings)
    pool, addresses = parts.pool, parts.addresses
    wallet = SvmWallet(pool, settings.wallet_key, bytes(addresses.config), settings.max_fee_per_gas)
    payer = Pubkey(wallet.address)
    acting = Acting(pool, addresses, payer, settings.transaction_gas_cap, time.monotonic)
    pendings = PendingFinder(pool, addresses.program, parts.codec.pending_places)
    source = SvmSource(parts, Deliverer(acting, pendings), Rotator(acting))
    destination = SvmDestination(parts, Executor(acting), AnswerReader(pool, parts.identity.chain, payer))
    return SvmOpenChain(session, source, destination, wallet, SvmDeposits(pool, acting))
