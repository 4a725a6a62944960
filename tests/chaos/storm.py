"""A storm over a real devnet: `python -m tests.chaos.storm --requests N --seconds S --seed X`, or `make storm`.

Its job: bring everything up, let users ask while faults are played, wait for everything to end, and count on the
chains. Exit code 1 if anything was lost, happened twice or was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import sys
import time
import tomllib
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from attestation.request import Mode
from attestation.schemes import SECP256K1
from relayer.devnet.members import CONFIG_FILE, SIGNER_FILE, WALLET_FILE
from relayer.devnet.network import Devnet, unready_reason
from relayer.devnet.ports import free_ports
from relayer.devnet.processes import ProcessBook
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from tests.chaos.byzantine.lies import SEED_VARIABLE
from tests.chaos.cosmwasm_record import CosmWasmRecord
from tests.chaos.crew import Crew
from tests.chaos.databases import disagreements, read_record
from tests.chaos.kinds import Sides, chain_urls, liars, open_sides
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.plan import draw_plan
from tests.chaos.playing import Player
from tests.chaos.proxy import LyingProxy
from tests.chaos.report import Report, show
from tests.chaos.svm_record import SvmRecord
from tests.chaos.verdict import judge

NODES = ("relayer-1", "relayer-2", "relayer-3", "relayer-4")
BYZANTINE = NODES[-1]
HONEST = NODES[:-1]
ENDPOINTS = 3
BLOCK_SECONDS = 1
"""Whole ones: reorgs interrupt the mining, and it can be taken up again by whole seconds only."""

FINALITY_DEPTH = 6
"""Reorgs are shallower, and what expires does so before it is final."""

SETTLE_SECONDS = 240.0
"""For everything to end once nothing is disturbed any more."""

AGREE_SECONDS = 60.0
"""For the nodes to take in what the chains have ended."""

EVIDENCE_SECONDS = 180.0
"""For the honest nodes to convict: they wait two minutes before they look into a root that they did not build."""

MEMORY_LIMIT_BYTES = 512 * 2**20
"""Of one relayer. Some 150 MiB are its libraries; the rest must not grow with what a peer or an endpoint sends."""

_PROGRESS_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_BAD_LOGS = ("chain_halted", "Traceback (most recent call last)")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a storm."""

    requests: int
    seconds: float
    seed: int
    vms: tuple[str, ...] = ("evm", "svm")
    needs_evidence: bool = True


def run_storm(size: Size, folder: DevnetFolder, say: Say) -> Report:
    """One storm, from nothing to nothing. Raises `DevnetFailed` if the devnet does not come up."""
    os.environ[SEED_VARIABLE] = str(size.seed)
    spec = DevnetSpec(len(NODES), len(HONEST), BLOCK_SECONDS, FINALITY_DEPTH, ENDPOINTS, vms=size.vms)
    with Devnet(folder, spec, say) as devnet:
        devnet.prepare()
        return asyncio.run(_Storm(size, folder, devnet, say).run())


class _Storm:
    def __init__(self, size: Size, folder: DevnetFolder, devnet: Devnet, say: Say) -> None:
        self._size = size
        self._folder = folder
        self._devnet = devnet
        self._say = say
        self._began = time.monotonic()
        self._programs = {BYZANTINE: [sys.executable, "-m", "tests.chaos.byzantine"]}

    async def run(self) -> Report:
        size = self._size
        config = (self._folder.relayer(NODES[0]) / CONFIG_FILE).read_text("utf-8")
        proxy = LyingProxy(free_ports(1)[0], chain_urls(config), liars(config), random.Random(size.seed))
        async with proxy, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            self._lead_through(proxy)
            description = await asyncio.to_thread(self._devnet.launch, self._programs)
            kinds = open_sides(description, session)
            sides = kinds.all
            starts = {side.name: await side.rpc.number() for side in sides}
            load = Load(sides, size.requests, size.seconds, size.seed)
            await load.deploy()
            for side in sides:
                await side.rpc.await_blocks(FINALITY_DEPTH + 1)
            crew = Crew(self._devnet, ProcessBook(self._folder.processes), NODES, self._programs)
            player = Player(crew, proxy, kinds, [_key(self._folder, name, WALLET_FILE) for name in NODES])
            ledger = Ledger(load, starts, FINALITY_DEPTH)
            chains = (list(kinds.evm), list(kinds.svm), list(kinds.cosmwasm))
            plan = draw_plan(size.seed, size.seconds, NODES, *chains, FINALITY_DEPTH)
            faults = len(plan.faults) + len(plan.slot_faults) + len(plan.instant_faults)
            self._say(f"the storm begins: {faults} faults, {len(plan.reorgs)} reorgs, {len(plan.lies)} lies")
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(crew.watch()),
                    tasks.create_task(load.run()),
                    tasks.create_task(self._tell_progress(ledger, player, crew)),
                ]
                await player.play(plan)
                calm_at = time.monotonic()
                self._say("the storm is over; waiting for everything to end")
                amiss = await self._settle(load, ledger)
                settled = time.monotonic() - calm_at
                beside[2].cancel()
                await ledger.refresh(from_start=True)
                amiss += await self._agree(ledger, description, calm_at, kinds.svm)
                amiss += await _miscounted(ledger, kinds)
                for task in beside:
                    task.cancel()
            return self._report(load, ledger, player, proxy, crew, amiss, settled)

    def _lead_through(self, proxy: LyingProxy) -> None:
        """Of each chain's endpoints the last one lies to each node, and so does the one that pushes heads."""
        for node in NODES:
            path = self._folder.relayer(node) / CONFIG_FILE
            text = path.read_text("utf-8")
            for chain in tomllib.loads(text)["chains"]:
                name, (url, *_) = chain["name"], chain["rpc_urls"]
                text = text.replace(f"{url}/?endpoint={ENDPOINTS}", proxy.url(node, name))
                text = text.replace(f'"{chain["ws_urls"][0]}"', f'"{proxy.url(node, name, "ws")}"')
            path.write_text(text, "utf-8")

    async def _tell_progress(self, ledger: Ledger, player: Player, crew: Crew) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            await ledger.refresh()
            asked, executed, ended = ledger.counts()
            peak = max((crew.peak_bytes[name] for name in NODES), default=0) / 2**20
            self._say(
                f"{time.monotonic() - self._began:5.0f} s  asked {asked}, concluded {executed}, called back {ended}; "
                f"{sum(player.played.values())} faults, {sum(crew.restarts.values())} restarts, peak {peak:.0f} MiB"
            )

    async def _settle(self, load: Load, ledger: Ledger) -> list[str]:
        """Until everything that was asked has ended, and is final."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            await ledger.refresh()
            if load.is_all_sent and ledger.is_ended:
                for side in load.sides.values():
                    await side.rpc.await_blocks(FINALITY_DEPTH + 1)
                return []
            await asyncio.sleep(_LOOK_SECONDS)
        return [f"not everything ended within {SETTLE_SECONDS:.0f} s"]

    async def _agree(
        self, ledger: Ledger, description: dict[str, Any], calm_at: float, slot_chains: Collection[str]
    ) -> list[str]:
        """Until the nodes' databases say the same, and convict; what is still amiss when patience is over."""
        lives = [life for life in ledger.lives().values() if life.requested]
        asked = {life.request_id for life in lives}
        read_by_each = {
            life.request_id
            for life in lives
            if life.asked and life.asked.case.mode is Mode.QUERY and life.asked.destination in slot_chains
        }
        byzantine = _key(self._folder, BYZANTINE, SIGNER_FILE)
        agreed_by = time.monotonic() + AGREE_SECONDS
        while True:
            records = {name: read_record(_database(self._folder, name)) for name in HONEST}
            amiss = list(disagreements(records, asked, read_by_each))
            # One is enough, since evidence convinces whoever reads it; who finds it first is a matter of luck.
            is_convicted = any(s == byzantine for record in records.values() for _, s in record.evidence)
            is_wanted = self._size.needs_evidence and not is_convicted
            now = time.monotonic()
            if not (amiss and now < agreed_by) and not (is_wanted and now < calm_at + EVIDENCE_SECONDS):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        self._evidence = {name: len(record.evidence) for name, record in records.items()}
        amiss += [f"nobody has evidence against {BYZANTINE}"] if is_wanted else []
        for name, record in records.items():
            amiss += [f"{name} convicts an honest signer 0x{s.hex()}" for _, s in record.evidence if s != byzantine]
        for relayer in description["relayers"]:
            if relayer["name"] in HONEST and (reason := unready_reason(relayer["api_url"])):
                amiss.append(f"{relayer['name']} is not ready: {reason}")
        return amiss

    def _report(
        self,
        load: Load,
        ledger: Ledger,
        player: Player,
        proxy: LyingProxy,
        crew: Crew,
        amiss: list[str],
        settled_seconds: float,
    ) -> Report:
        amiss += [f"{name} ended by itself" for name in crew.crashes]
        for name in HONEST:
            log = self._folder.log(name).read_text("utf-8", errors="replace")
            amiss += [f"{name} logged {word!r} {times} times" for word in _BAD_LOGS if (times := log.count(word))]
            if crew.peak_bytes[name] > MEMORY_LIMIT_BYTES:
                amiss.append(f"{name} took {crew.peak_bytes[name] / 2**20:.0f} MiB")
        return Report(
            seed=self._size.seed,
            requests=self._size.requests,
            seconds=self._size.seconds,
            took_seconds=time.monotonic() - self._began,
            settled_seconds=settled_seconds,
            sent=load.sent,
            verdict=judge(ledger, load.sides),
            played=player.played,
            dropped=player.dropped,
            lies=proxy.told,
            restarts=crew.restarts,
            peak_bytes=crew.peak_bytes,
            evidence=self._evidence,
            amiss=amiss,
        )


async def _miscounted(ledger: Ledger, kinds: Sides) -> list[str]:
    """Where a counter says another number than it was seen to count."""
    return [
        f"the counter on {side.name} says {count}, and counted {record.runs} times"
        for side in (*kinds.svm.values(), *kinds.cosmwasm.values())
        if isinstance(record := ledger.chains[side.name], SvmRecord | CosmWasmRecord)
        and (count := await side.fetch_count()) != record.runs
    ]


def _key(folder: DevnetFolder, name: str, file: str) -> bytes:
    """The address of a relayer's key."""
    secret = bytes.fromhex((folder.relayer(name) / file).read_text("utf-8").strip()[2:])
    return SECP256K1.signing_key(secret).key


def _database(folder: DevnetFolder, name: str) -> Path:
    return folder.relayer(name) / "data" / "relayer.sqlite3"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="A storm over a devnet; exit code 1 if anything is lost or wrong.")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--vms", default="evm,svm")
    parser.add_argument("--state", type=Path, default=Path(".storm/devnet"))
    parser.add_argument("--report", type=Path, default=Path(".storm/report.json"))
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"storm: seed {seed}; the same again: make storm SEED={seed}")
    folder = DevnetFolder(options.state.resolve())
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    report = run_storm(
        Size(options.requests, options.seconds, seed, tuple(options.vms.split(","))), folder, console.print
    )
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(report.document(), indent=2) + "\n", "utf-8")
    show(report, console)
    console.print(f"all of it: {options.report}; logs: {folder.root / 'logs'}")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
