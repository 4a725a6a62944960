"""SECURITY: a node whose chain runs a hostile contract answers, makes its next block, and is no larger for it."""

from __future__ import annotations

import os

import psutil
import pytest
import wasmtime
from conftest import OWNER, Devnet

from relayer.cosmos.wasm import MsgInstantiateContract, MsgStoreCode

MEBIBYTE = 1 << 20

_GROW = "(loop $on (br_if $on (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))"
_TOUCH = """(loop $on
  (i32.store (local.get 0) (i32.const 1)) (local.set 0 (i32.add (local.get 0) (i32.const 4096)))
  (br_if $on (i32.lt_u (local.get 0) (i32.mul (memory.size) (i32.const 65536)))))"""


def hostile(act: str, more: str = "") -> bytes:
    """Code whose instances do this when they are made."""
    return bytes(
        wasmtime.wat2wasm(f"""(module {more if more.startswith("(import") else ""} (memory (export "memory") 2)
          (func (export "interface_version_8")) (func (export "deallocate") (param i32))
          (global $top (mut i32) (i32.const 65536))
          (func (export "allocate") (param $size i32) (result i32) (local $at i32)
            (local.set $at (global.get $top))
            (i32.store (local.get $at) (i32.add (local.get $at) (i32.const 12)))
            (i32.store offset=4 (local.get $at) (local.get $size))
            (global.set $top (i32.add (local.get $at) (i32.add (i32.const 12) (local.get $size))))
            (local.get $at))
          {"" if more.startswith("(import") else more}
          (func (export "instantiate") (param i32 i32 i32) (result i32) {act} (i32.const 0)))""")
    )


@pytest.mark.parametrize(
    ("wasm", "code"),
    [
        (hostile("(loop $on (br $on))"), 11),
        (hostile(f"{_GROW} {_TOUCH} (loop $on (br $on))"), 11),
        (hostile("(drop (call $deep))", "(func $deep (result i32) (i32.add (call $deep) (i32.const 1)))"), 29),
        (hostile("unreachable"), 29),
        (hostile("(return (i32.const -4))"), 29),
    ],
    ids=["loop", "memory", "recursion", "trap", "pointer"],
)
async def test_security_a_hostile_contract_fails_alone(devnet: Devnet, wasm: bytes, code: int) -> None:
    """SECURITY: loops, memory, recursion and lies end the transaction, within its gas, and nothing else."""
    await devnet.deploy()
    process = psutil.Process(os.getpid())
    stored = await devnet.run(MsgStoreCode(OWNER.address, wasm), gas=2_000_000, fee=50_000)
    assert stored["code"] == 0, stored
    before = process.memory_info().rss
    for _ in range(3):
        made = await devnet.run(
            MsgInstantiateContract(OWNER.address, "", 2, "hostile", b"{}"), gas=2_000_000, fee=50_000
        )
        assert made["code"] == code, made
    assert process.memory_info().rss - before < 100 * MEBIBYTE
    assert await devnet.result("health") == {}
    assert (await devnet.run(devnet.execute(b'{"do":{}}')))["code"] == 0


async def test_security_an_import_that_is_not_cosmwasms_is_not_stored(devnet: Devnet) -> None:
    """SECURITY: a contract reaches the process by what the host gives it alone."""
    reaching = hostile("", '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))')
    refused = await devnet.run(MsgStoreCode(OWNER.address, reaching), gas=2_000_000, fee=50_000)
    assert (refused["codespace"], refused["code"]) == ("wasm", 2)
    assert await devnet.result("health") == {}
