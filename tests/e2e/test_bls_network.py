"""A network whose signers are of scheme `bls12-381`, from the first command on."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from relayer.devnet.demo.watching import Journey
from relayer.devnet.evm.demo.cases import cases
from relayer.devnet.evm.demo.chain import EvmDemoChain
from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(300)]

CERTIFICATE_BYTES = 145


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    return ("--scheme", "bls12-381")


@pytest.fixture(scope="module")
def chains(devnet: RunningDevnet) -> list[EvmDemoChain]:
    found = [EvmDemoChain(chain) for chain in devnet.description["chains"]]
    for chain in found:
        chain.deploy()
    return found


def bring_home(chains: list[EvmDemoChain]) -> list[Journey]:
    """Two calls and a query each way; until the chains say that every one was delivered."""
    by_name = {chain.name: chain for chain in chains}
    titles = ("change state", "target reverts", "query reverts")
    journeys = []
    for case in cases(tuple(by_name)):
        if case.title in titles:
            source = by_name[case.source]
            journeys.append(Journey(case, source.request_id(source.ask(case, by_name[case.destination]))))
    by_id = {journey.request_id: journey for journey in journeys}

    def is_home() -> bool:
        for chain in chains:
            for sighting in chain.fetch_sightings():
                if sighting.request_id in by_id:
                    by_id[sighting.request_id].take_in(sighting, time.monotonic(), 0)
        return all(journey.delivered for journey in journeys)

    devnets.until(is_home, "not everything came home", seconds=120)
    return journeys


def certificates_of(relayer: dict[str, Any], journey: Journey) -> list[bytes]:
    """Those that the relayer holds over the request's batches."""
    answer = devnets.fetch(f"{relayer['api_url']}/v1/requests/0x{journey.request_id:064x}")
    batches = [answer[kind] for kind in ("execute", "outcome") if answer[kind] is not None]
    return [bytes.fromhex(batch["certificate"]["encoded"][2:]) for batch in batches if batch["certificate"]]


def test_calls_and_queries_come_home_under_certificates_of_one_length(
    devnet: RunningDevnet, chains: list[EvmDemoChain]
) -> None:
    assert devnet.description["scheme"] == "bls12-381"
    first = devnet.description["relayers"][0]
    certificates = [certificate for journey in bring_home(chains) for certificate in certificates_of(first, journey)]
    assert certificates
    assert {len(certificate) for certificate in certificates} == {CERTIFICATE_BYTES}


def test_a_doctor_finds_membership_and_peers_by_their_keys(devnet: RunningDevnet) -> None:
    config = devnet.description["relayers"][0]["config_path"]
    done = devnets.xvm("doctor", "--config", config, home=devnet.home)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_killed_node_of_four_changes_nothing(devnet: RunningDevnet, chains: list[EvmDemoChain]) -> None:
    os.kill(devnet.description["relayers"][3]["pid"], signal.SIGKILL)
    assert len(bring_home(chains)) == 6
