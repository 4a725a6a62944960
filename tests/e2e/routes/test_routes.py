"""Every route keeps the same promises, whatever the two VMs.

One devnet with all of them; all requests of all routes are made first and end together. What is judged is what the
chains and the asking programs say, not what relayers say.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final

import pytest

from attestation.request import Mode, RequestId
from attestation.statement import OutcomeKind
from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet
from tests.e2e.routes.cosmwasm_side import CosmWasmSide
from tests.e2e.routes.evm_side import EvmSide
from tests.e2e.routes.sides import Aim, Ending, Refused, Side, Target
from tests.e2e.routes.svm_side import SvmSide

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(600)]

CHAINS: Final[Mapping[str, str]] = {
    "alpha": "evm",
    "beta": "evm",
    "gamma": "svm",
    "delta": "svm",
    "epsilon": "cosmwasm",
    "zeta": "cosmwasm",
}
"""Names in the devnet, and their VMs: two of each, so that each VM can ask itself."""

CATCHING: Final = frozenset(name for name, vm in CHAINS.items() if vm != "svm")
"""Where a target's failure is an outcome."""

ROUTES: Final = [
    (source, destination)
    for place, source in enumerate(CHAINS)
    for other, destination in enumerate(CHAINS)
    if source != destination and place % 2 != other % 2
]
"""From any VM to any, itself included: from the first chain of each to the second of each, and back."""

_PATIENCE_SECONDS: Final = 150.0
_FINALITY_DEPTH: Final = 6
"""Blocks of a second on EVM chains, slots of 0.4 s on Solana."""

_ATTEMPTS: Final = 5
"""A busy machine may take so long to mine what expires soon that the gateway refuses it."""

_ABORT_SECONDS: Final = 15
"""What a target that aborts is given, where it is no outcome: then the request ends as expired."""


class Case(StrEnum):
    """What happens to a request."""

    CALL = auto()
    QUERY = auto()
    CALL_ABORTS = auto()
    QUERY_ABORTS = auto()
    EXPIRES = auto()
    HOSTILE_CALLBACK = auto()


MODES: Final[Mapping[Case, Mode]] = {
    case: Mode.QUERY if case in {Case.QUERY, Case.QUERY_ABORTS} else Mode.CALL for case in Case
}
ABORTING: Final = frozenset({Case.CALL_ABORTS, Case.QUERY_ABORTS})


@dataclass(frozen=True)
class Asked:
    """A request of one case on one route."""

    source: Side
    destination: Side
    case: Case
    request_id: RequestId

    def ending(self) -> Ending | None:
        """How it ended, for good: a handler that fails has been tried."""
        return self.source.ending(self.request_id)


Network = dict[tuple[str, str, Case], Asked]


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    return ("--vms", "evm,svm,svm,cosmwasm,cosmwasm", "--finality-depth", str(_FINALITY_DEPTH))


@pytest.fixture(scope="module")
def sides(devnet: RunningDevnet) -> dict[str, Side]:
    made: dict[str, Side] = {}
    for description in devnet.description["chains"]:
        side = _open_side(description)
        side.prepare()
        made[side.name] = side
    return made


def _open_side(description: Mapping[str, object]) -> Side:
    namespace = str(description["caip2"]).partition(":")[0]
    return {"eip155": EvmSide, "solana": SvmSide, "cosmos": CosmWasmSide}[namespace](description)


@pytest.fixture(scope="module")
def network(sides: dict[str, Side]) -> Network:
    """All requests, ended. A chain's account asks one after the other, the chains side by side."""

    def ask_from(source: Side) -> Network:
        made: Network = {}
        for destination in (sides[there] for here, there in ROUTES if here == source.name):
            for case in Case:
                made[source.name, destination.name, case] = _ask(source, destination, case)
        return made

    with ThreadPoolExecutor(len(sides)) as pool:
        parts = list(pool.map(ask_from, sides.values()))
    everything = {place: asked for part in parts for place, asked in part.items()}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    waiting = dict(everything)
    while waiting and time.monotonic() < deadline:
        waiting = {place: asked for place, asked in waiting.items() if asked.ending() is None}
        time.sleep(0.3)
    return everything


def _ask(source: Side, destination: Side, case: Case) -> Asked:
    mode = MODES[case]
    aim = destination.aim(mode, Target.ABORTS if case in ABORTING else Target.SUCCEEDS)
    if case is Case.EXPIRES:
        return Asked(source, destination, case, _ask_hastily(source, aim))
    seconds = _ABORT_SECONDS if case is Case.CALL_ABORTS and not destination.has_catch else 0
    request_id = source.ask(aim, mode, seconds=seconds, is_hostile=case is Case.HOSTILE_CALLBACK)
    return Asked(source, destination, case, request_id)


def _ask_hastily(source: Side, aim: Aim) -> RequestId:
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(Refused):
            return source.ask(aim, Mode.CALL, seconds=source.hasty_seconds)
    return source.ask(aim, Mode.CALL, seconds=source.hasty_seconds)


def _ended(network: Network, route: tuple[str, str], case: Case) -> tuple[Asked, Ending]:
    asked = network[*route, case]
    ending = asked.ending()
    assert ending is not None, f"{case} from {route[0]} to {route[1]} has not ended"
    return asked, ending


on_every_route = pytest.mark.parametrize("route", ROUTES, ids="-".join)


@on_every_route
def test_a_call_changes_state_once_and_its_result_comes_home(network: Network, route: tuple[str, str]) -> None:
    asked, ending = _ended(network, route, Case.CALL)
    told = asked.source.told(asked.request_id)
    assert (ending.kind, ending.is_handler_failed) == (OutcomeKind.EXECUTED, False)
    assert told is not None
    assert told.success
    assert 0 < asked.destination.read_count(told.return_data) <= asked.destination.count()


@on_every_route
def test_a_query_is_answered_without_a_transaction_there(network: Network, route: tuple[str, str]) -> None:
    asked, ending = _ended(network, route, Case.QUERY)
    told = asked.source.told(asked.request_id)
    assert ending.kind is OutcomeKind.EXECUTED
    assert told is not None
    assert asked.destination.read_count(told.return_data) <= asked.destination.count()
    assert asked.destination.receipt(asked.request_id) is None


@on_every_route
@pytest.mark.parametrize("case", [Case.CALL_ABORTS, Case.QUERY_ABORTS])
def test_what_aborts_is_told_as_a_failure(network: Network, route: tuple[str, str], case: Case) -> None:
    asked, ending = _ended(network, route, case)
    kind, data = asked.destination.expects(MODES[case], Target.ABORTS)
    told = asked.source.told(asked.request_id)
    assert ending.kind is kind
    assert told is not None
    assert (told.success, told.return_data) == (False, data)


@pytest.mark.parametrize("route", [route for route in ROUTES if route[1] not in CATCHING], ids="-".join)
def test_where_a_failure_is_no_outcome_people_are_shown_it(
    devnet: RunningDevnet, network: Network, route: tuple[str, str]
) -> None:
    asked, _ = _ended(network, route, Case.CALL_ABORTS)

    def is_shown() -> bool:
        told = [devnets.fetch(f"{relayer['api_url']}/v1/requests/0x{asked.request_id.hex()}") for relayer in relayers]
        reasons = [step["reason"] for one in told if one is not None for step in one["timeline"] if step["reason"]]
        return any("custom program error: 0x7" in reason for reason in reasons)

    relayers = devnet.description["relayers"]
    devnets.until(is_shown, "no relayer shows why the call was not executed", seconds=10)


@on_every_route
def test_what_cannot_be_executed_in_time_expires(network: Network, route: tuple[str, str]) -> None:
    asked, ending = _ended(network, route, Case.EXPIRES)
    told = asked.source.told(asked.request_id)
    assert ending.kind is OutcomeKind.EXPIRED
    assert told is not None
    assert (told.success, told.return_data) == (False, b"")
    assert asked.destination.receipt(asked.request_id) is not None


@on_every_route
def test_a_hostile_callback_harms_its_own_request_alone(network: Network, route: tuple[str, str]) -> None:
    asked, ending = _ended(network, route, Case.HOSTILE_CALLBACK)
    assert ending.is_handler_failed
    assert asked.source.told(asked.request_id) is None
    assert asked.destination.receipt(asked.request_id) is not None


@on_every_route
def test_nothing_that_is_sent_again_happens_again(network: Network, route: tuple[str, str]) -> None:
    """SECURITY: an execution and a delivery, repeated by a stranger to the letter."""
    asked, ending = _ended(network, route, Case.CALL)
    executed = asked.destination.receipt(asked.request_id)
    assert executed is not None
    counted, called = asked.destination.count(), asked.source.callbacks()
    asked.destination.repeat(executed)
    asked.source.repeat(ending.place)
    assert asked.destination.count() == counted
    assert asked.source.callbacks() == called


@on_every_route
def test_a_forged_certificate_is_refused_by_name(network: Network, route: tuple[str, str]) -> None:
    """SECURITY: one bit of one signature."""
    asked, ending = _ended(network, route, Case.CALL)
    executed = asked.destination.receipt(asked.request_id)
    assert executed is not None
    refusals = {"ForgedSignature", "SignerOutOfOrder", "RepeatedSigner"}
    assert asked.destination.forge(executed) in refusals
    assert asked.source.forge(ending.place) in refusals


@pytest.mark.parametrize("name", CHAINS)
def test_every_counter_holds_what_its_executed_requests_added(
    network: Network, sides: dict[str, Side], name: str
) -> None:
    adding = {Case.CALL, Case.HOSTILE_CALLBACK}
    executed = [asked for asked in network.values() if asked.destination.name == name and asked.case in adding]
    assert sides[name].count() == len(executed)


def test_all_relayers_tell_the_same_of_every_request(devnet: RunningDevnet, network: Network) -> None:
    def statuses(relayer: Mapping[str, str]) -> Callable[[], bool]:
        def are_ended() -> bool:
            said = [devnets.fetch(f"{relayer['api_url']}/v1/requests/0x{a.request_id.hex()}") for a in network.values()]
            return all(told is not None and told["status"] in {"DELIVERED", "HANDLER_FAILED"} for told in said)

        return are_ended

    for relayer in devnet.description["relayers"]:
        devnets.until(statuses(relayer), f"{relayer['name']} does not come to know how requests ended")
