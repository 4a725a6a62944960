"""One CosmWasm chain of the demonstration.

Its job: bring the example contracts and tokens, ask through them, replay a callback, read the gateway's events, and
judge what the contracts hold.

Source: contracts/cosmwasm/examples; contracts/cosmwasm/schema; the cw20 specification of cw-plus.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from attestation.address import parse_account, parse_account_text, parse_chain_text
from attestation.statement import OutcomeKind
from attestation.words import WORD_LENGTH
from relayer.devnet.cosmwasm.demo.cases import cases
from relayer.devnet.cosmwasm.demo.rpc import CosmWasmRpc, Mined
from relayer.devnet.demo.cases import Call, Case, Manner
from relayer.devnet.demo.chains import (
    Aim,
    AskRefused,
    DemoChain,
    DemoKind,
    Event,
    Lender,
    Place,
    Sighting,
    Unit,
)

_UNITS_PER_COIN: Final = 10
"""Of the lender's token: what a coin of collateral is good for."""

_SUPPLY: Final = 10_000
_ENDOWMENT: Final = 1_000
_MAX_FEE: Final = 10**9
"""More than any question costs; what is too much comes back."""

_STARVED_CALLBACK_GAS: Final = 20_000
"""Less than it takes to load the asker."""

_REPLAY_CALLBACK_GAS: Final = 300_000
_LOAN: Final = 1
"""The first loan of the contract, which numbers them."""

_EVENTS: Final[Mapping[str, Event]] = {
    "XVMCallRequested": Event.REQUESTED,
    "XVMCallConcluded": Event.CONCLUDED,
    "XVMCallbackDelivered": Event.CALLED_BACK,
    "XVMHandlerFailed": Event.HANDLER_FAILED,
}


class CosmWasmDemoChain:
    """Implements the port `DemoChain`."""

    vm: Final = "CosmWasm"

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.name = str(description["name"])
        self.caip2 = str(description["caip2"])
        self._gateway = str(description["gateway"])
        secret = bytes.fromhex(str(description["accounts"][-1]["private_key"]).removeprefix("0x"))
        denom = str(description["fee_denom"])
        chain_id = parse_chain_text(self.caip2).reference_text
        self._rpc = CosmWasmRpc(str(description["rpc_url"]), chain_id, secret, denom)
        self.unit: Final = Unit(denom, 1)
        self._next_block = self._rpc.fetch_height() + 1
        self._contracts: dict[str, str] = {}
        self._abroad: Lender
        self._lender: bytes
        self._borrower: bytes

    @property
    def seen_block(self) -> int:
        """The last block whose events were looked at."""
        return self._next_block - 1

    @property
    def place(self) -> Place:
        """What stands here."""
        counter = self._contracts["counter"]
        return Place(
            chain=self.name,
            caip2=self.caip2,
            contracts=self._contracts,
            call=f"{counter} --fn increment --args 'by=\"5\"'",
            query=f"{counter} --fn count",
        )

    def deploy(self) -> None:
        """Bring the example contracts, and a token that our account has."""
        held = [{"address": self._rpc.account, "amount": str(_SUPPLY)}]
        token = {"name": "Example", "symbol": "EXMPL", "decimals": 0, "initial_balances": held}
        loan = {"gateway": self._gateway, "units_per_coin": str(_UNITS_PER_COIN)}
        names = ("counter", "asker", "token", "purse", "loan")
        made = self._rpc.create(
            ("counter", {}), ("asker", {"gateway": self._gateway}), ("cw20_base", token), ("purse", {}), ("loan", loan)
        )
        self._contracts = dict(zip(names, made, strict=True))

    def join(self, others: Sequence[DemoChain]) -> None:
        """Give who asks from other VMs some of the token, and have the first chain that lends lend."""
        lenders = [other for other in others if isinstance(other, Lender)]
        abroad = [other for other in others if other.vm != self.vm]
        askers = [other.account("eoa" if other in lenders else "echo") for other in abroad]
        owned = [self._own_account(asker) for asker in askers]
        sent = [self._rpc.execute(self._contracts["token"], _transfer(account, _ENDOWMENT)) for account in owned]
        for lender in lenders[:1]:
            self._abroad = lender
            self._borrower = parse_account(lender.account("eoa")).address
            self._lender = lender.open_lender(self.account("loan"))
            naming = {"open": {"lender": f"0x{self._lender.hex()}"}}
            sent.append(self._rpc.execute(self._contracts["loan"], naming))
        for transaction in sent:
            self._rpc.wait(transaction)

    def account(self, name: str) -> bytes:
        """The ERC-7930 address of one of ours by its name in a `Case`."""
        known = {"eoa": self._rpc.account, "echo": self._contracts["asker"], "cw20": self._contracts["token"]}
        return parse_account_text(f"{self.caip2}:{known.get(name) or self._contracts[name]}").to_bytes()

    def aim(self, call: Call, sender: bytes) -> Aim:
        """A message in JSON, whoever sends it."""
        del sender
        return Aim(self.account(call.target), orjson.dumps(self._message(call)))

    def ask(self, case: Case, destination: DemoChain) -> bytes:
        """Send the request's transaction; its hash."""
        loan = self._contracts["loan"]
        if case.manner is Manner.SETTLING:
            self._abroad.repay(self._lender, _word(_LOAN))
            return self._rpc.execute(loan, {"settle": {"loan": str(_LOAN)}}, _MAX_FEE)
        if case.asker == "loan":
            borrowing = {"amount": str(case.loan), "recipient": f"0x{self._borrower.hex()}"}
            return self._rpc.execute(loan, {"borrow": borrowing}, _MAX_FEE)
        aim = destination.aim(case.call, self.account(case.asker))
        starved = {"callback_gas_limit": str(_STARVED_CALLBACK_GAS)} if case.manner is Manner.REPLAYED else {}
        options = {"mode": int(case.mode), "own_account": case.own_account, **starved}
        target = f"0x{aim.account.hex()}"
        question = {"target": target, "payload_length": len(aim.payload), "options": options}
        fee = int(self._rpc.ask(self._gateway, {"quote": question}))
        asking = {"target": target, "payload": base64.b64encode(aim.payload).decode(), "options": options}
        return self._rpc.execute(self._contracts["asker"], {"ask": asking}, fee)

    def request_id(self, transaction: bytes) -> int:
        """The id that the gateway gave the request of this transaction. Raises `AskRefused`."""
        for sighting in self._sightings(self._rpc.wait(transaction)):
            if sighting.event is Event.REQUESTED:
                return sighting.request_id
        raise AskRefused(f"the gateway on {self.name} says nothing of the request that it was asked")

    def replay(self, failed: Sighting) -> None:
        """Run a callback that failed again, with enough gas. Its outcome is in the transaction that delivered it."""
        delivered = self._rpc.fetch(failed.transaction).message["deliver"]
        identifier = f"0x{failed.request_id:064x}"
        outcome = next(
            outcome
            for batch in delivered["batches"]
            for outcome in batch["outcomes"]
            if outcome["request_id"] == identifier
        )
        replaying = {"outcome": outcome, "gas_limit": str(_REPLAY_CALLBACK_GAS)}
        self._rpc.execute(self._gateway, {"retry_callback": replaying})

    def cancel(self, transaction: bytes) -> None:
        """No request of the demonstration is cancelled here."""
        raise AskRefused(f"{transaction.hex()} on {self.name} is not to be cancelled")

    def fetch_sightings(self) -> list[Sighting]:
        """What the gateway said in blocks since the last call, in order."""
        tip = self._rpc.fetch_height()
        found = []
        for height in range(self._next_block, tip + 1):
            found += [sighting for each in self._rpc.fetch_block(height) for sighting in self._sightings(each)]
        self._next_block = max(self._next_block, tip + 1)
        return found

    def gas_used(self, transaction: bytes) -> int:
        """The chain's own gas."""
        return self._rpc.fetch(transaction).gas_used

    def fee_of(self, transaction: bytes) -> int:
        """In the fees' denomination."""
        return self._rpc.fetch(transaction).fee

    def count(self) -> int:
        """The example target's counter."""
        return int(self._rpc.ask(self._contracts["counter"], {"count": {}})["count"])

    def answer_of(self, request_id: int) -> bytes | None:
        """What the asking contract wrote down."""
        told = self._told(request_id)
        return None if told is None else base64.b64decode(told["return_data"])

    def judge_asker(self, case: Case, request_id: int, *, success: bool | None) -> list[str]:
        """What is wrong with what the asker wrote down, or with a loan and its collateral when all has ended."""
        if success is None:
            return []
        if case.asker == "loan":
            return self._judge_loan(case)
        told = self._told(request_id)
        is_told = told is not None and told["success"] is success
        return [] if is_told else ["the asking contract was told something else"]

    def judge_target(self, case: Case, executed: bytes | None, answer: bytes | None) -> list[str]:
        """Whether tokens moved, and what was read was there."""
        if case.call.target == "cw20" and executed is not None:
            moved = {"action": "transfer", "amount": str(case.call.arguments[0]), "to": self._rpc.account}
            is_there = any(moved.items() <= event.items() for event in self._said_by_token(executed))
            return [] if is_there else ["no tokens were moved"]
        if (case.call.target, case.call.function) == ("counter", "read") and answer is not None:
            return [] if int(orjson.loads(answer)["count"]) <= self.count() else ["the counter was never there"]
        return []

    def _judge_loan(self, case: Case) -> list[str]:
        faults = []
        if self._abroad.lent(self._lender, _word(_LOAN)) != case.loan:
            faults.append("the lender did not pay out what was borrowed")
        # Each loan of the demonstration is paid back at its end, and then there is none any more.
        if self._rpc.ask(self._contracts["loan"], {"loan": {"loan": str(_LOAN)}}) is not None:
            faults.append("the collateral is not free")
        return faults

    def _message(self, call: Call) -> Mapping[str, Any]:
        match call.target, call.function:
            case "counter", "increment":
                return {"increment": {"by": str(call.arguments[0])}}
            case "counter", "fail":
                return {"fail": {"code": call.arguments[0]}}
            case "counter", "read":
                return {"count": {}}
            case "cw20", "transfer":
                return _transfer(self._rpc.account, int(str(call.arguments[0])))
            case "purse", "pay":
                paid = {"token": self._contracts["token"], "recipient": self._rpc.account}
                return {"pay": {**paid, "amount": str(call.arguments[0]), "watches": False}}
            case _:
                raise ValueError(f"{call} is no call of a target here")

    def _told(self, request_id: int) -> Mapping[str, Any] | None:
        """What the asking contract was told of a request; None before, and of what others asked."""
        asked = {"told": {"request_id": f"0x{request_id:064x}"}}
        told: Mapping[str, Any] | None = self._rpc.ask(self._contracts["asker"], asked)
        return told

    def _own_account(self, sender: bytes) -> str:
        """What calls for a remote sender (ERC-7930)."""
        return str(self._rpc.ask(self._gateway, {"account_of": {"sender": f"0x{sender.hex()}"}}))

    def _said_by_token(self, transaction: bytes) -> Iterator[Mapping[str, str]]:
        return _said(self._rpc.fetch(transaction), "wasm", self._contracts["token"])

    def _sightings(self, found: Mined) -> Iterator[Sighting]:
        """What the gateway said in one transaction, each at its place in it."""
        told = (
            (event, said) for name, event in _EVENTS.items() for said in _said(found, f"wasm-{name}", self._gateway)
        )
        for place, (event, fields) in enumerate(told):
            request = orjson.loads(fields.get("request", "{}"))
            yield Sighting(
                event=event,
                request_id=int(fields["request_id"], 16),
                block=found.height,
                place=place,
                transaction=found.tx_hash,
                kind=OutcomeKind(int(fields["kind"])) if "kind" in fields else None,
                success=fields["success"] == "true" if "success" in fields else None,
                ordered_after=int(request.get("ordered_after", "0x0"), 16),
                fee=int(fields.get("fee", 0)),
            )


def _said(found: Mined, kind: str, contract: str) -> Iterator[Mapping[str, str]]:
    """A contract's events of this type, in order."""
    for event in found.events:
        attributes = {each["key"]: each.get("value", "") for each in event["attributes"]}
        if event["type"] == kind and attributes["_contract_address"] == contract:
            yield attributes


def _transfer(recipient: str, amount: int) -> dict[str, Any]:
    return {"transfer": {"recipient": recipient, "amount": str(amount)}}


def _word(number: int) -> bytes:
    return number.to_bytes(WORD_LENGTH, "big")


KIND: Final = DemoKind(open=CosmWasmDemoChain, cases=cases)
"""What the entry point `xvm.demos` names."""
