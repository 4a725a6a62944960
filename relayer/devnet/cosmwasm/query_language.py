"""CometBFT's language for what a subscription or a search wants: conditions on events, joined by AND.

Its job: from untrusted text to a question that a map of events answers. A condition is a key of the map, `type.key`,
with `=`, `<`, `<=`, `>`, `>=`, `CONTAINS` or `EXISTS`, and a text in single quotes, a number, `TIME` and a moment, or
`DATE` and a day.

Source: libs/pubsub/query of CometBFT 0.38.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

MAX_QUERY_CHARACTERS: Final = 512
"""Source: maxQueryLength of CometBFT's RPC."""

Events = Mapping[str, Sequence[str]]
"""Values by `type.key`; a type alone stands with no values."""

_Value = Decimal | datetime | str
_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<text>'[^'\n]*')
    |(?P<compare><=|>=|=|<|>)
    |(?P<word>[^\s'<>=()"\\]+)
    )""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
_NUMBER_WITHIN: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
_ORDERS: Final[Mapping[str, Callable[[int], bool]]] = {
    "=": lambda sign: sign == 0,
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


class MalformedQuery(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """The text is no query."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `value` is None for `EXISTS`."""

    key: str
    operator: str
    value: _Value | None

    def holds(self, events: Events) -> bool:
        """Whether any value of the key is as the condition wants it."""
        values = events.get(self.key)
        if values is None:
            return False
        # A type alone answers to the question whether there is one.
        return self.operator == "EXISTS" or any(self._fits(value) for value in values)

    def _fits(self, text: str) -> bool:
        match self.value:
            case str(wanted) if self.operator == "CONTAINS":
                return wanted in text
            case str(wanted):
                return text == wanted
            case Decimal() as wanted:
                found = _NUMBER_WITHIN.match(text)
                return found is not None and self._orders(Decimal(found[0]).compare(wanted))
            case datetime() as wanted:
                moment = _moment(text)
                if moment is None:
                    return False
                return self._orders((moment > wanted) - (moment < wanted))
        return False

    def _orders(self, sign: int | Decimal) -> bool:
        return _ORDERS[self.operator](int(sign))


@dataclass(frozen=True, slots=True)
class Query:
    """A question as it was put, and its conditions: all of them must hold."""

    text: str
    conditions: tuple[Condition, ...]

    def matches(self, events: Events) -> bool:
        """Whether these events are what is asked for."""
        return all(condition.holds(events) for condition in self.conditions)


def parse_query(text: str) -> Query:
    """Read a query.

    Raises:
        MalformedQuery: it is none, or it is too long.
    """
    if len(text) > MAX_QUERY_CHARACTERS:
        raise MalformedQuery("maximum query length exceeded")
    words = _Words(text)
    conditions = [_condition(words)]
    while not words.is_done:
        joint = words.next()
        if joint != ("word", "AND"):
            raise MalformedQuery(f"expected AND, got {joint[1]}")
        conditions.append(_condition(words))
    return Query(text, tuple(conditions))


class _Words:
    """The words of a text, one after the other."""

    def __init__(self, text: str) -> None:
        self._words: list[tuple[str, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise MalformedQuery(f"unexpected character at {at}")
            self._words.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self._words)

    def next(self) -> tuple[str, str]:
        if self.is_done:
            raise MalformedQuery("unexpected end of the query")
        self._at += 1
        return self._words[self._at - 1]


def _condition(words: _Words) -> Condition:
    kind, key = words.next()
    if kind != "word" or key in ("AND", "CONTAINS", "EXISTS"):
        raise MalformedQuery(f"expected a key, got {key}")
    kind, operator = words.next()
    if operator == "EXISTS" and kind == "word":
        return Condition(key, operator, None)
    if kind != "compare" and operator != "CONTAINS":
        raise MalformedQuery(f"expected an operator, got {operator}")
    value = _value(words)
    if isinstance(value, str) and operator not in ("=", "CONTAINS"):
        raise MalformedQuery(f"{operator} compares no texts")
    if operator == "CONTAINS" and not isinstance(value, str):
        raise MalformedQuery("CONTAINS wants a text")
    return Condition(key, operator, value)


def _value(words: _Words) -> _Value:
    kind, value = words.next()
    if kind == "text":
        return value[1:-1]
    if kind == "word" and value in ("TIME", "DATE"):
        _, written = words.next()
        moment = _moment(written) if ("T" in written) == (value == "TIME") else None
        if moment is None:
            raise MalformedQuery(f"invalid {value.lower()}: {written}")
        return moment
    if kind == "word" and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise MalformedQuery(f"expected a value, got {value}")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
