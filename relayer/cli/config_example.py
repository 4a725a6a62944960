"""The example configuration, written from the settings' own fields and descriptions.

Its job: one complete TOML file in which every key stands once, with what it is for; required ones with an example
value, others commented out with their default. Because it is made from the model it cannot be out of date. It must not
know any key by name, but for the values that the examples of required keys have.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from relayer.config import Settings

_COLUMNS: Final = 110

_HEAD: Final = """\
# Configuration of an XVM relayer. Every key that there is stands here; those that are commented out have the default
# that is shown (or, where nothing is the default, an example). Paths are relative to this file's folder.
# No secret belongs in it: keys are files; URLs may be written "env:NAME" or "file:PATH".
# Check it with: xvm config validate FILE
"""

_EXAMPLES: Final[Mapping[str, Any]] = {
    "node.name": "relayer-1",
    "node.network": "example",
    "node.data_dir": "data",
    "signer.key_file": "signer.json",
    "signer.peer_key_file": "peer.json",
    "signer.password_file": "password",
    "chains.name": "alpha",
    "chains.caip2": "eip155:31337",
    "chains.rpc_urls": ["https://rpc-1.example", "https://rpc-2.example", "https://rpc-3.example"],
    "chains.rpc_quorum": 2,
    "chains.ws_urls": ["wss://rpc-1.example"],
    "chains.gateway": "0x00000000000000000000000000000000000000a1",
    "chains.verifier": "0x00000000000000000000000000000000000000a2",
    "chains.max_fee_per_gas": 500_000_000_000,
    "chains.registry": "0x00000000000000000000000000000000000000a3",
    "chains.finality": {"tag": "finalized"},
    "chains.block_time_seconds": 12.0,
    "chains.wallet_key_file": "wallet.json",
    "peers.name": "relayer-2",
    "peers.url": "https://relayer-2.example",
    "peers.signer": "0x00000000000000000000000000000000000000b2",
    "peers.peer_key": "0x00000000000000000000000000000000000000b4",
    "database_url": "sqlite:////var/lib/xvm/relayer.sqlite3",
    "guard_database_url": "sqlite:////var/lib/xvm/guard.sqlite3",
}
"""Values of required keys and of those whose default is nothing, by `section.key`."""

_SECOND_CHAIN: Final[Mapping[str, Any]] = {
    "name": "beta",
    "caip2": "eip155:31338",
    "rpc_urls": ["https://rpc.beta.example"],
    "gateway": "0x00000000000000000000000000000000000000b1",
    "verifier": "0x00000000000000000000000000000000000000b3",
    "finality": {"depth_blocks": 32},
    "block_time_seconds": 2.0,
    "wallet_key_file": "wallet.json",
}


def example_config() -> str:
    """The whole file."""
    return "\n".join((_HEAD, *_top_level(), "", *_sections()))


def _top_level() -> Iterator[str]:
    """Keys outside of any section: TOML wants them first."""
    for name, field in Settings.model_fields.items():
        if _section_of(field) is None:
            yield from _key(name, name, field)


def _sections() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        section = _section_of(field)
        if section is None:
            continue
        is_repeated = get_origin(field.annotation) is tuple
        header = f"[[{name}]]" if is_repeated else f"[{name}]"
        yield from _comment(_summary(section, field))
        yield header
        for key, inner in section.model_fields.items():
            yield from _key(key, f"{name}.{key}", inner)
        yield ""
        if name == "chains":
            yield "# The second chain, with what is required alone."
            yield header
            yield from (f"{key} = {_toml(value)}" for key, value in _SECOND_CHAIN.items())
            yield ""


def _summary(section: type[BaseModel], field: FieldInfo) -> str:
    """The section's docstring without its name, or else the description of the key that holds it."""
    _, _, text = (section.__doc__ or "").partition(": ")
    summary = (text or field.description or "").strip().rstrip(".")
    return f"{summary[:1].upper()}{summary[1:]}."


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model behind `[name]` or `[[name]]`, None for a plain key."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _key(name: str, place: str, field: FieldInfo) -> Iterator[str]:
    yield from _comment(field.description or "")
    default = field.get_default(call_default_factory=False)
    is_nothing = default is None or default == () or (isinstance(default, SecretStr) and not default.get_secret_value())
    if field.is_required():
        yield f"{name} = {_toml(_EXAMPLES[place])}"
    else:
        yield f"#{name} = {_toml(_EXAMPLES[place] if is_nothing else default)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _toml(value: Any) -> str:
    """A value as TOML. Strings of JSON are basic strings of TOML."""
    match value:
        case bool() | int() | float():
            return json.dumps(value)
        case Enum():
            return _toml(value.value)
        case Decimal():
            return json.dumps(str(value))
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case Mapping():
            return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
        case _:
            return json.dumps(str(value))
