"""Four relayers, of which one gives its place to a fifth key, with hundreds of requests in flight."""

from __future__ import annotations

import json
import re
import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from attestation.schemes import SECP256K1
from relayer.devnet.demo.cases import Case
from relayer.devnet.evm.demo.cases import cases
from relayer.devnet.evm.demo.chain import EvmDemoChain
from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(400)]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what the test started again."""
    with ExitStack() as started:
        yield started


class Load:
    """Requests both ways, calls and queries; remembered until they have ended everywhere."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._chains = {chain["name"]: EvmDemoChain(chain) for chain in description["chains"]}
        for chain in self._chains.values():
            chain.deploy()
        titles = ("change state", "target reverts", "query reverts")
        self._cases = [case for case in cases(tuple(self._chains)) if case.title in titles]
        self._asked: list[tuple[Case, bytes]] = []

    def ask(self, rounds: int) -> None:
        for _ in range(rounds):
            for case in self._cases:
                source, destination = self._chains[case.source], self._chains[case.destination]
                self._asked.append((case, source.ask(case, destination)))

    def ids(self) -> set[str]:
        return {f"0x{self._chains[case.source].request_id(tx_hash):064x}" for case, tx_hash in self._asked}


def statuses(relayer: dict[str, Any]) -> dict[str, str]:
    """Of every request that the relayer knows."""
    found: dict[str, str] = {}
    before = ""
    while True:
        answer = devnets.fetch(f"{relayer['api_url']}/v1/requests?limit=200{before}")
        if not answer:
            return {}
        found |= {item["id"]: item["status"] for item in answer["requests"]}
        if answer["next"] is None:
            return found
        before = f"&before={answer['next']}"


def epochs(relayer: dict[str, Any]) -> set[int]:
    answer = devnets.fetch(f"{relayer['api_url']}/v1/signers")
    return {gateway["current"]["epoch"] for gateway in answer["gateways"]} if answer else set()


def stop(process: psutil.Process) -> None:
    process.send_signal(signal.SIGTERM)
    # The supervisor, which started it, waits for it; one that it has not looked after yet is as good as gone.
    devnets.until(
        lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "it did not stop", seconds=30
    )


def start(relayer: dict[str, Any], devnet: RunningDevnet, stack: ExitStack) -> psutil.Process:
    process = stack.enter_context(devnets.relayer_process(relayer, devnet.home))
    devnets.until(lambda: devnets.fetch(f"{relayer['api_url']}/healthz"), "it did not come up", seconds=30)
    return psutil.Process(process.pid)


def replace_key(old: str, new: str, relayer: dict[str, Any]) -> None:
    """In the peers' sections of a configuration."""
    path = Path(relayer["config_path"])
    path.write_text(re.sub(old, new, path.read_text(), flags=re.IGNORECASE))


def make_fifth(relayer: dict[str, Any]) -> str:
    """A new signer key and a new folder of data for whoever takes this relayer's place; the key."""
    folder = Path(relayer["config_path"]).parent
    secret = secrets.token_bytes(32)
    key_file = folder / "signer.key"
    key_file.write_text(f"0x{secret.hex()}\n")
    (folder / "data").rename(folder / "data-of-the-former")
    return f"0x{SECP256K1.signing_key(secret).key.hex()}"


def test_a_fifth_key_takes_the_place_of_the_fourth_and_every_request_ends(
    devnet: RunningDevnet, stack: ExitStack, tmp_path: Path
) -> None:
    one, two, three, four = devnet.description["relayers"]
    load = Load(devnet.description)
    load.ask(20)
    stop(psutil.Process(four["pid"]))
    fifth_key = make_fifth(four)
    running = {"five": start(four, devnet, stack)}
    for name, relayer in (("one", one), ("two", two), ("three", three)):
        stop(psutil.Process(relayer["pid"]))
        replace_key(four["signer"], fifth_key, relayer)
        running[name] = start(relayer, devnet, stack)

    load.ask(10)
    file = tmp_path / "next.json"
    proposed = devnets.xvm(
        *("signers", "propose", str(file), "--api", one["api_url"], "--json"),
        *("--remove", four["signer"], "--add", f"{fifth_key}=five"),
        home=devnet.home,
    )
    assert proposed.returncode == 0, proposed.stderr
    digest = json.loads(proposed.stdout)["hash"]
    for relayer in (one, two, three):
        assert epochs(relayer) == {1}
        words = ("signers", "accept", str(file), "--config", relayer["config_path"], "--hash", digest)
        accepted = devnets.xvm(*words, home=devnet.home)
        assert accepted.returncode == 0, accepted.stderr
    load.ask(10)
    devnets.until(lambda: epochs(four) == {2}, "the gateways did not take the set", seconds=90)
    load.ask(5)
    ids = load.ids()
    assert len(ids) == 45 * 6

    def all_ended(*relayers: dict[str, Any]) -> bool:
        for relayer in relayers:
            known = statuses(relayer)
            if not all(known.get(identifier) == "DELIVERED" for identifier in ids):
                return False
        return True

    devnets.until(lambda: all_ended(one, two, three, four), "not every request ended everywhere", seconds=180)
    # Without the first, the quorum needs the fifth.
    stop(running["one"])
    load.ask(1)
    ids = load.ids()
    devnets.until(lambda: all_ended(two, three, four), "the fifth does not sign", seconds=90)
