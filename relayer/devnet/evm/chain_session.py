"""One EVM chain of the devnet as an outside program sees it: an account, a gateway, contracts.

Its job: deploy, sign, send and wait with plain web3.py. It believes the chain and nobody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import Nonce, TxParams, Wei

WATCHED = (
    *("XVMCallRequested", "XVMCallConcluded", "XVMCallSkipped", "XVMCallbackDelivered", "XVMHandlerFailed"),
    "XVMCancelled",
)
"""The gateway's events that tell a request's life."""

_DEFAULT_OPTIONS: Mapping[str, Any] = {
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

_ASK_GAS = 800_000
_DEPLOY_GAS = 3_000_000
_RECEIPT_SECONDS = 30


class ChainSession:
    """The chain that `description` (an entry of the devnet's file) names, used through its last funded account."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.name = str(description["name"])
        self.caip2 = str(description["caip2"])
        self.rpc_url = str(description["rpc_url"])
        self.ws_url = str(description["ws_url"])
        self._web3 = Web3(HTTPProvider(str(description["rpc_url"]), request_kwargs={"timeout": 10}))
        self._account: LocalAccount = Account.from_key(description["accounts"][-1]["private_key"])
        self._nonce = self._web3.eth.get_transaction_count(self._account.address)
        self.chain_id = self._web3.eth.chain_id
        self.gateway = self._contract("XvmGateway", description["gateway"])
        self._events = {
            self.gateway.events[name].topic.removeprefix("0x"): self.gateway.events[name] for name in WATCHED
        }

    def create(self, name: str, count: int = 1) -> list[Contract]:
        """Put so many of one example contract on the chain."""
        return self._create(*[(name, (self.gateway.address,))] * count)

    def now(self) -> int:
        """Timestamp of the newest block, seconds."""
        return int(self._web3.eth.get_block("latest")["timestamp"])

    def next_nonce(self, address: str) -> int:
        """Of an account, as mined."""
        return int(self._web3.eth.get_transaction_count(Web3.to_checksum_address(address)))

    def quote(self, target: bytes, payload_length: int, options: Mapping[str, Any]) -> int:
        """What the gateway wants for a request, wei."""
        return int(self._overload(self.gateway, "quote", target, payload_length, options).call())

    def event_topics(self) -> dict[str, str]:
        """The watched events: topic in hex without 0x → name."""
        return {topic: event.event_name for topic, event in self._events.items()}

    @staticmethod
    def options(**given: object) -> dict[str, Any]:
        """The full form's options: defaults, and what is given."""
        return {**_DEFAULT_OPTIONS, **given}

    def _contract(self, name: str, address: str) -> Contract:
        return self._web3.eth.contract(address=Web3.to_checksum_address(address), abi=_artifact(name)["abi"])

    def _create(self, *wanted: tuple[str, tuple[Any, ...]]) -> list[Contract]:
        """Deploy contracts by artifact name and constructor arguments, all at once."""
        sent = []
        for name, arguments in wanted:
            artifact = _artifact(name)
            factory = self._web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
            creation = factory.constructor(*arguments)
            sent.append(self._send(creation.build_transaction({**self._free_of_rpc(), "gas": _DEPLOY_GAS})))
        receipts = [self._receipt(tx_hash) for tx_hash in sent]
        return [
            self._contract(name, receipt["contractAddress"])
            for (name, _), receipt in zip(wanted, receipts, strict=True)
        ]

    def _transact(self, call: ContractFunction, value: int = 0) -> bytes:
        return self._send(call.build_transaction({**self._free_of_rpc(), "value": Wei(value), "gas": _ASK_GAS}))

    @staticmethod
    def _overload(contract: Contract, name: str, *arguments: object) -> ContractFunction:
        """The call of that function of this name which has so many parameters."""
        found = contract.find_functions_by_name(name)
        call: ContractFunction = next(f for f in found if len(f.argument_types) == len(arguments))(*arguments)
        return call

    def _free_of_rpc(self) -> TxParams:
        """Transaction fields that web3.py would otherwise ask the node for, one call each."""
        base_fee = self._web3.eth.get_block("latest")["baseFeePerGas"]
        return {
            "chainId": self.chain_id,
            "from": self._account.address,
            "nonce": self._nonce,
            "maxFeePerGas": Wei(4 * base_fee + 10**9),
            "maxPriorityFeePerGas": Wei(10**9),
        }

    def _send(self, transaction: Mapping[str, Any]) -> bytes:
        signed = self._account.sign_transaction(dict(transaction))
        self._nonce = Nonce(self._nonce + 1)
        return bytes(self._web3.eth.send_raw_transaction(signed.raw_transaction))

    def _receipt(self, tx_hash: bytes) -> Mapping[str, Any]:
        return self._web3.eth.wait_for_transaction_receipt(tx_hash, timeout=_RECEIPT_SECONDS, poll_latency=0.1)  # type: ignore[arg-type]


def _artifact(name: str) -> Mapping[str, Any]:
    text = files("relayer.vms.evm").joinpath("artifacts", f"{name}.json").read_text("utf-8")
    artifact: Mapping[str, Any] = json.loads(text)
    return artifact
