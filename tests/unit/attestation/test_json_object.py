"""JSON of this package's files, however deep it is nested and whatever its strings hold."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from attestation.errors import MalformedJson
from attestation.json_object import parse_object


@pytest.fixture
def raised_limit() -> Iterator[None]:
    """As some libraries leave the interpreter."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1_000_000))
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("raised_limit")
@pytest.mark.parametrize(
    "text",
    ["[" * 2_000_000, '{"a":' * 500_000, '{"a":"]]]]' + '","b":[' * 200_000, '["\\"]]",' + "[" * 1_000_000],
    ids=["arrays", "objects", "brackets in strings", "an escaped quote"],
)
def test_security_nesting_without_end_is_refused_and_ends_no_process(text: str) -> None:
    """SECURITY: the parser would run out of the C stack."""
    with pytest.raises(MalformedJson):
        parse_object("file", text)


def test_brackets_within_strings_nest_nothing() -> None:
    text = '{"a": "' + "[{" * 100 + '\\"", "b": [[1]]}'
    assert parse_object("file", text).value("a", str) == "[{" * 100 + '"'


@pytest.mark.parametrize(("levels", "is_read"), [(31, True), (32, False)])
def test_thirty_two_levels_are_the_most(levels: int, *, is_read: bool) -> None:
    text = '{"a":' + "[" * levels + "]" * levels + "}"
    if is_read:
        parse_object("file", text)
        return
    with pytest.raises(MalformedJson, match="deeper than 32"):
        parse_object("file", text)
