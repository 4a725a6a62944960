"""`xvmd tx crossvm` and `xvmd query crossvm`: that chain's commands and flags, over our requests.

Its job: the words. `tx crossvm call` asks a gateway as `xvm call` does and believes the chain; `query crossvm` asks
relayers' APIs. With `--chain-node` they ask a chain that calls between its own VMs instead. Answers are JSON, as there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from attestation.request import Mode, format_request_id
from relayer.cli.asking import Ask, Asked, TypedCall, tools_for
from relayer.cli.keys import PasswordFileOption, load_key_file
from relayer.cli.output import DEFAULT_DEVNET, DevnetOption, examples, print_json
from relayer.cli.reach import Reach
from relayer.cli.relayer_api import RelayerAddress, RelayerRefused, RelayerUnavailable, ask_first, relayers_of
from relayer.cli.usage import USAGE_EXIT_CODE, WrongUsage
from relayer.cli.xvmd import chain_node as chain_node_commands
from relayer.cli.xvmd.chain_node import ChainNodeOption, EvmNodeOption, RequiredChainNodeOption
from relayer.cli.xvmd.vms import chain_of
from relayer.cosmos.crossvm import CALL_TYPE_URL
from relayer.errors import ConfigError, RelayerError

_SEEN_SECONDS: Final = 30.0
"""How long a relayer may take to have seen a request in a block: then it has a message id."""

_LOOK_SECONDS: Final = 0.25

NodeOption = Annotated[
    str | None,
    typer.Option("--node", metavar="URL", help="A relayer's API; without it the first in the devnet that answers."),
]
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=200, help="How many at most.")]


class _Named(TyperGroup):
    """The root: a `RelayerError` ends any command with 1 (or 2) and one line a fault."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except RelayerError as error:
            for fault in error.faults if isinstance(error, ConfigError) else (str(error) or error.code,):
                sys.stderr.write(f"xvmd: {fault}\n")
            raise typer.Exit(USAGE_EXIT_CODE if isinstance(error, WrongUsage) else 1) from None


app = typer.Typer(
    name="xvmd",
    cls=_Named,
    help="Messages between VMs, by the commands of a chain that carries several.",
    no_args_is_help=True,
    add_completion=False,
    # SECURITY: the library's own tracebacks show local variables, and so whatever key was in one.
    pretty_exceptions_enable=False,
)
_tx = typer.Typer(no_args_is_help=True, help="Transactions.")
_query = typer.Typer(no_args_is_help=True, help="Questions to relayers.")
_tx_crossvm = typer.Typer(no_args_is_help=True, help="Send messages to other VMs.")
_query_crossvm = typer.Typer(no_args_is_help=True, help="Look messages up.")
app.add_typer(_tx, name="tx")
app.add_typer(_query, name="query")
_tx.add_typer(_tx_crossvm, name="crossvm")
_query.add_typer(_query_crossvm, name="crossvm")


@_tx_crossvm.callback()
def _tx_root() -> None:
    pass


@_tx_crossvm.command(
    epilog=examples(
        "xvmd tx crossvm call --source-vm evm --source-chain alpha --target-vm cosmwasm --target-contract wasm1… "
        '--payload \'{"increment":{"by":"5"}}\' --from 0 -y',
        "xvmd tx crossvm call --source-vm cosmwasm --target-vm evm --target-contract 0x… --payload 0xd09de08a "
        "--from 1 --source-chain gamma --target-chain beta -y",
        "xvmd tx crossvm call --chain-node http://127.0.0.1:26657 --source-vm evm --target-vm cosmwasm "
        "--target-contract wasm1… --payload '{\"increment\":{}}' --from wallet.key --wait -y",
    )
)
def call(
    source_vm: Annotated[str, typer.Option("--source-vm", metavar="VM", help="The VM to ask on.")],
    target_vm: Annotated[str, typer.Option("--target-vm", metavar="VM", help="The VM of the contract.")],
    target_contract: Annotated[
        str, typer.Option("--target-contract", metavar="ADDRESS", help="As its chain writes it, or CAIP-10.")
    ],
    payload: Annotated[
        str, typer.Option("--payload", metavar="HEX|JSON", help="A message in JSON, or an encoded call in hex.")
    ],
    key: Annotated[
        str,
        typer.Option("--from", metavar="KEY", help="Who asks: a devnet's account by its number, or a key file."),
    ],
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Ask nothing back.")] = False,
    source_chain: Annotated[
        str | None, typer.Option("--source-chain", metavar="CHAIN", help="Which, where several carry the VM.")
    ] = None,
    target_chain: Annotated[
        str | None, typer.Option("--target-chain", metavar="CHAIN", help="Which, where several carry the VM.")
    ] = None,
    rpc: Annotated[
        str | None, typer.Option("--rpc", metavar="URL", help="RPC of --source-chain, instead of a devnet's.")
    ] = None,
    gateway: Annotated[
        str | None, typer.Option("--gateway", metavar="ADDRESS", help="The gateway there; goes with --rpc.")
    ] = None,
    node: NodeOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    password_file: PasswordFileOption = None,
    chain_node: ChainNodeOption = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TEXT", help="With --chain-node: what accounts there begin with.")
    ] = "wasm",
    fee_denom: Annotated[
        str, typer.Option("--fee-denom", metavar="DENOM", help="With --chain-node: what fees are paid in.")
    ] = "uxvm",
    funds: Annotated[
        str, typer.Option("--funds", metavar="COINS", help="With --chain-node: coins that go with it, as 100uxvm.")
    ] = "",
    type_url: Annotated[
        str, typer.Option("--type-url", metavar="URL", help="With --chain-node: of the message that is sent.")
    ] = CALL_TYPE_URL,
    wait: Annotated[bool, typer.Option("--wait", help="With --chain-node: wait for the message's end.")] = False,
) -> None:
    """Send a message: the contract is called, and its result comes home."""
    if chain_node:
        if any((source_chain, target_chain, rpc, gateway, node)):
            raise WrongUsage(["--chain-node: that chain has neither a gateway nor a relayer; leave their options out"])
        if key.isascii() and key.isdigit():
            raise WrongUsage(["--from: with --chain-node it is a key file"])
        chain_node_commands.send_call(
            chain_node_commands.settings_of(chain_node),
            chain_node_commands.parse_call(source_vm, target_vm, target_contract, _payload(payload), funds),
            chain_node_commands.Sending(load_key_file(Path(key), password_file), prefix, fee_denom, type_url),
            is_waiting=wait,
            confirm=lambda account: yes or typer.confirm(f"confirm transaction of {account}", err=True),
        )
        return
    account = int(key) if key.isascii() and key.isdigit() else 0
    key_file = None if key.isascii() and key.isdigit() else Path(key)
    reach = Reach(devnet, account, rpc, gateway, key_file, password_file)
    source = chain_of("source", source_vm, source_chain, devnet if rpc is None else None)
    target = reach.target(
        target_contract,
        None
        if ":" in target_contract
        else chain_of("target", target_vm, target_chain, devnet if rpc is None else None),
    )
    asker = reach.asker(source)
    codec = tools_for(target.chain.namespace).open_call(
        TypedCall(
            target=target,
            asker=asker.account,
            function=None,
            arguments=(),
            data=_payload(payload),
            accounts=(),
            interface=None,
            gateway=reach.gateway_on(target.chain),
        )
    )
    ask = Ask(mode=Mode.CALL, target=target, payload=codec.encode(Mode.CALL))
    session = tools_for(asker.endpoint.chain.namespace).open_source(asker.endpoint, asker.secret)
    fee = session.quote(ask)
    if not yes and not typer.confirm(f"fee {fee}: confirm transaction before signing and broadcasting", err=True):
        raise typer.Exit(1)
    asked = session.send(ask, fee)
    print_json(
        {
            "height": str(asked.place.block),
            "txhash": asked.place.tx,
            "code": 0,
            "message_id": _seen(asked, [] if node is None and rpc is not None else relayers_of(node, devnet)),
            "request_id": format_request_id(asked.request_id),
        }
    )


@_query_crossvm.command(
    epilog=examples(
        "xvmd query crossvm message crossvm-00000042",
        "xvmd query crossvm message crossvm-00000042 --chain-node http://127.0.0.1:26657",
    )
)
def message(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="A message id, or a request id.", show_default=False)],
    node: NodeOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    chain_node: ChainNodeOption = None,
    evm_node: EvmNodeOption = None,
) -> None:
    """Show one message."""
    if chain_node:
        chain_node_commands.show_message(chain_node_commands.settings_of(chain_node, evm_node), message_id)
        return
    # SECURITY: what was typed must not reach into another path.
    if not message_id.replace("-", "").isalnum():
        raise WrongUsage([f"ID: {message_id!r} is no message id: write crossvm-00000042, or a request id"])
    print_json(ask_first(relayers_of(node, devnet), f"/v1/crossvm/messages/{message_id}"))


@_query_crossvm.command(epilog=examples("xvmd query crossvm pending", "xvmd query crossvm pending --limit 200"))
def pending(
    node: NodeOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    limit: LimitOption = 50,
    chain_node: ChainNodeOption = None,
) -> None:
    """List messages that are submitted or pending: newest first, or with --chain-node in the order of the queue."""
    if chain_node:
        chain_node_commands.show_pending(chain_node_commands.settings_of(chain_node))
        return
    print_json(ask_first(relayers_of(node, devnet), "/v1/crossvm/pending", [("limit", str(limit))]))


@_query_crossvm.command(name="messages-by-sender", epilog=examples("xvmd query crossvm messages-by-sender 0x…"))
def messages_by_sender(
    sender: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS", help="The account that asked, as its chain writes it, or CAIP-10.", show_default=False
        ),
    ],
    node: NodeOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    limit: LimitOption = 50,
    chain_node: ChainNodeOption = None,
) -> None:
    """List the messages of an account, newest first."""
    if chain_node:
        chain_node_commands.show_by_sender(chain_node_commands.settings_of(chain_node), sender)
        return
    parameters = [("sender", sender), ("limit", str(limit))]
    print_json(ask_first(relayers_of(node, devnet), "/v1/crossvm/messages", parameters))


@_query_crossvm.command(epilog=examples("xvmd query crossvm params"))
def params(node: NodeOption = None, devnet: DevnetOption = DEFAULT_DEVNET) -> None:
    """Show the limits of messages."""
    print_json(ask_first(relayers_of(node, devnet), "/v1/crossvm/params"))


@app.command(
    epilog=examples(
        "xvmd watch --chain-node http://127.0.0.1:26657",
        "xvmd watch --chain-node http://127.0.0.1:26657 --after 1000 --count 1",
    )
)
def watch(
    chain_node: RequiredChainNodeOption,
    after: Annotated[
        int | None, typer.Option("--after", metavar="HEIGHT", min=0, help="Begin behind this block, not the newest.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="End after so many.")] = None,
) -> None:
    """Print what a chain that calls between its own VMs tells of messages, one JSON document a line, as it happens."""

    def show(line: object) -> None:
        sys.stdout.write(f"{json.dumps(line)}\n")
        sys.stdout.flush()

    chain_node_commands.watch(chain_node_commands.settings_of(chain_node), after, count, show)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="xvmd")


def _payload(text: str) -> bytes:
    if text.lstrip().startswith("{"):
        return text.encode("utf-8")
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise WrongUsage([f"--payload: {text[:80]!r} is neither a message in JSON nor hex"]) from None


def _seen(asked: Asked, relayers: list[RelayerAddress]) -> str | None:
    """The message id that a relayer gave the request; None where none has seen it in time."""
    until = time.monotonic() + _SEEN_SECONDS
    path = f"/v1/crossvm/messages/{format_request_id(asked.request_id)}"
    while relayers and time.monotonic() < until:
        try:
            return str(ask_first(relayers, path)["message_id"])
        except (RelayerRefused, RelayerUnavailable):
            time.sleep(_LOOK_SECONDS)
    return None
