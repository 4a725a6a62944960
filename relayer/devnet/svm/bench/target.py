"""The example counter of a Solana chain, which the load calls and asks.

Its job: make its account, encode calls of it, read its count.

Source: contracts/svm/examples/counter.idl.json.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import aiohttp
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.devnet.bench.exchange import exchange
from relayer.devnet.svm.bench.sending import transact

EXECUTION_UNITS: Final = 20_000
"""Compute units: the counter takes some 4,000."""

ANSWER_HASH: Final = keccak256(b"\xab")
"""Of what a query is told: one byte."""

_COUNT: Final = slice(8, 16)
"""Behind the account's discriminator."""


class SvmTarget:
    """The counter program at this address."""

    def __init__(self, program: Pubkey) -> None:
        self.program = program
        self._counter, _ = Pubkey.find_program_address([b"counter"], program)

    async def bring(self, http: aiohttp.ClientSession, url: str, payer: Keypair) -> None:
        """Make its account. Raises `CallReverted`."""
        accounts = [
            AccountMeta(payer.pubkey(), is_signer=True, is_writable=True),
            AccountMeta(self._counter, is_signer=False, is_writable=True),
            AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False),
        ]
        await transact(http, url, [Instruction(self.program, _discriminator("initialize"), accounts)], [payer])

    def payload(self, mode: Mode) -> bytes:
        """Of a request: `increment(1)`, by nobody in particular, or `answer(1)`."""
        if mode is Mode.QUERY:
            return _payload([], _discriminator("answer") + (1).to_bytes(4, "little"))
        accounts = [(self._counter, True), (self.program, False)]
        return _payload(accounts, _discriminator("increment") + (1).to_bytes(8, "little"))

    async def fetch_count(self, http: aiohttp.ClientSession, url: str) -> int:
        """What is final of its count."""
        (told,) = await exchange(http, url, [("getAccountInfo", [str(self._counter), {"encoding": "base64"}])])
        return int.from_bytes(base64.b64decode(told["value"]["data"][0])[_COUNT], "little")


def _payload(accounts: Sequence[tuple[Pubkey, bool]], data: bytes) -> bytes:
    """As the gateway takes a call: `{accounts: [{pubkey, isSigner, isWritable}], data}` in Borsh."""
    metas = b"".join(bytes(key) + bytes([0, is_writable]) for key, is_writable in accounts)
    return len(accounts).to_bytes(4, "little") + metas + len(data).to_bytes(4, "little") + data


def _discriminator(instruction: str) -> bytes:
    return sha256(f"global:{instruction}".encode()).digest()[:8]
