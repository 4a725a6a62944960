"""One devnet for all tests of a module: bringing it up takes ten seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import devnets


@dataclass(frozen=True)
class RunningDevnet:
    state: Path
    home: Path
    description: dict[str, Any]


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    """Of `xvm devnet up`; a module that wants others says so."""
    return ()


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory, options: tuple[str, ...]) -> Iterator[RunningDevnet]:
    state = tmp_path_factory.mktemp("devnet")
    home = tmp_path_factory.mktemp("home")
    description = devnets.up(state, home, *options)
    try:
        yield RunningDevnet(state, home, description)
    finally:
        devnets.down(state, home)
    devnets.assert_nothing_left(state, devnets.ports_of(description))
    assert list(home.iterdir()) == []
