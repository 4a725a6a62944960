"""One EVM chain of the demonstration.

Its job: deploy the example contracts, ask, do what a requester may do by hand (replay a callback, cancel), read the
gateway's events, and judge what the contracts hold.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.logs import DISCARD

from attestation.address import Namespace, evm_account, parse_account
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Call, Case, Manner
from relayer.devnet.demo.chains import Aim, AskRefused, DemoChain, DemoKind, Event, Place, Sighting, Unit
from relayer.devnet.evm.chain_session import ChainSession
from relayer.devnet.evm.demo.cases import COLLATERAL, cases, is_lent

_EXPIRY_BLOCKS: Final = 2
"""Expiry of the request that is to expire, in source blocks from asking. It must still be ahead when the request is
mined, and be over when the request is final: the devnet needs a finality depth of two blocks."""

_ABORT_BLOCKS: Final = 10
"""Expiry of the request whose target fails without a catch: it is final, certified and tried well before."""

_STARVED_CALLBACK_GAS: Final = 30_000
"""Gas with which the asking contract cannot write its result down: that takes three new storage words and more."""

_NOBODY: Final = "0x00000000000000000000000000000000000e0a00"
"""An address that holds no code."""

_OVERPAY_PERCENT: Final = 120
"""Above the quote: the price of gas may move within the block. The gateway returns what is too much."""

_STATE_NONE: Final = 0
_STATE_CANCELLED: Final = 3
_STATUS_LENT: Final = 2
"""As in `State` of the gateway's types and `CollateralLoan.Status`."""

_LENDABLE: Final = 1_000_000
"""What an example lender owns: enough for every loan."""

_LOAN_TIMEOUT_BLOCKS: Final = 100
"""Blocks without an answer after which the example lender gives the application fee back."""

_REPLAY_CALLBACK_GAS: Final = 300_000
_FINAL_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1

_EVENTS: Final[Mapping[str, Event]] = {
    "XVMCallRequested": Event.REQUESTED,
    "XVMCallConcluded": Event.CONCLUDED,
    "XVMCallbackDelivered": Event.CALLED_BACK,
    "XVMHandlerFailed": Event.HANDLER_FAILED,
    "XVMCancelled": Event.CANCELLED,
}


class EvmDemoChain(ChainSession):
    """Implements the ports `DemoChain` and `Lender`."""

    vm: Final = "EVM"
    unit: Final = Unit("gwei", 10**9)

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        self._block_time_seconds = float(description["block_time_seconds"])
        self._finality_depth = int(description["finality_depth"])
        self._next_block = self._web3.eth.block_number + 1
        self._counter: Contract
        self._echo: Contract
        self._token: Contract
        self._loan: Contract | None = None
        self._lent: Contract | None = None
        self._lenders: dict[bytes, Contract] = {}

    @property
    def seen_block(self) -> int:
        """The last block whose events were looked at."""
        return self._next_block - 1

    @property
    def place(self) -> Place:
        """What stands here."""
        contracts = {"counter": self._counter, "asker": self._echo, "token": self._token}
        if self._loan is not None:
            contracts["loan"] = self._loan
        return Place(
            chain=self.name,
            caip2=self.caip2,
            contracts={name: contract.address for name, contract in contracts.items()},
            call=f"{self._counter.address} --fn 'increment(uint256)' --args 5 --returns uint256",
            query=f"{self._counter.address} --fn 'count()' --returns uint256",
        )

    def deploy(self) -> None:
        """Bring the example contracts, and some of the token for our account and the asking contract."""
        self._counter, self._echo, self._token = self._create(
            ("XvmCounter", (self.gateway.address,)),
            ("XvmEcho", (self.gateway.address,)),
            ("XvmToken", ("Example", "EXMPL")),
        )
        minted = [
            self._transact(self._token.functions.mint(holder, COLLATERAL))
            for holder in (self._account.address, self._echo.address)
        ]
        for transaction in minted:
            self._receipt(transaction)

    def join(self, others: Sequence[DemoChain]) -> None:
        """Bring the example lender, which lends for what somebody has of the token of another EVM chain."""
        namespace = Namespace.EIP155.value
        other = next((other for other in others if other.caip2.partition(":")[0] == namespace), None)
        if other is None:
            return
        collateral = parse_account(other.account("token"))
        where = (int.from_bytes(collateral.chain.reference, "big"), Web3.to_checksum_address(collateral.address))
        terms = (self.gateway.address, self._account.address, self._token.address, *where, _LOAN_TIMEOUT_BLOCKS)
        (self._loan,) = self._create(("CollateralLoan", terms))
        self._receipt(self._transact(self._token.functions.mint(self._loan.address, _LENDABLE)))

    def account(self, name: str) -> bytes:
        """The ERC-7930 address of one of ours by its name in a `Case`."""
        return evm_account(self.chain_id, bytes.fromhex(self._address(name)[2:])).to_bytes()

    def aim(self, call: Call, sender: bytes) -> Aim:
        """A call by its ABI; whoever asks. Balances are those of the asking contract, which no loan moves."""
        del sender
        contract = self._token if call.target == "token" else self._counter
        arguments = call.arguments or ((self._echo.address,) if call.target == "token" else ())
        return Aim(self.account(call.target), bytes.fromhex(contract.encode_abi(call.function, list(arguments))[2:]))

    def ask(self, case: Case, destination: DemoChain) -> bytes:
        """Send the request's transaction; its hash."""
        if case.asker == "loan":
            loan = self._require_loan()
            value = loan.functions.price().call() * _OVERPAY_PERCENT // 100
            return self._transact(loan.functions.requestLoan(case.loan), value)
        aim = destination.aim(case.call, self.account(case.asker))
        call: ContractFunction
        if case.manner is Manner.SIMPLE:
            target = parse_account(aim.account)
            chain_id = int.from_bytes(target.chain.reference, "big")
            fee = self._overload(self.gateway, "quote", chain_id, len(aim.payload)).call()
            address = Web3.to_checksum_address(target.address)
            call = self._overload(self._echo, "ask", chain_id, address, aim.payload[:4], aim.payload[4:])
        else:
            options = self._options(case)
            fee = self.quote(aim.account, len(aim.payload), options)
            asker = (self.gateway, "xvmExecute") if case.asker == "eoa" else (self._echo, "ask")
            call = self._overload(*asker, aim.account, aim.payload, options)
        return self._transact(call, fee * _OVERPAY_PERCENT // 100)

    def request_id(self, transaction: bytes) -> int:
        """The id that the gateway gave the request of this transaction. Raises `AskRefused`."""
        receipt = self._receipt(transaction)
        logs = self.gateway.events.XVMCallRequested().process_receipt(receipt, errors=DISCARD)
        if receipt["status"] != 1 or not logs:
            raise AskRefused(f"the gateway on {self.name} refused the request of transaction 0x{transaction.hex()}")
        return int(logs[0]["args"]["requestId"])

    def replay(self, failed: Sighting) -> None:
        """Run a callback that failed again, with enough gas. Its outcome is in the transaction that delivered it."""
        delivery = self._web3.eth.get_transaction(failed.transaction)  # type: ignore[arg-type]
        _, given = self.gateway.decode_function_input(delivery["input"])
        outcome = next(
            outcome
            for batch in given["batches"]
            for outcome in batch["outcomes"]
            if outcome["requestId"] == failed.request_id
        )
        self._transact(self.gateway.functions.retryCallback(outcome, _REPLAY_CALLBACK_GAS))

    def cancel(self, transaction: bytes) -> None:
        """Cancel the request of this transaction, whose deadline comes at once: the chain is told to mine up to it.

        An answer is hardly there before: it needs later blocks of the other chain, and these take their time. Raises
        `AskRefused` if it is, on a machine that takes long for so many blocks.
        """
        (log,) = self.gateway.events.XVMCallRequested().process_receipt(self._receipt(transaction), errors=DISCARD)
        self._mine(log["args"]["deadline"] - self._web3.eth.block_number)
        cancelling = self._transact(self.gateway.functions.cancel(log["args"]["request"]))
        self._mine(1)
        if self._receipt(cancelling)["status"] != 1:
            raise AskRefused(f"the network answered on {self.name} before the request could be cancelled")

    def fetch_sightings(self) -> list[Sighting]:
        """What the gateway said in blocks since the last call, in order."""
        tip = self._web3.eth.block_number
        if tip < self._next_block:
            return []
        span = {"address": self.gateway.address, "fromBlock": self._next_block, "toBlock": tip}
        logs = self._web3.eth.get_logs(span)  # type: ignore[arg-type]
        self._next_block = tip + 1
        known = [(self._events[log["topics"][0].hex()], log) for log in logs if log["topics"][0].hex() in self._events]
        said = [event.process_log(log) for event, log in known]
        return [_sighting(log) for log in said if log["event"] in _EVENTS]

    def gas_used(self, transaction: bytes) -> int:
        """Of a mined transaction."""
        return int(self._web3.eth.get_transaction_receipt(transaction)["gasUsed"])  # type: ignore[arg-type]

    def fee_of(self, transaction: bytes) -> int:
        """In wei."""
        receipt = self._web3.eth.get_transaction_receipt(transaction)  # type: ignore[arg-type]
        return int(receipt["gasUsed"]) * int(receipt["effectiveGasPrice"])

    def count(self) -> int:
        """The example target's counter."""
        return int(self._counter.functions.count().call())

    def answer_of(self, request_id: int) -> bytes | None:
        """What the asking contract wrote down."""
        arrived, _, data = self._echo.functions.results(request_id).call()
        return bytes(data) if arrived else None

    def judge_asker(self, case: Case, request_id: int, *, success: bool | None) -> list[str]:
        """What is wrong with what the asking contract, the lender, or of a cancelled one the gateway, holds."""
        if case.manner is Manner.CANCELLED:
            *_, state, _fee = self.gateway.functions.pendingRequest(request_id).call()
            # What its execution earned may have been settled already: then the gateway knows it no more.
            return [] if state in {_STATE_NONE, _STATE_CANCELLED} else ["the gateway does not hold it as cancelled"]
        if success is None:
            return []
        if case.asker == "echo":
            arrived, told, _ = self._echo.functions.results(request_id).call()
            return [] if arrived and told is success else ["the asking contract was told something else"]
        if case.asker == "loan":
            loan = self._require_loan()
            was_lent = loan.functions.loans(request_id).call()[1] == _STATUS_LENT
            paid = _LENDABLE - int(self._token.functions.balanceOf(loan.address).call())
            is_good = (was_lent, paid) == (is_lent(case), case.loan * is_lent(case))
            return [] if is_good else ["the lender did not do what the collateral asks for"]
        return []

    def judge_target(self, case: Case, executed: bytes | None, answer: bytes | None) -> list[str]:
        """Whether a balance is what was answered."""
        del executed
        if case.call != Call("token", "balanceOf") or answer is None:
            return []
        balance = int(self._token.functions.balanceOf(self._echo.address).call())
        return [] if answer == balance.to_bytes(32, "big") else ["the answer is another balance"]

    def open_lender(self, keeper: bytes) -> bytes:
        """Bring a lender of a token of its own, which our account borrows."""
        if self._lent is None:
            (self._lent,) = self._create(("XvmToken", ("Lent", "LENT")))
        terms = (self.gateway.address, keeper, self._account.address, self._lent.address)
        (contract,) = self._create(("LockedCollateralLoan", terms))
        self._receipt(self._transact(self._lent.functions.mint(contract.address, _LENDABLE)))
        lender = evm_account(self.chain_id, bytes.fromhex(contract.address[2:])).to_bytes()
        self._lenders[lender] = contract
        return lender

    def repay(self, lender: bytes, loan: bytes) -> None:
        """Pay a loan back with what was paid out; returns when that is final."""
        assert self._lent is not None, "only what a lender paid out is paid back"
        contract = self._lenders[lender]
        self._transact(self._lent.functions.approve(contract.address, self.lent(lender, loan)))
        receipt = self._receipt(self._transact(contract.functions.repay(loan)))
        if receipt["status"] != 1:
            raise AskRefused(f"the lender on {self.name} has no loan 0x{loan.hex()} to be paid back")
        deadline = time.monotonic() + _FINAL_SECONDS
        while self._web3.eth.block_number < receipt["blockNumber"] + self._finality_depth:
            if time.monotonic() > deadline:
                raise AskRefused(f"{self.name} does not grow")
            time.sleep(_LOOK_SECONDS)

    def lent(self, lender: bytes, loan: bytes) -> int:
        """What was paid out for a loan."""
        return int(self._lenders[lender].functions.loans(loan).call()[1])

    def _address(self, name: str) -> str:
        match name:
            case "eoa":
                return str(self._account.address)
            case "nobody":
                return _NOBODY
            case "gateway":
                return str(self.gateway.address)
            case "counter" | "echo" | "token":
                contract = {"counter": self._counter, "echo": self._echo, "token": self._token}[name]
                return str(contract.address)
            case _:
                raise ValueError(f"{name!r} is nobody on an EVM chain")

    def _require_loan(self) -> Contract:
        assert self._loan is not None, "a loan is asked for only between chains that are joined"
        return self._loan

    def _mine(self, blocks: int) -> None:
        """At once, without moving the chain's clock."""
        self._web3.provider.make_request("anvil_mine", [hex(blocks), "0x0"])  # type: ignore[arg-type]

    def _options(self, case: Case) -> dict[str, Any]:
        blocks = {Manner.EXPIRING: _EXPIRY_BLOCKS, Manner.ABORTING: _ABORT_BLOCKS}.get(case.manner)
        return self.options(
            mode=int(case.mode),
            ownAccount=case.own_account,
            callbackGasLimit=_STARVED_CALLBACK_GAS if case.manner is Manner.REPLAYED else 0,
            expiry=self.now() + math.ceil(blocks * self._block_time_seconds) if blocks else 0,
            ordered=case.manner is Manner.ORDERED,
        )


def _sighting(log: Mapping[str, Any]) -> Sighting:
    fields = log["args"]
    return Sighting(
        event=_EVENTS[str(log["event"])],
        request_id=int(fields["requestId"]),
        block=int(log["blockNumber"]),
        place=int(log["logIndex"]),
        transaction=bytes(log["transactionHash"]),
        kind=OutcomeKind(fields["kind"]) if "kind" in fields else None,
        success=bool(fields["success"]) if "success" in fields else None,
        ordered_after=int(fields["request"]["orderedAfter"]) if "request" in fields else 0,
        fee=int(fields.get("fee", 0)),
    )


KIND: Final = DemoKind(open=EvmDemoChain, cases=cases)
"""What the entry point `xvm.demos` names."""
