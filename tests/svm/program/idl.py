"""Speaks to programs by their committed IDLs: tests send and read what these say, so that a wrong IDL fails them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

FOLDER: Final = Path(__file__).resolve().parents[3] / "contracts" / "svm"
EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")

_NUMBERS: Final = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q"}


class Interface:
    """What one program's IDL says."""

    def __init__(self, path: Path) -> None:
        self.idl: Any = json.loads(path.read_text())
        self.address = Pubkey.from_string(self.idl["address"])
        self.errors = {entry["code"]: entry["name"] for entry in self.idl["errors"]}
        self.types = {entry["name"]: entry["type"]["fields"] for entry in self.idl["types"]}
        self.instructions = {entry["name"]: entry for entry in self.idl["instructions"]}

    def encode(self, kind: Any, value: Any) -> bytes:  # noqa: PLR0911 - one return a kind
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
            return bytes(value) if item == "u8" else b"".join(self.encode(item, one) for one in value)
        if "vec" in kind:
            return struct.pack("<I", len(value)) + b"".join(self.encode(kind["vec"], one) for one in value)
        if "option" in kind:
            return b"\0" if value is None else b"\1" + self.encode(kind["option"], value)
        return b"".join(
            self.encode(field["type"], value[field["name"]]) for field in self.types[kind["defined"]["name"]]
        )

    def decode(self, kind: Any, data: bytes, at: int) -> tuple[Any, int]:  # noqa: PLR0911 - one return a kind
        """A value, and where what follows it begins."""
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
                value, at = self.decode(item, data, at)
                values.append(value)
            return values, at
        found = {}
        for field in self.types[kind["defined"]["name"]]:
            found[field["name"]], at = self.decode(field["type"], data, at)
        return found, at

    def instruction_data(self, name: str, args: dict[str, Any], tail: bytes = b"") -> bytes:
        """An instruction's data. `tail` follows its arguments."""
        entry = self.instructions[name]
        return (
            bytes(entry["discriminator"])
            + b"".join(self.encode(field["type"], args[field["name"]]) for field in entry["args"])
            + tail
        )

    def instruction_accounts(self, program: Pubkey, name: str, accounts: dict[str, Pubkey]) -> list[AccountMeta]:
        """An instruction's accounts; the optional ones that are not given are the program itself."""
        metas = []
        for entry in self.instructions[name]["accounts"]:
            key = accounts.get(entry["name"])
            if key is None and "address" in entry:
                key = Pubkey.from_string(entry["address"])
            if key is None and entry.get("optional"):
                metas.append(AccountMeta(program, is_signer=False, is_writable=False))
                continue
            assert key is not None, f"{name} needs {entry['name']}"
            metas.append(
                AccountMeta(key, is_signer=entry.get("signer", False), is_writable=entry.get("writable", False))
            )
        return metas

    def instruction(
        self,
        program: Pubkey,
        name: str,
        accounts: dict[str, Pubkey],
        args: dict[str, Any],
        *,
        tail: bytes = b"",
        more: list[AccountMeta] | None = None,
    ) -> Instruction:
        """An instruction of the gateway; `more` are the accounts behind its own."""
        metas = self.instruction_accounts(program, name, accounts) + (more or [])
        return Instruction(program, self.instruction_data(name, args, tail), metas)

    def decode_event(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """An event from the data of the gateway's call to itself; nothing may be left over."""
        assert data[:8] == EVENT_TAG
        for entry in self.idl["events"]:
            if bytes(entry["discriminator"]) == data[8:16]:
                fields, end = self.decode({"defined": {"name": entry["name"]}}, data, 16)
                assert end == len(data)
                return entry["name"], fields
        raise AssertionError(data.hex())

    def decode_account(self, name: str, data: bytes) -> dict[str, Any]:
        """What an account of the gateway's holds."""
        (entry,) = (one for one in self.idl["accounts"] if one["name"] == name)
        assert data[:8] == bytes(entry["discriminator"])
        fields: dict[str, Any] = self.decode({"defined": {"name": name}}, data, 8)[0]
        return fields

    def account_length(self, name: str) -> int:
        """Bytes of an account, up to what varies."""
        return 8 + sum(self._length(field["type"]) for field in self.types[name])

    def _length(self, kind: Any) -> int:
        if isinstance(kind, str):
            return {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "bool": 1, "pubkey": 32}[kind]
        if "array" in kind:
            return self._length(kind["array"][0]) * int(kind["array"][1])
        return sum(self._length(field["type"]) for field in self.types[kind["defined"]["name"]])


_GATEWAY: Final = Interface(FOLDER / "xvm_gateway.idl.json")
EXAMPLES: Final = {name: Interface(FOLDER / "examples" / f"{name}.idl.json") for name in ("counter", "asker", "loan")}

IDL: Final = _GATEWAY.idl
ERRORS: Final = {code: name for one in (*EXAMPLES.values(), _GATEWAY) for code, name in one.errors.items()}
INSTRUCTIONS: Final = _GATEWAY.instructions
TYPES: Final = _GATEWAY.types
encode = _GATEWAY.encode
decode = _GATEWAY.decode
instruction_data = _GATEWAY.instruction_data
instruction_accounts = _GATEWAY.instruction_accounts
instruction = _GATEWAY.instruction
decode_event = _GATEWAY.decode_event
decode_account = _GATEWAY.decode_account
account_length = _GATEWAY.account_length
