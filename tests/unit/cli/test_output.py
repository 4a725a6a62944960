"""How commands tell what to type next."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from relayer.cli.output import typed


@pytest.mark.parametrize(
    ("on_path", "words"), [(("xvm",), "xvm devnet down"), ((), ".venv/bin/xvm devnet down")], ids=["found", "not found"]
)
def test_a_hint_can_be_typed_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_path: tuple[str, ...], words: str
) -> None:
    for name in on_path:
        (tmp_path / name).touch(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [".venv/bin/xvm", "demo"])
    assert typed("devnet", "down") == words


def test_who_runs_the_package_by_another_name_is_told_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["relayer/cli/__main__.py"])
    assert typed("devnet", "down") == "xvm devnet down"
