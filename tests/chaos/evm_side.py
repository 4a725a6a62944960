"""An EVM chain in a storm: accounts and contracts that ask, and the example counter.

Its job: sign, send, and send again what a reorg or a frozen chain lost, as wallets do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import coincurve
from eth_abi.abi import decode, encode

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.statement import OutcomeKind
from relayer.vms.evm.transaction import Transaction
from tests.chaos.cases import CASES, EXPIRES_AFTER_SECONDS, Case
from tests.chaos.evm_record import EvmRecord
from tests.chaos.load import ACCOUNTS, ASKERS
from tests.chaos.rpc import ChainRpc
from tests.chaos.sides import Aim, Asked, Due, Side
from tests.chaos.sightings import Truth

NOBODY = bytes.fromhex("00000000000000000000000000000000000e0a00")
"""An address that holds no code."""

STARVING_CALLBACK_GAS = 2_500
"""Too little for any handler of ours: the callback runs out of gas, and the handler has failed."""

LOST_AFTER_SECONDS = 3.0
"""An account whose nonce stands still for so long sends again."""

_OPTIONS_TYPE = "(uint8,bool,uint64,uint64,uint32,uint64,bool,bytes32,uint32,uint64,bytes)"
_ASK = f"ask(bytes,bytes,{_OPTIONS_TYPE})"
_EXECUTE = f"xvmExecute(bytes,bytes,{_OPTIONS_TYPE})"
_QUOTE = f"quote(bytes,uint256,{_OPTIONS_TYPE})"
_REFUSED = "Refused(uint256)"
_FUNCTIONS = {
    "increment": "increment(uint256)",
    "fail": "fail(uint256)",
    "answer": "answer(uint256)",
    "burn": "burn()",
    "count": "count()",
}
_SENT_AGAIN = 40
_ASK_GAS, _DEPLOY_GAS = 700_000, 3_000_000
_MAX_FEE, _PRIORITY_FEE = 40 * 10**9, 10**9
_OVERPAY = 2


@dataclass(slots=True)
class Account:
    """One load account and everything that it ever signed, by nonce."""

    key: coincurve.PrivateKey
    address: bytes
    raws: list[bytes] = field(default_factory=list)
    mined: int = 0
    moved_at: float = 0.0


class EvmSide:
    """Implements the port `Side`. Addresses are 20 bytes."""

    def __init__(self, description: Mapping[str, Any], rpc: ChainRpc) -> None:
        self.name = str(description["name"])
        self.rpc = rpc
        self.asked: dict[str, Asked] = {}
        self.block_seconds = int(description["block_time_seconds"])
        self.accounts = []
        for entry in description["accounts"][:ACCOUNTS]:
            key = coincurve.PrivateKey(bytes.fromhex(entry["private_key"][2:]))
            self.accounts.append(Account(key, bytes.fromhex(entry["address"][2:])))
        self._chain_id = int(description["caip2"].partition(":")[2])
        self._gateway = bytes.fromhex(description["gateway"][2:])
        self.gateway = self._account(self._gateway)
        self._counter = b""
        self._askers: list[bytes] = []
        self._fees: dict[tuple[str, Case], int] = {}

    @property
    def is_all_sent(self) -> bool:
        """Whether every account's transactions are in blocks now."""
        return all(account.mined >= len(account.raws) for account in self.accounts)

    async def deploy(self) -> None:
        """The counter and the asking contracts."""
        account = self.accounts[0]
        creations = [_creation("XvmCounter", self._gateway), *[_creation("XvmEcho", self._gateway)] * ASKERS]
        raws = [self._sign(account, b"", 0, creation, _DEPLOY_GAS) for creation in creations]
        await self._send(raws)
        receipts = [("eth_getTransactionReceipt", [_hash(raw)]) for raw in raws]
        found = await self.rpc.batch(receipts)
        while None in found:
            await self.rpc.await_blocks(1)
            found = await self.rpc.batch(receipts)
        self._counter, *self._askers = (bytes.fromhex(receipt["contractAddress"][2:]) for receipt in found)

    async def open_to(self, others: Sequence[Side]) -> None:
        """What each kind costs to each of the others."""
        # The quote is asked for at a later time than this block's.
        now = await self._now() + 5
        for other in others:
            for case in CASES:
                aim = other.aim(case, 0)
                data = encode(
                    ["bytes", "uint256", _OPTIONS_TYPE], [aim.account, len(aim.payload), _options(case, aim, now)]
                )
                call = {"to": f"0x{self._gateway.hex()}", "data": f"0x{(_selector(_QUOTE) + data).hex()}"}
                answer = await self.rpc.call("eth_call", call, "latest")
                (self._fees[other.name, case],) = decode(["uint256"], bytes.fromhex(answer[2:]))

    def aim(self, case: Case, number: int) -> Aim:
        """The counter's calldata."""
        address = {"counter": self._counter, "nobody": NOBODY, "gateway": self._gateway}[case.target]
        signature = _FUNCTIONS[case.function]
        payload = _selector(signature) + (b"" if signature.endswith("()") else encode(["uint256"], [number]))
        return Aim(self._account(address), payload, EXPIRES_AFTER_SECONDS if case.expires else 0)

    async def ask(self, due: Sequence[tuple[Due, Aim]]) -> None:
        """A transaction each."""
        now = await self._now() if due else 0
        raws = [self._ask(it, aim, now) for it, aim in due]
        await self._send([*raws, *await self._lost()])

    def result(self, case: Case, number: int, count: int) -> Truth:
        """As the example counter has it."""
        if case.target != "counter":
            return Truth(OutcomeKind.UNREACHED, cut=False, return_data=b"")
        match case.function:
            case "fail":
                data = _selector(_REFUSED) + encode(["uint256"], [number])
                return Truth(OutcomeKind.REVERTED, cut=False, return_data=data)
            case "burn":
                return Truth(OutcomeKind.REVERTED, cut=False, return_data=b"")
            case "answer":
                data = encode(["bytes"], [b"\xab" * number])
                limit = case.return_limit or len(data)
                return Truth(OutcomeKind.EXECUTED, cut=limit < len(data), return_data=data[:limit])
            case _:
                return Truth(OutcomeKind.EXECUTED, cut=False, return_data=encode(["uint256"], [count]))

    def open_record(self, start: int, depth: int) -> EvmRecord:
        """By the logs of all its contracts."""
        watched = [f"0x{address.hex()}" for address in (self._gateway, self._counter, *self._askers)]
        return EvmRecord(self.rpc, watched, start, depth)

    def _account(self, address: bytes) -> bytes:
        return evm_account(self._chain_id, address).to_bytes()

    async def _now(self) -> int:
        return int((await self.rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"], 16)  # noqa: FBT003 - no transactions

    def _ask(self, due: Due, aim: Aim, now: int) -> bytes:
        case, account = due.case, self.accounts[due.account]
        asker = self._askers[due.asker]
        arguments = encode(["bytes", "bytes", _OPTIONS_TYPE], [aim.account, aim.payload, _options(case, aim, now)])
        to, function = (self._gateway, _EXECUTE) if case.is_eoa else (asker, _ASK)
        fee = self._fees[due.destination, case] * _OVERPAY
        raw = self._sign(account, to, fee, _selector(function) + arguments, _ASK_GAS)
        sender = self._account(account.address if case.is_eoa else asker)
        self.asked[_hash(raw)] = Asked(case, sender, due.destination, due.number)
        return raw

    async def _lost(self) -> list[bytes]:
        """What the chain has forgotten, or never got."""
        now = asyncio.get_running_loop().time()
        calls = [("eth_getTransactionCount", [f"0x{account.address.hex()}", "latest"]) for account in self.accounts]
        lost: list[bytes] = []
        for account, answer in zip(self.accounts, await self.rpc.batch(calls), strict=True):
            mined = int(answer, 16)
            if mined != account.mined or mined == len(account.raws):
                account.mined, account.moved_at = mined, now
            elif now - account.moved_at > LOST_AFTER_SECONDS:
                lost += account.raws[mined : mined + _SENT_AGAIN]
                account.moved_at = now
        return lost

    async def _send(self, raws: Sequence[bytes]) -> None:
        # Refusals (known, too low) are of no interest: what is not mined is sent again.
        await self.rpc.batch([("eth_sendRawTransaction", [f"0x{raw.hex()}"]) for raw in raws])

    def _sign(self, account: Account, to: bytes, value: int, data: bytes, gas: int) -> bytes:
        nonce = len(account.raws)
        raw = Transaction(self._chain_id, nonce, _PRIORITY_FEE, _MAX_FEE, gas, to, value, data).sign(account.key)
        account.raws.append(raw)
        return raw


def _options(case: Case, aim: Aim, now: int) -> tuple[object, ...]:
    """The gateway's `Options`."""
    expiry = now + aim.expires_after_seconds if aim.expires_after_seconds else 0
    limits = (0, STARVING_CALLBACK_GAS if case.is_starving else 0, case.return_limit)
    return (int(case.mode), False, *limits, expiry, case.is_ordered, bytes(32), 0, 0, b"")


@cache
def _selector(signature: str) -> bytes:
    return keccak256(signature.encode())[:4]


def _creation(name: str, gateway: bytes) -> bytes:
    text = files("relayer.vms.evm").joinpath("artifacts", f"{name}.json").read_text("utf-8")
    return bytes.fromhex(json.loads(text)["bytecode"][2:]) + encode(["address"], [gateway])


def _hash(raw: bytes) -> str:
    return f"0x{keccak256(raw).hex()}"
