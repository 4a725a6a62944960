"""A Solana chain in a storm: accounts that ask by the example asker or for themselves, and the example counter.

Its job: sign, send, send again what the chain did not get, and sign anew what can land no more. A salt is used by one
request: what was signed twice lands once.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from attestation.address import InteroperableAddress, parse_account, parse_chain_text
from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.statement import OutcomeKind
from tests.chaos.cases import ABORTS_AFTER_SECONDS, EXPIRES_AFTER_SECONDS, Case
from tests.chaos.load import ACCOUNTS
from tests.chaos.rpc import ChainRpc, RpcFault
from tests.chaos.sides import Aim, Asked, Due, Side
from tests.chaos.sightings import Truth
from tests.chaos.svm_record import SvmRecord
from tests.svm.program import idl

LOST_AFTER_SECONDS: Final = 3.0
"""What is not in a block after so long is sent again."""

_SENT_AT_ONCE: Final = 20
"""What a body of 50 KiB holds."""

_STATUSES_AT_ONCE: Final = 250
_UNITS: Final = 1_400_000
_MAX_FEE: Final = 10**10
_KEEPS, _REFUSES = 0, 1
"""Manners of the example asker's handler."""

_FAILURE: Final = 7
_COUNT_LENGTH: Final = 8
_SEND_TERMS: Final = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
_NOBODY: Final = Pubkey(keccak256(b"nobody"))
_COUNTER, _ASKER = idl.EXAMPLES["counter"], idl.EXAMPLES["asker"]


@dataclass(slots=True)
class _Open:
    """A request that is not known to be in a block."""

    due: Due
    instructions: list[Instruction]
    payer: Keypair
    expires: bool
    raw: bytes = b""
    signature: str = ""
    last_height: int = -1
    sent_at: float = 0.0
    times: int = 0


class SvmSide:
    """Implements the port `Side`."""

    def __init__(self, description: Mapping[str, Any], rpc: ChainRpc) -> None:
        self.name = str(description["name"])
        self.rpc = rpc
        self.asked: dict[str, Asked] = {}
        self._chain = parse_chain_text(str(description["caip2"]))
        self._gateway = Pubkey.from_string(str(description["gateway"]))
        self.gateway = InteroperableAddress(self._chain, bytes(self._gateway)).to_bytes()
        secrets = [bytes.fromhex(str(entry["private_key"])[2:]) for entry in description["accounts"]]
        self._accounts = [Keypair.from_seed(secret) for secret in secrets[:ACCOUNTS]]
        self._count = _derived(_COUNTER.address, b"counter")
        self._open: list[_Open] = []
        self._salts = 0
        self._route_hashes: dict[str, bytes] = {}

    @property
    def is_all_sent(self) -> bool:
        """Whether every transaction that was sent is in a block now."""
        return not self._open

    async def deploy(self) -> None:
        """Make the counter's account; the programs are there."""
        payer = self._accounts[0]
        making = _COUNTER.instruction(
            _COUNTER.address, "initialize", {"payer": payer.pubkey(), "counter": self._count}, {}
        )
        told = (await self.rpc.call("getLatestBlockhash"))["value"]
        message = MessageV0.try_compile(payer.pubkey(), [making], [], Hash.from_string(told["blockhash"]))
        await self.rpc.call("sendTransaction", _text(bytes(VersionedTransaction(message, [payer]))), _SEND_TERMS)
        await self.rpc.await_blocks(2)

    async def open_to(self, others: Sequence[Side]) -> None:
        """The names of routes. Who asks here says how much at the most, and pays what it costs."""
        self._route_hashes = {other.name: keccak256(self.gateway + other.gateway) for other in others}

    def aim(self, case: Case, number: int) -> Aim:
        """The counter's call in Borsh."""
        program = {"counter": _COUNTER.address, "nobody": _NOBODY, "gateway": self._gateway}[case.target]
        accounts: list[tuple[Pubkey, bool]] = []
        match case.function:
            case "increment":
                # Nobody in particular calls: the optional caller is the program itself.
                accounts = [(self._count, True), (_COUNTER.address, False)]
                data = _COUNTER.instruction_data("increment", {"amount": 1})
            case "count":
                accounts = [(self._count, False)]
                data = _COUNTER.instruction_data("read", {})
            case "answer":
                data = _COUNTER.instruction_data("answer", {"length": number})
            case "burn":
                data = _COUNTER.instruction_data("burn", {"rounds": 10**9})
            case _:
                data = _COUNTER.instruction_data("fail", {"code": _FAILURE})
        metas = b"".join(bytes(key) + bytes([0, is_writable]) for key, is_writable in accounts)
        payload = len(accounts).to_bytes(4, "little") + metas + len(data).to_bytes(4, "little") + data
        return Aim(InteroperableAddress(self._chain, bytes(program)).to_bytes(), payload, _seconds(case))

    async def ask(self, due: Sequence[tuple[Due, Aim]]) -> None:
        """A transaction each."""
        # The chain's blocks have the time of the machine.
        now = int(time.time())
        self._open += [self._opened(it, aim, now) for it, aim in due]
        if self._open:
            await self._forget_what_landed()
            await self._sign_and_send()

    def result(self, case: Case, number: int, count: int) -> Truth:
        """As the example counter has it."""
        if case.target != "counter":
            return Truth(OutcomeKind.UNREACHED, cut=False, return_data=b"")
        match case.function:
            case "fail" | "burn":
                kind = OutcomeKind.REVERTED if case.mode is Mode.QUERY else OutcomeKind.EXPIRED
                return Truth(kind, cut=False, return_data=b"")
            case "answer":
                limit = case.return_limit or number
                return Truth(OutcomeKind.EXECUTED, cut=limit < number, return_data=b"\xab" * min(number, limit))
            case _:
                return Truth(OutcomeKind.EXECUTED, cut=False, return_data=count.to_bytes(_COUNT_LENGTH, "little"))

    def open_record(self, start: int, depth: int) -> SvmRecord:
        """By what the gateway told."""
        del depth  # what is confirmed here stays
        return SvmRecord(self.rpc, self._gateway, start, self._is_hostile)

    async def fetch_count(self) -> int:
        """What the counter says itself."""
        found = await self.rpc.call(
            "getAccountInfo", str(self._count), {"encoding": "base64", "commitment": "confirmed"}
        )
        return int(_COUNTER.decode_account("Counter", base64.b64decode(found["value"]["data"][0]))["count"])

    def _is_hostile(self, transaction: str) -> bool:
        asked = self.asked.get(transaction)
        return asked is not None and asked.case.is_starving

    def _opened(self, due: Due, aim: Aim, now: int) -> _Open:
        owner = self._accounts[due.account]
        salt, self._salts = self._salts, self._salts + 1
        options = {
            "mode": int(due.case.mode),
            "own_account": False,
            "execution_gas_limit": 0,
            "callback_gas_limit": 0,
            "return_limit": due.case.return_limit,
            "expiry": now + aim.expires_after_seconds if aim.expires_after_seconds else 0,
            "ordered": due.case.is_ordered,
            "code_hash": bytes(32),
            "dispute_blocks": 0,
            "deadline_slots": 0,
            "metadata": b"",
        }
        arguments = {"salt": salt, "max_fee": _MAX_FEE, "target": aim.account, "payload": aim.payload}
        asking = self._asking(due, owner, salt, {**arguments, "options": options})
        return _Open(due, [set_compute_unit_limit(_UNITS), asking], owner, bool(aim.expires_after_seconds))

    def _asking(self, due: Due, owner: Keypair, salt: int, arguments: dict[str, Any]) -> Instruction:
        """Of the asker, or of the gateway where nobody is to be called back."""
        sender = self._sender(due, owner)
        target = parse_account(arguments["target"])
        chain = InteroperableAddress(target.chain, b"").to_bytes()
        accounts = {
            "payer": owner.pubkey(),
            "config": _derived(self._gateway, b"config"),
            "event_authority": _derived(self._gateway, b"__event_authority"),
            "sender": sender,
            "outbound": _derived(self._gateway, b"outbound", keccak256(chain)),
            "sender_state": _derived(self._gateway, b"sender", bytes(sender)),
            "pending": _derived(self._gateway, b"pending", bytes(sender), salt.to_bytes(8, "little")),
        }
        if due.case.is_ordered:
            accounts["ordered"] = _derived(
                self._gateway, b"ordered", bytes(sender), self._route_hashes[due.destination]
            )
        if due.case.is_eoa:
            accounts["program"] = self._gateway
            return idl.instruction(self._gateway, "request", accounts, {**arguments, "callback": None})
        accounts["gateway"] = self._gateway
        salted = (bytes(owner.pubkey()), salt.to_bytes(8, "little"))
        accounts["question"] = _derived(_ASKER.address, b"question", *salted)
        manner = _REFUSES if due.case.is_starving else _KEEPS
        return _ASKER.instruction(
            _ASKER.address, "ask", accounts, {**arguments, "manner": manner, "handler_accounts": []}
        )

    @staticmethod
    def _sender(due: Due, owner: Keypair) -> Pubkey:
        return owner.pubkey() if due.case.is_eoa else _derived(_ASKER.address, b"xvm", bytes(owner.pubkey()))

    async def _forget_what_landed(self) -> None:
        sent = [it for it in self._open if it.signature]
        for first in range(0, len(sent), _STATUSES_AT_ONCE):
            some = sent[first : first + _STATUSES_AT_ONCE]
            terms = {"searchTransactionHistory": True}
            told = await self.rpc.call("getSignatureStatuses", [it.signature for it in some], terms)
            for it, status in zip(some, told["value"], strict=True):
                if status is None or status["confirmationStatus"] == "processed":
                    continue
                # Signed twice, the second fails where the first has landed; and a frozen chain may let an expiry pass.
                if status["err"] is not None and it.times == 1 and not it.expires:
                    raise AssertionError(f"{it.due} is refused: {status['err']}")
                self._open.remove(it)

    async def _sign_and_send(self) -> None:
        clock = asyncio.get_running_loop().time()
        height = await self.rpc.call("getBlockHeight", {"commitment": "confirmed"})
        late = [it for it in self._open if it.last_height < height]
        if late:
            told = (await self.rpc.call("getLatestBlockhash", {"commitment": "confirmed"}))["value"]
            for it in late:
                self._sign(it, Hash.from_string(told["blockhash"]), told["lastValidBlockHeight"])
        sending = [it for it in self._open if it in late or clock - it.sent_at > LOST_AFTER_SECONDS]
        for first in range(0, len(sending), _SENT_AT_ONCE):
            some = sending[first : first + _SENT_AT_ONCE]
            answers = await self.rpc.batch([("sendTransaction", [_text(it.raw), _SEND_TERMS]) for it in some])
            for it, answer in zip(some, answers, strict=True):
                if isinstance(answer, RpcFault):
                    raise answer
                it.sent_at = clock

    def _sign(self, it: _Open, blockhash: Hash, last_height: int) -> None:
        message = MessageV0.try_compile(it.payer.pubkey(), it.instructions, [], blockhash)
        signed = VersionedTransaction(message, [it.payer])
        it.raw, it.signature, it.last_height = bytes(signed), str(signed.signatures[0]), last_height
        it.times += 1
        sender = InteroperableAddress(self._chain, bytes(self._sender(it.due, it.payer))).to_bytes()
        self.asked[it.signature] = Asked(it.due.case, sender, it.due.destination, it.due.number)


def _seconds(case: Case) -> int:
    if case.expires:
        return EXPIRES_AFTER_SECONDS
    return ABORTS_AFTER_SECONDS if case.mode is Mode.CALL and case.function in {"fail", "burn"} else 0


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _derived(program: Pubkey, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(seeds, program)[0]
