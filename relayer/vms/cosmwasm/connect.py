"""Opens a CosmWasm chain.

Its job: from an operator's settings to a connected chain, naming every fault at once. An endpoint that does not answer
now is looked at when it does; one that serves another chain is a fault. It must not start anything that runs by itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Final

import aiohttp

from attestation.address import Chain, Namespace, parse_chain_text
from attestation.errors import MalformedAddress
from attestation.schemes.secp256k1 import ORDER, SECRET_LENGTH
from attestation.textcodecs import bech32_decode
from relayer.errors import ConfigError
from relayer.ports.vm import ChainSettings
from relayer.vms.cosmwasm.chain import ChainIdentity, ChainParts
from relayer.vms.cosmwasm.codec import EventCodec
from relayer.vms.cosmwasm.headers import STATUS_CALL
from relayer.vms.cosmwasm.values import parse_member, parse_text
from relayer.vms.jsonrpc.endpoints import ChainProbe, EndpointPool
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from relayer.vms.jsonrpc.rpc import ExchangeLimits, RpcCall, RpcEndpoint, are_distinct, open_session

LIMITS: Final = ExchangeLimits(calls=10, request_bytes=900_000, bytes_per_container=32, bytes_per_comma=11)
"""CometBFT's own: ten calls in a batch, a body of a million bytes. SECURITY: anybody can have a block be full of the
shortest attributes there are, a letter and nothing: 36 bytes with three commas. It must be read all the same."""

CONTRACT_LENGTH: Final = 32
"""Bytes of a contract's address."""

NEW_BLOCKS: Final = RpcCall("subscribe", {"query": "tm.event='NewBlockHeader'"})
"""A few kilobytes a block, however full it is. Source: CometBFT's event subscriptions."""


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
        NEW_BLOCKS,
        settings.block_time_seconds,
        asyncio.sleep,
        random.random,
    )
    return session, ChainParts(
        identity=identity,
        pool=pool,
        codec=EventCodec(identity.chain, identity.gateway, identity.prefix),
        hints=hints,
        times=RecentTimes(),
        finality=settings.finality,
        max_blocks_per_fetch=settings.max_blocks_per_fetch,
    )


def chain_probe(chain: Chain) -> ChainProbe:
    """How an endpoint tells whether it serves this chain: by its name for the network."""

    def is_served(answer: Any) -> bool:
        return parse_text(parse_member(answer, "node_info", "network")) == chain.reference_text

    return ChainProbe(str(chain), STATUS_CALL, is_served)


def _identity(settings: ChainSettings) -> ChainIdentity:
    """The parsed names. Raises `ConfigError` with every fault of the settings."""
    faults: list[str] = []
    chain = _parse_chain(settings, faults)
    prefix, gateway = _parse_contract(settings.gateway, faults)
    if settings.verifier != settings.gateway:
        faults.append("verifier: the gateway contract verifies by itself; name it in both places")
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
    return ChainIdentity(settings.name, chain, gateway, prefix)


def _parse_chain(settings: ChainSettings, faults: list[str]) -> Chain | None:
    try:
        chain = parse_chain_text(settings.caip2)
    except MalformedAddress as error:
        faults.append(str(error))
        return None
    if chain.namespace is not Namespace.COSMOS:
        faults.append(f"{settings.caip2} is no CosmWasm chain")
        return None
    return chain


def _parse_contract(text: str, faults: list[str]) -> tuple[str, bytes]:
    """What the chain's accounts begin with, and the contract's bytes."""
    try:
        prefix, address = bech32_decode(text)
    except MalformedAddress as error:
        faults.append(f"gateway: {error}")
        return "", b""
    if len(address) != CONTRACT_LENGTH:
        faults.append(f"gateway: {text} is no contract, whose addresses have {CONTRACT_LENGTH} bytes")
    return prefix, address
