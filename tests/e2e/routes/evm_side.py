"""An EVM chain as the suite over routes uses it, by web3.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.exceptions import ContractCustomError
from web3.logs import DISCARD

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Mode, RequestId
from attestation.statement import OutcomeKind
from tests.e2e.routes.sides import Aim, Ending, Refused, Target, Told

_GAS: Final = 3_000_000
_FEE_PERCENT: Final = 150
_STARVED_GAS: Final = 22_000
"""Too little for the example asker to write down what it is told."""

_OPTIONS: Final[Mapping[str, Any]] = {
    "mode": 0,
    "ownAccount": False,
    "executionGasLimit": 0,
    "callbackGasLimit": 0,
    "returnLimit": 0,
    "expiry": 0,
    "ordered": False,
    "codeHash": bytes(32),
    "disputeBlocks": 0,
    "deadlineBlocks": 0,
    "metadata": b"",
}
_ENDINGS: Final = {"XVMCallbackDelivered": False, "XVMHandlerFailed": True}


class EvmSide:
    """Implements `Side` with an account of the devnet's description."""

    has_catch = True
    hasty_seconds = 4

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.name = str(description["name"])
        self.caip2 = str(description["caip2"])
        self._web3 = Web3(HTTPProvider(str(description["rpc_url"]), request_kwargs={"timeout": 20}))
        self._account = Account.from_key(description["accounts"][-1]["private_key"])
        self._chain_id = self._web3.eth.chain_id
        self._nonce = self._web3.eth.get_transaction_count(self._account.address)
        self._gateway = self._contract("XvmGateway", str(description["gateway"]))
        self._errors = json.loads((files("relayer.vms.evm") / "artifacts" / "errors.json").read_text())
        self._counter: Contract
        self._echo: Contract

    def prepare(self) -> None:
        self._counter, self._echo = (self._create(name) for name in ("XvmCounter", "XvmEcho"))

    # where requests go

    def aim(self, mode: Mode, target: Target) -> Aim:
        if target is Target.ABORTS:
            payload = self._counter.encode_abi("fail", [7])
        elif mode is Mode.QUERY:
            payload = self._counter.encode_abi("count")
        else:
            payload = self._counter.encode_abi("increment", [1])
        account = evm_account(self._chain_id, bytes.fromhex(self._counter.address[2:]))
        return Aim(account.to_bytes(), bytes.fromhex(payload[2:]))

    def count(self) -> int:
        return int(self._counter.functions.count().call())

    def receipt(self, request_id: RequestId) -> str | None:
        logs = self._logs("XVMCallConcluded", request_id)
        return str(logs[0]["transactionHash"].to_0x_hex()) if logs else None

    def expects(self, mode: Mode, target: Target) -> tuple[OutcomeKind, bytes | None]:
        del mode
        if target is Target.ABORTS:
            return OutcomeKind.REVERTED, keccak256(b"Refused(uint256)")[:4] + (7).to_bytes(32, "big")
        return OutcomeKind.EXECUTED, None

    def read_count(self, return_data: bytes) -> int:
        assert len(return_data) == 32
        return int.from_bytes(return_data, "big")

    # where requests come from

    def ask(self, aim: Aim, mode: Mode, *, seconds: int = 0, is_hostile: bool = False) -> RequestId:
        options = {
            **_OPTIONS,
            "mode": int(mode),
            "expiry": self._now() + seconds if seconds else 0,
            "callbackGasLimit": _STARVED_GAS if is_hostile else 0,
        }
        quotes = self._gateway.find_functions_by_name("quote")
        quote = next(f for f in quotes if len(f.argument_types) == 3)
        fee = int(quote(aim.account, len(aim.payload), options).call())
        asks = self._echo.find_functions_by_name("ask")
        ask = next(f for f in asks if len(f.argument_types) == 3)
        receipt = self._transact(ask(aim.account, aim.payload, options), fee * _FEE_PERCENT // 100)
        (log,) = self._gateway.events.XVMCallRequested().process_receipt(receipt, errors=DISCARD)
        return RequestId(int(log["args"]["requestId"]).to_bytes(32, "big"))

    def ending(self, request_id: RequestId) -> Ending | None:
        for name, is_handler_failed in _ENDINGS.items():
            for log in self._logs(name, request_id):
                return Ending(OutcomeKind(log["args"]["kind"]), is_handler_failed, log["transactionHash"].to_0x_hex())
        return None

    def told(self, request_id: RequestId) -> Told | None:
        arrived, success, data = self._echo.functions.results(int.from_bytes(request_id, "big")).call()
        return Told(bool(success), bytes(data)) if arrived else None

    def callbacks(self) -> int:
        return int(self._echo.functions.callbacks().call())

    # attacks

    def repeat(self, place: str) -> None:
        data = self._web3.eth.get_transaction(place)["input"]  # type: ignore[arg-type]
        self._send({"to": self._gateway.address, "data": data, "gas": _GAS, "value": 0, **self._terms()})

    def forge(self, place: str) -> str:
        data = self._web3.eth.get_transaction(place)["input"]  # type: ignore[arg-type]
        call, arguments = self._gateway.decode_function_input(data)
        batches = [dict(batch) for batch in arguments["batches"]]
        certificate = bytearray(batches[0]["certificate"])
        certificate[-40] ^= 1  # within the last signature's r
        batches[0]["certificate"] = bytes(certificate)
        forged = self._gateway.get_function_by_signature(call.signature)(**{**arguments, "batches": batches})
        try:
            forged.call({"from": self._account.address, "gas": _GAS})
        except ContractCustomError as error:
            return self._error_name(str(error.data))
        return ""

    def _error_name(self, data: str) -> str:
        return str(self._errors.get(data[:10], {"name": data})["name"])

    def _logs(self, event: str, request_id: RequestId) -> list[Any]:
        found = self._gateway.events[event]().get_logs(
            from_block=0, argument_filters={"requestId": int.from_bytes(request_id, "big")}
        )
        return list(found)

    def _now(self) -> int:
        return int(self._web3.eth.get_block("latest")["timestamp"])

    def _contract(self, name: str, address: str) -> Contract:
        return self._web3.eth.contract(address=Web3.to_checksum_address(address), abi=_artifact(name)["abi"])

    def _create(self, name: str) -> Contract:
        artifact = _artifact(name)
        factory = self._web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = self._transact(factory.constructor(self._gateway.address))
        return self._contract(name, receipt["contractAddress"])

    def _transact(self, call: Any, value: int = 0) -> Mapping[str, Any]:
        receipt = self._send(call.build_transaction({**self._terms(), "value": value, "gas": _GAS}))
        if receipt["status"] != 1:
            raise Refused(receipt)
        return receipt

    def _terms(self) -> dict[str, Any]:
        return {
            "chainId": self._chain_id,
            "from": self._account.address,
            "nonce": self._nonce,
            "maxFeePerGas": 50 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        }

    def _send(self, transaction: Mapping[str, Any]) -> Mapping[str, Any]:
        fields = {name: value for name, value in transaction.items() if name != "from"}
        signed = self._account.sign_transaction(fields)
        self._nonce += 1
        sent = self._web3.eth.send_raw_transaction(signed.raw_transaction)
        receipt: Mapping[str, Any] = self._web3.eth.wait_for_transaction_receipt(sent, timeout=30, poll_latency=0.1)  # type: ignore[assignment]
        return receipt


def _artifact(name: str) -> Mapping[str, Any]:
    artifact: Mapping[str, Any] = json.loads((files("relayer.vms.evm") / "artifacts" / f"{name}.json").read_text())
    return artifact
