"""A CosmWasm chain as the suite over routes uses it: one node, one account."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attestation.address import bech32_prefix, parse_account_text, parse_chain_text
from attestation.request import Mode, RequestId
from attestation.statement import OutcomeKind
from relayer.cosmos.base import Coin
from relayer.cosmos.protobuf import Message
from relayer.cosmos.tx import TxBody, TxRaw
from relayer.cosmos.wasm import (
    MsgExecuteContract,
    MsgInstantiateContract,
    MsgInstantiateContractResponse,
    MsgStoreCode,
    MsgStoreCodeResponse,
)
from relayer.errors import CallReverted
from relayer.vms.cosmwasm.events import EventReader
from relayer.vms.cosmwasm.one_node import FoundTx, OneNode
from relayer.vms.cosmwasm.signing_account import SigningAccount
from relayer.vms.cosmwasm.transactions import hash_of
from tests.e2e.routes.sides import Aim, Ending, Refused, Target, Told

_EXAMPLES: Final = Path(__file__).resolve().parents[3] / "contracts" / "cosmwasm" / "examples"
_FEE_PERCENT: Final = 150
_MINED_SECONDS: Final = 30.0
_SIMULATED_GAS: Final = 3_000_000
"""For what would fail in a simulation, and is sent all the same."""

_ENDINGS: Final = {"XVMCallbackDelivered": False, "XVMHandlerFailed": True}


class CosmWasmSide:
    """Implements `Side` with an account of the devnet's description."""

    has_catch = True
    hasty_seconds = 2

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.name = str(description["name"])
        self.caip2 = str(description["caip2"])
        self._chain = parse_chain_text(self.caip2)
        self._node = OneNode(self._chain, str(description["rpc_url"]))
        self._gateway = str(description["gateway"])
        self._denom = str(description["fee_denom"])
        prefix = bech32_prefix(self._gateway)
        assert prefix is not None
        secret = bytes.fromhex(str(description["accounts"][-1]["private_key"]).removeprefix("0x"))
        self._account = SigningAccount(secret, self._chain, prefix, self._denom)
        self._sequence = self._node.fetch_account(self._account.text).sequence
        self._counter = self._asker = ""

    def prepare(self) -> None:
        self._counter = self._create("counter", {})
        self._asker = self._create("asker", {"gateway": self._gateway})

    # where requests go

    def aim(self, mode: Mode, target: Target) -> Aim:
        message: dict[str, Any]
        if target is Target.ABORTS:
            message = {"fail": {"code": 7}}
        elif mode is Mode.QUERY:
            message = {"count": {}}
        else:
            message = {"increment": {"by": "1"}}
        account = parse_account_text(f"{self.caip2}:{self._counter}")
        return Aim(account.to_bytes(), json.dumps(message).encode())

    def count(self) -> int:
        return int(self._node.query(self._counter, {"count": {}})["count"])

    def receipt(self, request_id: RequestId) -> str | None:
        for found, _ in self._find("XVMCallConcluded", request_id):
            return found.tx_hash.hex()
        return None

    def expects(self, mode: Mode, target: Target) -> tuple[OutcomeKind, bytes | None]:
        if target is not Target.ABORTS:
            return OutcomeKind.EXECUTED, None
        # What a query fails of is told in each node's own words: nobody signs them.
        return OutcomeKind.REVERTED, b"" if mode is Mode.QUERY else b"CounterFails: 7: execute wasm contract failed"

    def read_count(self, return_data: bytes) -> int:
        return int(json.loads(return_data)["count"])

    # where requests come from

    def ask(self, aim: Aim, mode: Mode, *, seconds: int = 0, is_hostile: bool = False) -> RequestId:
        options: dict[str, Any] = {"mode": int(mode)}
        if seconds:
            options["expiry"] = str(self._node.fetch_time() + seconds)
        target = f"0x{aim.account.hex()}"
        quote = {"target": target, "payload_length": len(aim.payload), "options": options}
        fee = int(self._node.query(self._gateway, {"quote": quote})) * _FEE_PERCENT // 100
        asking = {
            "target": target,
            "payload": base64.b64encode(aim.payload).decode(),
            "options": options,
            "fails_callback": is_hostile,
        }
        found = self._execute(self._asker, {"ask": asking}, fee)
        (event,) = EventReader(self._gateway, frozenset({"XVMCallRequested"})).read_one(found.events)
        return RequestId(bytes.fromhex(dict(event.attributes)["request_id"][2:]))

    def ending(self, request_id: RequestId) -> Ending | None:
        for name, is_handler_failed in _ENDINGS.items():
            for found, event in self._find(name, request_id):
                return Ending(OutcomeKind(int(event["kind"])), is_handler_failed, found.tx_hash.hex())
        return None

    def told(self, request_id: RequestId) -> Told | None:
        kept = self._node.query(self._asker, {"told": {"request_id": f"0x{request_id.hex()}"}})
        return None if kept is None else Told(bool(kept["success"]), base64.b64decode(kept["return_data"]))

    def callbacks(self) -> int:
        return int(self._node.query(self._asker, {"callbacks": {}})["count"])

    # attacks

    def repeat(self, place: str) -> None:
        self._send(MsgExecuteContract(self._account.text, self._gateway, self._message(place)), _SIMULATED_GAS)

    def forge(self, place: str) -> str:
        message = json.loads(self._message(place))
        (body,) = message.values()
        certificate = bytearray(base64.b64decode(body["batches"][0]["certificate"]))
        certificate[-40] ^= 1  # within the last signature's r
        body["batches"][0]["certificate"] = base64.b64encode(certificate).decode()
        try:
            self._execute(self._gateway, message)
        except Refused as refused:
            return str(refused).partition(":")[0]
        return ""

    def _message(self, place: str) -> bytes:
        """What a transaction told the gateway."""
        found = self._node.find_tx(bytes.fromhex(place))
        assert found is not None
        body = TxBody.decode(TxRaw.decode(found.raw).body_bytes)
        return MsgExecuteContract.decode(body.messages[0].value).msg

    def _find(self, event: str, request_id: RequestId) -> list[tuple[FoundTx, Mapping[str, str]]]:
        identifier = f"0x{request_id.hex()}"
        reader = EventReader(self._gateway, frozenset({event}))
        return [
            (found, attributes)
            for found in self._node.search(f"wasm-{event}", "request_id", identifier)
            for attributes in (dict(each.attributes) for each in reader.read_one(found.events))
            if attributes["request_id"] == identifier
        ]

    def _create(self, name: str, message: Mapping[str, Any]) -> str:
        code = (_EXAMPLES / f"{name}.wasm").read_bytes()
        stored = self._act(MsgStoreCode(self._account.text, code))
        code_id = MsgStoreCodeResponse.decode(stored.responses[0].value).code_id
        made = self._act(
            MsgInstantiateContract(
                sender=self._account.text, admin="", code_id=code_id, label=name, msg=json.dumps(message).encode()
            )
        )
        return MsgInstantiateContractResponse.decode(made.responses[0].value).address

    def _execute(self, contract: str, message: Mapping[str, Any], funds: int = 0) -> FoundTx:
        coins = (Coin(self._denom, str(funds)),) if funds else ()
        return self._act(MsgExecuteContract(self._account.text, contract, json.dumps(message).encode(), coins))

    def _act(self, message: Message) -> FoundTx:
        """A transaction that is expected to succeed. Raises `Refused`."""
        try:
            used = self._node.simulate_next(self._account.text, lambda told: self._account.draft(message, told))
        except CallReverted as error:
            raise Refused(error.error_name) from None
        found = self._send(message, used)
        if found.code:
            raise Refused(found.log)
        return found

    def _send(self, message: Message, gas: int) -> FoundTx:
        told = self._node.fetch_account(self._account.text)
        raw = self._account.sign(message, told, self._sequence, gas, self._node.fetch_gas_price(self._denom))
        self._sequence += 1
        self._node.broadcast(raw)
        deadline = time.monotonic() + _MINED_SECONDS
        while (found := self._node.find_tx(hash_of(raw))) is None:
            assert time.monotonic() < deadline, f"{self.caip2}: a transaction is not mined"
            time.sleep(0.1)
        return found
