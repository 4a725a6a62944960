"""JSON that nobody should send: valid documents with a few places spoiled, and texts that are hardly JSON.

All of it follows from the random numbers that are given, so that a seed tells a whole case.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any, Final


class Text(bytes):
    """A piece of a document as it is to stand there, JSON or not."""


@dataclass
class Twice:
    """An object with members of one name more than once."""

    members: list[tuple[str, Any]]


_NUMBERS: Final = [0, 1, 2, 3, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, 2**53, 2**53 + 1]
_WIDE: Final = [*_NUMBERS, 2**63, 2**64 - 1, 2**64, 2**80, 2**96 - 1, 2**96, 2**128 - 1, 2**128, 2**256 - 1, 2**256]
_OTHER_CHAIN: Final = "cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu"
_TEXTS: Final = [
    *(
        "",
        "0",
        "00",
        "-1",
        "+1",
        " 1",
        "1e3",
        "0x",
        "0x0",
        "0X00",
        "0xzz",
        "AAAA",
        "AA==",
        "AB==",
        "A",
        "\0",
        "☃",
        "😀",
    ),
    *("0x" + "00" * 20, "0x" + "00" * 32, "0x" + "ff" * 32, "0x" + "00" * 33, "x" * 70_000, "0x" + "ab" * 40_000),
    *(_OTHER_CHAIN, _OTHER_CHAIN.upper(), "wasm1", "\u202e", "é", "e\u0301"),
]
_PIECES: Final = [
    *(b"-1", b"-0", b"01", b"1.0", b"1e3", b"1e400", b"NaN", b"nul", b"'", b"", b",", b"{", b"]", b'"', b"\xff"),
    *(b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\\x41"', b'"\x01"'),
    *(b"9007199254740993", b"18446744073709551616", b"[" * 15 + b"]" * 15, b"[" * 200 + b"]" * 200, b"[" * 3_000),
    *(b'{"a":' * 17 + b"1" + b"}" * 17, b"[" + b",".join([b"0"] * 5_000) + b"]", b"[" + b"{}," * 3_000 + b"{}]"),
    b"{" + b",".join(b'"%d":1' % number for number in range(65)) + b"}",
]


def edge(random: Random, accounts: list[str]) -> Any:
    """A value at the end of some range."""
    number = random.choice(_WIDE) + random.choice([0, 0, 0, 1, -1])
    return random.choice(
        [
            *(None, True, False, [], {}, [None], {"": {}}),
            *(number, str(number), random.choice(_TEXTS), Text(random.choice(_PIECES))),
            *(random.choice(accounts), "0x" + random.randbytes(random.choice([1, 20, 32])).hex()),
            b64encode(random.randbytes(random.randrange(40))).decode(),
        ]
    )


def spoil(value: Any, random: Random, accounts: list[str]) -> Any:
    """A copy of a document with one place changed."""
    copy = {"": deepcopy(value)}
    container, key = random.choice(list(_places(copy)))
    old = container[key]
    match random.randrange(8):
        case 0:
            del container[key]
        case 1 if isinstance(container, list):
            container += [old] * random.choice([1, 1, 2, 300])
        case 1 if isinstance(container, dict):
            container[key + random.choice(["", "_", "\0"])] = Twice([(key, old), (key, old)])
        case 2 if isinstance(old, dict):
            members = list(old.items())
            twice = random.choice(members) if members else ("a", 1)
            container[key] = Twice([*members, random.choice([twice, (twice[0], edge(random, accounts)), ("more", 1)])])
        case 3 if isinstance(old, str) and old.isdecimal():
            container[key] = str(int(old) + random.choice([1, -1, 2**32, 2**64, 10**9]))
        case 3 if isinstance(old, str) and len(old) > 3:
            at = random.randrange(2, len(old))
            container[key] = old[:at] + random.choice("0123456789abcdef=") + old[at + random.randrange(2) :]
        case 4:
            other, place = random.choice(list(_places(copy)))
            container[key] = deepcopy(other[place])
        case _:
            container[key] = edge(random, accounts)
    return copy.get("", {})


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def written(value: Any) -> bytes:
    """A document's bytes."""
    if isinstance(value, Text):
        return bytes(value)
    if isinstance(value, dict):
        value = Twice(list(value.items()))
    if isinstance(value, Twice):
        return b"{" + b",".join(json.dumps(key).encode() + b":" + written(one) for key, one in value.members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(written(one) for one in value) + b"]"
    return json.dumps(value, ensure_ascii=False).encode()


def torn(data: bytes, random: Random) -> bytes:
    """The bytes with a piece gone, doubled or replaced."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice([0, 1, 1, 2, 30]))
    inside = random.choice([b"", data[start:end] * 2, random.randbytes(3), random.choice(_PIECES)])
    return data[:start] + inside + data[end:]
