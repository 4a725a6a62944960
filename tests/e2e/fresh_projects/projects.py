"""Projects as somebody makes them who has never seen this repository: the packed package, and the blocks of one page.

Nothing here knows a contract: what a project holds and runs stands in docs/howto/build-a-client.md.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import devnets

ROOT = Path(__file__).resolve().parents[3]
CONTRACTS = ROOT / "contracts" / "evm"
PAGE = ROOT / "docs" / "howto" / "build-a-client.md"
BROUGHT = Path(__file__).resolve().parent / "node_modules"

_BLOCK = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP_SECONDS = 120


def blocks() -> dict[str, str]:
    """The page's named blocks: a file's path or a step's name, and the text."""
    found = {name: text for _, name, text in _BLOCK.findall(PAGE.read_text("utf-8"))}
    assert found, "the page has no named blocks"
    return found


@dataclass(frozen=True)
class Project:
    """A folder, and a home of its own for whatever its tools leave behind."""

    folder: Path
    home: Path

    def write(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(blocks()[name], "utf-8")

    def run(self, step: str) -> str:
        """Run a shell block of the page, as it stands there; what it printed."""
        return self.shell(blocks()[step])

    def shell(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=_STEP_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def join(self, devnet: Path) -> None:
        """Let the folder's commands find a devnet that is up."""
        (self.folder / ".devnet").symlink_to(devnet)

    def _environment(self) -> dict[str, str]:
        tools = [Path(sys.executable).parent, *_foundry(), *_newer_node()]
        return {
            **devnets.environment(self.home),
            "PATH": os.pathsep.join([*map(str, tools), os.environ["PATH"]]),
            # The page's reader lets forge download its compiler; here it is npm's.
            "FOUNDRY_OFFLINE": "true",
            "FOUNDRY_SOLC": str(CONTRACTS / "script" / "solc.cjs"),
            "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1",
            "npm_config_cache": str(self.home / "npm"),
            "npm_config_offline": "true",
            "npm_config_update_notifier": "false",
            "CI": "true",  # nobody is there to be asked whether statistics may be sent
        }


def pack(into: Path, home: Path) -> Path:
    """The package, as `npm pack` makes it."""
    Project(CONTRACTS, home).shell(f"npm pack --loglevel=error --pack-destination '{into}'")
    (packed,) = into.glob("*.tgz")
    return packed


def fresh(folder: Path, home: Path, packed: Path) -> Project:
    """A folder with what its author would have fetched, and the package installed from its file."""
    assert BROUGHT.is_dir(), f"run: make {BROUGHT.relative_to(ROOT)}/.locked"
    folder.mkdir()
    shutil.copytree(BROUGHT, folder / "node_modules", symlinks=True, copy_function=_link)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(BROUGHT.parent / name, folder / name)
    project = Project(folder, home)
    shutil.copyfile(packed, folder / packed.name)
    # npm would ask the registry about a peer even though it is there; the peer's range has a test of its own.
    project.shell(f"npm install --legacy-peer-deps --ignore-scripts --no-audit --loglevel=error ./{packed.name}")
    return project


def _link(source: str, target: str) -> str:
    """Link what only is read; npm writes its own records in place."""
    if Path(source).name.startswith("."):
        return str(shutil.copy2(source, target))
    try:
        os.link(source, target)
    except OSError:
        # another file system
        return str(shutil.copy2(source, target))
    return target


def _platform() -> tuple[str, str]:
    machine = platform.machine().lower()
    return platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _foundry() -> list[Path]:
    system, machine = _platform()
    parts = ROOT / "node_modules" / "@foundry-rs"
    return [parts / f"{tool}-{system}-{machine}" / "bin" for tool in ("forge", "cast")]


def _newer_node() -> list[Path]:
    return [path.parent for path in BROUGHT.glob("node-*/bin/node")]
