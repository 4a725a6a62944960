"""The load's transactions of a CosmWasm chain.

Its job: each request an account's own transaction, signed before the clock runs, from enough accounts that have money.
"""

from __future__ import annotations

import base64
import math
import secrets
from typing import Any, Final

import aiohttp
import orjson

from relayer.cosmos.bank import MsgSend, MsgSendResponse
from relayer.cosmos.base import Coin
from relayer.cosmos.wasm import MsgExecuteContract
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.sides import Aim
from relayer.devnet.cosmwasm.bench.sending import Account, fetch_answer, transact

_ASK_GAS: Final = 200_000
_SEND_GAS: Final = 200_000
_CALLBACK_GAS: Final = 50_000
"""Nobody is called back: what an account is told is an event."""

_REQUESTS_PER_SENDER: Final = 500
"""Half of what the gateways of a devnet let one sender ask within a window of blocks."""

_SENDER_UNITS: Final = 10**9
"""What a sender gets: some twenty times what so many requests and their transactions take."""


async def sign_asks(
    http: aiohttp.ClientSession, url: str, gateway: str, funder: Account, terms: tuple[str, str], load: Load, aim: Aim
) -> list[bytes]:
    """All of the load, by turns of new accounts that `funder` pays. `terms` are chain id and fee denomination.

    Raises `CallReverted`.
    """
    chain_id, denom = terms
    target, payload = f"0x{aim.account.hex()}", aim.payload
    options = {
        "mode": int(load.mode),
        "execution_gas_limit": str(aim.execution_gas),
        "callback_gas_limit": str(_CALLBACK_GAS),
    }
    quote = {"target": target, "payload_length": len(payload), "options": options}
    fee = Coin(denom, str(await fetch_answer(http, url, gateway, {"quote": quote})))
    asking: dict[str, Any] = {"target": target, "payload": base64.b64encode(payload).decode(), "options": options}
    message = orjson.dumps({"xvm_execute": asking})
    senders = [
        Account(secrets.token_bytes(32), chain_id, denom) for _ in range(math.ceil(load.count / _REQUESTS_PER_SENDER))
    ]
    grant = (Coin(denom, str(_SENDER_UNITS)),)
    funding = [funder.sign(MsgSend(funder.text, sender.text, grant), _SEND_GAS) for sender in senders]
    await transact(http, url, funding, MsgSendResponse)
    for sender in senders:
        await sender.look(http, url)
    turns = (senders[number % len(senders)] for number in range(load.count))
    return [sender.sign(MsgExecuteContract(sender.text, gateway, message, (fee,)), _ASK_GAS) for sender in turns]
