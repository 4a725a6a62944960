"""wasmtime's settings, which compiled code depends on as much as on its source.

SECURITY: time is by fuel, NaNs are canonical, and what CosmWasm does not know of WebAssembly is not known here either.
Reference types alone cannot be turned off in this wasmtime: tables are bounded instead, where a run is made.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Final

from wasmtime import Config, Engine

_STACK_BYTES: Final = 256 * 1024
"""Of machine code for one run. Runs nest in the stack of one thread, as deep as queries may."""

_FORBIDDEN_FEATURES: Final = (
    "wasm_bulk_memory",
    "wasm_custom_page_sizes",
    "wasm_exceptions",
    "wasm_function_references",
    "wasm_gc",
    "wasm_memory64",
    "wasm_multi_memory",
    "wasm_relaxed_simd",
    "wasm_simd",
    "wasm_stack_switching",
    "wasm_tail_call",
    "wasm_threads",
    "wasm_wide_arithmetic",
)

SETTINGS: Final = hashlib.sha256(repr((version("wasmtime"), _STACK_BYTES, _FORBIDDEN_FEATURES)).encode()).hexdigest()[
    :16
]
"""A name for them: machine code of other settings is other code."""


def make_engine() -> Engine:
    """An engine that compiles and runs contracts."""
    config = Config()
    config.consume_fuel = True
    config.cranelift_nan_canonicalization = True
    config.max_wasm_stack = _STACK_BYTES
    for feature in _FORBIDDEN_FEATURES:
        setattr(config, feature, False)
    return Engine(config)
