"""Speaks to the gateway by its committed IDL: tests send and read what it says, so that a wrong IDL fails them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

FOLDER: Final = Path(__file__).resolve().parents[3] / "contracts" / "svm"
IDL: Final = json.loads((FOLDER / "xvm_gateway.idl.json").read_text())

_NUMBERS: Final = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q"}
_TYPES: Final = {entry["name"]: entry["type"]["fields"] for entry in IDL["types"]}
_INSTRUCTIONS: Final = {entry["name"]: entry for entry in IDL["instructions"]}
ERRORS: Final = {entry["code"]: entry["name"] for entry in IDL["errors"]}
EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")


def encode(kind: Any, value: Any) -> bytes:  # noqa: PLR0911 - one return a kind
    """Borsh."""
    if isinstance(kind, str):
        if kind in _NUMBERS:
            return struct.pack(_NUMBERS[kind], value)
        if kind == "bool":
            return bytes([value])
        if kind == "pubkey":
            return bytes(value)
        assert kind == "bytes"
        return struct.pack("<I", len(value)) + bytes(value)
    if "array" in kind:
        item, length = kind["array"]
        assert len(value) == length
        return bytes(value) if item == "u8" else b"".join(encode(item, one) for one in value)
    if "vec" in kind:
        return struct.pack("<I", len(value)) + b"".join(encode(kind["vec"], one) for one in value)
    if "option" in kind:
        return b"\0" if value is None else b"\1" + encode(kind["option"], value)
    return b"".join(encode(field["type"], value[field["name"]]) for field in _TYPES[kind["defined"]["name"]])


def _decode(kind: Any, data: bytes, at: int) -> tuple[Any, int]:  # noqa: PLR0911 - one return a kind
    if isinstance(kind, str):
        if kind in _NUMBERS:
            return struct.unpack_from(_NUMBERS[kind], data, at)[0], at + struct.calcsize(_NUMBERS[kind])
        if kind == "bool":
            return bool(data[at]), at + 1
        if kind == "pubkey":
            return Pubkey(data[at : at + 32]), at + 32
        (length,) = struct.unpack_from("<I", data, at)
        return data[at + 4 : at + 4 + length], at + 4 + length
    if "array" in kind and kind["array"][0] == "u8":
        return data[at : at + kind["array"][1]], at + kind["array"][1]
    if "array" in kind or "vec" in kind:
        if "vec" in kind:
            (count,) = struct.unpack_from("<I", data, at)
            item, at = kind["vec"], at + 4
        else:
            item, count = kind["array"]
        values = []
        for _ in range(count):
            value, at = _decode(item, data, at)
            values.append(value)
        return values, at
    found = {}
    for field in _TYPES[kind["defined"]["name"]]:
        found[field["name"]], at = _decode(field["type"], data, at)
    return found, at


def instruction_data(name: str, args: dict[str, Any], tail: bytes = b"") -> bytes:
    """An instruction's data. `tail` follows its arguments."""
    entry = _INSTRUCTIONS[name]
    return (
        bytes(entry["discriminator"])
        + b"".join(encode(field["type"], args[field["name"]]) for field in entry["args"])
        + tail
    )


def instruction_accounts(program: Pubkey, name: str, accounts: dict[str, Pubkey]) -> list[AccountMeta]:
    """An instruction's accounts; the optional ones that are not given are the program itself."""
    metas = []
    for entry in _INSTRUCTIONS[name]["accounts"]:
        key = accounts.get(entry["name"])
        if key is None and "address" in entry:
            key = Pubkey.from_string(entry["address"])
        if key is None and entry.get("optional"):
            metas.append(AccountMeta(program, is_signer=False, is_writable=False))
            continue
        assert key is not None, f"{name} needs {entry['name']}"
        metas.append(AccountMeta(key, is_signer=entry.get("signer", False), is_writable=entry.get("writable", False)))
    return metas


def instruction(
    program: Pubkey,
    name: str,
    accounts: dict[str, Pubkey],
    args: dict[str, Any],
    *,
    tail: bytes = b"",
    more: list[AccountMeta] | None = None,
) -> Instruction:
    """An instruction of the gateway; `more` are the accounts behind its own."""
    metas = instruction_accounts(program, name, accounts) + (more or [])
    return Instruction(program, instruction_data(name, args, tail), metas)


def decode_event(data: bytes) -> tuple[str, dict[str, Any]]:
    """An event from the data of the gateway's call to itself; nothing may be left over."""
    assert data[:8] == EVENT_TAG
    for entry in IDL["events"]:
        if bytes(entry["discriminator"]) == data[8:16]:
            fields, end = _decode({"defined": {"name": entry["name"]}}, data, 16)
            assert end == len(data)
            return entry["name"], fields
    raise AssertionError(data.hex())


def decode_account(name: str, data: bytes) -> dict[str, Any]:
    """What an account of the gateway's holds."""
    (entry,) = (one for one in IDL["accounts"] if one["name"] == name)
    assert data[:8] == bytes(entry["discriminator"])
    fields: dict[str, Any] = _decode({"defined": {"name": name}}, data, 8)[0]
    return fields


def account_length(name: str) -> int:
    """Bytes of an account, up to what varies."""
    return 8 + sum(_length(field["type"]) for field in _TYPES[name])


def _length(kind: Any) -> int:
    if isinstance(kind, str):
        return {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "bool": 1, "pubkey": 32}[kind]
    if "array" in kind:
        return _length(kind["array"][0]) * int(kind["array"][1])
    return sum(_length(field["type"]) for field in _TYPES[kind["defined"]["name"]])
