"""Devnets as a user has them: through the command line, in a folder, with nothing of the package imported."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil

XVM = [sys.executable, "-m", "relayer.cli"]


def xvm(*arguments: str, home: Path, program: str = "relayer.cli") -> subprocess.CompletedProcess[str]:
    """Run one command to its end, with a home and a temporary folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
        env=environment(home),
    )


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home / ".cache")}


def up(state: Path, home: Path, *options: str) -> dict[str, Any]:
    """Bring a devnet up and detach; its description."""
    done = xvm("devnet", "up", "--detach", "--json", "--state", str(state), *options, home=home)
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    assert printed == json.loads((state / "devnet.json").read_text())
    return printed


def down(state: Path, home: Path) -> None:
    done = xvm("devnet", "down", "--state", str(state), home=home)
    assert done.returncode == 0, done.stderr


def processes_of(state: Path) -> list[str]:
    """Everything that runs with the folder in its command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if str(state) in command and process.pid != os.getpid():
            found.append(command)
    return found


def ports_of(description: Mapping[str, Any]) -> set[int]:
    urls = [chain["rpc_url"] for chain in description["chains"]]
    urls += [relayer["api_url"] for relayer in description["relayers"]]
    return {int(urlsplit(url).port or 0) for url in urls}


def is_listened_on(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def assert_nothing_left(state: Path, ports: set[int]) -> None:
    until(lambda: not processes_of(state), f"processes of {state} still run")
    assert [port for port in ports if is_listened_on(port)] == []
    assert not (state / "devnet.json").exists()


def fetch(url: str) -> Any:
    """JSON of a relayer's API, None while it does not answer or says no."""
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - a loopback URL of our own
            return json.loads(answer.read())
    except (HTTPError, URLError, OSError):
        return None


def until(is_so: Callable[[], object], otherwise: str, seconds: float = 60.0) -> None:
    """Look again and again until it is so; fail with words after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise)
        time.sleep(0.1)


@contextmanager
def relayer_process(relayer: Mapping[str, Any], home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One relayer, started again by hand from its configuration."""
    log = Path(relayer["config_path"]).with_name("again.log")
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [*XVM, "run", "--config", relayer["config_path"]],
            stdout=output,
            stderr=output,
            env=environment(home),
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
