"""A contract that does what its message's first letter says, in the machine's own text."""

from __future__ import annotations

import wasmtime

_DONE = (
    b'{"ok":{"messages":[],"attributes":[{"key":"did","value":"it"}],'
    b'"events":[{"type":"XVMSeen","attributes":[{"key":"what","value":"this"}]}],"data":"aGVyZQ=="}}'
)
_MADE = b'{"ok":{"messages":[],"attributes":[],"events":[],"data":null}}'
_REFUSED = b'{"error":"NotToday"}'
_ANSWER = b'{"ok":"eyJ5ZXMiOnRydWV9"}'


def _text(data: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in data)


def _region(place: int, at: int, data: bytes) -> str:
    head = b"".join(number.to_bytes(4, "little") for number in (at, len(data), len(data)))
    return f'(data (i32.const {place}) "{_text(head)}") (data (i32.const {at}) "{_text(data)}")'


def echo_wasm() -> bytes:
    """`{"d…` is done with an event, `{"l…` never ends, anything else is refused. Queries are answered alike."""
    chosen = """
      (local.set $letter (i32.load8_u (i32.add (i32.const 2) (i32.load (local.get $message)))))
      (if (i32.eq (local.get $letter) (i32.const 108)) (then (loop $on (br $on))))"""
    code = f"""(module
      (memory (export "memory") 2)
      (global $top (mut i32) (i32.const 65536))
      (func (export "interface_version_8"))
      (func (export "deallocate") (param i32))
      (func (export "allocate") (param $size i32) (result i32) (local $at i32)
        (local.set $at (global.get $top))
        (i32.store (local.get $at) (i32.add (local.get $at) (i32.const 12)))
        (i32.store offset=4 (local.get $at) (local.get $size))
        (i32.store offset=8 (local.get $at) (i32.const 0))
        (global.set $top (i32.add (local.get $at) (i32.add (i32.const 12) (local.get $size))))
        (local.get $at))
      (func (export "instantiate") (param i32 i32 i32) (result i32) (i32.const 16))
      (func (export "migrate") (param i32 i32) (result i32) (i32.const 16))
      (func (export "execute") (param i32 i32) (param $message i32) (result i32) (local $letter i32)
        {chosen}
        (select (i32.const 32) (i32.const 48) (i32.eq (local.get $letter) (i32.const 100))))
      (func (export "query") (param i32) (param $message i32) (result i32) (local $letter i32)
        {chosen}
        (select (i32.const 64) (i32.const 48) (i32.eq (local.get $letter) (i32.const 100))))
      {_region(16, 1024, _MADE)} {_region(32, 2048, _DONE)} {_region(48, 3072, _REFUSED)} {_region(64, 4096, _ANSWER)}
    )"""
    return bytes(wasmtime.wat2wasm(code))
