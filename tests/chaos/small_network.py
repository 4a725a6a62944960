"""A small network with one chain that is not EVM's, all of whose endpoints are ways through the lying proxy.

Its job: bring it up for tests that play one fault at a time, ask each way, and wait for the ends.
"""

from __future__ import annotations

import asyncio
import random
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from relayer.devnet.members import CONFIG_FILE
from relayer.devnet.network import Devnet
from relayer.devnet.ports import free_ports
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from tests.chaos.cases import CASES
from tests.chaos.cosmwasm_side import CosmWasmSide
from tests.chaos.evm_side import EvmSide
from tests.chaos.kinds import chain_urls, liars, open_sides
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.plan import LieKind
from tests.chaos.proxy import LyingProxy
from tests.chaos.sides import Due, Side
from tests.chaos.svm_side import SvmSide
from tests.chaos.verdict import judge

NODES = ("relayer-1", "relayer-2")
ENDPOINTS = 3
FINALITY_DEPTH = 2
PATIENCE_SECONDS = 90
CALL, QUERY = (next(case for case in CASES if case.name == name) for name in ("call", "query"))


@dataclass
class Network:
    """Two relayers, EVM chains and the `subject`; each endpoint is a way through the proxy of its own."""

    proxy: LyingProxy
    subject: SvmSide | CosmWasmSide
    others: list[EvmSide]
    load: Load
    ledger: Ledger
    relayers: list[str]
    """URLs of their APIs."""

    async def control(self, method: str, *params: int) -> None:
        """Have the subject's node play a fault."""
        await self.subject.rpc.call(method, *params)

    async def lie(self, kind: LieKind | None, *, endpoints: int = 1) -> None:
        """Have so many endpoints of each relayer lie about the subject; None: nobody lies."""
        for node in NODES:
            for number in range(1, ENDPOINTS + 1):
                where = (_way(node, number), self.subject.name)
                self.proxy.lies.pop(where, None)
                if kind is not None and number <= endpoints:
                    await self.proxy.tell(where, kind)

    async def ask(self) -> None:
        """A call and a query each way."""
        for source, destination in ((self.others[0], self.subject), (self.subject, self.others[0])):
            due = [Due(0.0, source.name, destination.name, case, 0, 0, 5) for case in (CALL, QUERY)]
            await source.ask([(one, destination.aim(one.case, one.number)) for one in due])

    async def end(self) -> None:
        """Until all have ended; nothing was lost, doubled or untrue."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for side in self.load.sides.values():
                    await side.ask([])
                await self.ledger.refresh()
                if self.load.is_all_sent and self.ledger.is_ended:
                    break
                await asyncio.sleep(0.3)
        await self.ledger.refresh(from_start=True)
        verdict = judge(self.ledger, self.load.sides)
        assert (verdict.lost, verdict.double, verdict.wrong) == ([], [], [])


def _way(node: str, endpoint: int) -> str:
    """The first endpoint is the one that pushes as well."""
    return f"{node}.{endpoint}"


@asynccontextmanager
async def small_network(place: Path, vm: str) -> AsyncIterator[Network]:
    """Of two EVM chains and one of this kind, up within the block."""
    folder = DevnetFolder(place / "devnet")
    spec = DevnetSpec(len(NODES), len(NODES), 1, FINALITY_DEPTH, ENDPOINTS, vms=("evm", vm))
    with Devnet(folder, spec, print) as devnet:
        await asyncio.to_thread(devnet.prepare)
        configs = [folder.relayer(node) / CONFIG_FILE for node in NODES]
        config = configs[0].read_text("utf-8")
        proxy = LyingProxy(free_ports(1)[0], chain_urls(config), liars(config), random.Random(1))
        for node, path in zip(NODES, configs, strict=True):
            _lead_through(proxy, node, path)
        async with proxy, aiohttp.ClientSession() as session:
            description = await asyncio.to_thread(devnet.launch)
            sides = open_sides(description, session)
            (subject,) = (*sides.svm.values(), *sides.cosmwasm.values())
            relayers = [str(relayer["api_url"]) for relayer in description["relayers"]]
            yield await _deployed(proxy, subject, list(sides.evm.values()), relayers)


def _lead_through(proxy: LyingProxy, node: str, path: Path) -> None:
    text = path.read_text("utf-8")
    for chain in tomllib.loads(text)["chains"]:
        name = chain["name"]
        for number, url in enumerate(chain["rpc_urls"], start=1):
            text = text.replace(f'"{url}"', f'"{proxy.url(_way(node, number), name)}"')
        text = text.replace(f'"{chain["ws_urls"][0]}"', f'"{proxy.url(_way(node, 1), name, "ws")}"')
    path.write_text(text, "utf-8")


async def _deployed(
    proxy: LyingProxy, subject: SvmSide | CosmWasmSide, others: list[EvmSide], relayers: list[str]
) -> Network:
    sides: list[Side] = [*others, subject]
    starts = {side.name: await side.rpc.number() for side in sides}
    load = Load(sides, 0, 1.0, 0)
    await load.deploy()
    for side in sides:
        await side.rpc.await_blocks(FINALITY_DEPTH + 1)
    return Network(proxy, subject, others, load, Ledger(load, starts, FINALITY_DEPTH), relayers)
