"""The processes of one devnet, by name: started, remembered on disk, and ended, whoever is left to end them.

Its job: never lose one and never end another's. A process is known by its id and its start time together, for ids are
used again. It does not know what the processes do.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson
import psutil

from relayer.errors import ConfigError

TERMINATE_SECONDS: Final = 8.0
"""How long a process gets to end by itself: a relayer closes its connections and databases."""

_LOOK_SECONDS: Final = 0.05
_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_MAX_PID: Final = 2**31 - 1

_START_TOLERANCE_SECONDS: Final = 0.5
"""Start times are read with the clock's precision on some systems."""


@dataclass(frozen=True, slots=True)
class RecordedProcess:
    """One process: operating system's id, and its start in seconds since the Unix epoch."""

    name: str
    pid: int
    started_at: float

    def find(self) -> psutil.Process | None:
        """The process, if it still runs and is the one that was recorded."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started_at) > _START_TOLERANCE_SECONDS:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        process = self.find()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


class ProcessBook:
    """The record in `path`, one JSON file. Whoever starts writes it; anybody may read it and end what it names."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[RecordedProcess]:
        """What is recorded, oldest first. Nothing if there is no record.

        Raises:
            ConfigError: the file is no such record, or cannot be read.
        """
        try:
            # orjson gives up at some depth of brackets by itself, however deep this program may recurse.
            entries = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError([f"{self._path}: cannot be read: {error.strerror}"]) from None
        except ValueError:
            entries = None
        processes = [_recorded(entry) for entry in entries] if isinstance(entries, list) else [None]
        if None in processes:
            advice = "end what still runs of that devnet by hand, then remove the file"
            raise ConfigError([f"{self._path}: not a record of a devnet's processes; {advice}"])
        return [process for process in processes if process is not None]

    def running(self) -> dict[str, RecordedProcess]:
        """Those that still run, by name."""
        return {process.name: process for process in self.read() if process.find() is not None}

    def start(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, its output appended to `log`, and remember it."""
        log.parent.mkdir(parents=True, exist_ok=True)
        # Between its start and its record a process would be lost to a Ctrl-C.
        with log.open("ab") as output, _signals_held():
            # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which ends all in order.
            child = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
            self.remember(name, child.pid)
        return child

    def remember(self, name: str, pid: int) -> None:
        """Add a running process."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._write([*self.read(), RecordedProcess(name, pid, psutil.Process(pid).create_time())])

    def end_all(self, names: Iterable[str] | None = None, seconds: float = TERMINATE_SECONDS) -> list[str]:
        """End what still runs, of these names or all, newest first; the names of those that had to be killed."""
        wanted = None if names is None else frozenset(names)
        found = [item for item in reversed(self.read()) if wanted is None or item.name in wanted]
        for recorded in found:
            recorded.signal(signal.SIGTERM)
        stubborn = _await_end(found, seconds)
        for recorded in stubborn:
            recorded.signal(signal.SIGKILL)
        _await_end(stubborn, TERMINATE_SECONDS)
        return [recorded.name for recorded in stubborn]

    def forget(self) -> None:
        """Remove the record."""
        self._path.unlink(missing_ok=True)

    def _write(self, processes: Sequence[RecordedProcess]) -> None:
        draft = self._path.with_name(f"{self._path.name}.draft")
        draft.write_text(json.dumps([asdict(process) for process in processes], indent=1) + "\n", "utf-8")
        draft.replace(self._path)


def _recorded(entry: object) -> RecordedProcess | None:
    """The process that an entry of the file names, or None if it names none."""
    match entry:
        case {"name": str(name), "pid": int(pid), "started_at": int() | float() as started_at, **more} if not more:
            # SECURITY: 0 and less would be whole groups of processes, and nothing is compared with what is no number.
            is_possible = type(pid) is int and 0 < pid <= _MAX_PID and math.isfinite(started_at)
            return RecordedProcess(name, pid, started_at) if is_possible else None
    return None


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals that end a supervisor wait until the block is left. Elsewhere than in the main thread none arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    handlers = {number: signal.signal(number, lambda caught, _: arrived.append(caught)) for number in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


def _await_end(processes: Iterable[RecordedProcess], seconds: float) -> list[RecordedProcess]:
    """Wait until they have ended, at most so long; those that have not. One that nobody collected yet has ended."""
    deadline = time.monotonic() + seconds
    running = [item for item in processes if item.find() is not None]
    while running and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        running = [item for item in running if item.find() is not None]
    return running


def start_watchdog(book_path: Path) -> subprocess.Popen[bytes]:
    """Start a process that ends everything in the book when this process is gone, however it went.

    It waits for the end of its standard input, a pipe that only this process holds open: closing it ends the watchdog.
    """
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "relayer.devnet.watchdog", str(book_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
