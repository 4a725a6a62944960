"""Transactions and questions of the bench on a CosmWasm chain.

Its job: sign for an account, send, see that what must stand before the clock runs is there, and ask what a chain knows.

Source: CometBFT's RPC; the Cosmos SDK's and wasmd's gRPC services by `abci_query`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import aiohttp
import coincurve
import orjson

from relayer.cosmos.accounts import (
    ACCOUNT,
    BaseAccount,
    QueryAccountRequest,
    QueryAccountResponse,
    account_of_secret,
    to_bech32,
)
from relayer.cosmos.protobuf import Message
from relayer.cosmos.signing import encode_auth_info, encode_body, sign_direct
from relayer.cosmos.tx import TxMsgData
from relayer.cosmos.wasm import (
    SMART_CONTRACT_STATE,
    QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
)
from relayer.devnet.bench.exchange import exchange
from relayer.devnet.cosmwasm.chain import PREFIX
from relayer.errors import CallReverted

_CALLS_PER_EXCHANGE: Final = 10
"""As many as CometBFT takes in one body."""

_GAS_PER_UNIT: Final = 30
"""So much gas is paid with one of the smallest unit, where the devnet's chain asks for one for 40."""

_LOOK_SECONDS: Final = 0.2
_MINED_SECONDS: Final = 30.0
_NEWEST: Final = "0"
_M = TypeVar("_M", bound=Message)


class Account:
    """One that signs, whose number and next sequence are told when it is there."""

    def __init__(self, secret: bytes, chain_id: str, fee_denom: str) -> None:
        self._key = coincurve.PrivateKey(secret)
        self._public_key = self._key.public_key.format(compressed=True)
        self._chain_id, self._fee_denom = chain_id, fee_denom
        self.text: Final = to_bech32(PREFIX, account_of_secret(secret))
        self._number = self._sequence = 0

    async def look(self, http: aiohttp.ClientSession, url: str) -> None:
        """Ask for number and sequence. Raises `CallReverted`: there is no such account."""
        found = await _query(http, url, ACCOUNT, QueryAccountRequest(self.text), QueryAccountResponse)
        assert found.account is not None
        told = BaseAccount.decode(found.account.value)
        self._number, self._sequence = told.account_number, told.sequence

    def sign(self, message: Message, gas: int) -> bytes:
        """Its next transaction, with so much gas."""
        fee = -(-gas // _GAS_PER_UNIT)
        auth_info = encode_auth_info(self._public_key, self._sequence, gas, fee, self._fee_denom)
        self._sequence += 1
        return sign_direct(encode_body(message), auth_info, self._chain_id, self._number, self._key)


async def send(http: aiohttp.ClientSession, url: str, transactions: Sequence[bytes]) -> list[bytes]:
    """The hashes, 32 bytes each. Raises `CallReverted` if the chain does not take one."""
    for first in range(0, len(transactions), _CALLS_PER_EXCHANGE):
        some = transactions[first : first + _CALLS_PER_EXCHANGE]
        calls = [("broadcast_tx_sync", [base64.b64encode(raw).decode()]) for raw in some]
        for checked in await exchange(http, url, calls):
            if checked["code"]:
                raise CallReverted(f"the chain takes no transaction of the bench: {checked['log']}")
    return [hashlib.sha256(raw).digest() for raw in transactions]


async def transact(http: aiohttp.ClientSession, url: str, transactions: Sequence[bytes], answer: type[_M]) -> list[_M]:
    """Send some of one message each, and wait for what they answer.

    Raises `CallReverted` if one fails, or is in no block in time.
    """
    hashes = await send(http, url, transactions)
    deadline = time.monotonic() + _MINED_SECONDS
    return [answer.decode(await _await_response(http, url, tx_hash, deadline)) for tx_hash in hashes]


async def fetch_answer(http: aiohttp.ClientSession, url: str, contract: str, question: Mapping[str, Any]) -> Any:
    """What a contract answers to a query now. Raises `CallReverted`."""
    request = QuerySmartContractStateRequest(contract, orjson.dumps(question))
    answer = await _query(http, url, SMART_CONTRACT_STATE, request, QuerySmartContractStateResponse)
    return orjson.loads(answer.data)


async def _await_response(http: aiohttp.ClientSession, url: str, tx_hash: bytes, deadline: float) -> bytes:
    """Of a transaction's one message."""
    search = [f"tx.hash='{tx_hash.hex().upper()}'", False, "1", "1", "asc"]
    while time.monotonic() < deadline:
        (told,) = await exchange(http, url, [("tx_search", search)])
        if not told["txs"]:
            await asyncio.sleep(_LOOK_SECONDS)
            continue
        result = told["txs"][0]["tx_result"]
        if result["code"]:
            raise CallReverted(f"a transaction of the bench failed: {result['log']}")
        (response,) = TxMsgData.decode(base64.b64decode(result["data"])).msg_responses
        return response.value
    raise CallReverted(f"a transaction of the bench is in no block after {_MINED_SECONDS:.0f} s")


async def _query(http: aiohttp.ClientSession, url: str, path: str, request: Message, answer: type[_M]) -> _M:
    asked = [path, request.encode().hex(), _NEWEST, False]
    (told,) = await exchange(http, url, [("abci_query", asked)])
    response = told["response"]
    if response["code"]:
        raise CallReverted(f"{path}: {response['log']}")
    return answer.decode(base64.b64decode(response["value"] or ""))
