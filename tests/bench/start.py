"""How long a node takes to be ready with many finished requests in its database: `python -m tests.bench.start [COUNT]`.

A devnet of two relayers; one's database is filled before its process starts, the other is up. Prints a JSON object;
asserts nothing: machines differ.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import psutil

from relayer.devnet.network import Devnet, unready_reason
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from relayer.store.engine import open_engine
from relayer.store.memory import MemoryGuard
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore
from tests.bench.store import FIRST_BLOCK, REQUESTS_PER_BLOCK, Block, Timer, fill

_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 120.0


def measure(count: int = 1_000_000) -> dict[str, float]:
    """Seconds from the process's start to its first ready answer, with `count` requests more than one block's."""
    with tempfile.TemporaryDirectory(prefix="xvm-start-") as place:
        folder = DevnetFolder(Path(place) / "devnet")
        with Devnet(folder, DevnetSpec(2, 2, finality_depth=0), _note) as devnet:
            devnet.prepare()
            database = folder.relayer("relayer-1") / "data" / "relayer.sqlite3"
            database.parent.mkdir()
            _note(f"filling a database with {count} requests")
            asyncio.run(_fill(database, count))
            full, other = devnet._members
            devnet.start_relayer("relayer-2")
            _await(lambda: unready_reason(other.api_url) != "does not answer yet")
            started = time.monotonic()
            devnet.start_relayer("relayer-1")
            _await(lambda: not unready_reason(full.api_url))
            ready = time.monotonic() - started
            process = psutil.Process(devnet._children["relayer-1"].pid)
            spent = process.cpu_times()
            return {
                "requests": count + REQUESTS_PER_BLOCK,
                "database_bytes": database.stat().st_size,
                "ready_seconds": round(ready, 3),
                "cpu_seconds": round(spent.user + spent.system, 3),
                "memory_bytes": process.memory_info().rss,
            }


async def _fill(database: Path, count: int) -> None:
    url = f"sqlite:///{database}"
    await upgrade(url)
    engine = open_engine(url)
    await Block(SqlStore(engine), MemoryGuard(), Timer(), FIRST_BLOCK, REQUESTS_PER_BLOCK).live()
    await engine.dispose()
    fill(url, count)
    with closing(sqlite3.connect(database)) as rows:
        # Where it had read to: this devnet's chains are not there yet.
        rows.execute("DELETE FROM cursors")
        rows.commit()


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit("the relayer does not get ready")
        time.sleep(_LOOK_SECONDS)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of requests, such as 1000000")
    return int(text)


def _note(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench-start", description=__doc__)
    parser.add_argument("requests", type=_count, nargs="?", default=1_000_000, metavar="REQUESTS")
    asked: int = parser.parse_args().requests
    sys.stdout.write(orjson.dumps(measure(asked), option=orjson.OPT_INDENT_2).decode() + "\n")
