"""Brings a devnet up, and down again.

Its job: chains, contracts, relayers, in this order, each only when the one before answers; then the description by
which outside programs join. Contracts are deployed and relayers started by the same commands as in a real network. It
must leave nothing behind outside its folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import orjson

from attestation.address import checksum_address
from relayer.devnet.accounts import dev_secrets
from relayer.devnet.kinds import ChainPlace, DevChain, PlannedChain, fetch_height, plan_chains
from relayer.devnet.members import (
    ADDRESS_LENGTH,
    CONFIG_FILE,
    Member,
    config_text,
    make_member,
    plan_text,
    write_key,
)
from relayer.devnet.ports import free_ports
from relayer.devnet.probe import PROBE_SECONDS
from relayer.devnet.processes import TERMINATE_SECONDS, ProcessBook, start_watchdog
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from relayer.errors import ConfigError, RejectedError

SCHEMA_VERSION: Final = 1

SUPERVISOR: Final = "supervisor"
"""The name, among the recorded processes, of the one that holds the others."""

CHAIN_SECONDS: Final = 20.0
"""For a chain to answer; anvil takes 40 ms on an idle machine."""

READY_SECONDS: Final = 120.0
"""For all relayers to be ready; some 10 s on an idle machine."""

LOG_LINES_SHOWN: Final = 12
_LOOK_SECONDS: Final = 0.2

Report = Callable[[str], None]


class DevnetFailed(RejectedError):  # noqa: N818 - named as relayer.errors names its own
    """The devnet does not come up; the text says what stopped, and the last lines that it printed."""

    code = "devnet_failed"


class Devnet:
    """One devnet that this process supervises. A context manager: whatever happens, nothing runs afterwards.

    `program` is the build of the program `xvm` that deploys and relays; this very one, if none is named.
    """

    def __init__(
        self, folder: DevnetFolder, spec: DevnetSpec, report: Report, program: Sequence[str] | None = None
    ) -> None:
        self._program = list(program or xvm_command())
        self._folder = folder
        self._spec = spec
        self._report = report
        self._book = ProcessBook(folder.processes)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._members: list[Member] = []
        self._described: list[tuple[DevChain, dict[str, Any]]] = []

    def __enter__(self) -> Self:
        prepare_folder(self._folder)
        self._book.remember(SUPERVISOR, os.getpid())
        self._watchdog = start_watchdog(self._folder.processes)
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.description.unlink(missing_ok=True)
        # By the record, not by the handles: an interrupted start has left no handle.
        killed = self._book.end_all(item.name for item in self._book.read() if item.name != SUPERVISOR)
        for child in self._children.values():
            child.wait()
        if killed:
            self._report(f"had to be killed: {', '.join(killed)}")
        self._book.forget()
        self._watchdog.communicate()

    def start(self) -> dict[str, Any]:
        """Bring everything up; the description, as written to `devnet.json`.

        Raises:
            DevnetFailed: a part did not start or did not get ready in time.
            ConfigError: anvil is not installed, or no ports are free.
        """
        self.prepare()
        return self.launch()

    def prepare(self) -> None:
        """All but the relayers: chains and contracts are up, each relayer's files are written. Raises as `start`.

        Until `launch` the files may be changed.
        """
        planned = plan_chains(self._spec.vms)
        ports = iter(free_ports(sum(chain.kind.ports for chain in planned) + self._spec.relayers))
        chains = self._start_chains([self._lay_out(chain, ports) for chain in planned])
        self._members = [
            make_member(self._folder, f"relayer-{number}", port, self._spec.scheme)
            for number, port in enumerate(ports, start=1)
        ]
        deployed = self._deploy(chains, self._members)
        self._described = list(zip(chains, deployed, strict=True))
        for member in self._members:
            peers = (peer for peer in self._members if peer is not member)
            config = self._folder.relayer(member.name) / CONFIG_FILE
            config.write_text(config_text(self._spec, member, peers, self._described), "utf-8")

    def launch(self, programs: Mapping[str, Sequence[str]] = MappingProxyType({})) -> dict[str, Any]:
        """Start the relayers that `prepare` made; the description when all are ready. Raises as `start`.

        `programs` names, by relayer, another build of the program `xvm` that is to run as this one.
        """
        for member in self._members:
            self.start_relayer(member.name, programs.get(member.name))
        self._report(f"{len(self._members)} relayers started")
        self._await_ready(self._members)
        description = self._describe(self._described, self._members)
        _write_whole(self._folder.description, description)
        return description

    def start_relayer(self, name: str, program: Sequence[str] | None = None) -> None:
        """Start one relayer, for the first time or again after its end; `program` as in `launch`."""
        ended = self._children.pop(name, None)
        if ended is not None:
            ended.wait()
        config = self._folder.relayer(name) / CONFIG_FILE
        self._start(name, [*(program or self._program), "run", "--config", str(config)])

    def find_dead(self) -> Mapping[str, int]:
        """Names and exit codes of those that ended since the last call."""
        dead = {name: code for name, child in self._children.items() if (code := child.poll()) is not None}
        for name in dead:
            del self._children[name]
        return dead

    def _start(self, name: str, command: Sequence[str]) -> None:
        # A home of its own: no tool leaves anything outside the folder.
        home = {"HOME": str(self._folder.root)} if name.startswith("chain-") else {}
        self._children[name] = self._book.start(name, command, self._folder.log(name), home)

    def _lay_out(self, planned: PlannedChain, ports: Iterator[int]) -> DevChain:
        spec = self._spec
        return planned.kind.lay_out(
            ChainPlace(
                name=planned.name,
                number=planned.number,
                ports=tuple(islice(ports, planned.kind.ports)),
                folder=self._folder.chain(planned.name),
                owner_secret=dev_secrets()[0],
                block_time_seconds=spec.block_time_seconds,
                finality_depth=spec.finality_depth,
                block_gas_limit=spec.block_gas_limit,
                kept_states=spec.kept_states,
            )
        )

    def _start_chains(self, chains: Sequence[DevChain]) -> Sequence[DevChain]:
        for chain in chains:
            self._folder.chain(chain.name).mkdir(parents=True)
            self._start(f"chain-{chain.name}", chain.command)
        for chain in chains:
            self._await_chain(chain)
            self._report(f"chain {chain.name} ({chain.caip2}) at {chain.rpc_url}")
        return chains

    def _deploy(self, chains: Sequence[DevChain], members: Sequence[Member]) -> list[dict[str, Any]]:
        folder = self._folder
        write_key(folder.owner_key, dev_secrets()[0])
        folder.plan.write_text(plan_text(self._spec, folder, chains, members), "utf-8")
        command = [*self._program, "deploy", "--plan", str(folder.plan), "--record", str(folder.record)]
        with folder.log("deploy").open("wb") as log:
            done = subprocess.run(  # noqa: S603 - our own command line
                [*command, "--yes", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, check=False
            )
        if done.returncode != 0:
            raise DevnetFailed(f"the contracts could not be deployed:\n{_tail(folder.log('deploy'))}")
        said = {chain["caip2"]: chain for chain in orjson.loads(done.stdout)["chains"]}
        deployed: list[dict[str, Any]] = [said[chain.caip2] for chain in chains]
        for chain, its in zip(chains, deployed, strict=True):
            self._report(f"contracts on {chain.name}, gateway {its['gateway']}")
        return deployed

    def _await_chain(self, chain: DevChain) -> None:
        deadline = time.monotonic() + CHAIN_SECONDS
        while fetch_height(chain.caip2, chain.rpc_url) is None:
            self._require_alive()
            if time.monotonic() > deadline:
                log = self._folder.log(f"chain-{chain.name}")
                raise DevnetFailed(f"chain {chain.name} does not answer after {CHAIN_SECONDS:.0f} s:\n{_tail(log)}")
            time.sleep(_LOOK_SECONDS)

    def _await_ready(self, members: Sequence[Member]) -> None:
        waiting = {member.name: member for member in members}
        deadline = time.monotonic() + READY_SECONDS
        reasons: dict[str, str] = {}
        while waiting:
            self._require_alive()
            for name, member in list(waiting.items()):
                reasons[name] = unready_reason(member.api_url)
                if not reasons[name]:
                    del waiting[name]
                    self._report(f"{name} is ready at {member.api_url}")
            if waiting and time.monotonic() > deadline:
                told = "\n".join(f"{name}: {reasons[name]}" for name in waiting)
                raise DevnetFailed(f"not ready after {READY_SECONDS:.0f} s:\n{told}")
            if waiting:
                time.sleep(_LOOK_SECONDS)

    def _require_alive(self) -> None:
        for name, code in self.find_dead().items():
            raise DevnetFailed(f"{name} ended with code {code}:\n{_tail(self._folder.log(name))}")

    def _describe(
        self,
        chains: Sequence[tuple[DevChain, dict[str, Any]]],
        members: Sequence[Member],
    ) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "scheme": self._spec.scheme,
            "chains": [
                {
                    "name": chain.name,
                    "caip2": chain.caip2,
                    "rpc_url": chain.rpc_url,
                    "ws_url": chain.ws_url,
                    "block_time_seconds": chain.block_time_seconds,
                    "finality_depth": self._spec.finality_depth,
                    "gateway": deployed["gateway"],
                    "registry": deployed.get("registry"),
                    "verifier": deployed["verifier"],
                    "accounts": [
                        {"address": chain.account(secret), "private_key": f"0x{secret.hex()}"}
                        for secret in dev_secrets()[1:]
                    ],
                    **chain.described(),
                }
                for chain, deployed in chains
            ],
            "relayers": [
                {
                    "name": member.name,
                    "api_url": member.api_url,
                    "metrics_url": f"{member.api_url}/metrics",
                    "signer": _key_text(member.signer),
                    "peer_key": checksum_address(member.peer_key),
                    "pid": self._children[member.name].pid,
                    "config_path": str(self._folder.relayer(member.name) / CONFIG_FILE),
                    "database_url": f"sqlite:///{self._folder.relayer(member.name) / 'data' / 'relayer.sqlite3'}",
                }
                for member in members
            ],
        }


def _key_text(key: bytes) -> str:
    """A public key; one that is an address with its checksum."""
    return checksum_address(key) if len(key) == ADDRESS_LENGTH else f"0x{key.hex()}"


def prepare_folder(folder: DevnetFolder) -> None:
    """Make the folder, or empty it of an earlier devnet's files.

    Raises:
        ConfigError: a devnet runs in it, it holds something else, or it cannot be written.
    """
    root = folder.root
    try:
        _empty(folder)
        folder.log("deploy").parent.mkdir(parents=True)
    except OSError as error:
        fault = f"{error.filename or root}: cannot be made or emptied: {error.strerror}; name another folder"
        raise ConfigError([fault]) from None


def _empty(folder: DevnetFolder) -> None:
    root = folder.root
    if root.exists() and not root.is_dir():
        raise ConfigError([f"{root}: not a folder; name another"])
    ours = {
        *("chains", "relayers", "logs", "devnet.json", "processes.json", "plan.toml", "deployment.json", "owner.key"),
        "supervisor.log",
    }
    found = {path.name for path in root.iterdir()} if root.is_dir() else set()
    links = sorted(name for name in found & ours if (root / name).is_symlink())
    if links:
        # SECURITY: what is emptied and written anew lies in this folder, not where somebody's link leads.
        raise ConfigError([f"{root / links[0]}: a symbolic link, which no devnet makes; remove it"])
    running = ProcessBook(folder.processes).running()
    if running:
        raise ConfigError([f"{root}: a devnet runs there already; `xvm devnet down --state {root}` ends it"])
    if found - ours:
        raise ConfigError([f"{root}: holds other files ({', '.join(sorted(found - ours))}); name another folder"])
    for name in found & ours - {"supervisor.log"}:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def take_down(folder: DevnetFolder) -> list[str]:
    """End the devnet in this folder, whoever started it; the names of what ran. Nothing, if nothing did.

    Raises `ConfigError` if the record of its processes cannot be read or removed.
    """
    book = ProcessBook(folder.processes)
    running = list(book.running())
    # The supervisor first: it ends the others in order. What a killed one left is ended here.
    book.end_all([SUPERVISOR], seconds=2 * TERMINATE_SECONDS)
    book.end_all()
    try:
        book.forget()
        folder.description.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError([f"{error.filename}: cannot be removed: {error.strerror}"]) from None
    return running


def load_description(folder: DevnetFolder) -> dict[str, Any]:
    """What `devnet.json` says of a devnet that has just come up. Raises `ConfigError` if it has gone again."""
    try:
        description: dict[str, Any] = orjson.loads(folder.description.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"{folder.root}: no devnet is up there; start one: xvm devnet up"]) from None
    return description


def unready_reason(api_url: str) -> str:
    """Why the relayer is not ready, in words; empty if it is."""
    try:
        with urlopen(f"{api_url}/readyz", timeout=PROBE_SECONDS):  # noqa: S310 - a loopback URL of our own
            return ""
    except HTTPError as error:
        return "; ".join(_failed_checks(error.read())) or f"HTTP {error.code}"
    except (URLError, OSError, HTTPException):
        return "does not answer yet"


def xvm_command() -> list[str]:
    """The command line, in this very Python."""
    return [sys.executable, "-m", "relayer.cli"]


def _failed_checks(body: bytes) -> Iterator[str]:
    try:
        checks = orjson.loads(body)["checks"]
    except (ValueError, KeyError, TypeError):
        return
    for check in checks:
        if not check["is_ok"]:
            yield f"{check['name']}: {check['reason']}"


def _tail(path: Path) -> str:
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
    return "\n".join([*lines[-LOG_LINES_SHOWN:], f"(all of it: {path})"])


def _write_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Whole or not at all: whoever waits for the file must never read half of it."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    draft.replace(path)
