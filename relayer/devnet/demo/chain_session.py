"""One chain of the devnet as an outside program sees it: an account, a gateway, the events of a few requests.

Its job: deploy the demonstration's contracts, ask, do what a requester may do by hand (replay a callback, cancel), and
read the gateway's events with plain web3.py. It believes the chain and nobody else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.logs import DISCARD
from web3.types import Nonce, TxParams, Wei

from attestation.address import InteroperableAddress, evm_account
from relayer.devnet.demo.cases import COLLATERAL, EXPIRY_BLOCKS, STARVED_CALLBACK_GAS, Case, Manner
from relayer.errors import RejectedError

_NOBODY = bytes.fromhex("00000000000000000000000000000000000e0a00")
"""An address that holds no code."""

_OVERPAY_PERCENT = 120
"""Above the quote: the price of gas may move within the block. The gateway returns what is too much."""

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

_STATE_CANCELLED = 3
_STATUS_LENT = 2
"""As in `State` of the gateway's types and `CollateralLoan.Status`."""

_LENDABLE = 1_000_000
"""What the example lender owns: enough for every loan."""

_LOAN_TIMEOUT_BLOCKS = 100
"""Blocks without an answer after which the example lender gives the application fee back."""

_ASK_GAS = 800_000
_DEPLOY_GAS = 3_000_000
_REPLAY_CALLBACK_GAS = 300_000
_RECEIPT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Sighting:
    """One event of a gateway about a request; `fields` are the event's own, by their ABI names."""

    name: str
    request_id: int
    block: int
    log_index: int
    tx_hash: bytes
    fields: Mapping[str, Any]


class AskRefused(RejectedError):  # noqa: N818 - named as relayer.errors names its own
    """A request's transaction was mined and reverted; the text says which."""

    code = "ask_refused"


class ChainSession:
    """The chain that `description` (an entry of the devnet's file) names, used through its last funded account."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.name = str(description["name"])
        self._block_time_seconds = float(description["block_time_seconds"])
        self.caip2 = str(description["caip2"])
        self.rpc_url = str(description["rpc_url"])
        self.ws_url = str(description["ws_url"])
        self.accounts = [str(account["address"]) for account in description["accounts"]]
        self._web3 = Web3(HTTPProvider(str(description["rpc_url"]), request_kwargs={"timeout": 10}))
        self._account: LocalAccount = Account.from_key(description["accounts"][-1]["private_key"])
        self._nonce = self._web3.eth.get_transaction_count(self._account.address)
        self.chain_id = self._web3.eth.chain_id
        self.gateway = self._contract("XvmGateway", description["gateway"])
        self._events = {
            self.gateway.events[name].topic.removeprefix("0x"): self.gateway.events[name] for name in WATCHED
        }
        self._next_block = self._web3.eth.block_number + 1
        self.counter: Contract
        self.echo: Contract
        self.token: Contract
        self.loan: Contract

    def deploy(self) -> None:
        """Put the example contracts on the chain that need nothing of another one."""
        self.counter, self.echo, self.token = self._create(
            ("XvmCounter", (self.gateway.address,)),
            ("XvmEcho", (self.gateway.address,)),
            ("XvmToken", ("Example", "EXMPL")),
        )

    def open_lender(self, other: ChainSession) -> None:
        """Put the example lender here, which lends for what somebody has on `other`, and give our account that."""
        lender = self._account.address
        collateral = (other.chain_id, other.token.address)
        terms = (self.gateway.address, lender, self.token.address, *collateral, _LOAN_TIMEOUT_BLOCKS)
        (self.loan,) = self._create(("CollateralLoan", terms))
        minted = self._transact(self.token.functions.mint(self.loan.address, _LENDABLE))
        given = other._transact(other.token.functions.mint(lender, COLLATERAL))
        self._receipt(minted)
        other._receipt(given)

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

    def ask(self, case: Case, destination: ChainSession) -> bytes:
        """Send the request's transaction; its hash."""
        if case.asker == "loan":
            value = self.loan.functions.price().call() * _OVERPAY_PERCENT // 100
            return self._transact(self.loan.functions.requestLoan(case.loan), value)
        target = self._target(case, destination)
        payload = bytes.fromhex(destination.counter.encode_abi(case.call.function, list(case.call.arguments))[2:])
        if case.manner is Manner.SIMPLE:
            fee = self._overload(self.gateway, "quote", destination.chain_id, len(payload)).call()
            address = Web3.to_checksum_address(target.address)
            call = self._overload(self.echo, "ask", destination.chain_id, address, payload[:4], payload[4:])
        else:
            options = self._options(case)
            fee = self._overload(self.gateway, "quote", target.to_bytes(), len(payload), options).call()
            asker = (self.gateway, "xvmExecute") if case.asker == "eoa" else (self.echo, "ask")
            call = self._overload(*asker, target.to_bytes(), payload, options)
        return self._transact(call, fee * _OVERPAY_PERCENT // 100)

    def replay(self, failed: Sighting) -> None:
        """Run a callback that failed again, with enough gas. Its outcome is in the transaction that delivered it."""
        delivery = self._web3.eth.get_transaction(failed.tx_hash)  # type: ignore[arg-type]
        _, given = self.gateway.decode_function_input(delivery["input"])
        outcome = next(
            outcome
            for batch in given["batches"]
            for outcome in batch["outcomes"]
            if outcome["requestId"] == failed.request_id
        )
        self._transact(self.gateway.functions.retryCallback(outcome, _REPLAY_CALLBACK_GAS))

    def cancel(self, asking: bytes) -> None:
        """Cancel the request of this transaction, whose deadline comes at once: the chain is told to mine up to it.

        An answer cannot be there before: it needs later blocks of the other chain, and these take their time.
        """
        (log,) = self.gateway.events.XVMCallRequested().process_receipt(self._receipt(asking), errors=DISCARD)
        blocks = log["args"]["deadline"] - self._web3.eth.block_number
        self._mine(blocks)
        self._transact(self.gateway.functions.cancel(log["args"]["request"]))
        self._mine(1)

    def request_id(self, tx_hash: bytes) -> int:
        """The id that the gateway gave the request of this transaction. Raises `AskRefused`."""
        receipt = self._receipt(tx_hash)
        logs = self.gateway.events.XVMCallRequested().process_receipt(receipt, errors=DISCARD)
        if receipt["status"] != 1 or not logs:
            raise AskRefused(f"the gateway on {self.name} refused the request of transaction 0x{tx_hash.hex()}")
        return int(logs[0]["args"]["requestId"])

    def fetch_sightings(self) -> list[Sighting]:
        """What the gateway said in blocks since the last call, in order."""
        tip = self._web3.eth.block_number
        if tip < self._next_block:
            return []
        span = {"address": self.gateway.address, "fromBlock": self._next_block, "toBlock": tip}
        logs = self._web3.eth.get_logs(span)  # type: ignore[arg-type]
        self._next_block = tip + 1
        known = [(self._events[log["topics"][0].hex()], log) for log in logs if log["topics"][0].hex() in self._events]
        return [_sighting(event.process_log(log)) for event, log in known]

    @property
    def seen_block(self) -> int:
        """The last block whose events were looked at."""
        return self._next_block - 1

    def gas_used(self, tx_hash: bytes) -> int:
        """Of a mined transaction."""
        return int(self._web3.eth.get_transaction_receipt(tx_hash)["gasUsed"])  # type: ignore[arg-type]

    def callback_of(self, request_id: int) -> tuple[bool, bool, bytes]:
        """What the asking contract recorded: (arrived, success, return data)."""
        arrived, success, data = self.echo.functions.results(request_id).call()
        return bool(arrived), bool(success), bytes(data)

    def is_given_up(self, request_id: int) -> bool:
        """Whether the gateway holds it as cancelled."""
        *_, state, _fee = self.gateway.functions.pendingRequest(request_id).call()
        return int(state) == _STATE_CANCELLED

    def loan_of(self, request_id: int) -> tuple[bool, int]:
        """What the example lender made of an application: (whether it lent, units that it paid out)."""
        status = self.loan.functions.loans(request_id).call()[1]
        paid = _LENDABLE - int(self.token.functions.balanceOf(self.loan.address).call())
        return status == _STATUS_LENT, paid

    def count(self) -> int:
        """The demonstration target's counter."""
        return int(self.counter.functions.count().call())

    def _target(self, case: Case, destination: ChainSession) -> InteroperableAddress:
        addresses = {
            "counter": destination.counter.address,
            "gateway": destination.gateway.address,
            "nobody": "0x" + _NOBODY.hex(),
        }
        return evm_account(destination.chain_id, bytes.fromhex(addresses[case.call.target][2:]))

    def _mine(self, blocks: int) -> None:
        """At once, without moving the chain's clock."""
        self._web3.provider.make_request("anvil_mine", [hex(blocks), "0x0"])  # type: ignore[arg-type]

    def _options(self, case: Case) -> dict[str, Any]:
        is_expiring = case.manner is Manner.EXPIRING
        return self.options(
            mode=int(case.mode),
            callbackGasLimit=STARVED_CALLBACK_GAS if case.manner is Manner.REPLAYED else 0,
            expiry=self.now() + math.ceil(EXPIRY_BLOCKS * self._block_time_seconds) if is_expiring else 0,
            ordered=case.manner is Manner.ORDERED,
        )

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


def _sighting(log: Mapping[str, Any]) -> Sighting:
    fields = log["args"]
    return Sighting(
        name=str(log["event"]),
        request_id=int(fields["requestId"]),
        block=int(log["blockNumber"]),
        log_index=int(log["logIndex"]),
        tx_hash=bytes(log["transactionHash"]),
        fields=fields,
    )
