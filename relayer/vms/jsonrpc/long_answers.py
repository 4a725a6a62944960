"""JSON that is read as it comes: of an answer that is larger than may be held, what is looked for and no more.

Its job: walk a document member by member, pass over values of any length in constant memory, and build small ones.
SECURITY: depth is bounded, and so is how much structure a byte may have, which is what walking costs. What is passed
over is not held to JSON's rules: whoever writes malformed JSON there says nothing else by it. It must not know what a
document means.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, Final

import orjson

from relayer.errors import RpcUnavailable

MAX_DEPTH: Final = 16
"""Objects and lists within each other, in a value that is passed over."""

_BYTES_PER_STEP: Final = 8
_FREE_STEPS: Final = 100_000
"""A step is some microsecond. The shortest events that are many have 200 bytes, of six steps at the most."""

_TEXT: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT: Final = rb'[^"{}\[\]]*+(?:' + _TEXT + rb'[^"{}\[\]]*+)*+'
_RUN: Final = re.compile(rb'(?:[^"{}\[\]]++|' + _TEXT + rb"|\{" + _FLAT + rb"\}|\[" + _FLAT + rb"\])*+", re.DOTALL)
"""All up to what opens or closes another object or list than a flat one; or up to what is not whole yet."""

_TEXT_PART: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR: Final = re.compile(rb"[-+.0-9A-Za-z]*+")
_GAP: Final = re.compile(rb"[\s,:]*+")

Reading = Generator[None, None, Any]
"""What yields where it needs more bytes."""


class LongDocument:
    """One document. Of its methods, those that read are generators: they yield until `add` has brought enough."""

    def __init__(self) -> None:
        self._text = b""
        self._at = 0
        self._added = 0
        self._steps = 0

    def add(self, chunk: bytes) -> None:
        """The next bytes."""
        self._text = self._text[self._at :] + chunk
        self._at = 0
        self._added += len(chunk)

    def leap(self, pattern: re.Pattern[bytes]) -> None:
        """Pass over what is here and matches: at the speed of the engine, for elements that are many."""
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def enter(self, opening: bytes) -> Generator[None, None, bool]:
        """Go into the object (`{`) or list (`[`) that is next. False for null, which is passed over."""
        character = yield from self._peek()
        if character == opening:
            self._at += 1
            return True
        if (yield from self.build(len("null"))) is not None:
            raise _malformed()
        return False

    def next_key(self) -> Generator[None, None, str | None]:
        """The next member's name in the object that was entered; None past its end."""
        if (yield from self._ends(b"}")):
            return None
        key = yield from self.build(256)
        if not isinstance(key, str):
            raise _malformed()
        return key

    def has_next(self) -> Generator[None, None, bool]:
        """Whether another element comes in the list that was entered; past its end if not."""
        return not (yield from self._ends(b"]"))

    def build(self, most: int) -> Reading:
        """The value that is next. Raises `RpcUnavailable` if it has more than so many bytes."""
        raw = yield from self._pass(most)
        if raw is None:
            raise _malformed()
        return _parse(raw)

    def build_if_short(self, most: int) -> Reading:
        """The value that is next, or None if it is longer: it is passed over then."""
        raw = yield from self._pass(most)
        return None if raw is None else _parse(raw)

    def skip(self) -> Generator[None, None, None]:
        """Pass over the value that is next, however long it is."""
        yield from self._pass(0)

    def _ends(self, closing: bytes) -> Generator[None, None, bool]:
        if (yield from self._peek()) != closing:
            return False
        self._at += 1
        return True

    def _peek(self) -> Generator[None, None, bytes]:
        self._step()
        while True:
            self.leap(_GAP)
            if self._at < len(self._text):
                return self._text[self._at : self._at + 1]
            yield

    def _step(self) -> None:
        self._steps += 1
        # SECURITY: nothing but brackets would keep the event loop busy for minutes.
        if self._steps * _BYTES_PER_STEP > self._added + _FREE_STEPS * _BYTES_PER_STEP:
            raise _malformed()

    def _pass(self, most: int) -> Generator[None, None, bytes | None]:
        """Past one value; its text, if that has at most so many bytes."""
        kept = _Kept(most)
        first = yield from self._peek()
        if first == b'"':
            yield from self._pass_text(kept)
        elif first in {b"{", b"["}:
            yield from self._pass_nested(kept)
        else:
            yield from self._pass_scalar(kept)
        return kept.text

    def _pass_nested(self, kept: _Kept) -> Generator[None, None, None]:
        depth = 0
        while True:
            self._step()
            character = self._text[self._at : self._at + 1]
            if not character:
                yield
            elif character == b'"':
                yield from self._pass_text(kept)
            elif character in b"{[":
                depth += 1
                if depth > MAX_DEPTH:
                    raise _malformed()
                self._advance(self._at + 1, kept)
            elif character in b"}]":
                depth -= 1
                self._advance(self._at + 1, kept)
                if not depth:
                    return
            match = _RUN.match(self._text, self._at)
            assert match is not None, "it matches nothing, too"
            self._advance(match.end(), kept)

    def _pass_text(self, kept: _Kept) -> Generator[None, None, None]:
        self._advance(self._at + 1, kept)
        while True:
            match = _TEXT_PART.match(self._text, self._at)
            assert match is not None, "it matches nothing, too"
            self._advance(match.end(), kept)
            # What is left is the end, or a backslash whose character has not come yet.
            if self._text[self._at : self._at + 1] == b'"':
                self._advance(self._at + 1, kept)
                return
            yield

    def _pass_scalar(self, kept: _Kept) -> Generator[None, None, None]:
        while True:
            match = _SCALAR.match(self._text, self._at)
            assert match is not None, "it matches nothing, too"
            self._advance(match.end(), kept)
            if self._at < len(self._text):
                return
            yield

    def _advance(self, to: int, kept: _Kept) -> None:
        kept.add(self._text, self._at, to)
        self._at = to


class _Kept:
    """The text that was passed over, unless it is longer than `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, text: bytes, start: int, end: int) -> None:
        self._length += end - start
        if self._length <= self._most:
            self._parts.append(text[start:end])
        else:
            self._parts.clear()

    @property
    def text(self) -> bytes | None:
        return b"".join(self._parts) if self._length <= self._most else None


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _malformed() from None


def _malformed() -> RpcUnavailable:
    return RpcUnavailable("an endpoint answered at length with what is not the JSON that it was asked for")
