"""`python -m relayer.devnet.cosmwasm`: one CosmWasm chain as a process, until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from relayer.devnet.cosmwasm.block_json import Dialect
from relayer.devnet.cosmwasm.chain import Chain, ChainSettings
from relayer.devnet.cosmwasm.crossvm.module import CrossVmSettings
from relayer.devnet.cosmwasm.gas_price import GasPrice
from relayer.devnet.cosmwasm.server import ServerSettings, serving

_MAX_PORT: Final = 65_535
_MAX_AMOUNT: Final = 10**30
_MAX_BLOCK_SECONDS: Final = 3_600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a chain; the exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        settings = ChainSettings(
            chain_id=asked.chain_id,
            dialect=Dialect(asked.comet),
            gas_price=GasPrice.parse(asked.min_gas_price),
            kept_blocks=asked.kept_blocks,
            kept_transactions=asked.kept_transactions,
            kept_states=asked.kept_states,
            crossvm=CrossVmSettings(denom=GasPrice.parse(asked.min_gas_price).denom) if asked.crossvm else None,
        )
        chain = Chain(settings, time.time)
        for address, amount in asked.fund:
            chain.fund(address, amount)
        placed = [f"{path} at {chain.place(address, path.read_bytes())}" for address, path in asked.contract]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        asyncio.run(_run(chain, ServerSettings(asked.port, asked.block_time, asked.faults), placed))
    except OSError as error:
        parser.error(str(error))
    return 0


async def _run(chain: Chain, settings: ServerSettings, placed: Sequence[str]) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with serving(chain, settings):
        ready = f"ready at http://127.0.0.1:{settings.port}, chain {chain.settings.chain_id}"
        sys.stdout.writelines(f"{line}\n" for line in (ready, *placed))
        sys.stdout.flush()
        await ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m relayer.devnet.cosmwasm", description=__doc__)
    parser.add_argument("--port", type=_port, required=True, help="of the RPC, on the loopback address")
    parser.add_argument(
        "--block-time", type=_seconds, default=1.0, metavar="SECONDS", help="between blocks; 0: by control method"
    )
    parser.add_argument("--chain-id", default="xvm-cosmwasm-1", help="what signatures are for")
    parser.add_argument("--min-gas-price", default="0.025uxvm", metavar="PRICE", help="a decimal and a denomination")
    parser.add_argument(
        "--comet", choices=[dialect.value for dialect in Dialect], default="0.38", help="whose JSON it speaks"
    )
    parser.add_argument("--kept-blocks", type=int, default=20_000, metavar="COUNT", help="what is remembered")
    parser.add_argument(
        "--kept-transactions",
        type=int,
        default=100_000,
        metavar="COUNT",
        help="above so many, fewer blocks are remembered",
    )
    parser.add_argument(
        "--kept-states", type=int, default=1_000, metavar="COUNT", help="heights whose state can be asked for"
    )
    parser.add_argument(
        "--fund", type=_fund, action="append", default=[], metavar="ADDRESS=AMOUNT", help="an account with money"
    )
    parser.add_argument(
        "--contract",
        type=_contract,
        action="append",
        default=[],
        metavar="OWNER=PATH",
        help="a .wasm to be there, made with {}",
    )
    parser.add_argument("--crossvm", action="store_true", help="take calls between VMs, as an emulation")
    parser.add_argument("--faults", action="store_true", help="answer the control methods that tests make faults with")
    return parser


def _port(text: str) -> int:
    return _within(int(text), 1, _MAX_PORT)


def _within(number: int, least: int, most: int) -> int:
    if not least <= number <= most:
        raise ValueError(number)
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= _MAX_BLOCK_SECONDS:
        raise ValueError(text)
    return seconds


def _fund(text: str) -> tuple[str, int]:
    address, _, amount = text.partition("=")
    return address, _within(int(amount), 1, _MAX_AMOUNT)


def _contract(text: str) -> tuple[str, Path]:
    owner, _, path = text.partition("=")
    return owner, Path(path)


if __name__ == "__main__":
    sys.exit(main())
