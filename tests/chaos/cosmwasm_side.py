"""A CosmWasm chain in a storm: accounts that ask by the example askers or for themselves, and the example counter.

Its job: sign, send, and send again what the chain lost, in the order of each account's sequences, as wallets do.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from attestation.address import bech32_prefix, parse_account_text, parse_chain_text
from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.cosmos.accounts import ACCOUNT, BaseAccount, QueryAccountRequest, QueryAccountResponse
from relayer.cosmos.base import Coin
from relayer.cosmos.protobuf import Message
from relayer.cosmos.tx import TxMsgData
from relayer.cosmos.wasm import (
    SMART_CONTRACT_STATE,
    MsgExecuteContract,
    MsgInstantiateContract,
    MsgInstantiateContractResponse,
    MsgStoreCode,
    MsgStoreCodeResponse,
    QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
)
from relayer.vms.cosmwasm.signing_account import SigningAccount
from relayer.vms.cosmwasm.transactions import hash_of
from tests.chaos.cases import CASES, EXPIRES_AFTER_SECONDS, Case
from tests.chaos.cosmwasm_record import CosmWasmRecord
from tests.chaos.load import ACCOUNTS, ASKERS
from tests.chaos.rpc import ChainRpc, RpcFault
from tests.chaos.sides import Aim, Asked, Due, Side
from tests.chaos.sightings import Truth

LOST_AFTER_SECONDS: Final = 3.0
"""An account whose sequence stands still for so long sends again."""

_EXAMPLES: Final = Path(__file__).resolve().parents[2] / "contracts" / "cosmwasm" / "examples"
_NOBODY: Final = bytes(12) + b"\x0a" * 20
"""A contract's 32 bytes, where there is none."""

_FAILURE: Final = 7
_SENT_AGAIN: Final = 20
_ASK_GAS, _DEPLOY_GAS = 500_000, 10_000_000
_GAS_PRICE: Final = 30_000
"""In millionths of the smallest unit, where the chain asks for 25,000."""

_OVERPAY: Final = 2
_CALLS: Final[Mapping[str, Any]] = {
    "increment": {"increment": {"by": "1"}},
    "fail": {"fail": {"code": _FAILURE}},
    "burn": {"burn": {}},
    "count": {"count": {}},
}


@dataclass(slots=True)
class _Account:
    """One load account and everything that it ever signed since it was `told`."""

    signing: SigningAccount
    told: BaseAccount = field(default_factory=BaseAccount)
    raws: list[bytes] = field(default_factory=list)
    mined: int = 0
    moved_at: float = 0.0


class CosmWasmSide:
    """Implements the port `Side`."""

    def __init__(self, description: Mapping[str, Any], rpc: ChainRpc) -> None:
        self.name = str(description["name"])
        self.rpc = rpc
        self.asked: dict[str, Asked] = {}
        self._caip2 = str(description["caip2"])
        self._gateway = str(description["gateway"])
        self.gateway = self._interoperable(self._gateway)
        self._denom = str(description["fee_denom"])
        prefix, chain = bech32_prefix(self._gateway), parse_chain_text(self._caip2)
        assert prefix is not None
        secrets = [bytes.fromhex(str(entry["private_key"])[2:]) for entry in description["accounts"][:ACCOUNTS]]
        self._accounts = [_Account(SigningAccount(secret, chain, prefix, self._denom)) for secret in secrets]
        self._nobody = self.gateway[: -len(_NOBODY)] + _NOBODY
        self._counter = ""
        self._askers: list[str] = []
        self._fees: dict[tuple[str, Case], int] = {}

    @property
    def is_all_sent(self) -> bool:
        """Whether every account's transactions are in blocks now."""
        return all(account.mined >= len(account.raws) for account in self._accounts)

    async def deploy(self) -> None:
        """The counter and the asking contracts."""
        for account in self._accounts:
            account.told = await self._fetch_account(account)
        (owner, *_), owner_text = self._accounts, self._accounts[0].signing.text
        stored = [
            await self._act(owner, MsgStoreCode(owner_text, (_EXAMPLES / f"{name}.wasm").read_bytes()))
            for name in ("counter", "asker")
        ]
        counter, asker = (MsgStoreCodeResponse.decode(one).code_id for one in stored)
        terms = json.dumps({"gateway": self._gateway}).encode()
        made = [(counter, b"{}"), *[(asker, terms)] * ASKERS]
        self._counter, *self._askers = [
            MsgInstantiateContractResponse.decode(
                await self._act(owner, MsgInstantiateContract(owner_text, "", code_id, "storm", message))
            ).address
            for code_id, message in made
        ]

    async def open_to(self, others: Sequence[Side]) -> None:
        """What each kind costs to each of the others."""
        for other in others:
            for case in CASES:
                aim = other.aim(case, 0)
                quote = {
                    "target": f"0x{aim.account.hex()}",
                    "payload_length": len(aim.payload),
                    "options": _options(case, aim, int(time.time()) + 5),
                }
                self._fees[other.name, case] = int(await self._query(self._gateway, {"quote": quote}))

    def aim(self, case: Case, number: int) -> Aim:
        """The counter's message."""
        account = {"counter": self._interoperable(self._counter), "nobody": self._nobody, "gateway": self.gateway}
        call = {"answer": {"length": number}} if case.function == "answer" else _CALLS[case.function]
        return Aim(account[case.target], json.dumps(call).encode(), EXPIRES_AFTER_SECONDS if case.expires else 0)

    async def ask(self, due: Sequence[tuple[Due, Aim]]) -> None:
        """A transaction each."""
        # The chain's blocks have the time of the machine.
        raws = [self._ask(it, aim, int(time.time())) for it, aim in due]
        await self._send([*raws, *await self._lost()])

    def result(self, case: Case, number: int, count: int) -> Truth:
        """As the example counter has it."""
        if case.target != "counter":
            return Truth(OutcomeKind.UNREACHED, cut=False, return_data=b"")
        match case.function:
            case "fail" | "burn" if case.mode is Mode.QUERY:
                return Truth(OutcomeKind.REVERTED, cut=False, return_data=b"")
            case "fail":
                data = f"CounterFails: {_FAILURE}: execute wasm contract failed".encode()
                return Truth(OutcomeKind.REVERTED, cut=False, return_data=data)
            case "burn":
                return Truth(OutcomeKind.REVERTED, cut=False, return_data=b"codespace: sdk, code: 11")
            case "answer":
                text = "x" * number
                data = (json.dumps(text) if case.mode is Mode.QUERY else text).encode()
                limit = case.return_limit or len(data)
                return Truth(OutcomeKind.EXECUTED, cut=limit < len(data), return_data=data[:limit])
            case _:
                return Truth(OutcomeKind.EXECUTED, cut=False, return_data=b'{"count":"%d"}' % count)

    def open_record(self, start: int, depth: int) -> CosmWasmRecord:
        """By the events of all its contracts."""
        del depth  # what is in a block here stays
        return CosmWasmRecord(self.rpc, self._gateway, self._counter, frozenset(self._askers), start)

    async def fetch_count(self) -> int:
        """What the counter says itself."""
        return int((await self._query(self._counter, {"count": {}}))["count"])

    def _interoperable(self, account: str) -> bytes:
        return parse_account_text(f"{self._caip2}:{account}").to_bytes()

    def _ask(self, due: Due, aim: Aim, now: int) -> bytes:
        case, account, asker = due.case, self._accounts[due.account], self._askers[due.asker]
        asking: dict[str, Any] = {
            "target": f"0x{aim.account.hex()}",
            "payload": base64.b64encode(aim.payload).decode(),
            "options": _options(case, aim, now),
        }
        to, message = self._gateway, {"xvm_execute": asking}
        if not case.is_eoa:
            to, message = asker, {"ask": {**asking, "fails_callback": case.is_starving}}
        fee = (Coin(self._denom, str(self._fees[due.destination, case] * _OVERPAY)),)
        text = account.signing.text
        raw = self._sign(account, MsgExecuteContract(text, to, json.dumps(message).encode(), fee), _ASK_GAS)
        sender = self._interoperable(text if case.is_eoa else asker)
        self.asked[hash_of(raw).hex()] = Asked(case, sender, due.destination, due.number)
        return raw

    def _sign(self, account: _Account, message: Message, gas: int) -> bytes:
        sequence = account.told.sequence + len(account.raws)
        raw = account.signing.sign(message, account.told, sequence, gas, _GAS_PRICE)
        account.raws.append(raw)
        return raw

    async def _act(self, account: _Account, message: Message) -> bytes:
        """What the message of a transaction answers, before anything disturbs."""
        raw = self._sign(account, message, _DEPLOY_GAS)
        await self._send([raw])
        place = [base64.b64encode(hash_of(raw)).decode(), False]
        (found,) = await self.rpc.batch([("tx", place)])
        while isinstance(found, RpcFault):
            await self.rpc.await_blocks(1)
            (found,) = await self.rpc.batch([("tx", place)])
        assert found["tx_result"]["code"] == 0, found["tx_result"]["log"]
        (response,) = TxMsgData.decode(base64.b64decode(found["tx_result"]["data"])).msg_responses
        return response.value

    async def _lost(self) -> list[bytes]:
        """What the chain has forgotten, or never got."""
        now = asyncio.get_running_loop().time()
        lost: list[bytes] = []
        for account in self._accounts:
            if account.mined < len(account.raws):
                mined = (await self._fetch_account(account)).sequence - account.told.sequence
                if mined != account.mined:
                    account.mined, account.moved_at = mined, now
                elif now - account.moved_at > LOST_AFTER_SECONDS:
                    lost += account.raws[mined : mined + _SENT_AGAIN]
                    account.moved_at = now
            else:
                account.moved_at = now
        return lost

    async def _send(self, raws: Sequence[bytes]) -> None:
        # Refusals (known, another's turn) are of no interest: what is not mined is sent again.
        await self.rpc.batch([("broadcast_tx_sync", [base64.b64encode(raw).decode()]) for raw in raws])

    async def _fetch_account(self, account: _Account) -> BaseAccount:
        asked = QueryAccountRequest(account.signing.text)
        found = QueryAccountResponse.decode(await self._query_chain(ACCOUNT, asked)).account
        assert found is not None
        return BaseAccount.decode(found.value)

    async def _query(self, contract: str, message: Mapping[str, Any]) -> Any:
        asked = QuerySmartContractStateRequest(contract, json.dumps(message).encode())
        answer = QuerySmartContractStateResponse.decode(await self._query_chain(SMART_CONTRACT_STATE, asked))
        return json.loads(answer.data)

    async def _query_chain(self, path: str, asked: Message) -> bytes:
        response = (await self.rpc.call("abci_query", path, asked.encode().hex(), "0", False))["response"]  # noqa: FBT003 - no proof
        assert response["code"] == 0, response["log"]
        return base64.b64decode(response["value"] or "")


def _options(case: Case, aim: Aim, now: int) -> dict[str, Any]:
    """The gateway's options."""
    options: dict[str, Any] = {"mode": int(case.mode), "ordered": case.is_ordered, "return_limit": case.return_limit}
    if aim.expires_after_seconds:
        options["expiry"] = str(now + aim.expires_after_seconds)
    return options
