"""Transactions of the bench on a Solana chain.

Its job: sign, send, and see that what must stand before the clock runs is there.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from typing import Final

import aiohttp
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from relayer.devnet.bench.exchange import exchange
from relayer.errors import CallReverted

_SENDS_PER_EXCHANGE: Final = 25
"""As many whole transactions as a body of 50 KiB holds."""

_SEND_OPTIONS: Final = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
_LOOK_SECONDS: Final = 0.2
_MINED_SECONDS: Final = 30.0


async def fetch_blockhash(http: aiohttp.ClientSession, url: str) -> Hash:
    """A recent one: transactions under it can be mined for 150 blocks."""
    (told,) = await exchange(http, url, [("getLatestBlockhash", [])])
    return Hash.from_string(told["value"]["blockhash"])


def sign(instructions: Sequence[Instruction], signers: Sequence[Keypair], blockhash: Hash) -> VersionedTransaction:
    """A transaction that the first of the signers pays."""
    message = MessageV0.try_compile(signers[0].pubkey(), instructions, [], blockhash)
    return VersionedTransaction(message, signers)


async def send(http: aiohttp.ClientSession, url: str, transactions: Sequence[VersionedTransaction]) -> list[bytes]:
    """The signatures, 64 bytes each. Raises `CallReverted` if the chain does not take one."""
    for first in range(0, len(transactions), _SENDS_PER_EXCHANGE):
        some = transactions[first : first + _SENDS_PER_EXCHANGE]
        texts = [base64.b64encode(bytes(transaction)).decode() for transaction in some]
        await exchange(http, url, [("sendTransaction", [text, _SEND_OPTIONS]) for text in texts])
    return [bytes(transaction.signatures[0]) for transaction in transactions]


async def transact(
    http: aiohttp.ClientSession, url: str, instructions: Sequence[Instruction], signers: Sequence[Keypair]
) -> None:
    """Send one and wait until it is final. Raises `CallReverted` if it fails, or is not there in time."""
    transaction = sign(instructions, signers, await fetch_blockhash(http, url))
    await send(http, url, [transaction])
    deadline = time.monotonic() + _MINED_SECONDS
    while time.monotonic() < deadline:
        (told,) = await exchange(http, url, [("getSignatureStatuses", [[str(transaction.signatures[0])]])])
        (status,) = told["value"]
        if status is not None and status["err"] is not None:
            raise CallReverted(f"a transaction of the bench failed: {status['err']}")
        if status is not None and status["confirmationStatus"] == "finalized":
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise CallReverted(f"a transaction of the bench is not final after {_MINED_SECONDS:.0f} s")
