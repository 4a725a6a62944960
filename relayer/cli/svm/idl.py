"""Anchor's IDLs: how a program is called, and what its accounts hold.

Its job: from the JSON file of an IDL to instructions, accounts and types, strictly enough that a call is encoded as the
file says or not at all. Files of Anchor before 0.30 say the same in other words and are taken as well.

Source: Anchor's IDL specification 0.1.0, and the format before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from relayer.cli.svm.borsh_types import BorshTypes, Kind
from relayer.cli.svm.borsh_values import MalformedValue
from relayer.cli.text_file import read_text
from relayer.errors import ConfigError

MAX_IDL_CHARACTERS: Final = 4 << 20
"""The largest public programs' have some hundred thousand."""

_DISCRIMINATOR_LENGTH: Final = 8
_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class IdlAccount:
    """An account that an instruction takes. `address` is base58 where it is always the same, else empty."""

    name: str
    is_writable: bool
    is_signer: bool
    is_optional: bool
    address: str


@dataclass(frozen=True, slots=True)
class IdlInstruction:
    """An instruction: what its data begins with, its arguments by name, the accounts in order, what it returns."""

    name: str
    discriminator: bytes
    arguments: tuple[tuple[str, Kind], ...]
    accounts: tuple[IdlAccount, ...]
    returns: Kind | None


@dataclass(frozen=True, slots=True)
class Idl:
    """What a program says of itself. `accounts` are the discriminators of its types of accounts."""

    types: BorshTypes
    instructions: Mapping[str, IdlInstruction]
    accounts: Mapping[str, bytes]
    errors: Mapping[int, str]

    @classmethod
    def load(cls, path: Path) -> Self:
        """From the file. Raises `ConfigError`."""
        try:
            return cls._of(json.loads(read_text(path, MAX_IDL_CHARACTERS)))
        except MalformedValue as error:
            raise ConfigError([f"{path}: {error}"]) from None
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
            raise ConfigError([f"{path}: is no IDL of Anchor's"]) from None

    @classmethod
    def _of(cls, document: Mapping[str, Any]) -> Self:
        accounts = document.get("accounts") or []
        # Older files define what accounts hold where they name them.
        defined = {entry["name"]: entry["type"] for entry in [*accounts, *document.get("types", [])] if "type" in entry}
        types = BorshTypes(defined)
        instructions = [_instruction(entry, types) for entry in document["instructions"]]
        return cls(
            types=types,
            instructions={each.name: each for each in instructions},
            accounts={entry["name"]: _discriminator(entry, f"account:{entry['name']}") for entry in accounts},
            errors={entry["code"]: entry.get("msg") or entry["name"] for entry in document.get("errors") or []},
        )

    def instruction(self, name: str) -> IdlInstruction:
        """The one of this name. Raises `MalformedValue`."""
        found = self.instructions.get(name)
        if found is None:
            raise MalformedValue(f"{name!r} is none of its instructions: {', '.join(self.instructions)}")
        return found


NO_IDL: Final = Idl(BorshTypes({}), {}, {}, {})
"""Of programs about which nothing was given."""


def anchor_discriminator(kind: str, name: str) -> bytes:
    """What Anchor puts in front: 8 bytes for `global` (an instruction), `account` or `event` of this name."""
    return sha256(f"{kind}:{name}".encode()).digest()[:_DISCRIMINATOR_LENGTH]


def _instruction(entry: Mapping[str, Any], types: BorshTypes) -> IdlInstruction:
    arguments = tuple((str(argument["name"]), argument["type"]) for argument in entry["args"])
    for kind in [*(kind for _, kind in arguments), *([entry["returns"]] if entry.get("returns") else [])]:
        types.require(kind)
    # Names of functions were in camel case in older files, and always in snake case where they are hashed.
    snake = _CAPITAL.sub("_", entry["name"]).lower()
    return IdlInstruction(
        name=entry["name"],
        discriminator=_discriminator(entry, f"global:{snake}"),
        arguments=arguments,
        accounts=tuple(_accounts(entry["accounts"], "")),
        returns=entry.get("returns"),
    )


def _accounts(entries: list[Mapping[str, Any]], prefix: str) -> Iterator[IdlAccount]:
    """In order; those of a group by the group's name and theirs."""
    for entry in entries:
        name = f"{prefix}{entry['name']}"
        if "accounts" in entry:
            yield from _accounts(entry["accounts"], f"{name}.")
            continue
        yield IdlAccount(
            name=name,
            is_writable=bool(entry.get("writable", entry.get("isMut", False))),
            is_signer=bool(entry.get("signer", entry.get("isSigner", False))),
            is_optional=bool(entry.get("optional", entry.get("isOptional", False))),
            address=str(entry.get("address", "")),
        )


def _discriminator(entry: Mapping[str, Any], hashed: str) -> bytes:
    given = entry.get("discriminator")
    if given is None:
        return anchor_discriminator(*hashed.split(":", 1))
    # SECURITY: of a number, Python makes as many zeros.
    if not isinstance(given, list):
        raise MalformedValue(f"{given!r} is no discriminator")
    return bytes(given)
