"""Puts a CosmWasm chain together.

Its job: the sides of one connected chain, over the same connections. It must not connect by itself, nor start anything
that runs by itself.
"""

from __future__ import annotations

import aiohttp

from relayer.ports.vm import ChainSettings
from relayer.vms.cosmwasm.bundling import CosmwasmPreparer
from relayer.vms.cosmwasm.connect import connect
from relayer.vms.cosmwasm.destination import CosmwasmDestination
from relayer.vms.cosmwasm.limits import GasLimits
from relayer.vms.cosmwasm.rotating import Rotator
from relayer.vms.cosmwasm.simulation import Simulator
from relayer.vms.cosmwasm.source import CosmwasmSource
from relayer.vms.cosmwasm.states import StateReader
from relayer.vms.cosmwasm.wallet import CosmwasmWallet


class CosmwasmOpenChain:
    """One connected chain. The sides share connections and memory."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        source: CosmwasmSource,
        destination: CosmwasmDestination,
        wallet: CosmwasmWallet,
    ) -> None:
        self._session = session
        self._source = source
        self._destination = destination
        self._wallet = wallet

    @property
    def source(self) -> CosmwasmSource:
        """Its delivering side."""
        return self._source

    @property
    def destination(self) -> CosmwasmDestination:
        """Its executing side."""
        return self._destination

    @property
    def wallet(self) -> CosmwasmWallet:
        """The relayer's account on it."""
        return self._wallet

    @property
    def deposits(self) -> None:
        """The chain asks for none."""

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()


async def open_chain(settings: ChainSettings) -> CosmwasmOpenChain:
    """Connect.

    Raises:
        ConfigError: settings that cannot be meant, or an endpoint that serves another chain.
    """
    session, parts = await connect(settings)
    pool, identity = parts.pool, parts.identity
    limits = GasLimits(pool, settings.transaction_gas_cap)
    states = StateReader(pool, identity.gateway_text)
    wallet = CosmwasmWallet(pool, identity, states, settings.wallet_key, settings.max_fee_per_gas)
    simulator = Simulator(pool, identity, wallet.public_key, limits)
    preparer = CosmwasmPreparer(simulator, identity.gateway, limits)
    source = CosmwasmSource(parts, states, preparer, Rotator(simulator, identity.gateway, limits))
    return CosmwasmOpenChain(session, source, CosmwasmDestination(parts, states, preparer), wallet)
