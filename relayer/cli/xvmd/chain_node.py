"""The same commands, asked of a chain that calls between its own VMs instead of our relayers.

Its job: from what was typed to that chain's adapter (`relayer.vms.crossvm`), and what it says as JSON. It is that
chain's own word: no certificate of ours stands behind it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import typer

from relayer.cli.output import print_json
from relayer.cli.usage import WrongUsage
from relayer.cosmos.base import Coin
from relayer.crossvm.messages import State
from relayer.errors import RejectedError
from relayer.keys.keystore import Secret
from relayer.observability.logging import configure_logging
from relayer.vms.crossvm.blocks import PlacedMessage
from relayer.vms.crossvm.chain import CrossVmChain, CrossVmChainSettings, open_chain
from relayer.vms.crossvm.feeding import Feeder, VmCall

_COIN: Final = re.compile(r"([1-9][0-9]{0,38})([a-zA-Z][a-zA-Z0-9/:._-]{2,127})", re.ASCII)
_VMS: Final = ("evm", "cosmwasm", "svm")

_CHAIN_NODE: Final = typer.Option(
    "--chain-node",
    metavar="URL",
    help="CometBFT RPC of a chain that calls between its own VMs, asked instead of relayers; several must agree.",
    show_default=False,
)
ChainNodeOption = Annotated[list[str] | None, _CHAIN_NODE]
RequiredChainNodeOption = Annotated[list[str], _CHAIN_NODE]
EvmNodeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--evm-node", metavar="URL", help="With --chain-node: JSON-RPC of its EVM, where it answers no queries."
    ),
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sending:
    """How a call is signed and paid on that chain."""

    secret: Secret
    prefix: str
    fee_denom: str
    type_url: str


def settings_of(urls: list[str], evm_urls: list[str] | None = None) -> CrossVmChainSettings:
    """The chain behind these nodes, all of which must say the same. Raises `WrongUsage`."""
    for url in (*urls, *(evm_urls or ())):
        if not url.startswith(("http://", "https://")):
            raise WrongUsage([f"{url!r}: a node is named by http:// or https://"])
    return CrossVmChainSettings(
        urls=tuple(urls),
        ws_urls=tuple("ws" + url.removeprefix("http").rstrip("/") + "/websocket" for url in urls),
        evm_urls=tuple(evm_urls or ()),
    )


def show_message(settings: CrossVmChainSettings, message_id: str) -> None:
    """Print one message. Raises `RejectedError` if there is none."""
    found = run(settings, lambda chain: chain.fetch_message(message_id))
    if found is None:
        raise RejectedError(f"that chain has no message {message_id[:80]}")
    print_json(found.json())


def show_pending(settings: CrossVmChainSettings) -> None:
    """Print what waits."""
    found = run(settings, lambda chain: chain.fetch_pending())
    print_json({"messages": [message.json() for message in found]})


def show_by_sender(settings: CrossVmChainSettings, sender: str) -> None:
    """Print an account's messages."""
    found = run(settings, lambda chain: chain.fetch_by_sender(sender))
    print_json({"messages": [message.json() for message in found]})


def send_call(
    settings: CrossVmChainSettings, call: VmCall, sending: Sending, *, is_waiting: bool, confirm: Callable[[str], bool]
) -> None:
    """Send a call and print what became of it. Exits with 1 where it was waited for and failed."""
    feeder = Feeder(
        settings.urls[0],
        sending.secret.reveal(),
        prefix=sending.prefix,
        fee_denom=sending.fee_denom,
        type_url=sending.type_url,
    )
    if not confirm(feeder.account):
        raise typer.Exit(1)
    sent = feeder.send(call)

    async def ask(chain: CrossVmChain) -> dict[str, Any]:
        message = await chain.find_sent(sent.height, sent.tx_hash)
        answer: dict[str, Any] = {
            "height": str(sent.height),
            "txhash": sent.tx_hash.hex().upper(),
            "code": 0,
            "message_id": None if message is None else message.message_id,
        }
        if message is None or not is_waiting:
            return answer
        end = await chain.follow(message.message_id, sent.height)
        status = end.status
        if status is None and (found := await chain.fetch_message(message.message_id)) is not None:
            status = found.status
        return answer | {"status": None if status is None else status.value, "result": end.result or "0x"}

    answer = run(settings, ask)
    print_json(answer)
    if answer.get("status") in (State.FAILED.value, State.TIMED_OUT.value):
        raise typer.Exit(1)


def watch(settings: CrossVmChainSettings, after: int | None, count: int | None, on: Callable[[Any], None]) -> None:
    """Give each message's event to `on`, of blocks above a height or the newest; all of them, or so many."""

    async def listen(chain: CrossVmChain) -> None:
        left = count
        async for block in chain.watch(await chain.fetch_tip() if after is None else after):
            for placed in block.messages:
                on(_line(block.stamp.ref.number, placed))
                left = None if left is None else left - 1
                if left == 0:
                    return

    with suppress(KeyboardInterrupt):
        run(settings, listen)


def run(settings: CrossVmChainSettings, ask: Callable[[CrossVmChain], Awaitable[T]]) -> T:
    """What is answered by a chain that is opened for this alone."""
    configure_logging("critical")

    async def opened() -> T:
        async with open_chain(settings) as chain:
            return await ask(chain)

    return asyncio.run(opened())


def parse_call(source_vm: str, target_vm: str, target_contract: str, payload: bytes, funds: str) -> VmCall:
    """What was typed. Instruction data goes to an SVM as hex digits. Raises `WrongUsage`."""
    for end, vm in (("source", source_vm), ("target", target_vm)):
        if vm not in _VMS:
            raise WrongUsage([f"--{end}-vm: {vm!r}: no such VM; there are {', '.join(_VMS)}"])
    coins = [_COIN.fullmatch(text) for text in funds.split(",")] if funds else []
    if not all(coins):
        raise WrongUsage([f"--funds: {funds[:80]!r} is no list of coins: write 100uxvm, or several with commas"])
    parsed = sorted((found[2], found[1]) for found in coins if found is not None)
    written = payload.hex().encode() if target_vm == "svm" else payload
    return VmCall(
        source_vm, target_vm, target_contract, written, tuple(Coin(denom, amount) for denom, amount in parsed)
    )


def _line(height: int, placed: PlacedMessage) -> Mapping[str, Any]:
    place = {"height": height, **({"txhash": placed.tx_hash.hex().upper()} if placed.tx_hash else {})}
    return {**place, **placed.told.json()}
