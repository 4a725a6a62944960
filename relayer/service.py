"""The only composition root: one node, put together from its configuration.

Its job: open databases, chains and doors, hand the stages what they need, and run it all until told to stop. Nothing
else in the relayer knows how its parts are made; this module decides nothing about any request.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import platform
import random
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import entry_points, version
from pathlib import Path

import structlog

from attestation.address import parse_account
from attestation.request import Mode
from relayer.api.app import create_app
from relayer.api.server import ApiServer
from relayer.config import Settings
from relayer.domain.policy import SpendPolicy
from relayer.domain.route import Route, RouteTable
from relayer.domain.signers import signer_text
from relayer.errors import ConfigError, RpcUnavailable
from relayer.keys.local_signer import LocalSigner
from relayer.observability.metrics import Metrics
from relayer.peers.client import HttpPeers, PeerAddress
from relayer.peers.doorkeeper import Doorkeeper
from relayer.peers.wire import network_id
from relayer.ports.destination_vm import DestinationVm
from relayer.ports.node_status import ChainStatus, PeerHead, PeerStatus
from relayer.ports.signer import Guard
from relayer.ports.store import Store
from relayer.ports.vm import ChainSettings, OpenChain, VmRegistration
from relayer.stages.answer import AnswerStage
from relayer.stages.attest import AttestStage
from relayer.stages.catch_up import CatchUpStage
from relayer.stages.confirm import ConfirmStage
from relayer.stages.deposits import DepositStage
from relayer.stages.desk import Bell, Bells, Desk, Tip
from relayer.stages.duties import schedule_duties
from relayer.stages.epochs import EpochBook
from relayer.stages.evidence import EvidenceStage
from relayer.stages.expire import ExpireStage
from relayer.stages.inbox import Inbox
from relayer.stages.rotate import RotateStage
from relayer.stages.rounds import RoundsStage
from relayer.stages.runner import Runner
from relayer.stages.settings import StageSettings
from relayer.stages.split import SplitStage
from relayer.stages.stage import Stage
from relayer.stages.status import chain_status
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from relayer.store.engine import database_file, open_engine
from relayer.store.guard_store import GUARD_CACHE_KIBIBYTES, SqlGuard
from relayer.store.migrate import Schema, is_current, upgrade
from relayer.store.sql_store import SqlStore

PACKAGE_VERSION = version("xvm-relayer")

_ALLOCATIONS_PER_COLLECTION = 50_000
"""What is left of a few blocks: cycles, which only errors make, are found within seconds all the same."""

_log = structlog.get_logger(__name__)


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        await asyncio.sleep(seconds)


class ChainMeter:
    """Counts the exchanges with one chain's endpoints. Implements the port `RpcMeter`."""

    def __init__(self, metrics: Metrics, caip2: str) -> None:
        self._metrics = metrics
        self._caip2 = caip2

    def exchanged(self, endpoint: int, calls: int, seconds: float, fault: str) -> None:
        """One exchange."""
        labels = (self._caip2, str(endpoint))
        self._metrics.rpc_calls.labels(*labels).inc(calls)
        self._metrics.rpc_duration.labels(*labels).observe(seconds)
        if fault:
            self._metrics.rpc_errors.labels(*labels, fault).inc()


def routes_between(gateways: Mapping[str, bytes]) -> RouteTable:
    """Both modes between every ordered pair of chains. Keys are CAIP-2 text, values ERC-7930 gateways."""
    routes = []
    for source_chain, source in gateways.items():
        for destination_chain, destination in gateways.items():
            if source_chain == destination_chain:
                continue
            chain_only = parse_account(destination).chain.to_bytes()
            routes += [
                Route(source + destination, Mode.CALL, source_chain, destination_chain, source, destination),
                Route(source + chain_only, Mode.QUERY, source_chain, destination_chain, source, b""),
            ]
    return RouteTable(routes)


def registered_vms() -> dict[str, VmRegistration]:
    """All VMs that are installed, ours and others', by CAIP-2 namespace."""
    found = [entry.load() for entry in entry_points(group="xvm.vms")]
    return {registration.namespace: registration for registration in found}


def registered_names() -> dict[str, str]:
    """What the installed VMs are called, by CAIP-2 namespace."""
    return {entry.load().namespace: entry.name for entry in entry_points(group="xvm.vms")}


async def open_chains(settings: Sequence[ChainSettings], stack: AsyncExitStack) -> dict[str, OpenChain]:
    """Connect every chain, by CAIP-2. Raises `ConfigError` with the faults of all of them."""
    vms, faults = registered_vms(), []
    chains: dict[str, OpenChain] = {}
    for chain in settings:
        vm = vms.get(chain.caip2.partition(":")[0])
        if vm is None:
            faults.append(f"chains.{chain.name}.caip2: no installed VM serves {chain.caip2}")
            continue
        try:
            opened = await vm.open_chain(chain)
        except ConfigError as error:
            faults += [f"chains.{chain.name}: {fault}" for fault in error.faults]
            continue
        stack.push_async_callback(opened.close)
        chains[chain.caip2] = opened
    if faults:
        raise ConfigError(faults)
    return chains


class Node:
    """One running node. Implements the port `NodeStatus`."""

    def __init__(self, desk: Desk, peers: HttpPeers) -> None:
        self._desk = desk
        self._peers = peers
        self._started_at = desk.clock.now()
        self._beat_at = self._started_at

    def beat(self) -> None:
        """The service's loop came round."""
        self._beat_at = self._desk.clock.now()

    @property
    def key(self) -> bytes:
        """Its signer key."""
        return self._desk.signer.key

    @property
    def peer_key(self) -> bytes:
        """The 20-byte address by which peers know its messages."""
        return self._desk.signer.peer_key

    @property
    def version(self) -> str:
        """The version of the package that runs."""
        return PACKAGE_VERSION

    @property
    def started_at(self) -> float:
        """Wall-clock seconds."""
        return self._started_at

    @property
    def last_beat_at(self) -> float:
        """When the service's own loop last came round."""
        return self._beat_at

    @property
    def store_fault(self) -> str:
        """Why the last write to the store failed; empty if it did not."""
        return self._desk.store_fault

    def chains(self) -> Sequence[ChainStatus]:
        """All configured chains."""
        return [chain_status(self._desk, chain.source) for chain in self._desk.chains.values()]

    def peers(self) -> Sequence[PeerStatus]:
        """All configured peers."""
        return self._peers.statuses()

    def heads(self) -> Sequence[PeerHead]:
        """What a peer's ping is answered with."""
        return [
            PeerHead(chain.caip2, chain.tip.number, chain.final_number)
            for chain in self.chains()
            if chain.tip is not None
        ]


async def run(settings: Settings) -> None:
    """Run a node until SIGTERM or SIGINT. Raises `ConfigError` before anything is signed or sent."""
    _calm_collector()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        running = await _start(settings, stack)
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            _log.info("node_stops", reason="signal" if stop.is_set() else "failure")
        finally:
            stopping.cancel()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def _calm_collector() -> None:
    """Have the collector of reference cycles look more seldom, and never at what was imported.

    A block makes tens of thousands of objects that live until the next ones and are in no cycle. At the interpreter's
    own threshold each block is walked through dozens of times: a sixth of all CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, 20, 20)


async def _start(settings: Settings, stack: AsyncExitStack) -> asyncio.Task[None]:
    metrics, clock = Metrics(), SystemClock()
    metrics.build.labels(PACKAGE_VERSION, platform.python_version()).set(1)
    jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing
    _make_folder(settings.node.data_dir)
    told = [replace(chain, meter=ChainMeter(metrics, chain.caip2)) for chain in settings.load_chain_settings()]
    chains = await open_chains(told, stack)
    await _require_verifiers(chains)
    store, guard = await _open_databases(settings, stack)
    signer = LocalSigner(settings.load_signing_key(), guard, settings.load_peer_key())
    network = network_id(settings.node.network)
    addresses = [PeerAddress(peer.signer_key, peer.message_key, peer.url) for peer in settings.peers]
    peers = await stack.enter_async_context(
        HttpPeers(signer=signer, network=network, peers=addresses, clock=clock, metrics=metrics, jitter=jitter.random)
    )
    desk = Desk(
        store=store,
        clock=clock,
        routes=routes_between({name: chain.source.gateway for name, chain in chains.items()}),
        chains=chains,
        signer=signer,
        peers=peers,
        epochs=EpochBook(),
        metrics=metrics,
        settings=_stage_settings(settings),
        bells=Bells(
            submit={name: Bell() for name in chains},
            answer={name: Bell() for name in chains},
            confirm={name: Bell() for name in chains},
        ),
        tips={name: Tip() for name in chains},
    )
    inbox = Inbox(desk, random.SystemRandom())
    node = Node(desk, peers)
    signers = {address.peer_key: address.signer for address in addresses}
    door = Doorkeeper(
        signer=signer,
        network=network,
        signers=signers,
        inbox=inbox,
        heads=node.heads,
        heard=peers.note_heard,
        clock=clock,
    )
    commands = {name: vm.commands for name, vm in registered_vms().items() if vm.commands is not None}
    app = create_app(
        door=door,
        store=store,
        routes=desk.routes,
        status=node,
        commands=commands,
        vm_names=registered_names(),
        gateways={chain.caip2: chain.gateway for chain in settings.chains},
        metrics=metrics,
        clock=clock,
    )
    server = ApiServer(app, metrics, host=settings.node.api_host, port=settings.node.api_port)
    try:
        await stack.enter_async_context(server)
    except OSError as error:
        place = f"{settings.node.api_host}:{settings.node.api_port}"
        fault = f"node.api_port: {place} cannot be listened on; does this relayer run already?"
        raise ConfigError([fault]) from error
    duties = schedule_duties(desk, node.beat)
    duties.start()
    stack.callback(duties.shutdown, wait=False)
    start_blocks = {chain.caip2: chain.start_block for chain in settings.chains}
    runner = Runner(desk, _stages(desk, inbox, settings.spend_policy(), start_blocks), jitter)
    _log.info("node_starts", signer=signer_text(signer.key), api_port=server.port, chains=list(chains))
    return asyncio.create_task(_run_together(runner, peers))


async def _require_verifiers(chains: Mapping[str, OpenChain]) -> None:
    """Raise `ConfigError` where a gateway has another verifier than the configured one.

    Endpoints that do not answer now hold up nothing: `xvm doctor` asks as well.
    """
    faults = []
    for chain in chains.values():
        try:
            fault = await chain.source.fetch_verifier_fault()
        except RpcUnavailable as error:
            _log.warning("verifier_not_checked", chain=chain.source.name, reason=str(error))
            continue
        if fault:
            faults.append(f"chains.{chain.source.name}.verifier: {fault}")
    if faults:
        raise ConfigError(faults)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"node.data_dir: {path} cannot be made: {error.strerror}; name another"]) from None


async def _run_together(runner: Runner, peers: HttpPeers) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        group.create_task(peers.run())


async def _open_databases(settings: Settings, stack: AsyncExitStack) -> tuple[Store, Guard]:
    """Bring both schemas up to date and open them.

    SECURITY: the guard is made at the very first start only. An old node without its guard has forgotten what it
    signed; it may go on under a new key, never under the old one.
    """
    await upgrade(settings.store_url)
    if await _has_signed(settings) and not await is_current(settings.guard_url, Schema.GUARD):
        file = database_file(settings.guard_url) or "the guard's schema"
        fault = (
            f"guard_database_url: {file} is missing, but this node has signed before; "
            "bring the file back as it was last used, or give the node a new signer key and a new data_dir"
        )
        raise ConfigError([fault])
    await upgrade(settings.guard_url, Schema.GUARD)
    engines = open_engine(settings.store_url), open_engine(settings.guard_url, GUARD_CACHE_KIBIBYTES)
    for engine in engines:
        stack.push_async_callback(engine.dispose)
    return SqlStore(engines[0]), SqlGuard(engines[1])


async def _has_signed(settings: Settings) -> bool:
    engine = open_engine(settings.store_url)
    try:
        return bool(await SqlStore(engine).load_own_attestations(settings.load_signing_key().key, 0, 1))
    finally:
        await engine.dispose()


def _stages(desk: Desk, inbox: Inbox, policy: SpendPolicy, start_blocks: Mapping[str, int]) -> list[Stage]:
    stages: list[Stage] = [
        AttestStage(desk, inbox),
        CatchUpStage(desk, inbox),
        SplitStage(desk),
        EvidenceStage(desk, inbox, random.SystemRandom()),
    ]
    for name, chain in desk.chains.items():
        stages += [
            WatchStage(desk, chain.source, start_blocks[name]),
            _answering(desk, inbox, chain.destination),
            SubmitStage(desk, chain, policy),
            ConfirmStage(desk, chain),
            ExpireStage(desk, name),
            RotateStage(desk, chain),
        ]
        if chain.deposits is not None:
            stages.append(DepositStage(desk, chain, chain.deposits))
    return stages


def _answering(desk: Desk, inbox: Inbox, destination: DestinationVm) -> Stage:
    if destination.reads_history is True:
        return AnswerStage(desk, destination)
    return RoundsStage(desk, inbox, destination)


def _stage_settings(settings: Settings) -> StageSettings:
    return StageSettings(
        takeover_seconds=settings.policy.takeover_seconds,
        split_seconds=settings.policy.split_seconds,
        hold_recheck_seconds=settings.policy.hold_recheck_seconds,
        window_requests=settings.policy.window_requests,
    )
