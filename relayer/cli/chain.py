"""`xvm chain`: chains that contradicted themselves, and taking them up again.

Its job: show the halts in a node's database; and, while the node does not run, say what a rewrite below finality undid
and have the node read the new history. SECURITY: it never opens the guard: what was signed stays signed.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Annotated, Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from attestation.address import parse_account_text
from attestation.request import format_request_id
from relayer.api.views import block_view, halt_view, hash_text
from relayer.cli.output import ConfigOption, JsonOption, examples, print_json, print_lines, print_note, print_table
from relayer.config import Settings, load_config
from relayer.domain.halt import Halt
from relayer.domain.tracked import TrackedRequest
from relayer.errors import ConfigError
from relayer.observability.logging import configure_logging
from relayer.ports.chain import Chain
from relayer.ports.store import Store
from relayer.service import open_chains, routes_between
from relayer.stages.resume import Resumption, examine_halt, resumption_commit
from relayer.store.engine import open_engine
from relayer.store.migrate import is_current
from relayer.store.sql_store import SqlStore

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Chains that were halted, and how they go on.")


@app.command(epilog=examples("xvm chain halts --config relayer.toml", "xvm chain halts --config relayer.toml --json"))
def halts(config: ConfigOption, as_json: JsonOption = False) -> None:
    """List every time that this node halted a chain, with the two blocks that contradict each other.

    It may run beside the relayer, and changes nothing. Exit code 0, also while a chain is halted.
    """
    settings = load_config(config)
    found = asyncio.run(_load_halts(settings))
    if as_json:
        print_json({"halts": [{"chain": halt.chain, **halt_view(halt)} for halt in found]})
        return
    if not found:
        print_lines("no chain was ever halted")
        return
    names = {chain.caip2: chain.name for chain in settings.chains}
    print_table(("chain", "since", "until", "why"), [_row(halt, names) for halt in found])


@app.command(
    epilog=examples(
        "xvm chain resume beta --config relayer.toml --dry-run",
        "xvm chain resume beta --config relayer.toml",
        "xvm chain resume beta --config relayer.toml --yes --json",
    )
)
def resume(
    chain: Annotated[str, typer.Argument(metavar="CHAIN", help="The chain's name, or its CAIP-2.")],
    config: ConfigOption,
    dry_run: bool = typer.Option(False, "--dry-run", help="Look and say what is affected, and change nothing."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    as_json: JsonOption = False,
) -> None:
    """Take up a halted chain again, while the relayer is stopped: look, say what is affected, go back below the fork.

    The chain's endpoints must agree on its history now, and call it final. Requests that were signed about on the dead
    fork are not signed again: they end by their requester's cancel or retry. At its next start the relayer reads the
    new history.
    """
    # What adapters log of failing endpoints is in the error.
    configure_logging("critical")
    settings = load_config(config)
    with _stopped(settings):
        resumption = asyncio.run(_resume(settings, chain, is_asked=not yes, is_dry=dry_run))
    if as_json:
        print_json(_view(resumption, is_done=not dry_run))


async def _resume(settings: Settings, name: str, *, is_asked: bool, is_dry: bool) -> Resumption:
    section = next((c for c in settings.chains if name in {c.name, c.caip2}), None)
    if section is None:
        raise ConfigError([f"{name} is no chain of this configuration; they are {', '.join(_names(settings))}"])
    told = [chain for chain in settings.load_chain_settings() if chain.caip2 == section.caip2]
    signer = settings.load_signing_key().key
    async with AsyncExitStack() as stack:
        store = await _open_store(settings, stack)
        chain = (await open_chains(told, stack))[section.caip2].source
        resumption = await examine_halt(store, chain, section.start_block, signer)
        for line in _describe(resumption, section.name):
            print_note(line)
        if is_dry:
            return resumption
        if is_asked and not (sys.stdin.isatty() and typer.confirm("Go on from there?", err=True)):
            raise ConfigError(["nothing was changed; to go on without being asked: --yes"])
        return await _commit(settings, store, chain, resumption)


async def _commit(settings: Settings, store: Store, chain: Chain, resumption: Resumption) -> Resumption:
    gateways = {c.caip2: parse_account_text(f"{c.caip2}:{c.gateway}").to_bytes() for c in settings.chains}
    now = time.time()
    await store.commit(await resumption_commit(store, routes_between(gateways), chain, resumption, now))
    print_note("done: start the relayer")
    return replace(resumption, halt=replace(resumption.halt, resumed_at=now))


async def _load_halts(settings: Settings) -> Sequence[Halt]:
    async with AsyncExitStack() as stack:
        return await (await _open_store(settings, stack)).load_halts()


async def _open_store(settings: Settings, stack: AsyncExitStack) -> Store:
    try:
        is_ready = await is_current(settings.store_url)
    except (SQLAlchemyError, OSError) as error:
        # SECURITY: the libraries' texts may hold the URL, and so a password.
        raise ConfigError([f"database_url: no connection ({type(error).__name__})"]) from None
    if not is_ready:
        raise ConfigError(["the node's database is not there, or not this version's; `xvm run` brings it up to date"])
    engine = open_engine(settings.store_url)
    stack.push_async_callback(engine.dispose)
    return SqlStore(engine)


@contextmanager
def _stopped(settings: Settings) -> Iterator[None]:
    """Hold the relayer's own port meanwhile: one process writes to a store at a time."""
    place = (settings.node.api_host, settings.node.api_port)
    try:
        held = socket.create_server(place)
    except OSError:
        fault = f"{place[0]}:{place[1]} is taken: stop the relayer first, and start it again afterwards"
        raise ConfigError([fault]) from None
    with held:
        yield


def _names(settings: Settings) -> list[str]:
    return [chain.name for chain in settings.chains]


def _row(halt: Halt, names: Mapping[str, str]) -> tuple[str, str, str, str]:
    until = f"halted: `xvm chain resume {names.get(halt.chain, halt.chain)}`"
    return (halt.chain, _time(halt.at), until if halt.resumed_at is None else _time(halt.resumed_at), halt.reason)


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _describe(resumption: Resumption, name: str) -> list[str]:
    """What is affected, for whoever is about to go on."""
    lines = [f"{name} halted at {_time(resumption.halt.at)}: {resumption.halt.reason}"]
    if not resumption.is_rewritten:
        return [*lines, "its endpoints agree on the old history again: nothing is affected"]
    lines.append(
        f"its endpoints agree on another history, which is read from block {resumption.read_from.number + 1} on"
    )
    lines += _affected(resumption)
    lines.append(f"{len(resumption.reopened)} ended requests are looked for again in the new history")
    lines.append(f"{len(resumption.transactions)} of our transactions are sent again")
    if resumption.signed:
        lines.append(
            f"{len(resumption.signed)} of these this node has signed about, and will not again: "
            "their requesters cancel or retry them"
        )
    return lines


def _affected(resumption: Resumption) -> list[str]:
    def line(what: str, request: TrackedRequest) -> str:
        signed = ", signed" if request.request_id in resumption.signed else ""
        return f"{format_request_id(request.request_id)} {what} ({request.status}{signed})"

    return [
        *(line("was asked in a block that is gone", request) for request in resumption.gone),
        *(line("concluded in a block that is gone", request) for request in resumption.undone),
    ]


def _view(resumption: Resumption, *, is_done: bool) -> dict[str, Any]:
    def ids(requests: Sequence[TrackedRequest]) -> list[str]:
        return [format_request_id(request.request_id) for request in requests]

    chain = resumption.halt.chain
    return {
        "is_resumed": is_done,
        "halt": {"chain": chain, **halt_view(resumption.halt)},
        "is_rewritten": resumption.is_rewritten,
        "read_from": block_view(chain, resumption.read_from),
        "gone": ids(resumption.gone),
        "undone": [*ids(resumption.undone), *(format_request_id(identifier) for identifier in resumption.unknown)],
        "reopened": ids(resumption.reopened),
        "signed": sorted(format_request_id(identifier) for identifier in resumption.signed),
        "transactions": [
            hash_text(transaction.chain, transaction.attempts[-1].hash) for transaction in resumption.transactions
        ],
    }
