"""One node of a CosmWasm chain, which is believed: for whoever deploys, and whoever asks from outside.

Its job: questions and transactions over CometBFT's RPC, and its refusals as ours, in words. Relayers never use it: they
ask several nodes. SECURITY: no error shows the node's URL, which may hold an access key.

Source: CometBFT's RPC, 0.34 to 0.38; the Cosmos SDK's and wasmd's gRPC services by `abci_query`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import orjson
import requests

from attestation.address import Chain
from relayer.cosmos.accounts import ACCOUNT, BaseAccount, QueryAccountRequest, QueryAccountResponse
from relayer.cosmos.base import AnyMessage
from relayer.cosmos.node import CONFIG, ConfigRequest, ConfigResponse
from relayer.cosmos.protobuf import MalformedProtobuf, Message
from relayer.cosmos.tx import SIMULATE, SimulateRequest, SimulateResponse, TxMsgData
from relayer.cosmos.wasm import (
    SMART_CONTRACT_STATE,
    QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
)
from relayer.errors import CallReverted, RejectedError, RpcUnavailable
from relayer.vms.cosmwasm.failures import failure_detail
from relayer.vms.cosmwasm.fees import minimum_gas_price
from relayer.vms.cosmwasm.transactions import hash_of

RPC_SECONDS: Final = 30.0
"""For one exchange."""

_PAGE: Final = 100
"""Transactions that one search gives at most, by CometBFT."""

_SEQUENCE_SECONDS: Final = 60.0
"""Until what an account has sent is in a block: some blocks of the slowest chain."""

_POLL_SECONDS: Final = 0.2
_OTHER_SEQUENCE: Final = "account sequence mismatch"
_HEIGHT_OF_TIP: Final = "0"
_IN_CACHE: Final = "already exists in cache"
_NOT_FOUND: Final = "not found"
_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class FoundTx:
    """A transaction in a block. `code` 0 is success; `responses` are its messages' own, in order; `raw` is `TxRaw`.

    `events` are as the node writes them.
    """

    tx_hash: bytes
    height: int
    code: int
    log: str
    responses: tuple[AnyMessage, ...]
    events: Any
    raw: bytes


class _QueryError(RejectedError):
    """A query that the chain answers with an error; `told` is its text."""

    def __init__(self, chain: Chain, told: str) -> None:
        super().__init__(f"{chain}: {failure_detail(told)}")
        self.told = told


class OneNode:
    """Speaks to the node. Methods raise `RpcUnavailable`, `RejectedError`, and `CallReverted` for a contract's."""

    def __init__(self, chain: Chain, url: str) -> None:
        self._chain = chain
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def fetch_chain_id(self) -> str:
        """What it calls its chain."""
        return str(self._call("status")["node_info"]["network"])

    def fetch_time(self) -> int:
        """Unix seconds of its newest block."""
        newest = str(self._call("status")["sync_info"]["latest_block_time"])
        # Python reads no nanoseconds.
        whole = datetime.fromisoformat(newest.partition(".")[0].removesuffix("Z"))
        return int(whole.replace(tzinfo=UTC).timestamp())

    def fetch_account(self, account: str) -> BaseAccount:
        """Number and sequence of an account by its bech32 text, which signs with one key."""
        try:
            found = self._query(ACCOUNT, QueryAccountRequest(account), QueryAccountResponse).account
        except _QueryError as error:
            if _NOT_FOUND not in error.told:
                raise
            raise RejectedError(f"{self._chain}: {account} does not exist yet: send it coins first") from None
        if found is None or found.type_url != BaseAccount.TYPE_URL:
            raise RejectedError(f"{self._chain}: {account} is no account of one key")
        return _decode(self._chain, BaseAccount, found.value)

    def fetch_gas_price(self, denomination: str) -> int:
        """The least that it takes a transaction for, in millionths of the denomination for one unit of gas."""
        return minimum_gas_price(self._query(CONFIG, ConfigRequest(), ConfigResponse).minimum_gas_price, denomination)

    def simulate(self, raw: bytes) -> int:
        """Gas that a transaction would use now. Raises `CallReverted` if it would fail."""
        try:
            gas = self._query(SIMULATE, SimulateRequest(tx_bytes=raw), SimulateResponse).gas_info
        except _QueryError as error:
            raise CallReverted(failure_detail(error.told)) from None
        if gas is None:
            raise RpcUnavailable(f"{self._chain}: the node tells no gas of a simulation")
        return gas.gas_used

    def simulate_next(self, account: str, draft: Callable[[BaseAccount], bytes]) -> int:
        """Gas that an account's next transaction would use, as `draft` makes it of what is told of the account.

        A block, or a transaction of its own that waits for one, may come between the two questions: then both are put
        again. Raises `CallReverted` if it would fail.
        """
        deadline = time.monotonic() + _SEQUENCE_SECONDS
        while True:
            try:
                return self.simulate(draft(self.fetch_account(account)))
            except CallReverted as error:
                if _OTHER_SEQUENCE not in error.error_name or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def query(self, contract: str, message: Mapping[str, Any]) -> Any:
        """What a contract answers to a smart query."""
        request = QuerySmartContractStateRequest(contract, orjson.dumps(message))
        try:
            answer = self._query(SMART_CONTRACT_STATE, request, QuerySmartContractStateResponse)
        except _QueryError as error:
            raise CallReverted(failure_detail(error.told)) from None
        try:
            return orjson.loads(answer.data)
        except ValueError:
            raise RpcUnavailable(f"{self._chain}: {contract} answers with what is no JSON") from None

    def broadcast(self, raw: bytes) -> None:
        """Hand it a transaction; one that it knows already is fine. Raises `RejectedError` for one that it refuses."""
        try:
            answer = self._call("broadcast_tx_sync", tx=base64.b64encode(raw).decode("ascii"))
        except RejectedError as error:
            if _IN_CACHE in str(error):
                return
            raise
        if answer["code"] != 0:
            raise RejectedError(f"{self._chain}: the node refuses the transaction: {answer['log']}")

    def find_tx(self, tx_hash: bytes) -> FoundTx | None:
        """A transaction by its 32-byte hash, None if it is in no block that the node knows."""
        try:
            found = self._call("tx", hash=base64.b64encode(tx_hash).decode("ascii"), prove=False)
        except RejectedError as error:
            if _NOT_FOUND in str(error):
                return None
            raise
        return self._found(found)

    def search(self, event: str, key: str, value: str) -> Iterator[FoundTx]:
        """Transactions with an event of this type and attribute, oldest first."""
        found = self._call(
            "tx_search",
            query=f"{event}.{key}='{value}'",
            prove=False,
            page="1",
            per_page=str(_PAGE),
            order_by="asc",
        )
        yield from (self._found(tx) for tx in found["txs"])

    def _query(self, path: str, request: Message, answer: type[_M]) -> _M:
        """One of the chain's own services."""
        data = request.encode().hex()
        told = self._call("abci_query", path=path, data=data, height=_HEIGHT_OF_TIP, prove=False)["response"]
        if told.get("code", 0) != 0:
            raise _QueryError(self._chain, str(told.get("log", "")))
        return _decode(self._chain, answer, base64.b64decode(told.get("value") or ""))

    def _call(self, method: str, **params: Any) -> Any:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._session.post(self._url, data=body, headers=headers, timeout=RPC_SECONDS).json()
        except (OSError, ValueError) as error:
            raise RpcUnavailable(f"{self._chain}: the node gives no answer ({type(error).__name__})") from None
        match answer:
            case {"error": {"message": message, **rest}}:
                raise RejectedError(f"{self._chain}: the node refuses: {rest.get('data') or message}")
            case {"result": result}:
                return result
            case _:
                raise RpcUnavailable(f"{self._chain}: the node gives a malformed answer")

    def _found(self, told: Mapping[str, Any]) -> FoundTx:
        result = told["tx_result"]
        raw = base64.b64decode(told["tx"])
        data = base64.b64decode(result.get("data") or "")
        return FoundTx(
            tx_hash=hash_of(raw),
            height=int(told["height"]),
            code=int(result.get("code", 0)),
            log=str(result.get("log", "")),
            responses=_decode(self._chain, TxMsgData, data).msg_responses,
            events=result.get("events") or [],
            raw=raw,
        )


def _decode(chain: Chain, message: type[_M], data: bytes) -> _M:
    try:
        return message.decode(data, is_lenient=True)
    except MalformedProtobuf as error:
        raise RpcUnavailable(f"{chain}: the node's answer is malformed: {error}") from None
