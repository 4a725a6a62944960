"""What the demonstration needs of a chain, whatever its VM, and how a VM's part in it is found.

Its job: one vocabulary for asking, looking and judging from outside (entry point group `xvm.demos`, each named by the
CAIP-2 namespace of its chains). A chain of the demonstration is an outside program: it believes its chain alone, which
it knows by the devnet's description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import entry_points
from typing import Any, Final, Protocol, runtime_checkable

from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Call, Case
from relayer.errors import RejectedError

DEMO_GROUP: Final = "xvm.demos"


class Event(StrEnum):
    """What a gateway says of a request. The values are for people."""

    REQUESTED = "requested"
    CONCLUDED = "concluded"
    CALLED_BACK = "callback"
    HANDLER_FAILED = "handler failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One event of a gateway about a request, at `place` among those of its block.

    `transaction` is a hash or a signature, as its chain has it; `ordered_after` is the request's own field, and `fee`
    what was paid for it, in the chain's smallest unit.
    """

    event: Event
    request_id: int
    block: int
    place: int
    transaction: bytes
    kind: OutcomeKind | None = None
    success: bool | None = None
    ordered_after: int = 0
    fee: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """In which amounts of a chain's coin are shown: `size` smallest units."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Aim:
    """A target (ERC-7930) and the call of it in its own encoding."""

    account: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """What the demonstration leaves on one chain: `contracts` by name, in the chain's own text form.

    `call` and `query` are what follows `xvm call` and `xvm query` to try the counter there.
    """

    chain: str
    caip2: str
    contracts: Mapping[str, str]
    call: str
    query: str


class AskRefused(RejectedError):  # noqa: N818 - named as relayer.errors names its own
    """A request's transaction was refused, or mined and reverted; the text says which."""

    code = "ask_refused"


class DemoChain(Protocol):
    """One chain of the devnet, used through an account with money. What asks raises `AskRefused`."""

    name: str
    caip2: str

    @property
    def vm(self) -> str:
        """As people call it."""
        ...

    @property
    def unit(self) -> Unit:
        """In which amounts of its coin are shown."""
        ...

    @property
    def seen_block(self) -> int:
        """The last block whose events were looked at."""
        ...

    @property
    def place(self) -> Place:
        """What stands here, once all is deployed."""
        ...

    def deploy(self) -> None:
        """Bring the examples that need nothing of another chain."""
        ...

    def join(self, others: Sequence[DemoChain]) -> None:
        """Bring what needs something of the other chains, which are all deployed."""
        ...

    def account(self, name: str) -> bytes:
        """The ERC-7930 address of an asker or a target that has this name in a `Case`."""
        ...

    def aim(self, call: Call, sender: bytes) -> Aim:
        """How this is asked for by `sender` (ERC-7930)."""
        ...

    def ask(self, case: Case, destination: DemoChain) -> bytes:
        """Send the request's transaction; its hash."""
        ...

    def request_id(self, transaction: bytes) -> int:
        """The id that the gateway gave the request of this transaction."""
        ...

    def replay(self, failed: Sighting) -> None:
        """Run a callback that failed again, with enough gas."""
        ...

    def cancel(self, transaction: bytes) -> None:
        """Give the request of this transaction up; `AskRefused` if the network was faster."""
        ...

    def fetch_sightings(self) -> list[Sighting]:
        """What the gateway said in blocks since the last call, in order."""
        ...

    def gas_used(self, transaction: bytes) -> int:
        """Of a mined transaction, in the chain's own unit."""
        ...

    def fee_of(self, transaction: bytes) -> int:
        """What the sender of a mined transaction paid the chain for it, in the smallest unit."""
        ...

    def count(self) -> int:
        """The example target's counter."""
        ...

    def answer_of(self, request_id: int) -> bytes | None:
        """What the asker wrote down of its answer; None if it was told of none, or writes nothing down.

        Of what fails as well, where that has data.
        """
        ...

    def judge_asker(self, case: Case, request_id: int, *, success: bool | None) -> list[str]:
        """What is wrong with what the asker holds; `success` is as the gateway told, None if it told nothing."""
        ...

    def judge_target(self, case: Case, executed: bytes | None, answer: bytes | None) -> list[str]:
        """What is wrong at the target of a request that was executed: in the transaction of its receipt, or answered.

        The counter is no part of it: it holds what all requests added.
        """
        ...


@runtime_checkable
class Lender(Protocol):
    """A chain on which loans can be paid out whose collateral is kept elsewhere."""

    def open_lender(self, keeper: bytes) -> bytes:
        """Bring a lender that believes `keeper` (ERC-7930); its ERC-7930 address."""
        ...

    def repay(self, lender: bytes, loan: bytes) -> None:
        """Pay a loan (32 bytes) of this lender's back; returns when that is final."""
        ...

    def lent(self, lender: bytes, loan: bytes) -> int:
        """What it paid out for a loan, whether that has been paid back or not."""
        ...


@dataclass(frozen=True, slots=True)
class DemoKind:
    """What an entry point in `xvm.demos` names.

    `open` takes a chain's entry in the devnet's file; it raises `KeyError` or `ValueError` if that describes none.
    `cases` says what is asked with chains of this kind, given their names and, by CAIP-2 namespace, the name of the
    first chain of each other kind.
    """

    open: Callable[[Mapping[str, Any]], DemoChain]
    cases: Callable[[Sequence[str], Mapping[str, str]], Sequence[Case]]


def find_demo_kind(namespace: str) -> DemoKind | None:
    """That of chains of this namespace, None if there is none.

    No other is loaded: it may need what is not installed.
    """
    for entry in entry_points(group=DEMO_GROUP, name=namespace):
        kind: DemoKind = entry.load()
        return kind
    return None
