"""One Solana chain of the demonstration.

Its job: bring accounts and tokens for the example programs, ask through them, read the gateway's events, and judge what
the programs hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from attestation.address import InteroperableAddress, parse_account, parse_chain_text
from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.textcodecs import base58_decode
from relayer.devnet.bench import records
from relayer.devnet.demo.cases import Call, Case, Manner
from relayer.devnet.demo.chains import Aim, AskRefused, DemoChain, DemoKind, Event, Lender, Place, Sighting, Unit
from relayer.devnet.svm.bench.events import read_block
from relayer.devnet.svm.demo.asking import SvmAsking, is_lent, read_answer
from relayer.devnet.svm.demo.cases import TRANSFERRED, cases
from relayer.devnet.svm.demo.rpc import SvmRpc
from relayer.devnet.svm.demo.targets import MINT_LENGTH, SvmTargets, derived, read_amount, read_count

_MAX_MEMO_CHARACTERS: Final = 2_000
_IDL: Final = "contracts/svm/examples/counter.idl.json"


class SvmDemoChain:
    """Implements the port `DemoChain`, through the last funded account of the description."""

    vm: Final = "Solana"
    unit: Final = Unit("lamports", 1)

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.name = str(description["name"])
        self.caip2 = str(description["caip2"])
        self._chain = parse_chain_text(self.caip2)
        secret = str(description["accounts"][-1]["private_key"]).removeprefix("0x")
        self._payer = Keypair.from_seed(bytes.fromhex(secret))
        self._gateway = Pubkey.from_string(str(description["gateway"]))
        self._rpc = SvmRpc(str(description["rpc_url"]), self._payer)
        self._targets = SvmTargets(description["programs"], self._payer.pubkey())
        self._asking = SvmAsking(description["programs"], self._gateway, self._payer.pubkey())
        self._next_slot = self._rpc.fetch_slot() + 1
        self._salts: list[bytes] = []
        self._questions: dict[int, Pubkey] = {}
        self._abroad: Lender
        self._lender: bytes
        self._borrower: bytes

    @property
    def seen_block(self) -> int:
        """The last slot whose events were looked at."""
        return self._next_slot - 1

    @property
    def place(self) -> Place:
        """What stands here."""
        contracts = {
            "counter": self._targets.counter,
            "asker": self._asking.asker,
            "token": self._targets.mint,
            "loan": self._asking.borrower,
        }
        counter = f"{self._targets.counter} --idl {_IDL} --accounts counter={self._targets.count}"
        return Place(
            chain=self.name,
            caip2=self.caip2,
            contracts={name: str(key) for name, key in contracts.items()},
            call=f"{counter} --fn increment --args 5 --returns u64",
            query=f"{counter} --fn read --returns u64",
        )

    def deploy(self) -> None:
        """Make the counter's account and a token; the programs are there."""
        self._rpc.wait(self._rpc.send(self._targets.opening(self._rpc.fetch_rent(MINT_LENGTH)), self._targets.mint_key))

    def join(self, others: Sequence[DemoChain]) -> None:
        """Give an account of the first chain that lends its own account here, with tokens, and have it lend."""
        for other in others:
            if isinstance(other, Lender):
                asker = other.account("eoa")
                self._borrower = parse_account(asker).address
                self._abroad = other
                self._lender = other.open_lender(self.account("loan"))
                opening = [*self._targets.endowing(self._own_account(asker)), self._asking.open_pool(self._lender)]
                self._rpc.wait(self._rpc.send(opening))
                return

    def account(self, name: str) -> bytes:
        """The ERC-7930 address of one of ours by its name in a `Case`."""
        known = {"eoa": self._payer.pubkey(), "echo": self._asking.sender, "loan": self._asking.keeper}
        key = known[name] if name in known else self._targets.target(name)
        return InteroperableAddress(self._chain, bytes(key)).to_bytes()

    def aim(self, call: Call, sender: bytes) -> Aim:
        """A call in Borsh; what moves tokens moves those of the sender's own account."""
        return Aim(self.account(call.target), self._targets.payload(call, self._own_account(sender)))

    def ask(self, case: Case, destination: DemoChain) -> bytes:
        """Send the request's transaction; its signature."""
        if case.manner is Manner.SETTLING:
            self._abroad.repay(self._lender, bytes(self._asking.loan))
            asking = self._asking.settle(self._lender)
        elif case.asker == "loan":
            asking = self._asking.borrow(self._lender, case.loan, self._borrower)
        else:
            aim = destination.aim(case.call, self.account(case.asker))
            asking = self._asking.ask(case.mode, aim, len(self._salts), own_account=case.own_account)
            self._salts.append(self._rpc.send([asking]))
            return self._salts[-1]
        return self._rpc.send([asking])

    def request_id(self, transaction: bytes) -> int:
        """The id that the gateway gave the request of this transaction. Raises `AskRefused`."""
        self._rpc.wait(transaction)
        found = self._rpc.fetch_transaction(transaction)
        told = read_block({"transactions": [found]}, found["slot"], str(self._gateway)).asked
        if not told:
            raise AskRefused(f"the gateway on {self.name} says nothing of the request that it was asked")
        request_id = int.from_bytes(told[0].request_id, "big")
        if transaction in self._salts:
            self._questions[request_id] = self._asking.question(self._salts.index(transaction))
        return request_id

    def replay(self, failed: Sighting) -> None:
        """No handler of the demonstration fails here."""
        raise AskRefused(f"a handler on {self.name} failed in slot {failed.block}")

    def cancel(self, transaction: bytes) -> None:
        """No request of the demonstration is cancelled here."""
        raise AskRefused(f"{transaction.hex()} on {self.name} is not to be cancelled")

    def fetch_sightings(self) -> list[Sighting]:
        """What the gateway said in slots since the last call, in order."""
        tip = self._rpc.fetch_slot()
        if tip < self._next_slot:
            return []
        found = []
        for slot, block in self._rpc.fetch_blocks(self._next_slot, tip):
            told = read_block(block, slot, str(self._gateway))
            said = [
                *((Event.REQUESTED, each) for each in told.asked),
                *((Event.CONCLUDED, each) for each in told.concluded),
                *((Event.CALLED_BACK, each) for each in told.delivered),
            ]
            found += [_sighting(event, each, place) for place, (event, each) in enumerate(said)]
        self._next_slot = tip + 1
        return found

    def gas_used(self, transaction: bytes) -> int:
        """Compute units."""
        return int(self._rpc.fetch_transaction(transaction)["meta"]["computeUnitsConsumed"])

    def fee_of(self, transaction: bytes) -> int:
        """In lamports; what is lent for accounts is no part of it."""
        return int(self._rpc.fetch_transaction(transaction)["meta"]["fee"])

    def count(self) -> int:
        """The example target's counter."""
        return read_count(self._fetch(self._targets.count))

    def answer_of(self, request_id: int) -> bytes | None:
        """What the asker program wrote down."""
        told = self._told(request_id)
        return None if told is None else told[1]

    def judge_asker(self, case: Case, request_id: int, *, success: bool | None) -> list[str]:
        """What is wrong with what the asker wrote down, or with a loan and its collateral when all has ended."""
        if success is None:
            return []
        if case.asker == "loan":
            return self._judge_loan(case)
        told = self._told(request_id)
        return [] if told is not None and told[0] is success else ["the asking program was told something else"]

    def judge_target(self, case: Case, executed: bytes | None, answer: bytes | None) -> list[str]:
        """Whether tokens moved, a memo was written, and what was read is there."""
        match case.call.target:
            case "spl":
                moved = read_amount(self._fetch(self._targets.token_account(self._payer.pubkey())))
                return [] if moved == TRANSFERRED else [f"{moved} units arrived"]
            case "memo" if executed is not None:
                return [] if self._has_memo(executed, str(case.call.arguments[0])) else ["there is no such memo"]
            case "mint":
                return [] if answer == self._fetch(self._targets.mint) else ["the account holds something else"]
            case "counter" if case.mode is Mode.QUERY and answer is not None:
                return [] if int.from_bytes(answer, "little") <= self.count() else ["the counter was never there"]
            case _:
                return []

    def _judge_loan(self, case: Case) -> list[str]:
        faults = []
        if self._abroad.lent(self._lender, bytes(self._asking.loan)) != case.loan:
            faults.append("the lender did not pay out what was borrowed")
        loan = self._rpc.fetch_data(self._asking.loan)
        # Each loan of the demonstration is paid back at its end, which closes its account.
        if loan is not None:
            faults.append("the collateral is not free" if is_lent(loan) else "the borrower does not know of the loan")
        return faults

    def _has_memo(self, executed: bytes, text: str) -> bool:
        found = self._rpc.fetch_transaction(executed)
        keys = found["transaction"]["message"]["accountKeys"]
        return any(
            keys[call["programIdIndex"]] == str(self._targets.memo)
            and base58_decode(call["data"], _MAX_MEMO_CHARACTERS) == text.encode()
            for group in found["meta"]["innerInstructions"]
            for call in group["instructions"]
        )

    def _told(self, request_id: int) -> tuple[bool, bytes] | None:
        question = self._questions.get(request_id)
        return None if question is None else read_answer(self._fetch(question))

    def _own_account(self, sender: bytes) -> Pubkey:
        """What signs for a remote sender (ERC-7930)."""
        return derived(self._gateway, b"account", keccak256(sender))

    def _fetch(self, key: Pubkey) -> bytes:
        data = self._rpc.fetch_data(key)
        if data is None:
            raise AskRefused(f"there is no account {key} on {self.name}")
        return data


def _sighting(event: Event, told: records.Sighting, place: int) -> Sighting:
    outcome = told.outcome
    return Sighting(
        event=event,
        request_id=int.from_bytes(told.request_id, "big"),
        block=told.block,
        place=place,
        transaction=told.transaction,
        kind=None if outcome is None else outcome.kind,
        success=None if outcome is None else outcome.is_success,
        fee=told.fee,
    )


KIND: Final = DemoKind(open=SvmDemoChain, cases=cases)
"""What the entry point `xvm.demos` names."""
