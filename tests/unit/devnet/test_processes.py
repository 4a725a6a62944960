"""No process of a devnet is lost, and none of another program is ever ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from relayer.devnet.processes import ProcessBook, start_watchdog

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ProcessBook]:
    book = ProcessBook(tmp_path / "processes.json")
    yield book
    book.end_all()


def start(book: ProcessBook, tmp_path: Path, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    log = tmp_path / f"{name}.log"
    child = book.start(name, command, log, {})
    deadline = time.monotonic() + 20
    while b"up" not in log.read_bytes() and time.monotonic() < deadline:
        assert child.poll() is None
    return child


def test_what_was_started_runs_until_it_is_ended(book: ProcessBook, tmp_path: Path) -> None:
    child = start(book, tmp_path, "sleeper", SLEEPER)
    assert list(book.running()) == ["sleeper"]
    assert book.end_all() == []
    child.wait(10)
    assert book.running() == {}


def test_one_that_does_not_listen_is_killed_and_named(book: ProcessBook, tmp_path: Path) -> None:
    child = start(book, tmp_path, "stubborn", STUBBORN)
    assert book.end_all(seconds=0.2) == ["stubborn"]
    child.wait(10)
    assert book.running() == {}


def test_only_those_named_are_ended(book: ProcessBook, tmp_path: Path) -> None:
    first = start(book, tmp_path, "first", SLEEPER)
    second = start(book, tmp_path, "second", SLEEPER)
    book.end_all(["first"])
    first.wait(10)
    assert second.poll() is None
    assert list(book.running()) == ["second"]
    book.end_all()
    second.wait(10)


def test_a_recycled_process_id_is_never_ended(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER, stdout=subprocess.DEVNULL) as stranger:
        started_at = psutil.Process(stranger.pid).create_time()
        path = tmp_path / "processes.json"
        path.write_text(json.dumps([{"name": "ours", "pid": stranger.pid, "started_at": started_at - 10}]))
        book = ProcessBook(path)
        assert book.running() == {}
        book.end_all()
        assert stranger.poll() is None
        stranger.kill()


def test_a_process_is_not_in_the_terminals_session(book: ProcessBook, tmp_path: Path) -> None:
    child = start(book, tmp_path, "sleeper", SLEEPER)
    assert os.getsid(child.pid) == child.pid
    book.end_all()
    child.wait(10)


def test_the_watchdog_ends_all_when_its_supervisor_is_gone(book: ProcessBook, tmp_path: Path) -> None:
    child = start(book, tmp_path, "sleeper", SLEEPER)
    watchdog = start_watchdog(tmp_path / "processes.json")
    watchdog.communicate()
    assert watchdog.returncode == 0
    child.wait(10)
    assert book.running() == {}


def test_a_book_that_does_not_exist_names_nothing(tmp_path: Path) -> None:
    assert ProcessBook(tmp_path / "none.json").read() == []


def test_a_signal_while_a_process_starts_waits_until_it_is_remembered(
    book: ProcessBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember = book.remember
    started: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen):  # type: ignore[type-arg]
        """Keeps the handle that the interrupted start loses."""

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            started.append(self)

    def interrupted(name: str, pid: int) -> None:
        signal.raise_signal(signal.SIGINT)
        remember(name, pid)

    monkeypatch.setattr("relayer.devnet.processes.subprocess.Popen", Kept)
    monkeypatch.setattr(book, "remember", interrupted)
    # Whatever handler earlier tests left in the process.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            book.start("sleeper", SLEEPER, tmp_path / "sleeper.log", {})
    finally:
        signal.signal(signal.SIGINT, former)
    assert list(book.running()) == ["sleeper"]
    book.end_all()
    for child in started:
        child.wait()
