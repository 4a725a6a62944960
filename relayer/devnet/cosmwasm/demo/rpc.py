"""A CosmWasm chain of the devnet by its RPC: transactions that one account pays, questions, blocks.

Its job: sign, send, wait, create and fetch. It believes the chain, and looks at what is in a block.

Source: CometBFT's RPC; the Cosmos SDK's and wasmd's gRPC services by `abci_query`.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, TypeVar

import coincurve
import orjson
import requests

from relayer.cosmos.accounts import (
    ACCOUNT,
    BaseAccount,
    QueryAccountRequest,
    QueryAccountResponse,
    account_of_secret,
    to_bech32,
)
from relayer.cosmos.base import Coin
from relayer.cosmos.protobuf import Message
from relayer.cosmos.signing import encode_auth_info, encode_body, sign_direct
from relayer.cosmos.tx import SIMULATE, AuthInfo, SimulateRequest, SimulateResponse, TxBody, TxMsgData, TxRaw
from relayer.cosmos.wasm import (
    SMART_CONTRACT_STATE,
    MsgExecuteContract,
    MsgInstantiateContract,
    MsgInstantiateContractResponse,
    MsgStoreCode,
    MsgStoreCodeResponse,
    QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
)
from relayer.devnet.cosmwasm.chain import PREFIX
from relayer.devnet.demo.chains import AskRefused

_RPC_SECONDS: Final = 10
_MINED_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
_PAGE: Final = "100"
_NEWEST: Final = "0"
_NOT_FOUND: Final = "not found"

_OTHER_SEQUENCE: Final = "account sequence mismatch"
_SIMULATIONS: Final = 5
"""A block may come between asking for the account's sequence and using it."""

_GAS_MARGIN_PERCENT: Final = 140
"""Of a simulation, which does not count all that a transaction pays for."""

_GAS_PER_UNIT: Final = 30
"""So much gas is paid with one of the smallest unit, where the devnet's chain asks for one for 40."""

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction in a block that succeeded: its 32-byte hash, events as the node writes them, bytes as sent."""

    tx_hash: bytes
    height: int
    gas_used: int
    events: Sequence[Mapping[str, Any]]
    response: bytes
    raw: bytes

    @property
    def message(self) -> Any:
        """What it told a contract."""
        body = TxBody.decode(TxRaw.decode(self.raw).body_bytes)
        return orjson.loads(MsgExecuteContract.decode(body.messages[0].value).msg)

    @property
    def fee(self) -> int:
        """What it paid, whatever it used."""
        fee = AuthInfo.decode(TxRaw.decode(self.raw).auth_info_bytes).fee
        return 0 if fee is None else sum(int(coin.amount) for coin in fee.amount)


class CosmWasmRpc:
    """The chain at this URL, used by the account of a 32-byte secret. Methods raise `AskRefused`."""

    def __init__(self, url: str, chain_id: str, secret: bytes, fee_denom: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._chain_id, self._fee_denom = chain_id, fee_denom
        self._key = coincurve.PrivateKey(secret)
        self._public_key = self._key.public_key.format(compressed=True)
        self.account: Final = to_bech32(PREFIX, account_of_secret(secret))
        told = self._fetch_account()
        self._number, self._sequence = told.account_number, told.sequence

    def fetch_height(self) -> int:
        """Of the newest block."""
        return int(self._call("status")["sync_info"]["latest_block_height"])

    def fetch_block(self, height: int) -> Iterator[Mined]:
        """What succeeded in a block, in its order."""
        asked = {"query": f"tx.height={height}", "prove": False, "page": "1", "per_page": _PAGE, "order_by": "asc"}
        yield from (_mined(told) for told in self._call("tx_search", **asked)["txs"] if not told["tx_result"]["code"])

    def find(self, tx_hash: bytes) -> Mined | None:
        """A transaction; None if it is in no block. One that failed is refused."""
        try:
            told = self._call("tx", hash=base64.b64encode(tx_hash).decode(), prove=False)
        except AskRefused as refused:
            if _NOT_FOUND in str(refused):
                return None
            raise
        if told["tx_result"]["code"]:
            raise AskRefused(f"transaction {tx_hash.hex()} failed: {told['tx_result']['log']}")
        return _mined(told)

    def fetch(self, tx_hash: bytes) -> Mined:
        """A transaction that is in a block."""
        found = self.find(tx_hash)
        if found is None:
            raise AskRefused(f"there is no transaction {tx_hash.hex()}")
        return found

    def wait(self, tx_hash: bytes) -> Mined:
        """A transaction when it is in a block."""
        deadline = time.monotonic() + _MINED_SECONDS
        while (found := self.find(tx_hash)) is None:
            if time.monotonic() > deadline:
                raise AskRefused(f"transaction {tx_hash.hex()} is not there after {_MINED_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)
        return found

    def ask(self, contract: str, question: Mapping[str, Any]) -> Any:
        """What a contract answers to a query."""
        request = QuerySmartContractStateRequest(contract, orjson.dumps(question))
        return orjson.loads(self._query(SMART_CONTRACT_STATE, request, QuerySmartContractStateResponse).data)

    def execute(self, contract: str, message: Mapping[str, Any], funds: int = 0) -> bytes:
        """Send a message to a contract, with coins of the fees' denomination; the transaction's hash."""
        coins = (Coin(self._fee_denom, str(funds)),) if funds else ()
        return self._send(MsgExecuteContract(self.account, contract, orjson.dumps(message), coins))

    def create(self, *terms: tuple[str, Mapping[str, Any]]) -> Sequence[str]:
        """Bring contracts by the names of their code, each with what it is instantiated with; their addresses."""
        codes = [self._send(MsgStoreCode(self.account, _load(name))) for name, _ in terms]
        stored = [MsgStoreCodeResponse.decode(self.wait(tx_hash).response).code_id for tx_hash in codes]
        made = [
            self._send(
                MsgInstantiateContract(
                    sender=self.account, code_id=code_id, label=name, msg=orjson.dumps(instantiating)
                )
            )
            for code_id, (name, instantiating) in zip(stored, terms, strict=True)
        ]
        return [MsgInstantiateContractResponse.decode(self.wait(tx_hash).response).address for tx_hash in made]

    def _send(self, message: Message) -> bytes:
        """Send a transaction that succeeds in simulation; its hash."""
        gas = self._simulate(message) * _GAS_MARGIN_PERCENT // 100
        raw = self._sign(message, self._sequence, gas, -(-gas // _GAS_PER_UNIT))
        checked = self._call("broadcast_tx_sync", tx=base64.b64encode(raw).decode())
        if checked["code"]:
            raise AskRefused(f"the chain takes no transaction: {checked['log']}")
        self._sequence += 1
        return hashlib.sha256(raw).digest()

    def _simulate(self, message: Message) -> int:
        """The gas that it would use now."""
        for _ in range(_SIMULATIONS):
            # A simulation knows nothing of what waits for its block.
            draft = SimulateRequest(tx_bytes=self._sign(message, self._fetch_account().sequence, 0, 0))
            try:
                told = self._query(SIMULATE, draft, SimulateResponse).gas_info
            except AskRefused as refused:
                if _OTHER_SEQUENCE in str(refused):
                    continue
                raise
            if told is not None:
                return told.gas_used
        raise AskRefused(f"the chain simulates nothing of {self.account}")

    def _fetch_account(self) -> BaseAccount:
        found = self._query(ACCOUNT, QueryAccountRequest(self.account), QueryAccountResponse).account
        if found is None:
            raise AskRefused(f"there is no account {self.account}")
        return BaseAccount.decode(found.value)

    def _sign(self, message: Message, sequence: int, gas: int, fee: int) -> bytes:
        auth_info = encode_auth_info(self._public_key, sequence, gas, fee, self._fee_denom)
        return sign_direct(encode_body(message), auth_info, self._chain_id, self._number, self._key)

    def _query(self, path: str, request: Message, answer: type[_M]) -> _M:
        told = self._call("abci_query", path=path, data=request.encode().hex(), height=_NEWEST, prove=False)["response"]
        if told["code"]:
            raise AskRefused(f"{path}: {told['log']}")
        return answer.decode(base64.b64decode(told["value"] or ""))

    def _call(self, method: str, **params: object) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self._session.post(self._url, json=body, timeout=_RPC_SECONDS).json()
        if "error" in answer:
            error = answer["error"]
            raise AskRefused(f"{method}: {error.get('data') or error['message']}")
        return answer["result"]


def _mined(told: Mapping[str, Any]) -> Mined:
    result, raw = told["tx_result"], base64.b64decode(told["tx"])
    responses = TxMsgData.decode(base64.b64decode(result["data"] or "")).msg_responses
    return Mined(
        tx_hash=hashlib.sha256(raw).digest(),
        height=int(told["height"]),
        gas_used=int(result["gas_used"]),
        events=result["events"],
        response=responses[0].value,
        raw=raw,
    )


def _load(name: str) -> bytes:
    return (files("relayer.devnet.cosmwasm") / "artifacts" / f"{name}.wasm").read_bytes()
