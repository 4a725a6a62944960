"""kill -9 of any one relayer at any moment: the others finish, and the killed one comes back to the same end.

And of all of them at once: what was on disk is enough.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from relayer.devnet.demo.demo import request_id_of
from relayer.devnet.demo.watching import Journey
from relayer.devnet.evm.demo.cases import cases
from relayer.devnet.evm.demo.chain import EvmDemoChain
from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet

pytestmark = pytest.mark.devnet

Moment = Callable[[Sequence[Journey]], bool]

MOMENTS: tuple[tuple[str, Moment], ...] = (
    ("just asked, nothing is final", lambda _: True),
    ("the first receipt stands on its destination", lambda all_of_them: any(j.executed for j in all_of_them)),
    ("the first callback ran", lambda all_of_them: any(j.delivered for j in all_of_them)),
    ("the last callback ran, nothing of it is final", lambda all_of_them: all(j.delivered for j in all_of_them)),
)


class Load:
    """The demonstration's requests, and what the chains have said of them so far."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._chains = [EvmDemoChain(chain) for chain in description["chains"][:2]]
        alpha, beta = self._chains
        for chain in self._chains:
            chain.deploy()
        alpha.join([beta])
        beta.join([alpha])
        self.journeys: list[Journey] = []

    def ask(self) -> None:
        alpha, beta = self._chains
        by_name = {alpha.name: alpha, beta.name: beta}
        asked = [
            (case, by_name[case.source].ask(case, by_name[case.destination]))
            for case in cases((alpha.name, beta.name))
            if not case.needs_a_hand
        ]
        self.journeys = [
            Journey(case, request_id_of(case, by_name[case.source], tx_hash, by_name[case.destination]))
            for case, tx_hash in asked
        ]

    def watch_until(self, moment: Moment) -> None:
        by_id = {journey.request_id: journey for journey in self.journeys}

        def is_there() -> bool:
            for chain in self._chains:
                for sighting in chain.fetch_sightings():
                    journey = by_id.get(sighting.request_id)
                    if journey is not None:
                        journey.take_in(sighting, time.monotonic(), 0)
            return moment(self.journeys)

        devnets.until(is_there, "the moment never came", seconds=90)


def ends(relayer: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Status and outcome of each request in a relayer's own database."""
    found: dict[str, tuple[str, str | None]] = {}
    answer = devnets.fetch(f"{relayer['api_url']}/v1/requests?limit=200")
    for item in answer["requests"] if answer else ():
        found[item["id"]] = (item["status"], item["kind"])
    return found


@pytest.fixture(scope="module")
def restarted(devnet: RunningDevnet) -> Iterator[ExitStack]:
    """Holds relayers that were started again, for they are needed for the next quorum."""
    del devnet
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(("number", "moment"), list(enumerate(MOMENTS)), ids=[name for name, _ in MOMENTS])
def test_the_others_finish_and_the_killed_one_ends_as_they(
    devnet: RunningDevnet, restarted: ExitStack, number: int, moment: tuple[str, Moment]
) -> None:
    victim = devnet.description["relayers"][number]
    others = [relayer for relayer in devnet.description["relayers"] if relayer is not victim]
    load = Load(devnet.description)
    load.ask()
    load.watch_until(moment[1])
    os.kill(victim["pid"], signal.SIGKILL)
    load.watch_until(lambda journeys: all(journey.delivered for journey in journeys))
    assert {journey.case.title: journey.judge() for journey in load.journeys if journey.judge()} == {}
    again = restarted.enter_context(devnets.relayer_process(victim, devnet.home))
    ids = {f"0x{journey.request_id:064x}" for journey in load.journeys}

    def all_agree() -> bool:
        assert again.poll() is None, "the restarted relayer ended"
        own = ends(victim)
        is_done = ids <= own.keys() and all(own[identifier][0] == "DELIVERED" for identifier in ids)
        return is_done and all(ends(relayer) == own for relayer in others)

    devnets.until(all_agree, "the restarted relayer does not end in the same state as the others", seconds=60)
    devnets.until(lambda: devnets.fetch(f"{victim['api_url']}/readyz"), "the restarted relayer is not ready")


def processes_of(relayer: dict[str, Any]) -> list[psutil.Process]:
    """Those that run this relayer, whoever started them."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if relayer["config_path"] in (process.info["cmdline"] or ()) and "run" in process.info["cmdline"]
    ]


def test_all_four_killed_at_once_lose_nothing_and_double_nothing(devnet: RunningDevnet, restarted: ExitStack) -> None:
    relayers = devnet.description["relayers"]
    load = Load(devnet.description)
    load.ask()
    load.watch_until(MOMENTS[1][1])
    victims = [process for relayer in relayers for process in processes_of(relayer)]
    assert len(victims) == len(relayers)
    for process in victims:
        process.kill()
    psutil.wait_procs(victims, timeout=30)
    for relayer in relayers:
        restarted.enter_context(devnets.relayer_process(relayer, devnet.home))
    load.watch_until(lambda journeys: all(journey.delivered for journey in journeys))
    assert {journey.case.title: journey.judge() for journey in load.journeys if journey.judge()} == {}
    ids = {f"0x{journey.request_id:064x}" for journey in load.journeys}

    def all_agree() -> bool:
        ended = [ends(relayer) for relayer in relayers]
        is_done = all(ids <= own.keys() and all(own[each][0] == "DELIVERED" for each in ids) for own in ended)
        return is_done and all(own == ended[0] for own in ended)

    devnets.until(all_agree, "the restarted relayers do not end in the same state", seconds=90)
