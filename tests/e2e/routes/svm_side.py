"""A Solana chain as the suite over routes uses it, by plain JSON-RPC and the programs' IDLs."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.request import Request, urlopen

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, CompiledInstruction, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from attestation.address import InteroperableAddress, parse_account, parse_chain_text
from attestation.keccak import keccak256
from attestation.request import Mode, RequestId
from attestation.statement import OutcomeKind
from attestation.textcodecs import base58_decode
from tests.e2e.routes.sides import Aim, Ending, Refused, Target, Told
from tests.svm.program import idl

_COMPUTE_UNITS: Final = 1_400_000
_MAX_FEE: Final = 10**10
_PATIENCE_SECONDS: Final = 30.0
_MAX_DATA_CHARACTERS: Final = 20_000
"""Of an event's data in base58."""

_ADD_ONE: Final = 1
_FAILURE: Final = 7
_KEEPS, _REFUSES = 0, 1
"""Manners of the example asker's handler."""

_ANSWERED: Final = 2
"""A question's status."""

_CONFIRMED: Final = {"commitment": "confirmed"}

_OPTIONS: Final[Mapping[str, Any]] = {
    "mode": 0,
    "own_account": False,
    "execution_gas_limit": 0,
    "callback_gas_limit": 0,
    "return_limit": 0,
    "expiry": 0,
    "ordered": False,
    "code_hash": bytes(32),
    "dispute_blocks": 0,
    "deadline_slots": 0,
    "metadata": b"",
}


class SvmSide:
    """Implements `Side` with an account of the devnet's description."""

    has_catch = False
    hasty_seconds = 2

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.name = str(description["name"])
        self.caip2 = str(description["caip2"])
        self._rpc_url = str(description["rpc_url"])
        secret = bytes.fromhex(str(description["accounts"][-1]["private_key"]).removeprefix("0x"))
        self._payer = Keypair.from_seed(secret)
        self._gateway = Pubkey.from_string(str(description["gateway"]))
        self._counter, self._asker = idl.EXAMPLES["counter"], idl.EXAMPLES["asker"]
        self._count = _derived(self._counter.address, b"counter")
        self._salt = 0
        self._salts: dict[RequestId, int] = {}
        self._hostile: set[RequestId] = set()

    def prepare(self) -> None:
        accounts = {"payer": self._payer.pubkey(), "counter": self._count}
        self._send([self._counter.instruction(self._counter.address, "initialize", accounts, {})])

    # where requests go

    def aim(self, mode: Mode, target: Target) -> Aim:
        if target is Target.ABORTS:
            accounts, data = [], self._counter.instruction_data("fail", {"code": _FAILURE})
        elif mode is Mode.QUERY:
            accounts, data = [(self._count, False)], self._counter.instruction_data("read", {})
        else:
            # Nobody in particular calls: the optional caller is the program itself.
            accounts = [(self._count, True), (self._counter.address, False)]
            data = self._counter.instruction_data("increment", {"amount": _ADD_ONE})
        metas = b"".join(bytes(key) + bytes([0, is_writable]) for key, is_writable in accounts)
        payload = len(accounts).to_bytes(4, "little") + metas + len(data).to_bytes(4, "little") + data
        account = InteroperableAddress(parse_chain_text(self.caip2), bytes(self._counter.address))
        return Aim(account.to_bytes(), payload)

    def count(self) -> int:
        return int(self._counter.decode_account("Counter", self._account(self._count))["count"])

    def receipt(self, request_id: RequestId) -> str | None:
        slot = _derived(self._gateway, b"slot", request_id)
        return next((place for place, name, _ in self._events(slot, request_id) if name == "XVMCallConcluded"), None)

    def expects(self, mode: Mode, target: Target) -> tuple[OutcomeKind, bytes | None]:
        if target is Target.SUCCEEDS:
            return OutcomeKind.EXECUTED, None
        return (OutcomeKind.REVERTED if mode is Mode.QUERY else OutcomeKind.EXPIRED), b""

    def read_count(self, return_data: bytes) -> int:
        assert len(return_data) == 8
        return int.from_bytes(return_data, "little")

    # where requests come from

    def ask(self, aim: Aim, mode: Mode, *, seconds: int = 0, is_hostile: bool = False) -> RequestId:
        salt, self._salt = self._salt, self._salt + 1
        owner = self._payer.pubkey()
        sender = self._sender
        target = parse_account(aim.account)
        accounts = {
            "payer": owner,
            "config": _derived(self._gateway, b"config"),
            "event_authority": _derived(self._gateway, b"__event_authority"),
            "gateway": self._gateway,
            "sender": sender,
            "outbound": _derived(self._gateway, b"outbound", keccak256(target.chain.to_bytes())),
            "sender_state": _derived(self._gateway, b"sender", bytes(sender)),
            "pending": self._pending(salt),
            "question": self._question(salt),
        }
        options = {**_OPTIONS, "mode": int(mode), "expiry": self._now() + seconds if seconds else 0}
        arguments = {
            "manner": _REFUSES if is_hostile else _KEEPS,
            "handler_accounts": [],
            "salt": salt,
            "max_fee": _MAX_FEE,
            "target": aim.account,
            "payload": aim.payload,
            "options": options,
        }
        asking = self._asker.instruction(self._asker.address, "ask", accounts, arguments)
        place = self._send([set_compute_unit_limit(_COMPUTE_UNITS), asking])
        (event,) = [fields for name, fields in self._events_of(place) if name == "XVMCallRequested"]
        request_id = RequestId(bytes(event["request_id"]))
        self._salts[request_id] = salt
        if is_hostile:
            self._hostile.add(request_id)
        return request_id

    def ending(self, request_id: RequestId) -> Ending | None:
        events = list(self._events(self._pending(self._salts[request_id]), request_id))
        for place, name, fields in events:
            if name == "XVMCallbackDelivered":
                return Ending(OutcomeKind(fields["kind"]), is_handler_failed=False, place=place)
        for place, name, fields in events:
            # What is recorded may be called back any time later; a handler that refuses never is.
            if name == "XVMOutcomeRecorded" and request_id in self._hostile:
                return Ending(OutcomeKind(fields["kind"]), is_handler_failed=True, place=place)
        return None

    def told(self, request_id: RequestId) -> Told | None:
        question = self._account(self._question(self._salts[request_id]))
        state = self._asker.decode_account("Question", question)
        if state["status"] != _ANSWERED:
            return None
        return Told(bool(state["success"]), bytes(state["return_data"])[: state["return_length"]])

    def callbacks(self) -> int:
        return sum(1 for _ in self._successes(self._asker.address))

    # attacks

    def repeat(self, place: str) -> None:
        message = self._message(place)
        theirs, ours = message.account_keys[0], self._payer.pubkey()
        again = []
        for compiled in message.instructions:
            program, metas = _expanded(message, compiled)
            metas = [
                AccountMeta(ours if meta.pubkey == theirs else meta.pubkey, meta.is_signer, meta.is_writable)
                for meta in metas
            ]
            again.append(Instruction(program, bytes(compiled.data), metas))
        self._send(again, must_succeed=False)

    def forge(self, place: str) -> str:
        message = self._message(place)
        (acting,) = [i for i in message.instructions if message.account_keys[i.program_id_index] == self._gateway][:1]
        entry = next(e for e in idl.IDL["instructions"] if e["discriminator"] == [acting.data[0]])
        _, metas = _expanded(message, acting)
        root = metas[[account["name"] for account in entry["accounts"]].index("root")].pubkey
        certified = self._message(list(self._successes(root))[-1])
        verifying = next(i for i in certified.instructions if bytes(i.data)[:1] == b"\x0b")
        data = bytearray(verifying.data)
        data[1] ^= 1  # of the root: what was signed is another one
        epoch = int.from_bytes(data[36:44], "big").to_bytes(8, "little")
        count = int.from_bytes(data[33:35], "little").to_bytes(4, "little")
        accounts = {
            "payer": self._payer.pubkey(),
            "root": _derived(self._gateway, b"root", bytes(data[1:33]), epoch, count),
            "epoch": _derived(self._gateway, b"epoch", epoch),
        }
        metas = idl.instruction_accounts(self._gateway, "verify_certificate", accounts)
        forged = self._signed([set_compute_unit_limit(_COMPUTE_UNITS), Instruction(self._gateway, bytes(data), metas)])
        failure = self._ask_node(
            "simulateTransaction", _text(forged), {"encoding": "base64", "replaceRecentBlockhash": True}
        )["value"]["err"]
        return "" if failure is None else idl.ERRORS[failure["InstructionError"][1]["Custom"]]

    @property
    def _sender(self) -> Pubkey:
        """What the asker program asks as, for our account."""
        return _derived(self._asker.address, b"xvm", bytes(self._payer.pubkey()))

    def _pending(self, salt: int) -> Pubkey:
        return _derived(self._gateway, b"pending", bytes(self._sender), salt.to_bytes(8, "little"))

    def _question(self, salt: int) -> Pubkey:
        owner = bytes(self._payer.pubkey())
        return _derived(self._asker.address, b"question", owner, salt.to_bytes(8, "little"))

    def _account(self, key: Pubkey) -> bytes:
        found = self._ask_node("getAccountInfo", str(key), {"encoding": "base64", **_CONFIRMED})["value"]
        return base64.b64decode(found["data"][0])

    def _now(self) -> int:
        return int(self._ask_node("getBlockTime", self._ask_node("getSlot", _CONFIRMED)))

    def _successes(self, address: Pubkey) -> Iterator[str]:
        """Transactions that name the address and did not fail, newest first."""
        for entry in self._ask_node("getSignaturesForAddress", str(address), _CONFIRMED):
            if entry["err"] is None:
                yield entry["signature"]

    def _events(self, address: Pubkey, request_id: RequestId) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The gateway's events about the request in transactions that name the address: (place, name, fields)."""
        for place in self._successes(address):
            for name, fields in self._events_of(place):
                if bytes(fields["request_id"]) == request_id:
                    yield place, name, fields

    def _events_of(self, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
        found = self._transaction(place, "json")
        keys = found["transaction"]["message"]["accountKeys"]
        for inner in found["meta"]["innerInstructions"]:
            for instruction in inner["instructions"]:
                data = base58_decode(instruction["data"], _MAX_DATA_CHARACTERS)
                if keys[instruction["programIdIndex"]] == str(self._gateway) and data.startswith(idl.EVENT_TAG):
                    yield idl.decode_event(data)

    def _message(self, place: str) -> MessageV0:
        raw = base64.b64decode(self._transaction(place, "base64")["transaction"][0])
        message = VersionedTransaction.from_bytes(raw).message
        assert isinstance(message, MessageV0)
        assert not message.address_table_lookups
        return message

    def _transaction(self, place: str, encoding: str) -> Any:
        terms = {"encoding": encoding, "maxSupportedTransactionVersion": 0, **_CONFIRMED}
        return self._ask_node("getTransaction", place, terms)

    def _signed(self, instructions: Sequence[Instruction]) -> VersionedTransaction:
        blockhash = Hash.from_string(self._ask_node("getLatestBlockhash", _CONFIRMED)["value"]["blockhash"])
        message = MessageV0.try_compile(self._payer.pubkey(), list(instructions), [], blockhash)
        return VersionedTransaction(message, [self._payer])

    def _send(self, instructions: Sequence[Instruction], *, must_succeed: bool = True) -> str:
        terms = {"encoding": "base64", "skipPreflight": not must_succeed, "preflightCommitment": "processed"}
        place = str(self._ask_node("sendTransaction", _text(self._signed(instructions)), terms))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            (status,) = self._ask_node("getSignatureStatuses", [place])["value"]
            if status is not None and status["confirmationStatus"] != "processed":
                if must_succeed and status["err"] is not None:
                    raise Refused(status["err"])
                return place
            time.sleep(0.1)
        raise AssertionError(f"{place} is not taken in {_PATIENCE_SECONDS} s")

    def _ask_node(self, method: str, *params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = Request(self._rpc_url, body, {"Content-Type": "application/json"})  # noqa: S310 - a loopback URL of our own
        with urlopen(request, timeout=20) as answer:  # noqa: S310
            said = json.loads(answer.read())
        if "error" in said:
            raise Refused(method, said["error"])
        return said["result"]


def _text(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


def _derived(program: Pubkey, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(seeds, program)[0]


def _expanded(message: MessageV0, compiled: CompiledInstruction) -> tuple[Pubkey, list[AccountMeta]]:
    keys = message.account_keys
    metas = [
        AccountMeta(keys[index], message.is_signer(index), message.is_maybe_writable(index))
        for index in bytes(compiled.accounts)
    ]
    return keys[compiled.program_id_index], metas
