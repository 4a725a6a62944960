"""A chain in this process with the gateway on it, and everybody who deals with it: owner, signers, relayer, askers.

Deterministic: keys, clock and addresses are the same in every run, so that gas can be pinned.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.batch import Batch
from attestation.certificate import build_certificate
from attestation.keccak import keccak256
from attestation.request import Mode, Request, request_id
from attestation.schemes import SECP256K1
from attestation.signer_set import Signer, SignerSet
from attestation.statement import Execute
from relayer.cosmos.contract_address import predictable_address
from relayer.devnet.cosmwasm.chain_errors import ChainError
from relayer.devnet.cosmwasm.keeper import FailedError, Keeper, TxResult

CONTRACTS: Final = Path(__file__).resolve().parents[3] / "contracts" / "cosmwasm"
HERE: Final = Path(__file__).parent
MACHINE_CODE: Final = HERE.parents[2] / ".cache" / "cosmwasm"
"""So that contracts are compiled once, and not for every test."""

NOW: Final = 1_800_000_000
HEIGHT: Final = 1_000
DENOM: Final = "uxvm"
CHAIN_ID: Final = "xvm-cosmwasm-1"
CHAIN: Final = Chain(Namespace.COSMOS, CHAIN_ID.encode())

REMOTE_CHAIN: Final = Chain.evm(31337)
REMOTE_GATEWAY: Final = evm_account(31337, b"\x51" * 20).to_bytes()
REMOTE_SENDER: Final = evm_account(31337, b"\x5e" * 20).to_bytes()
OTHER_SENDER: Final = evm_account(31337, b"\x5f" * 20).to_bytes()
PAYEE: Final = bytes(12) + b"\xaa" * 20

SALT: Final = b"gateway"
PLACE: Final = (70, keccak256(b"source block"), 3, 1)
"""Height, block hash, transaction index and log index of what is certified, where nothing else is said."""


def hexed(data: bytes) -> str:
    """As messages have ids, hashes and ERC-7930 addresses."""
    return "0x" + data.hex()


def b64(data: bytes) -> str:
    """As messages have payloads and certificates."""
    return b64encode(data).decode()


def word(number: int) -> str:
    """A uint256."""
    return hexed(number.to_bytes(32, "big"))


def compact(value: Any) -> bytes:
    """A contract's message."""
    return json.dumps(value, separators=(",", ":")).encode()


def code(name: str) -> bytes:
    """A committed contract: ours, an example, or one of the tests."""
    folders = (HERE, CONTRACTS, CONTRACTS / "examples")
    folder = next(folder for folder in folders if (folder / f"{name}.wasm").is_file())
    return (folder / f"{name}.wasm").read_bytes()


def signing_keys(count: int, first: int = 1) -> list[Any]:
    """Signers' keys."""
    return [SECP256K1.signing_key(keccak256(b"signer %d" % number)) for number in range(first, first + count)]


def signer_set(keys: Sequence[Any], threshold: int, valid_until: int = NOW + 10**6) -> SignerSet:
    """A set of equal signers, each its own operator."""
    signers = tuple(Signer(key.key, 1, keccak256(b"operator %d" % index)) for index, key in enumerate(keys))
    return SignerSet(SECP256K1.number, threshold, valid_until, 86_400, signers)


def set_json(chosen: SignerSet) -> dict[str, Any]:
    """A set as a message has it."""
    return {
        "scheme": chosen.scheme,
        "threshold": str(chosen.threshold),
        "valid_until": str(chosen.valid_until),
        "grace_seconds": str(chosen.grace_seconds),
        "signers": [
            {"key": hexed(one.key), "weight": str(one.weight), "operator": hexed(one.operator)}
            for one in chosen.signers
        ],
    }


def request_json(asked: Request, *, by_hash: bool = False) -> dict[str, Any]:
    """A request as a message has it."""
    payload = {"payload_hash": hexed(keccak256(asked.payload))} if by_hash else {"payload": b64(asked.payload)}
    return {
        "source_gateway": hexed(asked.source_gateway),
        "sender": hexed(asked.sender),
        "destination_gateway": hexed(asked.destination_gateway),
        "target": hexed(asked.target),
        "nonce": str(asked.nonce),
        "mode": int(asked.mode),
        "own_account": asked.own_account,
        **payload,
        "execution_gas_limit": str(asked.execution_gas_limit),
        "callback_gas_limit": str(asked.callback_gas_limit),
        "return_limit": asked.return_limit,
        "expiry": str(asked.expiry),
        "ordered_after": word(asked.ordered_after),
        "origin": word(asked.origin),
        "code_hash": hexed(asked.code_hash),
        "dispute_blocks": asked.dispute_blocks,
        "metadata": b64(asked.metadata),
    }


def request_of(fields: Mapping[str, Any]) -> Request:
    """A request as an event tells it."""
    read = {name: bytes.fromhex(fields[name][2:]) for name in ("source_gateway", "sender", "target", "code_hash")}
    return Request(
        source_gateway=read["source_gateway"],
        sender=read["sender"],
        destination_gateway=bytes.fromhex(fields["destination_gateway"][2:]),
        target=read["target"],
        nonce=int(fields["nonce"]),
        mode=Mode(fields["mode"]),
        own_account=fields["own_account"],
        payload=b64decode(fields["payload"]),
        execution_gas_limit=int(fields["execution_gas_limit"]),
        callback_gas_limit=int(fields["callback_gas_limit"]),
        return_limit=fields["return_limit"],
        expiry=int(fields["expiry"]),
        ordered_after=int(fields["ordered_after"], 16),
        origin=int(fields["origin"], 16),
        code_hash=read["code_hash"],
        dispute_blocks=fields["dispute_blocks"],
        metadata=b64decode(fields["metadata"]),
    )


@dataclass(frozen=True)
class Sent:
    """A transaction that went through."""

    result: TxResult
    events: list[tuple[str, dict[str, str]]]
    """The gateway's, in order, without `wasm-`."""

    @property
    def names(self) -> list[str]:
        """Of the gateway's events."""
        return [name for name, _ in self.events]

    def event(self, name: str) -> dict[str, str]:
        """The one event of this name."""
        (found,) = (fields for kind, fields in self.events if kind == name)
        return found

    def all(self, name: str) -> list[dict[str, str]]:
        """The events of this name."""
        return [fields for kind, fields in self.events if kind == name]


class Refused(Exception):  # noqa: N818 - what a test expects, not a fault of its own
    """A transaction or a query that failed; `name` is the gateway's error, if it is one."""

    def __init__(self, log: str) -> None:
        """Reads what the chain says."""
        text = log.split("message index: 0: ", 1)[-1]
        self.name = text.split(":", 1)[0].split(" ", 1)[0]
        self.log = log
        super().__init__(log)


def new_keeper(chain_id: str) -> Keeper:
    """A chain on which nothing is yet."""
    MACHINE_CODE.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Keeper(chain_id, height=HEIGHT, time_ns=NOW * 10**9, cache=MACHINE_CODE)


class Ledger:
    """A chain with the gateway, its account code and the tests' target."""

    def __init__(
        self, *, signers: int = 4, threshold: int = 3, chain_id: str = CHAIN_ID, keeper: Keeper | None = None
    ) -> None:
        self.keeper = keeper or new_keeper(chain_id)
        self.chain = Chain(Namespace.COSMOS, chain_id.encode())
        self.owner, self.guardian, self.treasury, self.relayer, self.asker = (
            self.account(name) for name in ("owner", "guardian", "treasury", "relayer", "asker")
        )
        for person in (self.owner, self.relayer, self.asker):
            self.keeper.mint(person, {DENOM: 10**15})
        self.keys = signing_keys(signers)
        self.set = signer_set(self.keys, threshold)
        self.account_code = self.keeper.store_code(self.owner, code("xvm_account"))
        self.gateway_code = self.keeper.store_code(self.owner, code("xvm_gateway"))
        self.gateway = self.instantiate()
        self.address = self.interoperable(self.gateway)
        self.probe_code = self.keeper.store_code(self.owner, code("probe"))
        self.probe = self.new_probe()

    def instantiate(self, salt: bytes = SALT, **changes: Any) -> str:
        """A gateway that is its own administrator. Raises `Refused`."""
        creator = self.keeper.addresses.parse(self.owner)
        place = predictable_address(sha256(code("xvm_gateway")).digest(), creator, salt)
        message = {
            "owner": self.owner,
            "guardian": self.guardian,
            "treasury": self.treasury,
            "fee_denom": DENOM,
            "max_pause_blocks": 500,
            "quote_validity_blocks": 10,
            "block_milliseconds": 1_000,
            "sender_window_blocks": 0,
            "sender_max_requests": 0,
            "account_code_id": str(self.account_code),
            "account_checksum": hexed(sha256(code("xvm_account")).digest()),
            **changes,
        }
        try:
            return self.keeper.instantiate(
                self.owner, self.gateway_code, message, salt=salt, admin=self.keeper.addresses.text(place)
            )
        except FailedError as error:
            raise Refused(error.result.log) from None

    def open(self) -> Ledger:
        """The first signer set, and the remote gateway is believed."""
        self.act(self.owner, "install", {"set": set_json(self.set)})
        self.act(self.owner, "set_inbound", {"source_gateway": hexed(REMOTE_GATEWAY), "registered": True})
        return self

    def account(self, name: str) -> str:
        """An account that is no contract."""
        return self.keeper.addresses.text(keccak256(name.encode())[:20])

    def new_probe(self, *, knows_gateway: bool = True, admin: str = "") -> str:
        """A target of the tests'."""
        message = {"gateway": self.gateway} if knows_gateway else {}
        return self.keeper.instantiate(self.owner, self.probe_code, message, admin=admin)

    def interoperable(self, account: str) -> bytes:
        """ERC-7930 address of an account of this chain."""
        return InteroperableAddress(self.chain, self.keeper.addresses.parse(account)).to_bytes()

    @property
    def now(self) -> int:
        """The gateway's clock."""
        return self.keeper.block.time_ns // 10**9

    def send(self, sender: str, contract: str, message: Any, *, funds: int = 0, gas_limit: int | None = None) -> Sent:
        """A transaction that executes a contract. Raises `Refused`."""
        data = message if isinstance(message, bytes) else compact(message)
        coins = {DENOM: funds} if funds else None
        more = {} if gas_limit is None else {"gas_limit": gas_limit}
        result = self.keeper.execute(sender, contract, data, funds=coins, **more)
        if result.code:
            raise Refused(result.log)
        events = []
        for event in result.events:
            if event.type.startswith("wasm-") and event.values("_contract_address") == [self.gateway]:
                fields = {key: value for key, value in event.attributes if key != "_contract_address"}
                events.append((event.type.removeprefix("wasm-"), fields))
        return Sent(result, events)

    def act(self, sender: str, name: str, body: Any, *, funds: int = 0, gas_limit: int | None = None) -> Sent:
        """A message to the gateway. Raises `Refused`."""
        return self.send(sender, self.gateway, {name: body}, funds=funds, gas_limit=gas_limit)

    def ask(self, contract: str, message: Any) -> Any:
        """What a contract answers. Raises `Refused`."""
        data = message if isinstance(message, bytes) else compact(message)
        try:
            return json.loads(self.keeper.query_smart(contract, data))
        except ChainError as error:
            raise Refused(str(error)) from None

    def tell(self, name: str, **body: Any) -> Any:
        """What the gateway answers. Raises `Refused`."""
        return self.ask(self.gateway, {name: body})

    # The destination side.

    def request(self, nonce: int = 0, *, call: Any = None, **changes: Any) -> Request:
        """A request from the remote gateway to the probe: to answer `hello`, or the `call` that is given."""
        told = {"answer": {"data": b64(b"hello")}} if call is None else call
        asked = Request(
            source_gateway=REMOTE_GATEWAY,
            sender=REMOTE_SENDER,
            destination_gateway=self.address,
            target=self.interoperable(self.probe),
            nonce=nonce,
            mode=Mode.CALL,
            own_account=False,
            payload=told if isinstance(told, bytes) else compact(told),
            execution_gas_limit=500_000,
            callback_gas_limit=300_000,
            return_limit=1_024,
            expiry=self.now + 600,
            ordered_after=0,
            origin=0,
            code_hash=bytes(32),
            dispute_blocks=0,
            metadata=b"",
        )
        return replace(asked, **changes)

    def leaf(self, asked: Request) -> bytes:
        """What signers say of a request."""
        return Execute(request_id(asked), *PLACE).leaf

    def certificate(
        self, leaves: Sequence[bytes], signers: Sequence[int] | None = None, *, epoch: int = 1, gateway: bytes = b""
    ) -> bytes:
        """Over a batch of these leaves, by as many signers as it takes."""
        batch = Batch.of_leaves(gateway or self.address, list(leaves), epoch)
        chosen = range(self.set.threshold) if signers is None else signers
        signatures = {index: self.keys[index].sign(batch.digest()) for index in chosen}
        return build_certificate(batch, SECP256K1.number, signatures).to_bytes()

    def batch(
        self,
        requests: Sequence[Request],
        *,
        bare: Sequence[bytes] = (),
        given: int | None = None,
        by_hash: bool = False,
        certificate: bytes | None = None,
    ) -> dict[str, Any]:
        """A batch as a message has it: the requests, then bare leaves."""
        leaves = [*(self.leaf(asked) for asked in requests), *bare]
        bits = (1 << len(requests)) - 1 if given is None else given
        height, block_hash, tx_index, log_index = PLACE
        place = {"height": str(height), "block_hash": hexed(block_hash), "tx_index": tx_index, "log_index": log_index}
        return {
            "given": hexed(bits.to_bytes((bits.bit_length() + 7) // 8 or 1, "big")),
            "bare": [hexed(leaf) for leaf in bare],
            "items": [{"request": request_json(asked, by_hash=by_hash), **place} for asked in requests],
            "certificate": b64(self.certificate(leaves) if certificate is None else certificate),
        }

    def run(
        self,
        *requests: Request,
        how: Literal["execute", "expire"] = "execute",
        sender: str | None = None,
        gas_limit: int | None = None,
        **changes: Any,
    ) -> Sent:
        """Has a batch of requests executed or expired. Raises `Refused`."""
        batch = self.batch(requests, by_hash=how == "expire", **changes)
        body = {"batches": [batch], "payee": hexed(PAYEE)}
        return self.act(sender or self.relayer, how, body, gas_limit=gas_limit)

    def consumed(self, asked: Request) -> bytes:
        """The slot word of a request."""
        return bytes.fromhex(self.tell("consumed", request_id=hexed(request_id(asked)))[2:])
