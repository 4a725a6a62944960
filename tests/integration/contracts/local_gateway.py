"""One anvil chain with one gateway that is its own destination: the shortest round trip. For the contracts' tests."""

import json
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.types import TxReceipt

from attestation.address import Chain, evm_account
from attestation.batch import Batch
from attestation.certificate import build_certificate
from attestation.keccak import keccak256
from attestation.request import Mode, Request, request_id
from attestation.schemes import BLS12381, SECP256K1, Scheme
from attestation.statement import Execute, Outcome, OutcomeKind

ROOT: Final = Path(__file__).parents[3]
ARTIFACTS: Final = ROOT / "relayer" / "vms" / "evm" / "artifacts"
CHAIN_ID: Final = 31337
GENESIS_SECONDS: Final = 1_800_000_000
FAR_SECONDS: Final = 4_000_000_000
GIGAGAS: Final = 10**9

OPTIONS: Final = {
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
PRICE: Final = {
    "executionWeiPerGigagas": 10 * GIGAGAS * GIGAGAS,
    "callbackWeiPerGigagas": 20 * GIGAGAS * GIGAGAS,
    "signersWei": 10**13,
    "executionOverheadGas": 60_000,
    "callbackOverheadGas": 40_000,
    "expireGas": 80_000,
    "executionGasPerByte": 40,
    "callbackGasPerByte": 24,
    "marginBps": 500,
    "queryBps": 200,
}
CAPS: Final = {
    "queries": True,
    "addressLengths": 1 << 20,
    "maxPayloadBytes": 65_536,
    "maxReturnBytes": 65_536,
    "maxExecutionGas": 10_000_000,
    "maxCallbackGas": 10_000_000,
    "minExpirySeconds": 10,
    "maxExpirySeconds": 100_000,
    "defaultExpirySeconds": 60,
    "deadlineBlocks": 100,
    "maxDeadlineBlocks": 10_000,
}
ADDED_EXPIRY_SECONDS: Final = 50_000
VERIFIERS: Final = {SECP256K1.number: "EcdsaVerifier", BLS12381.number: "BlsVerifier"}


def npm_binary(name: str) -> Path:
    """The pinned binary of a Foundry tool for this platform."""
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
    return ROOT / "node_modules" / "@foundry-rs" / f"{name}-{sys.platform}-{machine}" / "bin" / name


@contextmanager
def anvil(cache: Path) -> Iterator[Web3]:
    """A chain of its own: each transaction its own block, a second apart, from a fixed start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = (
        f"--port {port} --host 127.0.0.1 --hardfork prague --chain-id {CHAIN_ID} --timestamp {GENESIS_SECONDS}"
        f" --gas-limit 60000000 --base-fee 0 --gas-price 0 --cache-path {cache}"
    )
    with subprocess.Popen(
        [str(npm_binary("anvil")), *words.split()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "Listening on" in line:
                    break
            process.stdout.close()
            web3 = Web3(HTTPProvider(f"http://127.0.0.1:{port}"))
            web3.provider.make_request("anvil_setBlockTimestampInterval", [1])  # type: ignore[arg-type]
            yield web3
        finally:
            process.terminate()
            process.wait()


def request_fields(request: Request) -> dict[str, Any]:
    """A request as the contracts' ABI names its fields."""
    return {
        "sourceGateway": request.source_gateway,
        "sender": request.sender,
        "destinationGateway": request.destination_gateway,
        "target": request.target,
        "nonce": request.nonce,
        "mode": request.mode,
        "ownAccount": request.own_account,
        "payload": request.payload,
        "executionGasLimit": request.execution_gas_limit,
        "callbackGasLimit": request.callback_gas_limit,
        "returnLimit": request.return_limit,
        "expiry": request.expiry,
        "orderedAfter": request.ordered_after,
        "origin": request.origin,
        "codeHash": request.code_hash,
        "disputeBlocks": request.dispute_blocks,
        "metadata": request.metadata,
    }


class LocalGateway:
    """The contracts of one chain, deployed and joined, with `count` signers of weight 1 and the given threshold."""

    def __init__(self, web3: Web3, threshold: int, count: int, scheme: Scheme = SECP256K1) -> None:
        self.web3 = web3
        self.scheme = scheme
        accounts = [Account.from_key(keccak256(f"account {i}".encode())) for i in range(4)]
        for account in accounts:
            web3.provider.make_request("anvil_setBalance", [account.address, hex(10**24)])  # type: ignore[arg-type]
        self.owner, self.deliverer, self.executing, self.treasury = accounts
        owner = self.owner.address
        self.routes = self.deploy("XvmRoutes", owner, owner, 1000, 50, 1000)
        self.registry = self.deploy("XvmRegistry", owner)
        self.gateway = self.deploy(
            "XvmGateway", owner, owner, 1000, self.treasury.address, self.routes.address, self.registry.address
        )
        self.verifier = self.deploy(VERIFIERS[scheme.number], self.gateway.address, owner)
        self.counter = self.deploy("XvmCounter", self.gateway.address)
        self.ping = self.deploy("XvmPing", self.gateway.address)
        self.own_address = self.account(self.gateway.address)
        self.chain = Chain.evm(CHAIN_ID).to_bytes()
        # below the order of either scheme
        self.keys = [scheme.signing_key(b"\x01" + keccak256(f"signer {i}".encode())[1:]) for i in range(count)]
        self.threshold = threshold
        self.install()

    def install(self) -> None:
        """Everything that an owner does before the first request."""
        signers = [(key.listed_key(keccak256(key.key)), 1, keccak256(key.key)) for key in self.keys]
        self.send(self.owner, self.gateway.functions.setVerifier(self.verifier.address))
        self.send(
            self.owner,
            self.verifier.functions.install((self.scheme.number, self.threshold, FAR_SECONDS, 86_400, signers)),
        )
        outbound = {"destinationGateway": self.own_address, **CAPS}
        self.send(self.owner, self.routes.functions.setOutbound(self.chain, outbound))
        self.send(self.owner, self.routes.functions.setPrice(self.chain, PRICE))
        self.send(self.owner, self.routes.functions.setInbound(self.own_address, True))  # noqa: FBT003

    def deploy(self, name: str, *arguments: Any) -> Contract:
        artifact = json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
        factory = self.web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = self.send(self.owner, factory.constructor(*arguments))
        return self.web3.eth.contract(address=receipt["contractAddress"], abi=artifact["abi"])

    def send(self, account: LocalAccount, call: Any, value: int = 0, gas: int = 40_000_000) -> TxReceipt:
        transaction = call.build_transaction(
            {
                "from": account.address,
                "value": value,
                "gas": gas,
                "gasPrice": 0,
                "nonce": self.web3.eth.get_transaction_count(account.address),
                "chainId": CHAIN_ID,
            }
        )
        transaction_hash = self.web3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
        receipt = self.web3.eth.wait_for_transaction_receipt(transaction_hash, poll_latency=0.005)
        assert receipt["status"] == 1, self.reason(account, transaction)
        return receipt

    def reason(self, account: LocalAccount, transaction: Any) -> str:
        """What a failed transaction reverts with, run once more."""
        fields = {name: transaction[name] for name in ("to", "data", "value", "gas") if name in transaction}
        answer = self.web3.provider.make_request(
            "eth_call",  # type: ignore[arg-type]
            [
                {"from": account.address, **{k: hex(v) if isinstance(v, int) else v for k, v in fields.items()}},
                "latest",
            ],
        )
        return str(answer.get("error"))[:500]

    def account(self, address: str) -> bytes:
        return evm_account(CHAIN_ID, bytes.fromhex(address[2:])).to_bytes()

    def ask(self, payload: bytes, address: str = "", **options: Any) -> Request:
        """Asks by `XvmPing` for a call to the counter, or to another contract here, at the fee quoted."""
        target = self.account(address or self.counter.address)
        given = {**OPTIONS, **options}
        fee = self.gateway.functions.quote(target, len(payload), given).call()
        receipt = self.send(self.deliverer, self.ping.functions.ask(target, payload, given), value=fee)
        (event,) = self.gateway.events.XVMCallRequested().process_receipt(receipt)
        fields = event["args"]["request"]
        request = Request(
            source_gateway=fields["sourceGateway"],
            sender=fields["sender"],
            destination_gateway=fields["destinationGateway"],
            target=fields["target"],
            nonce=fields["nonce"],
            mode=Mode(fields["mode"]),
            own_account=fields["ownAccount"],
            payload=fields["payload"],
            execution_gas_limit=fields["executionGasLimit"],
            callback_gas_limit=fields["callbackGasLimit"],
            return_limit=fields["returnLimit"],
            expiry=fields["expiry"],
            ordered_after=fields["orderedAfter"],
            origin=fields["origin"],
            code_hash=fields["codeHash"],
            dispute_blocks=fields["disputeBlocks"],
            metadata=fields["metadata"],
        )
        assert request_id(request) == event["args"]["requestId"].to_bytes(32, "big")
        return request

    def certificate(self, leaves: Sequence[bytes]) -> bytes:
        """By exactly as many signers as the threshold asks for, spread over the set."""
        batch = Batch.of_leaves(self.own_address, leaves, 1)
        step = len(self.keys) / self.threshold
        signers = [int(i * step) for i in range(self.threshold)]
        signatures = {i: self.keys[i].sign(batch.digest()) for i in signers}
        return build_certificate(batch, self.scheme.number, signatures).to_bytes()

    def execute_batch(self, requests: Sequence[Request]) -> dict[str, Any]:
        leaves, items = [], []
        for i, request in enumerate(requests):
            identifier = request_id(request)
            place = (1000 + i, keccak256(identifier), i, 1)
            leaves.append(Execute(identifier, *place).leaf)
            names = ("height", "blockHash", "txIndex", "logIndex")
            items.append({"request": request_fields(request), **dict(zip(names, place, strict=True))})
        return {"given": (1 << len(items)) - 1, "bare": [], "items": items, "certificate": self.certificate(leaves)}

    def expire_batch(self, requests: Sequence[Request]) -> dict[str, Any]:
        batch = self.execute_batch(requests)
        for item in batch["items"]:
            item["request"]["payloadHash"] = keccak256(item["request"].pop("payload"))
        return batch

    def deliver_batch(self, requests: Sequence[Request], return_data: bytes) -> dict[str, Any]:
        payee = bytes(12) + bytes.fromhex(self.executing.address[2:])
        leaves, items = [], []
        for i, request in enumerate(requests):
            identifier = request_id(request)
            place = (2000 + i, keccak256(return_data + identifier), i, 2)
            leaves.append(
                Outcome(identifier, OutcomeKind.EXECUTED, False, keccak256(return_data), *place, payee, 0).leaf  # noqa: FBT003
            )
            head = (int.from_bytes(identifier, "big"), 0, False)
            items.append((*head, *place, payee, 0, return_data))
        return {"given": (1 << len(items)) - 1, "bare": [], "outcomes": items, "certificate": self.certificate(leaves)}
