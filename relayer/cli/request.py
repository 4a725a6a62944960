"""`xvm request`: what relayers know of requests.

Its job: ask their APIs and show the answers. Relayers are asked, not chains: `xvm call --wait` believes the chains.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from attestation.address import parse_account_text, parse_chain_text
from attestation.errors import AttestationError
from attestation.request import format_request_id, parse_request_id
from relayer.api.operator_routes import DEFAULT_PAGE, MAX_PAGE
from relayer.cli.devnet_file import load_devnet
from relayer.cli.output import (
    DEFAULT_DEVNET,
    DevnetOption,
    JsonOption,
    examples,
    print_json,
    print_lines,
    print_note,
    print_table,
)
from relayer.cli.relayer_api import Parameters, ask_all, ask_first, relayers_of
from relayer.cli.request_text import compare, comparison_rows, request_lines, summary_row
from relayer.domain.status import ENDS, Status

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The request's id: 0x and 64 hex digits.", show_default=False)
]
ApiOption = Annotated[
    str | None,
    typer.Option("--api", metavar="URL", help="A relayer's API; without it the first in the devnet that answers."),
]
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=MAX_PAGE, help="How many at most.")]
BeforeOption = Annotated[
    int | None, typer.Option("--before", metavar="ROW", min=1, help="Go on from where the last list ended.")
]

_ID: Final = "0x2f0c6bd3…"
_HEADINGS: Final = ("request", "status", "mode", "from", "to", "sender", "nonce", "kind")

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Ask relayers what became of requests.")


@app.command(
    epilog=examples(
        f"xvm request show {_ID}",
        f"xvm request show {_ID} --api http://127.0.0.1:8600 --json",
        f"xvm request show {_ID} --all-relayers",
    )
)
def show(
    request_id: IdArgument,
    api: ApiOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    all_relayers: bool = typer.Option(
        False, "--all-relayers", help="Ask all relayers of the devnet and compare; exit code 1 if they differ."
    ),
    as_json: JsonOption = False,
) -> None:
    """Show everything that a relayer knows of a request."""
    path = _path_of(request_id)
    if all_relayers:
        if api is not None:
            raise typer.BadParameter("asks the relayers of a devnet; leave out --api", param_hint="--all-relayers")
        _show_all(path, devnet, as_json=as_json)
        return
    answer = ask_first(relayers_of(api, devnet), path)
    if as_json:
        print_json(answer)
    else:
        print_lines(*request_lines(answer))


@app.command(epilog=examples(f"xvm request explain {_ID}", f"xvm request explain {_ID} --json"))
def explain(
    request_id: IdArgument, api: ApiOption = None, devnet: DevnetOption = DEFAULT_DEVNET, as_json: JsonOption = False
) -> None:
    """Say in plain words where a request stands, what it waits for, and what can be done."""
    answer = ask_first(relayers_of(api, devnet), _path_of(request_id))
    if as_json:
        print_json({key: answer[key] for key in ("status", "hold_reason", "explanation")})
    else:
        print_lines(answer["explanation"])


@app.command(epilog=examples("xvm request pending", "xvm request pending --chain alpha --limit 200 --json"))
def pending(
    chain: Annotated[
        str | None,
        typer.Option(
            "--chain", metavar="CHAIN", help="Only requests from this chain: its name in the devnet, or CAIP-2."
        ),
    ] = None,
    limit: LimitOption = DEFAULT_PAGE,
    before: BeforeOption = None,
    api: ApiOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    as_json: JsonOption = False,
) -> None:
    """List requests that are not at their end, newest first."""
    parameters = [("status", status.value) for status in Status if status not in ENDS]
    if chain is not None:
        parameters.append(("chain", _caip2(chain, devnet)))
    _list(parameters, limit, before, api, devnet, as_json=as_json)


@app.command(
    epilog=examples("xvm request by-sender eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --limit 10")
)
def by_sender(
    sender: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Who asked, as CAIP-10.", show_default=False)],
    limit: LimitOption = DEFAULT_PAGE,
    before: BeforeOption = None,
    api: ApiOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    as_json: JsonOption = False,
) -> None:
    """List the requests of one account, newest first."""
    try:
        account = str(parse_account_text(sender))
    except AttestationError as error:
        raise typer.BadParameter(f"{error}; write it as CAIP-10, such as eip155:31337:0x…") from None
    _list([("sender", account)], limit, before, api, devnet, as_json=as_json)


def _show_all(path: str, devnet: Path, *, as_json: bool) -> None:
    answers = ask_all(relayers_of(None, devnet), path)
    differences = compare(answers)
    if as_json:
        print_json({"is_agreed": not differences, "differences": differences, "relayers": answers})
    else:
        print_table(("relayer", "status", "kind", "outcome block", "return data", "steps"), comparison_rows(answers))
        print_lines(*(differences or [f"all {len(answers)} relayers agree"]))
    raise typer.Exit(1 if differences else 0)


def _list(
    parameters: list[tuple[str, str]], limit: int, before: int | None, api: str | None, devnet: Path, *, as_json: bool
) -> None:
    page: Parameters = [("limit", str(limit)), *([] if before is None else [("before", str(before))])]
    answer: dict[str, Any] = ask_first(relayers_of(api, devnet), "/v1/requests", [*parameters, *page])
    if as_json:
        print_json(answer)
        return
    print_table(_HEADINGS, map(summary_row, answer["requests"]))
    if answer["next"] is not None:
        print_note(f"there may be more: --before {answer['next']}")


def _path_of(text: str) -> str:
    try:
        return f"/v1/requests/{format_request_id(parse_request_id(text))}"
    except AttestationError:
        raise typer.BadParameter("a request's id is 0x and 64 hex digits", param_hint="ID") from None


def _caip2(chain: str, devnet: Path) -> str:
    """CAIP-2 as it is, a name by the devnet's file."""
    try:
        return str(parse_chain_text(chain))
    except AttestationError:
        return load_devnet(devnet).chain(chain).caip2
