"""Opens a Solana chain.

Its job: from an operator's settings to a connected chain, naming every fault at once. An endpoint that does not answer
now is looked at when it does; one that serves another chain is a fault. It must not start anything that runs by itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Final

import aiohttp

from attestation.address import Chain, Namespace, parse_account_text, parse_chain_text
from attestation.errors import MalformedAddress
from relayer.errors import ConfigError
from relayer.ports.vm import ChainSettings
from relayer.vms.jsonrpc.endpoints import ChainProbe, EndpointPool
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.rpc import ExchangeLimits, RpcCall, RpcEndpoint, are_distinct, open_session
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.chain import ChainIdentity, ChainParts
from relayer.vms.svm.codec import EventCodec
from relayer.vms.svm.values import parse_hash

LIMITS: Final = ExchangeLimits(calls=25, request_bytes=48_000)
"""Nodes refuse bodies above 50 KiB, which is 25 transactions, and public clusters count calls."""

SECRET_LENGTH: Final = 32
"""Bytes of an ed25519 seed."""

_NEW_SLOTS: Final = RpcCall("slotSubscribe", [])
"""Source: agave's RPC subscriptions."""


async def connect(settings: ChainSettings) -> tuple[aiohttp.ClientSession, ChainParts]:
    """What the sides of a chain work with, and their connections, which whoever takes them closes.

    Raises:
        ConfigError: settings that cannot be meant, or an endpoint that serves another chain.
    """
    identity = _identity(settings)
    session = open_session()
    endpoints = [
        RpcEndpoint(session, url, number, settings.request_timeout_seconds, settings.meter, LIMITS)
        for number, url in enumerate(settings.rpc_urls)
    ]
    pool = EndpointPool(
        endpoints,
        settings.rpc_quorum,
        chain_probe(identity.chain),
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
        _NEW_SLOTS,
        settings.block_time_seconds,
        asyncio.sleep,
        random.random,
    )
    return session, ChainParts(
        identity=identity,
        addresses=GatewayAddresses(identity.gateway),
        pool=pool,
        codec=EventCodec(identity.chain, identity.gateway),
        hints=hints,
        finality=settings.finality,
        max_blocks_per_fetch=settings.max_blocks_per_fetch,
    )


def chain_probe(chain: Chain) -> ChainProbe:
    """How an endpoint tells whether it serves this chain: by its genesis hash."""

    def is_served(answer: Any) -> bool:
        return parse_hash(answer) == chain.reference

    return ChainProbe(str(chain), RpcCall("getGenesisHash", []), is_served)


def _identity(settings: ChainSettings) -> ChainIdentity:
    """The parsed names. Raises `ConfigError` with every fault of the settings."""
    faults: list[str] = []
    chain = _parse_chain(settings, faults)
    gateway = _parse_program(settings.gateway, faults)
    if settings.verifier != settings.gateway:
        faults.append("verifier: the gateway program verifies by itself; name it in both places")
    # SECURITY: one endpoint under two entries would be two voices.
    if not are_distinct(settings.rpc_urls):
        faults.append("an RPC URL is named twice; name different endpoints")
    if not 0 < settings.rpc_quorum <= len(settings.rpc_urls):
        faults.append(f"rpc_quorum is not 1 to the number of RPC URLs ({len(settings.rpc_urls)})")
    if len(settings.wallet_key) != SECRET_LENGTH:
        faults.append(f"the wallet key is no ed25519 seed of {SECRET_LENGTH} bytes")
    if chain is None or faults:
        raise ConfigError(faults)
    return ChainIdentity(settings.name, chain, gateway)


def _parse_chain(settings: ChainSettings, faults: list[str]) -> Chain | None:
    try:
        chain = parse_chain_text(settings.caip2)
    except MalformedAddress as error:
        faults.append(str(error))
        return None
    if chain.namespace is not Namespace.SOLANA:
        faults.append(f"{settings.caip2} is no Solana chain")
        return None
    return chain


def _parse_program(text: str, faults: list[str]) -> bytes:
    try:
        return parse_account_text(f"{Namespace.SOLANA}:{'1' * 32}:{text}").address
    except MalformedAddress as error:
        faults.append(f"gateway: {error}")
        return b""
