"""`python -m relayer.devnet.svm`: one Solana chain as a process, until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from relayer.devnet.svm.chain import Chain, ChainSettings
from relayer.devnet.svm.programs import place_program
from relayer.devnet.svm.server import ServerSettings, serving
from relayer.errors import ConfigError

_MAX_PORT: Final = 65_535
_MAX_LAMPORTS: Final = 10**17


@dataclass(frozen=True, slots=True)
class _Program:
    address: Pubkey
    path: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a chain; the exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        settings = ChainSettings(
            asked.name, asked.confirmed_after, asked.finalized_after, asked.kept_slots, asked.kept_transactions
        )
        chain = Chain(settings, time.time)
        for program in asked.program:
            place_program(chain, program.address, program.path.read_bytes(), asked.upgrade_authority)
        for key, lamports in asked.fund:
            chain.place(key, Account(lamports, b"", SYSTEM_PROGRAM))
    except (ValueError, ConfigError, OSError) as error:
        parser.error(str(error))
    websocket_port = asked.port + 1 if asked.ws_port is None else asked.ws_port
    server = ServerSettings(asked.port, websocket_port, asked.slot_seconds, asked.faults)
    try:
        asyncio.run(_run(chain, server))
    except OSError as error:
        parser.error(str(error))
    return 0


async def _run(chain: Chain, settings: ServerSettings) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with serving(chain, settings):
        place = f"http://127.0.0.1:{settings.port} and ws://127.0.0.1:{settings.websocket_port}"
        sys.stdout.write(f"ready at {place}, genesis {chain.genesis_hash}\n")
        sys.stdout.flush()
        await ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m relayer.devnet.svm", description=__doc__)
    parser.add_argument("--port", type=_port, required=True, help="of JSON-RPC, on the loopback address")
    parser.add_argument("--ws-port", type=_port, help="of WebSockets; the next one by default, as a validator has it")
    parser.add_argument(
        "--slot-seconds", type=_seconds, default=0.4, help="how long a slot lasts; 0: by control method"
    )
    parser.add_argument("--name", default="devnet", help="of the cluster: it gives the genesis hash")
    parser.add_argument(
        "--confirmed-after", type=int, default=1, metavar="SLOTS", help="a slot's age when it is confirmed"
    )
    parser.add_argument(
        "--finalized-after", type=int, default=32, metavar="SLOTS", help="a slot's age when it is finalized"
    )
    parser.add_argument("--kept-slots", type=int, default=20_000, metavar="SLOTS", help="what is remembered")
    parser.add_argument(
        "--kept-transactions",
        type=int,
        default=100_000,
        metavar="COUNT",
        help="above so many, fewer slots are remembered",
    )
    parser.add_argument(
        "--program", type=_program, action="append", default=[], metavar="ADDRESS=PATH", help="an .so to be there"
    )
    parser.add_argument(
        "--upgrade-authority", type=_key, metavar="ADDRESS", help="who may upgrade these programs; nobody by default"
    )
    parser.add_argument(
        "--fund", type=_fund, action="append", default=[], metavar="ADDRESS=LAMPORTS", help="an account with money"
    )
    parser.add_argument("--faults", action="store_true", help="answer the control methods that tests make faults with")
    return parser


def _key(text: str) -> Pubkey:
    return Pubkey.from_string(text)


def _port(text: str) -> int:
    return _within(int(text), 1, _MAX_PORT)


def _within(number: int, least: int, most: int) -> int:
    if not least <= number <= most:
        raise ValueError(number)
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 3_600:  # noqa: PLR2004 - an hour is as good as never
        raise ValueError(text)
    return seconds


def _program(text: str) -> _Program:
    address, _, path = text.partition("=")
    return _Program(_key(address), Path(path))


def _fund(text: str) -> tuple[Pubkey, int]:
    address, _, lamports = text.partition("=")
    return _key(address), _within(int(lamports), 1, _MAX_LAMPORTS)


if __name__ == "__main__":
    sys.exit(main())
