"""Contracts that attack the process which runs them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from relayer.devnet.cosmwasm.chain_errors import ChainError
from relayer.devnet.cosmwasm.keeper import FailedError, Keeper
from relayer.devnet.cosmwasm.vm import compiler, host_work
from relayer.devnet.cosmwasm.vm.errors import CodeRefusedError
from relayer.devnet.cosmwasm.vm.gatekeeper import inspect

Contract = Callable[..., bytes]
Place = Callable[[bytes], str]


def _ends(chain: Keeper, owner: str, address: str, code: int, text: str, gas_limit: int = 2_000_000) -> None:
    result = chain.execute(owner, address, {}, gas_limit=gas_limit)
    assert (result.code, text in result.log) == (code, True), result


def test_security_an_infinite_loop_ends_with_its_gas(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    """SECURITY: a loop without end is out of gas."""
    address = place(contract(before={"execute": "(loop $on (br $on))"}))
    _ends(chain, owner, address, 11, "out of gas")


def test_security_memory_does_not_grow_beyond_its_limit(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    """SECURITY: 32 MiB, and `memory.grow` says no."""
    grow = "(loop $on (br_if $on (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))"
    full = "(if (i32.gt_u (memory.size) (i32.const 512)) (then unreachable))"
    address = place(contract({"execute": {"ok": {}}}, before={"execute": grow + full}))
    assert chain.execute(owner, address, {}).code == 0


def test_security_a_table_does_not_grow_beyond_its_limit(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    """SECURITY: a table is memory of the process, not of the contract."""
    grow = "(if (i32.ne (table.grow (ref.null func) (i32.const 2500)) (i32.const -1)) (then unreachable))"
    address = place(contract({"execute": {"ok": {}}}, before={"execute": grow}, more="(table 1 2500 funcref)"))
    assert chain.execute(owner, address, {}).code == 0


def test_security_recursion_without_end_ends(chain: Keeper, owner: str, place: Place, contract: Contract) -> None:
    """SECURITY: the stack of machine code is bounded."""
    deep = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))"
    address = place(contract(before={"execute": "(drop (call $deep (i32.const 1)))"}, more=deep))
    _ends(chain, owner, address, 29, "stack", gas_limit=50_000_000)


def test_security_recursion_in_queries_within_queries_leaves_the_process_alone(
    chain: Keeper, place: Place, contract: Contract
) -> None:
    """SECURITY: ten runs, each with its stack full, fit into the stack of one thread."""
    target = chain.addresses.text(b"\x07" * 32)
    query = {"wasm": {"smart": {"contract_addr": target, "msg": "e30="}}}
    deep = """(func $deep (param $n i32) (result i32)
      (if (result i32) (local.get $n)
        (then (i32.add (call $deep (i32.sub (local.get $n) (i32.const 1))) (i32.const 1)))
        (else (drop (call $query (i32.const 1024))) (i32.const 0))))"""
    imports = '(import "env" "query_chain" (func $query (param i32) (result i32)))'

    def build(address: str, depth: int) -> bytes:
        query["wasm"]["smart"]["contract_addr"] = address
        body = f"(drop (call $deep (i32.const {depth})))"
        asked = {1024: json.dumps(query).encode()}
        return contract({"query": {"ok": ""}}, before={"query": body}, imports=imports, regions=asked, more=deep)

    # It asks the next one, which is of the same code: the last one's target does not exist.
    address = target
    for _ in range(9):
        address = place(build(address, 2500))
    assert chain.query_smart(address, {}) == b""


def test_security_calls_of_imports_without_end_end(
    chain: Keeper, owner: str, place: Place, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SECURITY: imports are slower here than gas says: their number is bounded as well."""
    monkeypatch.setattr(host_work, "MAX_MICROSECONDS", 250_000)
    imports = '(import "env" "addr_validate" (func $validate (param i32) (result i32)))'
    loop = "(loop $on (drop (call $validate (i32.const 1024))) (br $on))"
    regions = {1024: chain.addresses.text(bytes(20)).encode()}
    address = place(contract(before={"execute": loop}, imports=imports, regions=regions))
    _ends(chain, owner, address, 29, "more work than this host does", gas_limit=50_000_000)


def test_security_expensive_curves_count_as_more_work(
    chain: Keeper, owner: str, place: Place, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SECURITY: what takes milliseconds in Python is not counted as one call."""
    monkeypatch.setattr(host_work, "MAX_MICROSECONDS", 250_000)
    imports = '(import "env" "secp256r1_verify" (func $verify (param i32 i32 i32) (result i32)))'
    loop = "(loop $on (drop (call $verify (i32.const 1024) (i32.const 1100) (i32.const 1200))) (br $on))"
    regions = {1024: bytes(32), 1100: bytes([1]) * 64, 1200: b"\x02" + bytes(32)}
    address = place(contract(before={"execute": loop}, imports=imports, regions=regions))
    _ends(chain, owner, address, 29, "more work than this host does", gas_limit=50_000_000)


@pytest.mark.parametrize(
    ("place_of_region", "offset", "capacity", "length", "says"),
    [
        (8192, 0xFFFF_0000, 16, 16, "Tried to access"),
        (8192, 131_070, 16, 16, "Tried to access"),
        (8192, 0, 16, 16, "zero offset"),
        (8192, 100, 4, 16, "exceeds capacity"),
        (8192, 0xFFFF_FFFF, 16, 16, "exceeds address space"),
        (8192, 100, 200_000, 200_000, "length too big"),
        (131_068, 100, 16, 16, "Tried to access"),
        (0xFFFF_FFF0, 100, 16, 16, "Tried to access"),
    ],
)
def test_security_regions_that_lie_read_nothing(
    chain: Keeper,
    owner: str,
    place: Place,
    contract: Contract,
    place_of_region: int,
    offset: int,
    capacity: int,
    length: int,
    says: str,
) -> None:
    """SECURITY: a region is looked at before an address of this process is made of it."""
    imports = '(import "env" "db_read" (func $read (param i32) (result i32)))'
    header = "".join(
        f"(i32.store offset={at} (i32.const 8192) (i32.const {number - 2**32 if number >= 2**31 else number}))"
        for at, number in ((0, offset), (4, capacity), (8, length))
    )
    pointer = place_of_region - 2**32 if place_of_region >= 2**31 else place_of_region
    body = f"{header} (drop (call $read (i32.const {pointer})))"
    _ends(chain, owner, place(contract(before={"execute": body}, imports=imports)), 29, says)


def test_security_a_write_beyond_a_region_is_refused(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    """SECURITY: what the host writes fits into what the contract prepared."""
    imports = '(import "env" "addr_canonicalize" (func $canonicalize (param i32 i32) (result i32)))'
    body = "(drop (call $canonicalize (i32.const 1024) (i32.const 1200)))"
    regions = {1024: chain.addresses.text(bytes(20)).encode(), 1200: bytes(19)}
    _ends(chain, owner, place(contract(before={"execute": body}, imports=imports, regions=regions)), 29, "too small")


def test_security_a_result_larger_than_is_read_is_refused(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    """SECURITY: a parser in Python makes a gigabyte of 32 MiB of brackets."""
    grow = "(drop (memory.grow (i32.const 500)))"
    result = "(i32.store (i32.const 8192) (i32.const 65536)) (i32.store offset=4 (i32.const 8192) (i32.const 30000000))"
    length = "(i32.store offset=8 (i32.const 8192) (i32.const 30000000)) (return (i32.const 8192))"
    address = place(contract(before={"execute": grow + result + length}))
    _ends(chain, owner, address, 29, "Region length too big", gas_limit=50_000_000)


def test_security_a_start_function_does_not_run(chain: Keeper, owner: str, contract: Contract) -> None:
    """SECURITY: code that runs before there is gas runs on nobody's gas."""
    code = chain.store_code(owner, contract(more="(func $begin (loop $on (br $on))) (start $begin)"))
    with pytest.raises(FailedError, match="Error instantiating a Wasm module"):
        chain.instantiate(owner, code, {})


def test_security_an_import_of_another_type_is_refused(chain: Keeper, owner: str, contract: Contract) -> None:
    """SECURITY: an import is called with what it expects."""
    wasm = contract(imports='(import "env" "db_read" (func (param i64) (result i64)))')
    with pytest.raises(FailedError, match="another signature"):
        chain.store_code(owner, wasm)


@pytest.mark.parametrize("kind", ["(param i64) (result i64)", "(param f32) (result f32)", "(param i32 i32)", ""])
def test_security_an_export_of_another_type_ends_the_call(chain: Keeper, owner: str, kind: str) -> None:
    """SECURITY: what the host calls may be anything that has the name."""
    functions = '(func (export "interface_version_8")) (func (export "deallocate") (param i32))'
    entry = '(func (export "instantiate") (param i32 i32 i32) (result i32) (i32.const 0))'
    allocate = f'(func (export "allocate") {kind} unreachable)'
    text = f'(module (memory (export "memory") 1) {functions} {entry} {allocate})'
    code = chain.store_code(owner, bytes(wasmtime.wat2wasm(text)))
    with pytest.raises(FailedError, match="wasmvm error"):
        chain.instantiate(owner, code, {})


def test_security_allocate_that_calls_the_host_again_ends(chain: Keeper, owner: str) -> None:
    """SECURITY: host and contract do not call each other without end."""
    imports = '(import "env" "addr_validate" (func $validate (param i32) (result i32)))'
    text = f"""(module {imports} (memory (export "memory") 1) (func (export "interface_version_8"))
      (func (export "deallocate") (param i32))
      (data (i32.const 1024) "\\0c\\04\\00\\00\\03\\00\\00\\00\\03\\00\\00\\00abc")
      (func (export "instantiate") (param i32 i32 i32) (result i32) (i32.const 0))
      (func (export "allocate") (param i32) (result i32) (call $validate (i32.const 1024))))"""
    code = chain.store_code(owner, bytes(wasmtime.wat2wasm(text)))
    with pytest.raises(FailedError, match="Maximum call depth exceeded"):
        chain.instantiate(owner, code, {})


def test_security_a_query_cannot_write(chain: Keeper, place: Place, contract: Contract) -> None:
    """SECURITY: a query changes nothing."""
    imports = '(import "env" "db_write" (func $write (param i32 i32)))'
    body = "(call $write (i32.const 1024) (i32.const 1024))"
    address = place(contract({"query": {"ok": ""}}, {"query": body}, imports=imports, regions={1024: b"key"}))
    with pytest.raises(ChainError, match="Must not call a writing storage function"):
        chain.query_smart(address, {})
    assert chain.query_raw(address, b"key") is None


def test_security_code_that_keeps_the_compiler_busy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: half a megabyte of loops would take the compiler minutes."""
    monkeypatch.setattr(compiler, "COMPILE_SECONDS", 1)
    body = "(loop (local.set 0 (i32.add (local.get 0) (local.get 1))) (br_if 0 (i32.const 0)))" * 30_000
    exports = '(func (export "interface_version_8")) (func (export "deallocate") (param i32))'
    allocate = '(func (export "allocate") (param i32) (result i32) (i32.const 0))'
    text = f'(module (memory (export "memory") 1) {exports} {allocate} (func {"(local i32)" * 90} {body}))'
    wasm = bytes(wasmtime.wat2wasm(text))
    assert inspect(wasm).entry_points
    with pytest.raises(CodeRefusedError, match="not done within 1 s"):
        compiler.compile_apart(wasm)


def test_security_any_bytes_are_refused_without_harm() -> None:
    """SECURITY: what is no module at all."""
    for data in (b"", b"\0asm", b"\0asm\1\0\0\0\1\xff\xff\xff\xff\x0f", b"\0asm\1\0\0\0" + b"\3" * 50, b"\x1f\x8b" * 9):
        with pytest.raises(CodeRefusedError):
            inspect(data)


def test_security_an_archive_is_not_taken_out_beyond_what_may_be_stored(
    chain: Keeper, owner: str, contract: Contract
) -> None:
    """SECURITY: a kilobyte of gzip can hold a gigabyte."""
    assert chain.store_code(owner, gzip.compress(contract())) == 1
    stored = chain.code_info(1)
    assert stored is not None
    assert stored.checksum == hashlib.sha256(contract()).digest()
    for archive, says in (
        (gzip.compress(bytes(50_000_000)), "exceeds limit"),
        (gzip.compress(contract())[:-9], "unexpected EOF"),
        (b"\x1f\x8b\x08" + b"\xff" * 30, "uncompress wasm archive"),
    ):
        with pytest.raises(FailedError, match=says):
            chain.store_code(owner, archive)


def test_machine_code_that_was_kept_and_spoiled_is_made_anew(tmp_path: Path, contract: Contract) -> None:
    for spoiled in (False, True):
        if spoiled:
            for kept in tmp_path.iterdir():
                kept.write_bytes(kept.read_bytes()[:100])
        keeper = Keeper(cache=tmp_path)
        sender = keeper.addresses.text(bytes(20))
        assert keeper.instantiate(sender, keeper.store_code(sender, contract()), {})
    assert len(list(tmp_path.iterdir())) == 1


_EXPORTS = """(func (export "interface_version_8")) (func (export "deallocate") (param i32))
  (func (export "allocate") (param i32) (result i32) (i32.const 0))"""
_MEMORY = '(memory (export "memory") 1)'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('(import "env" "fopen" (func (param i32) (result i32)))', "unsupported import"),
        ('(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))', "unsupported import"),
        ('(import "env" "db_read" (global i32))', "non-function import"),
        ('(import "env" "db_read" (func (param i32) (result i32)))' * 101, "Import count exceeds limit"),
        ("(func (drop (i32.const 0)) (memory.copy (i32.const 0) (i32.const 0) (i32.const 1)))", "bulk memory"),
        ("(func (drop (i32.atomic.load (i32.const 0))))", "threads"),
        ("(func (drop (i8x16.splat (i32.const 0))))", "SIMD"),
        ("(func (result i32 i32) (i32.const 0) (i32.const 0))", "results of a function"),
        ("(func (return_call 0))", "tail calls"),
        ("(table 1 funcref) (table 1 funcref)", "table section"),
        ("(table 1 funcref)", "unbound table section"),
        ("(table 1 100000 funcref)", "too large max limit"),
    ],
    ids=lambda value: value[:50],
)
def test_security_what_a_chain_would_not_store_is_not_run(chain: Keeper, owner: str, text: str, says: str) -> None:
    """SECURITY: no import reaches the process but CosmWasm's, and no instruction that the bounds were not made for."""
    with pytest.raises(FailedError, match=says):
        chain.store_code(owner, bytes(wasmtime.wat2wasm(f"(module {text} {_MEMORY} {_EXPORTS})")))


@pytest.mark.parametrize("memory", ["(memory 513)", "(memory 1 2)", "(memory 1 2 shared)", "", "(memory 1) (memory 1)"])
def test_security_a_contract_has_one_memory_that_the_host_bounds(memory: str) -> None:
    """SECURITY: neither more of it from the start, nor another one, nor one that threads share."""
    with pytest.raises(CodeRefusedError):
        inspect(bytes(wasmtime.wat2wasm(f"(module {memory} {_EXPORTS})")))
