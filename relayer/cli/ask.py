"""`xvm call` and `xvm query`: ask a gateway, as any account may, and wait for what the chains say became of it.

Its job: from options to a request, its progress and its end. It asks chains and no relayer; what a VM's calls and
transactions look like, `asking` finds by the chain's namespace.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from typer.core import TyperCommand

from attestation.request import MAXIMUM_METADATA_LENGTH, Mode
from attestation.statement import OutcomeKind
from relayer.cli.asking import Ask, Cancelled, PayloadCodec, TypedCall, tools_for
from relayer.cli.journey import Journey
from relayer.cli.keys import PasswordFileOption
from relayer.cli.output import DEFAULT_DEVNET, DevnetOption, JsonOption, examples
from relayer.cli.reach import Asker, Reach
from relayer.cli.usage import WrongUsage

EXIT_CODES: Final = {
    OutcomeKind.EXECUTED: 0,
    OutcomeKind.REVERTED: 3,
    OutcomeKind.UNREACHED: 4,
    OutcomeKind.EXPIRED: 5,
    OutcomeKind.DUPLICATE: 6,
}
"""With --wait. 1 is any error, 2 wrong usage."""

EXIT_WITHOUT_CALLBACK: Final = 7
"""With --wait: nothing came back in time."""

EXIT_CANCELLED: Final = 8
"""With --wait: somebody with the asking account's key cancelled it meanwhile."""

_WORD: Final = 32


_SPREAD: Final = frozenset({"--args", "--accounts"})
"""Options that take any number of words."""


class TakesArguments(TyperCommand):
    """`--args 1 2 3`: all words up to the next option that begins with two hyphens belong to it; so to `--accounts`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Repeat the option before each of its words, as the library wants it."""
        spread: list[str] = []
        within = ""
        for word in args:
            if word.startswith("--"):
                within = word if word in _SPREAD else ""
                spread += [] if within else [word]
            else:
                spread += [within, word] if within else [word]
        return super().parse_args(ctx, spread)


TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="What to call: CAIP-10, or the bare address on the chain --to.", show_default=False
    ),
]
FromOption = Annotated[
    str, typer.Option("--from", metavar="CHAIN", help="The chain to ask on: its name in the devnet, or CAIP-2.")
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="CHAIN", help="The target's chain: its name in the devnet, or CAIP-2."),
]
FunctionOption = Annotated[
    str | None,
    typer.Option(
        "--fn",
        metavar="SIGNATURE",
        help="Function to call, such as 'increment(uint256)'; with --idl, and of messages in JSON, its name alone.",
    ),
]
ArgsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--args",
        metavar="VALUE...",
        help="Its arguments; arrays and tuples as JSON arrays, bytes as 0x hex; the fields of a message as NAME=VALUE.",
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option("--data", metavar="HEX|JSON", help="The call as it is, instead of --fn and --args."),
]
AccountsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accounts",
        metavar="ACCOUNT...",
        help="What the call may touch, where calls list that: ADDRESS, or NAME=ADDRESS with --idl; behind it "
        "':w' if it is written, ':s' if it signs, ':sw' for both. 'own' is the asker's own account there.",
    ),
]
InterfaceOption = Annotated[
    Path | None,
    typer.Option(
        "--idl",
        "--schema",
        metavar="FILE",
        help="How the target is called, where there are such files: Anchor's IDL, or a JSON Schema of its messages.",
    ),
]
ReturnsOption = Annotated[
    str | None,
    typer.Option(
        "--returns",
        metavar="TYPES",
        help="What it returns, such as 'uint256': decodes the result; the --idl's own if left out.",
    ),
]
ExecutionGasOption = Annotated[
    int, typer.Option("--execution-gas", metavar="GAS", min=0, help="Gas for the target; 0: the route's default.")
]
CallbackGasOption = Annotated[
    int, typer.Option("--callback-gas", metavar="GAS", min=0, help="Gas for the callback; 0: the route's default.")
]
ReturnLimitOption = Annotated[
    int, typer.Option("--return-limit", metavar="BYTES", min=0, help="Bytes of return data; 0: the route's default.")
]
ExpiresInOption = Annotated[
    int, typer.Option("--expires-in", metavar="SECONDS", min=0, help="Never execute later; 0: the route's default.")
]
DeadlineOption = Annotated[
    int,
    typer.Option(
        "--deadline-blocks",
        metavar="BLOCKS",
        min=0,
        help="Source blocks until it may be cancelled; 0: the route's default.",
    ),
]
CodeHashOption = Annotated[
    str | None, typer.Option("--code-hash", metavar="HEX", help="Only if the target's code has this hash.")
]
OwnAccountOption = Annotated[
    bool, typer.Option("--own-account", help="The target is called by the asker's own account there, as msg.sender.")
]
MetadataOption = Annotated[
    str, typer.Option("--metadata", metavar="TEXT", help=f"Text, or 0x hex; at most {MAXIMUM_METADATA_LENGTH} bytes.")
]
RpcOption = Annotated[
    str | None, typer.Option("--rpc", metavar="URL", help="RPC of the chain --from, instead of a devnet's.")
]
GatewayOption = Annotated[
    str | None, typer.Option("--gateway", metavar="ADDRESS", help="The gateway there; goes with --rpc.")
]
KeyFileOption = Annotated[
    Path | None, typer.Option("--key-file", metavar="FILE", help="Key of the asking account; goes with --rpc.")
]
AccountOption = Annotated[
    int, typer.Option("--account", metavar="N", min=0, help="Which of the devnet's accounts asks.")
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for the callback, showing what happens where.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.0, help="How long --wait waits for the callback.")
]

_EXITS: Final = (
    "Exit code without --wait: 0 once the request is in a block. With --wait: 0 EXECUTED, 3 REVERTED, 4 UNREACHED, "
    "5 EXPIRED, 6 DUPLICATE, 7 no callback in time, 8 cancelled. 1 is an error, 2 wrong usage."
)

call_app = typer.Typer(add_completion=False)
query_app = typer.Typer(add_completion=False)


@call_app.command(
    cls=TakesArguments,
    help=f"Ask for a CALL: the target runs on its chain, and its result comes home.\n\n{_EXITS}",
    epilog=examples(
        "xvm call $COUNTER --from alpha --to beta --fn 'increment(uint256)' --args 5 --wait",
        "xvm call eip155:31338:$COUNTER --from alpha --data 0xd09de08a --json",
        "xvm call $COUNTER --from eip155:1 --to eip155:10 --rpc $RPC --gateway $GATEWAY --key-file wallet.json "
        "--fn 'set((uint256,bytes)[],bool)' --args '[[1,\"0x00\"]]' true",
        "xvm call $TOKEN --from alpha --to gamma --own-account --idl token.json --fn transfer --args 300 "
        "--accounts source=$SOURCE destination=$DESTINATION authority=own --wait",
        "xvm call wasm1… --from alpha --to delta --fn increment --args 'by=\"5\"' --wait",
        'xvm call cosmos:xvm-cosmwasm-1:wasm1… --from alpha --data \'{"increment":{"by":"5"}}\' --json',
    ),
)
def call(
    target: TargetArgument,
    source: FromOption,
    destination: ToOption = None,
    function: FunctionOption = None,
    args: ArgsOption = None,
    data: DataOption = None,
    accounts: AccountsOption = None,
    idl: InterfaceOption = None,
    returns: ReturnsOption = None,
    execution_gas: ExecutionGasOption = 0,
    callback_gas: CallbackGasOption = 0,
    return_limit: ReturnLimitOption = 0,
    expires_in: ExpiresInOption = 0,
    deadline_blocks: DeadlineOption = 0,
    code_hash: CodeHashOption = None,
    own_account: OwnAccountOption = False,
    metadata: MetadataOption = "",
    devnet: DevnetOption = DEFAULT_DEVNET,
    account: AccountOption = 0,
    rpc: RpcOption = None,
    gateway: GatewayOption = None,
    key_file: KeyFileOption = None,
    password_file: PasswordFileOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Ask for a CALL."""
    reach = Reach(devnet, account, rpc, gateway, key_file, password_file)
    goal, asker = reach.target(target, destination), reach.asker(source)
    codec = tools_for(goal.chain.namespace).open_call(
        TypedCall(
            target=goal,
            asker=asker.account,
            function=function,
            arguments=tuple(args or ()),
            data=None if data is None else _parse_data(data),
            accounts=tuple(accounts or ()),
            interface=idl,
            is_own_account=own_account,
            gateway=reach.gateway_on(goal.chain),
        )
    )
    ask = Ask(
        mode=Mode.CALL,
        target=goal,
        payload=codec.encode(Mode.CALL),
        execution_gas_limit=execution_gas,
        callback_gas_limit=callback_gas,
        return_limit=return_limit,
        expires_in_seconds=expires_in,
        deadline_blocks=deadline_blocks,
        code_hash=_code_hash(code_hash),
        own_account=own_account,
        metadata=_metadata(metadata),
    )
    _go(reach, asker, ask, codec, returns, timeout if wait else None, as_json=as_json)


@query_app.command(
    cls=TakesArguments,
    help=f"Ask a QUERY: what a view on another chain says, as of now, certified.\n\n{_EXITS}",
    epilog=examples(
        "xvm query $COUNTER --from alpha --to beta --fn 'count()' --returns uint256 --wait",
        "xvm query eip155:31338:$COUNTER --from alpha --data 0x06661abd --wait --json",
        "xvm query $MINT --from alpha --to gamma --idl token.json --returns Mint --wait",
        "xvm query wasm1… --from alpha --to delta --fn balance --args address=wasm1… --schema cw20-base.json --wait",
    ),
)
def query(
    target: TargetArgument,
    source: FromOption,
    destination: ToOption = None,
    function: FunctionOption = None,
    args: ArgsOption = None,
    data: DataOption = None,
    accounts: AccountsOption = None,
    idl: InterfaceOption = None,
    returns: ReturnsOption = None,
    execution_gas: ExecutionGasOption = 0,
    callback_gas: CallbackGasOption = 0,
    return_limit: ReturnLimitOption = 0,
    deadline_blocks: DeadlineOption = 0,
    code_hash: CodeHashOption = None,
    metadata: MetadataOption = "",
    devnet: DevnetOption = DEFAULT_DEVNET,
    account: AccountOption = 0,
    rpc: RpcOption = None,
    gateway: GatewayOption = None,
    key_file: KeyFileOption = None,
    password_file: PasswordFileOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Ask a QUERY."""
    reach = Reach(devnet, account, rpc, gateway, key_file, password_file)
    goal, asker = reach.target(target, destination), reach.asker(source)
    codec = tools_for(goal.chain.namespace).open_call(
        TypedCall(
            target=goal,
            asker=asker.account,
            function=function,
            arguments=tuple(args or ()),
            data=None if data is None else _parse_data(data),
            accounts=tuple(accounts or ()),
            interface=idl,
            gateway=reach.gateway_on(goal.chain),
        )
    )
    ask = Ask(
        mode=Mode.QUERY,
        target=goal,
        payload=codec.encode(Mode.QUERY),
        execution_gas_limit=execution_gas,
        callback_gas_limit=callback_gas,
        return_limit=return_limit,
        deadline_blocks=deadline_blocks,
        code_hash=_code_hash(code_hash),
        metadata=_metadata(metadata),
    )
    _go(reach, asker, ask, codec, returns, timeout if wait else None, as_json=as_json)


def _go(
    reach: Reach,
    asker: Asker,
    ask: Ask,
    codec: PayloadCodec,
    returns: str | None,
    patience: float | None,
    *,
    as_json: bool,
) -> None:
    if returns is None:
        returns = codec.result_types
    else:
        # Before anything is paid for.
        codec.check_result_types(returns)
    home, away = asker.endpoint, reach.away(ask.target.chain)
    session = tools_for(home.chain.namespace).open_source(home, asker.secret)
    away_tools = tools_for(ask.target.chain.namespace)
    journey = Journey(
        source=session,
        home=home,
        away=away,
        destination=None if away is None or patience is None else away_tools.open_destination(away),
        ask=ask,
        codec=codec,
        returns=returns,
        as_json=as_json,
    )
    asked = journey.send()
    if patience is None:
        journey.tell()
        return
    end = journey.wait(asked, patience)
    journey.tell()
    match end:
        case None:
            raise typer.Exit(EXIT_WITHOUT_CALLBACK)
        case Cancelled():
            raise typer.Exit(EXIT_CANCELLED)
        case _:
            raise typer.Exit(EXIT_CODES[end])


def _code_hash(text: str | None) -> bytes:
    """32 bytes, zero for any code."""
    if text is None:
        return bytes(_WORD)
    code_hash = _parse_hex(text, "--code-hash")
    if len(code_hash) != _WORD:
        raise WrongUsage([f"--code-hash: {len(code_hash)} bytes, not {_WORD}"])
    return code_hash


def _metadata(text: str) -> bytes:
    return _parse_hex(text, "--metadata") if text.startswith("0x") else text.encode("utf-8")


def _parse_data(text: str) -> bytes:
    """Hex, or a message in JSON, which is an object."""
    return text.encode("utf-8") if text.lstrip().startswith("{") else _parse_hex(text, "--data")


def _parse_hex(text: str, option: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise WrongUsage([f"{option}: {text!r} is no hex"]) from None
