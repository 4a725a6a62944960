"""What clusters do to their clients, one fault at a time, to a whole network: requests end all the same, and once."""

from __future__ import annotations

import asyncio
import random
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from relayer.devnet.members import CONFIG_FILE
from relayer.devnet.network import Devnet
from relayer.devnet.ports import free_ports
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from tests.chaos.cases import CASES
from tests.chaos.evm_side import EvmSide
from tests.chaos.kinds import chain_urls, liars, open_sides
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.plan import EXPIRING_SLOTS, LieKind
from tests.chaos.proxy import LyingProxy
from tests.chaos.sides import Due, Side
from tests.chaos.svm_side import SvmSide
from tests.chaos.verdict import judge

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

NODES = ("relayer-1", "relayer-2")
ENDPOINTS = 3
FINALITY_DEPTH = 2
PATIENCE_SECONDS = 90
CALL, QUERY = (next(case for case in CASES if case.name == name) for name in ("call", "query"))


@dataclass
class Network:
    """Two relayers; each endpoint of theirs is a way through the proxy of its own."""

    proxy: LyingProxy
    sunny: SvmSide
    others: list[EvmSide]
    load: Load
    ledger: Ledger

    async def control(self, method: str, *params: int) -> None:
        """Have Solana's node play a fault."""
        await self.sunny.rpc.call(method, *params)

    async def lie(self, kind: LieKind | None, *, endpoints: int = 1) -> None:
        """Have so many endpoints of each relayer lie about Solana; None: nobody lies."""
        for node in NODES:
            for number in range(1, ENDPOINTS + 1):
                where = (_way(node, number), self.sunny.name)
                self.proxy.lies.pop(where, None)
                if kind is not None and number <= endpoints:
                    await self.proxy.tell(where, kind)

    async def ask(self) -> None:
        """A call and a query each way."""
        for source, destination in ((self.others[0], self.sunny), (self.sunny, self.others[0])):
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    folder = DevnetFolder(tmp_path_factory.mktemp("faults") / "devnet")
    spec = DevnetSpec(len(NODES), len(NODES), 1, FINALITY_DEPTH, ENDPOINTS, vms=("evm", "svm"))
    with Devnet(folder, spec, print) as devnet:
        await asyncio.to_thread(devnet.prepare)
        configs = [folder.relayer(node) / CONFIG_FILE for node in NODES]
        config = configs[0].read_text("utf-8")
        proxy = LyingProxy(free_ports(1)[0], chain_urls(config), liars(config), random.Random(1))
        for node, path in zip(NODES, configs, strict=True):
            _lead_through(proxy, node, path)
        async with proxy, aiohttp.ClientSession() as session:
            description = await asyncio.to_thread(devnet.launch)
            evm, svm = open_sides(description, session)
            (sunny,) = svm.values()
            yield await _deployed(proxy, sunny, list(evm.values()))


def _lead_through(proxy: LyingProxy, node: str, path: Path) -> None:
    text = path.read_text("utf-8")
    for chain in tomllib.loads(text)["chains"]:
        name = chain["name"]
        for number, url in enumerate(chain["rpc_urls"], start=1):
            text = text.replace(f'"{url}"', f'"{proxy.url(_way(node, number), name)}"')
        text = text.replace(f'"{chain["ws_urls"][0]}"', f'"{proxy.url(_way(node, 1), name, "ws")}"')
    path.write_text(text, "utf-8")


async def _deployed(proxy: LyingProxy, sunny: SvmSide, others: list[EvmSide]) -> Network:
    sides: list[Side] = [*others, sunny]
    starts = {side.name: await side.rpc.number() for side in sides}
    load = Load(sides, 0, 1.0, 0)
    await load.deploy()
    for side in sides:
        await side.rpc.await_blocks(FINALITY_DEPTH + 1)
    return Network(proxy, sunny, others, load, Ledger(load, starts, FINALITY_DEPTH))


async def test_dropped_websockets_cost_no_request(network: Network) -> None:
    await network.lie(LieKind.MUTE)
    await network.control("devnet_dropSockets")
    await network.ask()
    await network.end()
    await network.lie(None)


async def test_a_node_that_lags_alone_or_all_of_them_for_a_while_cost_no_request(network: Network) -> None:
    await network.lie(LieKind.OLD_HEADS)
    await network.control("devnet_setLag", 20)
    await network.ask()
    await network.sunny.rpc.await_blocks(5)
    await network.control("devnet_setLag", 0)
    await network.end()
    await network.lie(None)


@pytest.mark.parametrize("kind", [LieKind.DROP_LOGS, LieKind.TRUNCATE])
async def test_signatures_that_one_endpoint_leaves_out_cost_no_request(network: Network, kind: LieKind) -> None:
    before = network.proxy.told[kind]
    await network.lie(kind)
    await network.ask()
    await network.end()
    assert network.proxy.told[kind] > before
    await network.lie(None)


async def test_skipped_slots_cost_no_request(network: Network) -> None:
    for _ in range(3):
        await network.control("devnet_skipSlots", 40)
        await network.ask()
        await network.sunny.rpc.await_blocks(3)
    await network.end()


async def test_a_transaction_that_is_lost_is_signed_anew_when_its_blockhash_has_expired_and_runs_once(
    network: Network,
) -> None:
    swallow, before = LieKind.SWALLOW, network.proxy.told[LieKind.SWALLOW]
    await network.lie(swallow, endpoints=ENDPOINTS)
    await network.ask()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while network.proxy.told[swallow] < before + ENDPOINTS:  # noqa: ASYNC110 - a proxy rings no bell
            await asyncio.sleep(0.1)
    # What was signed so far can land no more, whoever sends it again.
    await network.control("devnet_advanceSlots", EXPIRING_SLOTS)
    await network.lie(None)
    await network.end()
