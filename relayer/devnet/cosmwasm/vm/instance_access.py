"""What an instance exports, and calls of its functions with 32-bit numbers.

Its job: both past wasmtime-py's own ways, which list all exports of an instance and look a function's types up anew for
each call: most of what a short call takes. wasmtime itself checks types all the same. It knows of no gas.
"""

# ruff: noqa: SLF001 - what is pinned to one version may be known from within

from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, create_string_buffer
from typing import Any

from wasmtime import Func, Instance, Store, WasmtimeError, _ffi
from wasmtime._extern import wrap_extern
from wasmtime._func import enter_wasm


def find_export(store: Store, instance: Instance, name: str) -> object:
    """What an instance exports under this name, None for nothing."""
    text = name.encode()
    found = _ffi.wasmtime_extern_t()
    is_found = _ffi.wasmtime_instance_export_get(
        store._context(), byref(instance._instance), create_string_buffer(text), len(text), byref(found)
    )
    return wrap_extern(found) if is_found else None


def call_function(store: Store, function: Func, arguments: Sequence[int], results: int) -> int:
    """Its one result, or 0 of a function without `results`; 0 or 1 of them are expected.

    Raises:
        Trap: it ended that way.
        WasmtimeError: it has other parameters or results.
    """
    given = (_ffi.wasmtime_val_t * len(arguments))()
    for value, argument in zip(given, arguments, strict=True):
        value.kind, value.of.i32 = _ffi.WASMTIME_I32.value, argument
    taken = (_ffi.wasmtime_val_t * results)()
    with enter_wasm(store) as trap:
        error: Any = _ffi.wasmtime_func_call(
            store._context(), byref(function._func), given, len(given), taken, len(taken), trap
        )
        if error:
            raise WasmtimeError._from_ptr(error)
    if not results:
        return 0
    result: Any = taken[0]
    if result.kind != _ffi.WASMTIME_I32.value:
        raise WasmtimeError("the result is no 32-bit number")
    return int(result.of.i32)
