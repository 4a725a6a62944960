"""Another revision of this project, to be measured beside this one.

Its job: its tree in a temporary folder, and the command line that runs its program `xvm` in this environment. It
changes nothing in the repository.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relayer.errors import ConfigError

_ROOT: Final = Path(__file__).resolve().parents[3]
_LOCK: Final = "requirements.lock"

_START: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from relayer.cli.app import main; main()"
"""The program `xvm` of the tree that the first argument names."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit (hash in hex) and how its program `xvm` is called."""

    commit: str
    program: tuple[str, ...]


@contextmanager
def checked_out(reference: str) -> Iterator[Revision]:
    """What git calls so, while the block runs.

    Raises:
        ConfigError: there is no such revision, or it asks for other packages than are installed.
    """
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}").decode().strip()
    if not commit:
        raise ConfigError([f"--against {reference}: the git repository of {_ROOT} knows no such revision"])
    with tempfile.TemporaryDirectory(prefix="xvm-revision-") as place:
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit))) as archive:
            archive.extractall(place, filter="data")
        if (Path(place) / _LOCK).read_bytes() != (_ROOT / _LOCK).read_bytes():
            fault = (
                f"--against {reference}: its {_LOCK} is another one, and what is installed here is not what it asks for"
            )
            raise ConfigError([fault])
        # -P: not what lies in the working folder, which may be this very tree.
        yield Revision(commit, (sys.executable, "-P", "-c", _START, place))


def _git(*arguments: str) -> bytes:
    """What git prints; nothing if it fails."""
    try:
        done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        raise ConfigError(["--against: git is not installed"]) from None
    return done.stdout if done.returncode == 0 else b""
