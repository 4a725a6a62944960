"""Opens an EVM chain.

Its job: from an operator's settings to a connected chain, naming every fault at once. An endpoint that does not answer
now is looked at when it does; one that serves another chain is a fault. It must not start anything that runs by itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

import aiohttp

from attestation.address import Chain, Namespace, parse_account_text, parse_chain_text
from attestation.errors import MalformedAddress
from attestation.schemes.secp256k1 import ORDER, SECRET_LENGTH
from relayer.errors import ConfigError
from relayer.ports.vm import ChainSettings
from relayer.vms.evm.bundling import make_preparer
from relayer.vms.evm.chain import ChainIdentity, ChainParts
from relayer.vms.evm.chain_id import chain_probe
from relayer.vms.evm.codec import LogCodec
from relayer.vms.evm.destination import EvmDestination
from relayer.vms.evm.rotating import Rotator
from relayer.vms.evm.simulation import Simulator
from relayer.vms.evm.source import EvmSource
from relayer.vms.evm.wallet import EvmWallet
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, are_distinct, open_session

_NEW_HEADS: Final = RpcCall("eth_subscribe", ["newHeads"])
"""Source: geth's JSON-RPC subscriptions."""


class EvmOpenChain:
    """One connected chain. The sides share connections and memory."""

    def __init__(
        self, session: aiohttp.ClientSession, source: EvmSource, destination: EvmDestination, wallet: EvmWallet
    ) -> None:
        self._session = session
        self._source = source
        self._destination = destination
        self._wallet = wallet

    @property
    def source(self) -> EvmSource:
        """Its delivering side."""
        return self._source

    @property
    def destination(self) -> EvmDestination:
        """Its executing side."""
        return self._destination

    @property
    def wallet(self) -> EvmWallet:
        """The relayer's account on it."""
        return self._wallet

    @property
    def deposits(self) -> None:
        """Nothing is lent: contracts pay for their storage with gas."""
        return

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()


async def open_chain(settings: ChainSettings) -> EvmOpenChain:
    """Connect.

    Raises:
        ConfigError: settings that cannot be meant, or an endpoint that serves another chain.
    """
    identity = _identity(settings)
    session = open_session()
    endpoints = [
        RpcEndpoint(session, url, number, settings.request_timeout_seconds, settings.meter)
        for number, url in enumerate(settings.rpc_urls)
    ]
    pool = EndpointPool(
        endpoints,
        settings.rpc_quorum,
        chain_probe(identity.chain_id),
        settings.request_timeout_seconds,
        clock=time.monotonic,
        jitter=random.random,
    )
    foreign = await pool.find_foreign()
    if foreign:
        await session.close()
        raise ConfigError([f"{label} does not serve {settings.caip2}" for label in foreign])
    hints = HeadHints(
        session,
        settings.name,
        settings.ws_urls,
        _NEW_HEADS,
        settings.block_time_seconds,
        asyncio.sleep,
        random.random,
    )
    parts = ChainParts(
        identity=identity,
        pool=pool,
        codec=LogCodec(identity.chain_id, identity.gateway, identity.verifier),
        hints=hints,
        times=RecentTimes(),
        finality=settings.finality,
        max_blocks_per_fetch=settings.max_blocks_per_fetch,
    )
    wallet = EvmWallet(pool, identity.chain_id, settings.wallet_key, settings.max_fee_per_gas)
    simulator = Simulator(pool, identity.gateway, wallet.address)
    preparer = make_preparer(simulator, identity.gateway, settings.transaction_gas_cap)
    rotator = Rotator(
        Simulator(pool, identity.verifier, wallet.address), identity.verifier, settings.transaction_gas_cap
    )
    return EvmOpenChain(
        session, EvmSource(parts, preparer, rotator), EvmDestination(parts, simulator, preparer), wallet
    )


def _identity(settings: ChainSettings) -> ChainIdentity:
    """The parsed names. Raises `ConfigError` with every fault of the settings."""
    faults: list[str] = []
    chain = _parse_chain(settings, faults)
    gateway, verifier = (
        _parse_address(chain, what, text, faults)
        for what, text in (("gateway", settings.gateway), ("verifier", settings.verifier))
    )
    # SECURITY: one endpoint under two entries would be two voices.
    if not are_distinct(settings.rpc_urls):
        faults.append("an RPC URL is named twice; name different endpoints")
    if not 0 < settings.rpc_quorum <= len(settings.rpc_urls):
        faults.append(f"rpc_quorum is not 1 to the number of RPC URLs ({len(settings.rpc_urls)})")
    key = settings.wallet_key
    if len(key) != SECRET_LENGTH or not 0 < int.from_bytes(key, "big") < ORDER:
        faults.append(f"the wallet key is no secp256k1 secret of {SECRET_LENGTH} bytes")
    if chain is None or faults:
        raise ConfigError(faults)
    return ChainIdentity(settings.name, settings.caip2, chain.chain_id, gateway, verifier)


def _parse_chain(settings: ChainSettings, faults: list[str]) -> Chain | None:
    try:
        chain = parse_chain_text(settings.caip2)
    except MalformedAddress as error:
        faults.append(str(error))
        return None
    if chain.namespace is not Namespace.EIP155:
        faults.append(f"{settings.caip2} is no EVM chain")
        return None
    return chain


def _parse_address(chain: Chain | None, what: str, text: str, faults: list[str]) -> bytes:
    try:
        return parse_account_text(f"{chain or 'eip155:1'}:{text}").address
    except MalformedAddress as error:
        faults.append(f"{what}: {error}")
        return b""
