"""The users of a storm: accounts and contracts on both chains that ask, all through it.

Its job: ask what was drawn when it is due, and send again what a reorg or a frozen chain lost, as wallets do. It does
not look at what becomes of it.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import coincurve
from eth_abi.abi import decode, encode

from attestation.address import evm_account
from attestation.keccak import keccak256
from relayer.vms.evm.transaction import Transaction
from tests.chaos.cases import ASK, CASES, EXECUTE, NOBODY, OPTIONS_TYPE, QUOTE, Case, options, payload, selector
from tests.chaos.rpc import ChainRpc

ACCOUNTS = 8
"""Of the ten of a chain; the last is left to the byzantine node."""

ASKERS = 6
"""Asking contracts a chain: each has a line of ordered requests of its own."""

LAST_ASKED_PART = 0.95
"""Of the storm: what is asked last still meets faults."""

ANSWER_BYTES = 300
LOST_AFTER_SECONDS = 3.0
"""An account whose nonce stands still for so long sends again."""

_SENT_AGAIN = 40
_TICK_SECONDS = 0.4
_ASK_GAS, _DEPLOY_GAS = 700_000, 3_000_000
_MAX_FEE, _PRIORITY_FEE = 40 * 10**9, 10**9
_OVERPAY = 2


@dataclass(frozen=True, slots=True)
class Due:
    """One request to be asked: `number` is the target's argument."""

    at: float
    source: str
    case: Case
    account: int
    asker: int
    number: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was sent, whether it landed or not. `asker` is the 20-byte account that asks."""

    case: Case
    asker: bytes
    number: int


@dataclass(slots=True)
class Account:
    """One load account and everything that it ever signed, by nonce."""

    key: coincurve.PrivateKey
    address: bytes
    raws: list[bytes] = field(default_factory=list)
    mined: int = 0
    moved_at: float = 0.0


@dataclass(slots=True)
class Side:
    """One chain as users use it. Addresses are 20 bytes."""

    name: str
    chain_id: int
    block_seconds: int
    gateway: bytes
    rpc: ChainRpc
    accounts: list[Account]
    counter: bytes = b""
    askers: list[bytes] = field(default_factory=list)
    fees: dict[Case, int] = field(default_factory=dict)

    @property
    def watched(self) -> list[str]:
        """All contracts whose logs tell something."""
        return [f"0x{address.hex()}" for address in (self.gateway, self.counter, *self.askers)]


class Load:
    """All users. `asked` holds every request that was ever sent, by the hash of its transaction."""

    def __init__(self, sides: Sequence[Side], requests: int, seconds: float, seed: int) -> None:
        self.sides = {side.name: side for side in sides}
        self.asked: dict[str, Asked] = {}
        self._due = {side.name: draw(requests, seconds, seed, [s.name for s in sides], side.name) for side in sides}

    @property
    def is_all_sent(self) -> bool:
        """Whether everything was sent, and every account's transactions are in blocks now."""
        accounts = [account for side in self.sides.values() for account in side.accounts]
        return not any(self._due.values()) and all(account.mined >= len(account.raws) for account in accounts)

    async def deploy(self) -> None:
        """Targets and asking contracts, and what each kind costs. Nothing disturbs yet."""
        await asyncio.gather(*(self._deploy(side) for side in self.sides.values()))
        for side in self.sides.values():
            await self._fetch_fees(side)

    async def run(self) -> None:
        """Ask, until cancelled."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for side in self.sides.values():
                tasks.create_task(self._ask_on(side, began))

    async def _ask_on(self, side: Side, began: float) -> None:
        due = self._due[side.name]
        while True:
            block = await side.rpc.block("latest")
            elapsed = asyncio.get_running_loop().time() - began
            raws = []
            while due and due[0].at <= elapsed:
                raws.append(self._sign(side, due.pop(0), int(block["timestamp"], 16)))
            await self._send(side, [*raws, *await self._lost(side)])
            await asyncio.sleep(_TICK_SECONDS)

    def _sign(self, side: Side, due: Due, now: int) -> bytes:
        case, account = due.case, side.accounts[due.account]
        other = next(it for it in self.sides.values() if it is not side)
        target, asker = _target(case, other), side.askers[due.asker]
        chosen = options(case, now, side.block_seconds)
        arguments = encode(["bytes", "bytes", OPTIONS_TYPE], [target, payload(case, due.number), chosen])
        to, function = (side.gateway, EXECUTE) if case.is_eoa else (asker, ASK)
        raw = _sign(side, account, to, side.fees[case] * _OVERPAY, selector(function) + arguments, _ASK_GAS)
        self.asked[_hash(raw)] = Asked(case, account.address if case.is_eoa else asker, due.number)
        return raw

    async def _lost(self, side: Side) -> list[bytes]:
        """What a chain has forgotten, or never got."""
        now = asyncio.get_running_loop().time()
        calls = [("eth_getTransactionCount", [f"0x{account.address.hex()}", "latest"]) for account in side.accounts]
        lost: list[bytes] = []
        for account, answer in zip(side.accounts, await side.rpc.batch(calls), strict=True):
            mined = int(answer, 16)
            if mined != account.mined or mined == len(account.raws):
                account.mined, account.moved_at = mined, now
            elif now - account.moved_at > LOST_AFTER_SECONDS:
                lost += account.raws[mined : mined + _SENT_AGAIN]
                account.moved_at = now
        return lost

    @staticmethod
    async def _send(side: Side, raws: Sequence[bytes]) -> None:
        # Refusals (known, too low) are of no interest: what is not mined is sent again.
        await side.rpc.batch([("eth_sendRawTransaction", [f"0x{raw.hex()}"]) for raw in raws])

    async def _deploy(self, side: Side) -> None:
        account = side.accounts[0]
        creations = [_creation("XvmCounter", side.gateway), *[_creation("XvmEcho", side.gateway)] * ASKERS]
        raws = [_sign(side, account, b"", 0, creation, _DEPLOY_GAS) for creation in creations]
        await self._send(side, raws)
        receipts = [("eth_getTransactionReceipt", [_hash(raw)]) for raw in raws]
        found = await side.rpc.batch(receipts)
        while None in found:
            await side.rpc.await_blocks(1)
            found = await side.rpc.batch(receipts)
        side.counter, *side.askers = (bytes.fromhex(receipt["contractAddress"][2:]) for receipt in found)

    async def _fetch_fees(self, side: Side) -> None:
        other = next(it for it in self.sides.values() if it is not side)
        block = await side.rpc.block("latest")
        for case in CASES:
            # The quote is asked for at a later time than this block's.
            chosen = options(case, int(block["timestamp"], 16) + 5, side.block_seconds)
            data = encode(["bytes", "uint256", OPTIONS_TYPE], [_target(case, other), len(payload(case, 0)), chosen])
            call = {"to": f"0x{side.gateway.hex()}", "data": f"0x{(selector(QUOTE) + data).hex()}"}
            answer = await side.rpc.call("eth_call", call, "latest")
            (side.fees[case],) = decode(["uint256"], bytes.fromhex(answer[2:]))


def draw(requests: int, seconds: float, seed: int, chains: Sequence[str], source: str) -> list[Due]:
    """The requests from `source`, by time. The same arguments give the same requests."""
    rng = random.Random(seed)
    found: list[Due] = []
    for _ in range(requests):
        (case,) = rng.choices(CASES, [case.weight for case in CASES])
        number = ANSWER_BYTES if case.function.startswith("answer") else rng.randrange(1, 1000)
        at = rng.uniform(0.0, seconds * LAST_ASKED_PART)
        found.append(Due(at, rng.choice(list(chains)), case, rng.randrange(ACCOUNTS), rng.randrange(ASKERS), number))
    return sorted((due for due in found if due.source == source), key=lambda due: due.at)


def open_side(description: Mapping[str, Any], rpc: ChainRpc) -> Side:
    """A chain as the devnet's description has it."""
    accounts = []
    for entry in description["accounts"][:ACCOUNTS]:
        key = coincurve.PrivateKey(bytes.fromhex(entry["private_key"][2:]))
        accounts.append(Account(key, bytes.fromhex(entry["address"][2:])))
    return Side(
        name=description["name"],
        chain_id=int(description["caip2"].partition(":")[2]),
        block_seconds=int(description["block_time_seconds"]),
        gateway=bytes.fromhex(description["gateway"][2:]),
        rpc=rpc,
        accounts=accounts,
    )


def _target(case: Case, destination: Side) -> bytes:
    address = {"counter": destination.counter, "nobody": NOBODY, "gateway": destination.gateway}[case.target]
    return evm_account(destination.chain_id, address).to_bytes()


def _sign(side: Side, account: Account, to: bytes, value: int, data: bytes, gas: int) -> bytes:
    nonce = len(account.raws)
    raw = Transaction(side.chain_id, nonce, _PRIORITY_FEE, _MAX_FEE, gas, to, value, data).sign(account.key)
    account.raws.append(raw)
    return raw


def _creation(name: str, gateway: bytes) -> bytes:
    text = files("relayer.vms.evm").joinpath("artifacts", f"{name}.json").read_text("utf-8")
    return bytes.fromhex(json.loads(text)["bytecode"][2:]) + encode(["address"], [gateway])


def _hash(raw: bytes) -> str:
    return f"0x{keccak256(raw).hex()}"
