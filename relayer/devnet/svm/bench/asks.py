"""The load's transactions of a Solana chain.

Its job: each request a transaction of its own, which a user with money pays and one of enough others asks by. A
blockhash lives for a minute, so that they are signed when they are sent.

Source: contracts/svm/xvm_gateway.idl.json, `request`.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Sequence
from typing import Final

import aiohttp
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction

from attestation.address import InteroperableAddress, parse_account
from attestation.keccak import keccak256
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.sides import Aim
from relayer.devnet.svm.bench.sending import fetch_blockhash, send, sign

_REQUEST: Final = 13
_MAX_FEE_LAMPORTS: Final = 10**9
_CALLBACK_UNITS: Final = 50_000
_BLOCKHASH_SECONDS: Final = 10.0
"""After which a newer one is taken."""

_REQUESTS_PER_SENDER: Final = 500
"""Half of what the gateways of a devnet let one sender ask within a window of blocks."""

_OPTIONS: Final = struct.Struct("<B?QQIQ?32sIQI")
"""Mode, own account, gas limits, return limit, expiry, ordered, code hash, dispute blocks, deadline, no metadata.

Zeros are the route's defaults.
"""


class SvmAsks:
    """A load of requests to one aim through the gateway at `gateway`; `payers` have money."""

    def __init__(self, gateway: Pubkey, payers: Sequence[Keypair], load: Load, aim: Aim) -> None:
        self._gateway = gateway
        self._payers = payers
        self._senders = [Keypair() for _ in range(math.ceil(load.count / _REQUESTS_PER_SENDER))]
        self._states = [self._derive(b"sender", bytes(sender.pubkey())) for sender in self._senders]
        chain = InteroperableAddress(parse_account(aim.account).chain, b"").to_bytes()
        standing = (b"config",), (b"__event_authority",), (b"outbound", keccak256(chain))
        self._config, self._event_authority, self._outbound = (self._derive(*seeds) for seeds in standing)
        options = _OPTIONS.pack(load.mode, False, aim.execution_gas, _CALLBACK_UNITS, 0, 0, False, bytes(32), 0, 0, 0)  # noqa: FBT003 - fields
        # Nobody is called back: what a wallet is told is an event.
        self._asked = _sized(aim.account) + _sized(aim.payload) + options + b"\0"
        self._blockhash = Hash.default()
        self._blockhash_at = -math.inf

    async def ask(self, http: aiohttp.ClientSession, url: str, first: int, count: int) -> list[bytes]:
        """Send so many from the number `first` on; their signatures. Raises `CallReverted`."""
        if time.monotonic() - self._blockhash_at > _BLOCKHASH_SECONDS:
            self._blockhash, self._blockhash_at = await fetch_blockhash(http, url), time.monotonic()
        return await send(http, url, [self._transaction(number) for number in range(first, first + count)])

    def _transaction(self, number: int) -> VersionedTransaction:
        payer, sender = (keys[number % len(keys)] for keys in (self._payers, self._senders))
        pending = self._derive(b"pending", bytes(sender.pubkey()), number.to_bytes(8, "little"))
        accounts = [
            AccountMeta(payer.pubkey(), is_signer=True, is_writable=True),
            _read_only(self._config),
            _read_only(self._event_authority),
            _read_only(self._gateway),
            AccountMeta(sender.pubkey(), is_signer=True, is_writable=False),
            _read_only(self._outbound),
            AccountMeta(self._states[number % len(self._senders)], is_signer=False, is_writable=True),
            AccountMeta(pending, is_signer=False, is_writable=True),
            _read_only(self._gateway),  # not ordered
            _read_only(SYSTEM_PROGRAM),
        ]
        data = struct.pack("<BQQ", _REQUEST, number, _MAX_FEE_LAMPORTS) + self._asked
        return sign([Instruction(self._gateway, data, accounts)], [payer, sender], self._blockhash)

    def _derive(self, *seeds: bytes) -> Pubkey:
        return Pubkey.find_program_address(seeds, self._gateway)[0]


def _read_only(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data
