"""Asking on a CosmWasm chain, as any outside program would: one node, one account, the gateway's messages.

Its job: quote, send, and read the gateway's events. It asks no relayer and believes its one node, which is the caller's
own choice; relayers never use it.

Source: contracts/cosmwasm/README.md; contracts/cosmwasm/schema.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import orjson

from attestation.address import InteroperableAddress, bech32_prefix, parse_account_text
from attestation.errors import AttestationError
from attestation.keccak import keccak256
from attestation.request import RequestId
from attestation.schemes import SECP256K1
from attestation.statement import OutcomeKind
from relayer.cli.asking import Ask, Asked, Cancelled, Ending, Endpoint, Place, Receipt, TypedCall
from relayer.cli.cosmwasm.payload import CosmWasmPayloadCodec
from relayer.cosmos.accounts import account_of_secret
from relayer.cosmos.base import Coin
from relayer.cosmos.protobuf import MalformedProtobuf
from relayer.cosmos.tx import TxBody, TxRaw
from relayer.cosmos.wasm import MsgExecuteContract
from relayer.errors import CallReverted, ConfigError, RejectedError, RpcUnavailable
from relayer.keys.keystore import Secret
from relayer.vms.cosmwasm.events import EventReader
from relayer.vms.cosmwasm.failures import failure_detail
from relayer.vms.cosmwasm.one_node import FoundTx, OneNode
from relayer.vms.cosmwasm.signing_account import SigningAccount
from relayer.vms.cosmwasm.transactions import hash_of

MINED_SECONDS: Final = 120.0
"""Until the transaction is in a block: ten of the slowest chain's blocks."""

_POLL_SECONDS: Final = 0.2
_DELIVERED: Final = "XVMCallbackDelivered"
_FAILED: Final = "XVMHandlerFailed"
_CANCELLED: Final = "XVMCancelled"

_HINTS: Final = {
    "Unrouted": "no route leads from this gateway to the target's chain, or not in this mode",
    "ExpiryOutOfBounds": "choose another --expires-in",
    "DeadlineOutOfBounds": "choose another --deadline-blocks",
}
"""What to do about errors whose names alone do not tell it."""


Attributes = Mapping[str, str]
"""Of an event, by name."""


class CosmWasmTools:
    """Implements `VmTools`."""

    def account_text(self, secret: Secret) -> str:
        """Its 20 bytes in hex, for the bech32 prefix is the chain's. Raises `ConfigError`."""
        return f"0x{_account(secret).hex()}"

    def open_call(self, call: TypedCall) -> CosmWasmPayloadCodec:
        """A message in JSON. Raises `WrongUsage`."""
        return CosmWasmPayloadCodec(call)

    def open_source(self, endpoint: Endpoint, secret: Secret) -> CosmWasmSourceSession:
        """As the account with this key. Raises `ConfigError`."""
        return CosmWasmSourceSession(endpoint, secret)

    def open_destination(self, endpoint: Endpoint) -> CosmWasmGatewaySession:
        """To look. Raises `ConfigError`."""
        return CosmWasmGatewaySession(endpoint)


class CosmWasmGatewaySession:
    """A gateway, to look at. Implements `DestinationSession`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._chain = endpoint.chain
        prefix = bech32_prefix(endpoint.gateway)
        try:
            parse_account_text(f"{endpoint.chain}:{endpoint.gateway}")
        except AttestationError as error:
            raise ConfigError([f"--gateway: {error}; a gateway there is written in bech32"]) from None
        if prefix is None:
            raise ConfigError(["--gateway: write it in bech32: how the chain's accounts begin is taken from it"])
        self._gateway, self._prefix = endpoint.gateway, prefix
        self._node = OneNode(endpoint.chain, endpoint.rpc_url)
        chain_id = self._node.fetch_chain_id()
        if chain_id != endpoint.chain.reference_text:
            raise ConfigError([f"--rpc: the endpoint serves cosmos:{chain_id}, not {endpoint.chain}"])
        try:
            self._fee_denom = str(self._node.query(self._gateway, {"config": {}})["fee_denom"])
        except (CallReverted, KeyError, TypeError):
            raise ConfigError([f"--gateway: {self._gateway} is no gateway on {endpoint.chain}"]) from None

    def fetch_receipt(self, asked: Asked) -> Receipt | None:
        """The `XVMCallConcluded` of a request."""
        with self._reading():
            for found, event in self._find_events("XVMCallConcluded", asked.request_id):
                return Receipt(_kind(event), self._place(found))
        return None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What is not written as a node and the gateway write it is no answer."""
        try:
            yield
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise RpcUnavailable(
                f"{self._chain}: the endpoint gives a malformed answer ({type(error).__name__})"
            ) from None

    def _find_events(self, name: str, request_id: RequestId) -> Iterator[tuple[FoundTx, Attributes]]:
        """The gateway's events of this name about a request, each with its transaction, oldest first."""
        identifier = f"0x{request_id.hex()}"
        for found in self._node.search(f"wasm-{name}", "request_id", identifier):
            if found.code == 0:
                yield from ((found, event) for event in self._events(found, name) if event["request_id"] == identifier)

    def _events(self, found: FoundTx, name: str) -> Iterator[Attributes]:
        """The attributes of the gateway's events of this name in a transaction."""
        for event in EventReader(self._gateway, frozenset({name})).read_one(found.events):
            yield dict(event.attributes)

    def _place(self, found: FoundTx) -> Place:
        return Place(found.height, self._chain.hash_text(found.tx_hash))


class CosmWasmSourceSession(CosmWasmGatewaySession):
    """An account and its gateway. Implements `SourceSession`."""

    def __init__(self, endpoint: Endpoint, secret: Secret) -> None:
        _account(secret)
        super().__init__(endpoint)
        self._account = SigningAccount(secret.reveal(), self._chain, self._prefix, self._fee_denom)

    def quote(self, ask: Ask) -> int:
        """The gateway's quote, in the smallest unit of the denomination that it is paid in."""
        fields = {
            "target": f"0x{ask.target.to_bytes().hex()}",
            "payload_length": len(ask.payload),
            "options": self._options(ask),
        }
        with self._reading(), _explained():
            return int(self._node.query(self._gateway, {"quote": fields}))

    def send(self, ask: Ask, fee: int) -> Asked:
        """One transaction; returns when it is in a block."""
        fields = {
            "target": f"0x{ask.target.to_bytes().hex()}",
            "payload": base64.b64encode(ask.payload).decode("ascii"),
            "options": self._options(ask),
        }
        message = MsgExecuteContract(
            sender=self._account.text,
            contract=self._gateway,
            msg=orjson.dumps({"xvm_execute": fields}),
            funds=(Coin(self._fee_denom, str(fee)),) if fee else (),
        )
        with self._reading(), _explained():
            found = self._run(message)
            for event in self._events(found, "XVMCallRequested"):
                return Asked(
                    request_id=RequestId(bytes.fromhex(event["request_id"][2:])),
                    sender=InteroperableAddress(self._chain, self._account.account),
                    fee=int(event["fee"]),
                    place=self._place(found),
                )
        raise RejectedError(f"{self._chain}: the gateway told of no request in transaction {found.tx_hash.hex()}")

    def fetch_ending(self, asked: Asked) -> Ending | Cancelled | None:
        """The gateway's event, and from the transaction that delivered it the outcome with its data."""
        with self._reading():
            for found, event in self._find_events(_CANCELLED, asked.request_id):
                return Cancelled(int(event["returned"]), self._place(found))
            for name in (_DELIVERED, _FAILED):
                for found, event in self._find_events(name, asked.request_id):
                    ending = Ending(
                        kind=_kind(event),
                        success=event["success"] == "true",
                        is_handler_failed=name == _FAILED,
                        cut=False,
                        return_data=b"",
                        place=self._place(found),
                    )
                    return _with_data(ending, found, asked.request_id, event.get("return_data_hash"))
        return None

    def _run(self, message: MsgExecuteContract) -> FoundTx:
        """Send a transaction and wait until it is in a block."""
        node, account = self._node, self._account
        used = node.simulate_next(account.text, lambda told: account.draft(message, told))
        told = node.fetch_account(account.text)
        raw = account.sign(message, told, told.sequence, used, node.fetch_gas_price(self._fee_denom))
        node.broadcast(raw)
        tx_hash = hash_of(raw)
        deadline = time.monotonic() + MINED_SECONDS
        while time.monotonic() < deadline:
            found = node.find_tx(tx_hash)
            if found is not None and found.code != 0:
                raise CallReverted(failure_detail(found.log))
            if found is not None:
                return found
            time.sleep(_POLL_SECONDS)
        raise RejectedError(
            f"{self._chain}: transaction {self._chain.hash_text(tx_hash)} was not seen in {MINED_SECONDS:.0f} s; "
            "it may still be mined: look for it before you ask again"
        )

    def _options(self, ask: Ask) -> dict[str, Any]:
        """The gateway's `Options`; what is left out is the route's default."""
        expiry = self._node.fetch_time() + ask.expires_in_seconds if ask.expires_in_seconds else 0
        chosen = {
            "mode": int(ask.mode),
            "own_account": ask.own_account,
            "execution_gas_limit": str(ask.execution_gas_limit),
            "callback_gas_limit": str(ask.callback_gas_limit),
            "return_limit": ask.return_limit,
            "expiry": str(expiry),
            "deadline_blocks": str(ask.deadline_blocks),
            "code_hash": f"0x{ask.code_hash.hex()}",
            "metadata": base64.b64encode(ask.metadata).decode("ascii"),
        }
        return {name: value for name, value in chosen.items() if value not in (0, "0", "", _ANY_CODE)}


def _with_data(ending: Ending, found: FoundTx, request_id: RequestId, data_hash: str | None) -> Ending:
    """The event has the data's hash alone; the data stand in the delivering transaction's messages."""
    for outcome in _delivered(found.raw):
        data = base64.b64decode(outcome["return_data"])
        is_it = outcome["request_id"] == f"0x{request_id.hex()}" and outcome["kind"] == ending.kind
        if is_it and data_hash in (None, f"0x{keccak256(data).hex()}"):
            return replace(ending, cut=bool(outcome["cut"]), return_data=data)
    return ending


def _delivered(raw: bytes) -> Iterator[Mapping[str, Any]]:
    """The outcomes that a transaction's messages bring."""
    try:
        for message in TxBody.decode(TxRaw.decode(raw).body_bytes, is_lenient=True).messages:
            if message.type_url == MsgExecuteContract.TYPE_URL:
                called = orjson.loads(MsgExecuteContract.decode(message.value).msg)
                for batch in called.get("deliver", {}).get("batches", ()):
                    yield from batch["outcomes"]
                if "retry_callback" in called:
                    yield called["retry_callback"]["outcome"]
    except MalformedProtobuf as error:
        raise ValueError(str(error)) from None


@contextmanager
def _explained() -> Iterator[None]:
    """What the gateway refused, with what to do about it."""
    try:
        yield
    except CallReverted as error:
        hint = _HINTS.get(error.error_name.partition(":")[0])
        raise error if hint is None else CallReverted(f"{error.error_name}: {hint}") from None


def _account(secret: Secret) -> bytes:
    """The 20 bytes of a key's account. Raises `ConfigError`."""
    try:
        SECP256K1.signing_key(secret.reveal())
    except AttestationError as error:
        raise ConfigError([f"--key-file: {error}"]) from None
    return account_of_secret(secret.reveal())


def _kind(event: Attributes) -> OutcomeKind:
    return OutcomeKind(int(event["kind"]))


_ANY_CODE: Final = f"0x{bytes(32).hex()}"

tools: Final = CosmWasmTools()
"""What the entry point `cosmos` in `xvm.tools` names."""
