"""`xvm devnet`: a network on this machine, up, looked at, and down.

Its job: hold the devnet while it is up and show how it comes along. What a devnet is, `relayer.devnet` knows.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final, NoReturn, TextIO

import typer

from attestation.schemes import DEFAULT_SCHEME
from relayer.cli.devnet_file import Devnet as DevnetFile
from relayer.cli.devnet_file import load_devnet
from relayer.cli.output import JsonOption, examples, print_json, print_lines, print_note, print_table, typed
from relayer.cli.scheme import SchemeOption
from relayer.devnet.kinds import DEFAULT_VMS, fetch_height
from relayer.devnet.network import (
    Devnet,
    DevnetFailed,
    load_description,
    prepare_folder,
    take_down,
    unready_reason,
    xvm_command,
)
from relayer.devnet.spec import DevnetFolder, DevnetSpec

DEFAULT_STATE: Final = Path(".devnet")
_LOOK_SECONDS: Final = 0.2

StateOption = Annotated[Path, typer.Option("--state", metavar="DIR", help="Folder that holds everything of it.")]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="A network on this machine: chains, relayers, all.")


@app.command(
    epilog=examples(
        "xvm devnet up",
        "xvm devnet up --detach --relayers 7 --threshold 5 --block-time 0.5",
        "xvm devnet up --state /tmp/second --finality-depth 4",
        "xvm devnet up --scheme bls12-381",
        "xvm devnet up --vms evm,svm,cosmwasm",
    )
)
def up(
    relayers: int = typer.Option(4, "--relayers", metavar="N", help="How many relayers."),
    threshold: int = typer.Option(3, "--threshold", metavar="K", help="How many of them make a quorum."),
    block_time: float = typer.Option(1.0, "--block-time", metavar="S", help="Seconds between blocks."),
    finality_depth: int = typer.Option(2, "--finality-depth", metavar="D", help="Blocks until a block is final."),
    rpc_endpoints: int = typer.Option(
        1, "--rpc-endpoints", metavar="N", help="RPC endpoints of each chain in a relayer's configuration."
    ),
    scheme: SchemeOption = DEFAULT_SCHEME.name,
    vms: str = typer.Option(
        ",".join(DEFAULT_VMS),
        "--vms",
        metavar="NAMES",
        help="Kinds of chains, in this order: evm brings two, svm and cosmwasm one; named twice, twice as many.",
    ),
    state: StateOption = DEFAULT_STATE,
    detach: bool = typer.Option(False, "--detach", help="Return when it is ready; it runs until `xvm devnet down`."),
    as_json: JsonOption = False,
) -> None:
    """Bring a devnet up: chains, the contracts, relayers; until Ctrl-C.

    When all relayers are ready, DIR/devnet.json says all that an outside program needs: endpoints, contracts, accounts
    with money, relayers.
    """
    spec = DevnetSpec(relayers, threshold, block_time, finality_depth, rpc_endpoints, scheme, vms=tuple(vms.split(",")))
    folder = DevnetFolder(state.resolve())
    if detach:
        description = start_detached(spec, folder, print_note)
        _show_up(folder, description, as_json=as_json)
        return
    with ended_by_signals("devnet is down", 0), Devnet(folder, spec, print_note) as devnet:
        _show_up(folder, devnet.start(), as_json=as_json)
        if not as_json:
            print_lines("it runs until Ctrl-C")
        # Whoever reads us through a pipe must not wait for the end.
        sys.stdout.flush()
        while True:
            for name, code in devnet.find_dead().items():
                print_note(f"{name} ended with code {code}; its log: {folder.log(name)}")
            time.sleep(_LOOK_SECONDS)


@app.command(epilog=examples("xvm devnet status", "xvm devnet status --state /tmp/second --json"))
def status(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Show what runs. Exit code 1 if something of it does not."""
    folder = DevnetFolder(state.resolve())
    description = load_devnet(folder.root)
    chains: list[dict[str, Any]] = [
        {"name": chain.name, "rpc_url": chain.rpc_url, "height": fetch_height(chain.caip2, chain.rpc_url)}
        for chain in description.chains
    ]
    relayers: list[dict[str, Any]] = [
        {"name": relayer.name, "api_url": relayer.api_url, "unready": unready_reason(relayer.api_url) or None}
        for relayer in description.relayers
    ]
    is_ok = all(chain["height"] is not None for chain in chains) and not any(item["unready"] for item in relayers)
    if as_json:
        print_json({"is_ok": is_ok, "chains": chains, "relayers": relayers})
    else:
        rows = [
            (c["name"], c["rpc_url"], "no answer" if c["height"] is None else f"block {c['height']}") for c in chains
        ]
        rows += [(r["name"], r["api_url"], r["unready"] or "ready") for r in relayers]
        print_table(("part", "at", "state"), rows)
    if not is_ok:
        raise typer.Exit(1)


@app.command(epilog=examples('eval "$(xvm devnet env)"', "xvm devnet env --state /tmp/second --json"))
def env(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Print what a contract's deployment needs as variables of a shell.

    For each chain NAME_RPC_URL, NAME_CHAIN_ID and NAME_GATEWAY, with its name in capitals; ACCOUNT and PRIVATE_KEY of
    one that has money.
    """
    variables = _variables(load_devnet(state.resolve()))
    if as_json:
        print_json(variables)
    else:
        # SECURITY: quoted, for a shell runs these lines, and the file may be another program's
        print_lines(*(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))


@app.command(epilog=examples("xvm devnet down", "xvm devnet down --state /tmp/second"))
def down(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """End a devnet, whoever started it. Logs and databases stay in its folder until the next one."""
    ended = take_down(DevnetFolder(state.resolve()))
    if as_json:
        print_json({"ended": ended})
    elif ended:
        print_lines(f"ended: {', '.join(ended)}")
    else:
        print_lines("nothing ran")


def start_detached(spec: DevnetSpec, folder: DevnetFolder, report: Callable[[str], None]) -> dict[str, Any]:
    """Start a supervisor of its own, tell what it tells, and return the description when all is ready.

    Raises:
        DevnetFailed: it ended before.
    """
    prepare_folder(folder)
    log = folder.root / "supervisor.log"
    command = [
        *xvm_command(),
        *("devnet", "up", "--state", str(folder.root)),
        *("--relayers", str(spec.relayers), "--threshold", str(spec.threshold)),
        *("--block-time", f"{spec.block_time_seconds:g}", "--finality-depth", str(spec.finality_depth)),
        *("--rpc-endpoints", str(spec.rpc_endpoints), "--scheme", spec.scheme, "--vms", ",".join(spec.vms)),
    ]
    with log.open("wb") as output:
        supervisor = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, start_new_session=True
        )
    try:
        with log.open(encoding="utf-8") as lines:
            while not folder.description.exists():
                _tell_new(lines.readlines(), report)
                _require_running(supervisor, lines, report)
                time.sleep(_LOOK_SECONDS)
            _tell_new(lines.readlines(), report)
    except BaseException:
        # Ctrl-C while waiting: a devnet that nobody was told of must not stay.
        supervisor.terminate()
        supervisor.wait()
        raise
    supervisor.returncode = 0  # it outlives us on purpose; without this the library warns of a child left behind
    return load_description(folder)


def _variables(devnet: DevnetFile) -> dict[str, str]:
    found: dict[str, str] = {}
    for chain in devnet.chains:
        name = re.sub(r"\W", "_", chain.name, flags=re.ASCII).upper()
        found[f"{name}_RPC_URL"] = chain.rpc_url
        found[f"{name}_CHAIN_ID"] = chain.caip2.partition(":")[2]
        found[f"{name}_GATEWAY"] = chain.gateway
    for account in devnet.chains[0].accounts[:1]:
        found["ACCOUNT"] = account.address
        found["PRIVATE_KEY"] = account.private_key.get_secret_value()
    return found


def _require_running(supervisor: subprocess.Popen[bytes], log: TextIO, report: Callable[[str], None]) -> None:
    if supervisor.poll() is not None:
        _tell_new(log.readlines(), report)
        raise DevnetFailed("the devnet did not come up; its last words are above")


def _tell_new(lines: list[str], report: Callable[[str], None]) -> None:
    for line in lines:
        report(line.rstrip("\n"))


def _show_up(folder: DevnetFolder, description: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(description)
        return
    print_lines(
        f"devnet is up: {len(description['chains'])} chains, {len(description['relayers'])} relayers",
        f"to join in:   {folder.description}",
        f"to look:      {typed('devnet', 'status')} --state {folder.root}",
        f"to end it:    {typed('devnet', 'down')} --state {folder.root}",
    )


@contextmanager
def ended_by_signals(note: str, exit_code: int) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP leave the block in order; `note` is told, the command ends with `exit_code`."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise _Leave

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        yield
    except _Leave:
        print_note(note)
        raise typer.Exit(exit_code) from None


class _Leave(KeyboardInterrupt):
    """Told to end. Of this kind, because an event loop lets nothing else out of a task at once."""
