"""Small contracts written in WebAssembly's text form, and chains to run them on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import wasmtime

from relayer.devnet.cosmwasm.keeper import Keeper

OWNER = "owner"

Contract = Callable[..., bytes]

ALLOCATOR = """
  (global $next (mut i32) (i32.const 65536))
  (func $allocate (export "allocate") (param $size i32) (result i32)
    (local $region i32)
    (local.set $region (global.get $next))
    (global.set $next (i32.add (global.get $next) (i32.add (local.get $size) (i32.const 16))))
    (block $enough (loop $grow
      (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $enough (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
      (br $grow)))
    (i32.store (local.get $region) (i32.add (local.get $region) (i32.const 12)))
    (i32.store offset=4 (local.get $region) (local.get $size))
    (i32.store offset=8 (local.get $region) (i32.const 0))
    (local.get $region))
  (func (export "deallocate") (param i32))
"""

_PARAMETERS = {"instantiate": 3, "execute": 3, "migrate": 2, "reply": 2, "query": 2}


def text_bytes(data: bytes) -> str:
    """As a data segment has them."""
    return "".join(f"\\{byte:02x}" for byte in data)


def region(data: bytes, at: int) -> str:
    """A region, and its bytes behind it, at a place of the memory."""
    header = b"".join(number.to_bytes(4, "little") for number in (at + 12, len(data), len(data)))
    return f'(data (i32.const {at}) "{text_bytes(header + data)}")'


@pytest.fixture
def contract() -> Contract:
    """A contract whose entry points return what is given as JSON, after what is given as code."""

    def build(
        returns: Mapping[str, Any] | None = None,
        before: Mapping[str, str] | None = None,
        *,
        imports: str = "",
        regions: Mapping[int, bytes] | None = None,
        more: str = "",
        memory: str = "2",
    ) -> bytes:
        answers: dict[str, Any] = {"instantiate": {"ok": {}}, **(returns or {})}
        parts, at = [], 4096
        for entry in {**answers, **(before or {})}:
            parameters = " ".join(f"(param $p{place} i32)" for place in range(_PARAMETERS[entry]))
            code = (before or {}).get(entry, "")
            answer = answers.get(entry, {"ok": {}})
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            parts.append(region(data, at))
            parts.append(f'(func (export "{entry}") {parameters} (result i32) {code} (i32.const {at}))')
            at += 12 + len(data)
        parts += [region(data, place) for place, data in (regions or {}).items()]
        text = (
            f'(module {imports} (memory (export "memory") {memory}) (func (export "interface_version_8"))'
            f"{ALLOCATOR} {' '.join(parts)} {more})"
        )
        return bytes(wasmtime.wat2wasm(text))

    return build


@pytest.fixture
def chain() -> Keeper:
    keeper = Keeper()
    keeper.mint(account(keeper, OWNER), {"uxvm": 1_000_000})
    return keeper


def account(keeper: Keeper, name: str) -> str:
    return keeper.addresses.text(hashlib.sha256(name.encode()).digest()[:20])


@pytest.fixture
def owner(chain: Keeper) -> str:
    return account(chain, OWNER)


@pytest.fixture
def place(chain: Keeper, owner: str) -> Callable[[bytes], str]:
    """A contract of this code on the chain."""

    def make(wasm: bytes) -> str:
        return chain.instantiate(owner, chain.store_code(owner, wasm), {})

    return make
