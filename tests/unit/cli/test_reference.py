"""The committed reference of commands is the program's own."""

from __future__ import annotations

from pathlib import Path

from relayer.cli.reference import commands, reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "cli.md"


def test_the_committed_reference_is_current() -> None:
    assert PAGE.read_text("utf-8") == reference(), "renew it: python -m relayer.cli.reference > docs/reference/cli.md"


def test_every_option_says_what_it_takes_and_what_it_is_for() -> None:
    for command in commands():
        for parameter in command.declared.params:
            assert parameter.help, (command.path, parameter.name)
            assert getattr(parameter, "is_flag", False) or parameter.metavar, (command.path, parameter.name)
