"""A scripted Cosmos node: an account, its coins, prices, a pool, blocks, a simulator. Each part can be told to lie."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson

from attestation.address import Chain, Namespace
from relayer.cosmos.abci import Event, EventAttribute
from relayer.cosmos.accounts import ACCOUNT, BaseAccount, QueryAccountResponse, account_of_key
from relayer.cosmos.bank import BALANCE, QueryBalanceResponse
from relayer.cosmos.base import AnyMessage, Coin
from relayer.cosmos.node import CONFIG, ConfigResponse
from relayer.cosmos.protobuf import Message
from relayer.cosmos.tx import (
    SIMULATE,
    AuthInfo,
    GasInfo,
    SimulateRequest,
    SimulateResponse,
    SimulationResult,
    TxBody,
    TxRaw,
)
from relayer.cosmos.wasm import (
    SMART_CONTRACT_STATE,
    MsgExecuteContract,
    QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
)
from relayer.vms.cosmwasm.chain import ChainIdentity
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode

CHAIN_ID = "xvm-cosmwasm-1"
PREFIX = "wasm"
GATEWAY = b"\xd5" * 32
SECRET = b"\x07" * 32
IDENTITY = ChainIdentity("wasm", Chain(Namespace.COSMOS, CHAIN_ID.encode()), GATEWAY, PREFIX)


def ran(gas_used: int, *events: Event) -> SimulateResponse:
    """What a node says of a transaction that would run."""
    return SimulateResponse(GasInfo(0, gas_used), SimulationResult(events=events))


def gateway_event(name: str, emitter: str = "", **attributes: str) -> Event:
    """An event of the gateway's, or of another contract of that text."""
    told = {"_contract_address": emitter or IDENTITY.gateway_text} | attributes
    return Event(f"wasm-{name}", tuple(EventAttribute(key, value) for key, value in told.items()))


class Failed(Exception):  # noqa: N818
    """Raised by a part of a node to have the query fail."""

    def __init__(self, code: int, log: str, codespace: str = "sdk") -> None:
        super().__init__(log)
        self.code, self.log, self.codespace = code, log, codespace


class CometNode(ScriptedNode):
    """One node. Its parts are attributes; `simulate` is told the gateway's message and gives the response."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(self._answer)
        self.account: BaseAccount | None = BaseAccount(account_number=7, sequence=3)
        self.balance: str | None = "1000000"
        self.prices = "0.0025uxvm"
        self.denom = "uxvm"
        self.block_gas: Any = "-1"
        self.pool_sequence: int | None = None
        self.takes: Callable[[bytes], Any] = lambda _: {"code": 0, "data": "", "log": "", "codespace": ""}
        self.mined: dict[bytes, dict[str, Any]] = {}
        self.hashes: Callable[[int], bytes] = lambda height: height.to_bytes(32, "big")
        self.simulate: Callable[[dict[str, Any], int], Message] = lambda *_: ran(100_000)
        self.views: dict[str, Callable[[dict[str, Any]], Any]] = {"config": lambda _: {"fee_denom": self.denom}}
        for name, value in parts.items():
            assert hasattr(self, name)
            setattr(self, name, value)

    def _answer(self, method: str, params: Any) -> Any:
        match method:
            case "status":
                return {}
            case "consensus_params":
                return {"block_height": "100", "consensus_params": {"block": {"max_gas": self.block_gas}}}
            case "abci_query":
                return {"response": self._query(params["path"], bytes.fromhex(params["data"]))}
            case "broadcast_tx_sync":
                return self.takes(base64.b64decode(params["tx"], validate=True))
            case "tx":
                tx_hash = base64.b64decode(params["hash"], validate=True)
                if tx_hash not in self.mined:
                    raise NodeFault(-32603, "Internal error", f"tx ({tx_hash.hex().upper()}) not found")
                return self.mined[tx_hash]
            case "blockchain":
                assert params["minHeight"] == params["maxHeight"]
                return {"last_height": "100", "block_metas": [self._meta(int(params["minHeight"]))]}
        raise NodeFault(-32601, "Method not found")

    def _meta(self, height: int) -> dict[str, Any]:
        header = {
            "height": str(height),
            "time": "2026-11-22T01:02:03.456789Z",
            "last_block_id": {"hash": self.hashes(height - 1).hex().upper()},
        }
        return {"block_id": {"hash": self.hashes(height).hex().upper()}, "header": header, "num_txs": "1"}

    def _query(self, path: str, data: bytes) -> dict[str, Any]:
        answer = {"code": 0, "log": "", "codespace": "", "value": None, "height": "100"}
        try:
            value = self._responses(path, data)
        except Failed as failed:
            return answer | {"code": failed.code, "log": failed.log, "codespace": failed.codespace}
        return answer | {"value": base64.b64encode(value).decode()}

    def _responses(self, path: str, data: bytes) -> bytes:
        match path:
            case value if value == ACCOUNT:
                if self.account is None:
                    raise Failed(22, "rpc error: code = NotFound desc = account not found: key not found")
                return QueryAccountResponse(AnyMessage.of(self.account)).encode()
            case value if value == BALANCE:
                coin = None if self.balance is None else Coin(self.denom, self.balance)
                return QueryBalanceResponse(coin).encode()
            case value if value == CONFIG:
                return ConfigResponse(self.prices).encode()
            case value if value == SMART_CONTRACT_STATE:
                request = QuerySmartContractStateRequest.decode(data)
                assert request.address == IDENTITY.gateway_text
                ((name, members),) = orjson.loads(request.query_data).items()
                return QuerySmartContractStateResponse(orjson.dumps(self.views[name](members))).encode()
            case value if value == SIMULATE:
                return self._simulate(SimulateRequest.decode(data).tx_bytes)
        raise Failed(6, f"unknown query path: {path}")

    def _simulate(self, raw: bytes) -> bytes:
        transaction = TxRaw.decode(raw)
        auth_info = AuthInfo.decode(transaction.auth_info_bytes)
        (call,) = TxBody.decode(transaction.body_bytes).messages
        message = MsgExecuteContract.decode(call.value)
        (signer,) = auth_info.signer_infos
        assert transaction.signatures == (b"",)
        assert auth_info.fee is not None
        assert auth_info.fee.amount == ()
        assert signer.public_key is not None
        assert message.contract == IDENTITY.gateway_text
        assert message.sender == IDENTITY.account_text(account_of_key(signer.public_key.value[2:]))
        wanted = self.pool_sequence
        if wanted is not None and signer.sequence != wanted:
            text = f"account sequence mismatch, expected {wanted}, got {signer.sequence}: incorrect account sequence"
            raise Failed(32, f"rpc error: code = Unknown desc = {text}: unknown request")
        return self.simulate(orjson.loads(message.msg), auth_info.fee.gas_limit).encode()
