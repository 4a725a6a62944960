"""Which code may be stored: what cosmwasm-vm's static validation lets in.

Its job: read a module's sections and hold them against the limits. Whether function bodies are valid, and use no
forbidden feature, wasmtime finds out when it compiles them.

SECURITY: it runs before the compiler, on bytes from anybody: it bounds what compiling them can take.

Source: `compatibility.rs`, `parsed_wasm.rs` and `config.rs` in `packages/vm/src` of CosmWasm/cosmwasm; `MaxWasmSize` of
CosmWasm/wasmd.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from relayer.devnet.cosmwasm.vm.errors import CodeRefusedError
from relayer.devnet.cosmwasm.vm.imports import IMPORTS
from relayer.devnet.cosmwasm.vm.wasm_reader import WasmReader

MAX_CODE_BYTES: Final = 800 * 1024

CAPABILITIES: Final = frozenset(
    {
        "iterator",
        "cosmwasm_1_1",
        "cosmwasm_1_2",
        "cosmwasm_1_3",
        "cosmwasm_1_4",
        "cosmwasm_2_0",
        "cosmwasm_2_1",
        "cosmwasm_2_2",
        "ibc2",
        "staking",
        "stargate",
    }
)
"""Those of wasmd. There are no validators and no IBC here: what asks for them is stored, and its messages fail."""

_INTERFACE: Final = "interface_version_"
_SUPPORTED_INTERFACE: Final = "interface_version_8"
_REQUIRES: Final = "requires_"
_MAX_MEMORY_PAGES: Final = 512
_MAX_TABLE_ELEMENTS: Final = 2_500
_MAX_IMPORTS: Final = 100
_MAX_FUNCTIONS: Final = 20_000
_MAX_PARAMETERS: Final = 100
_MAX_TOTAL_PARAMETERS: Final = 10_000
_MAX_RESULTS: Final = 1
_MAX_LOCALS: Final = 100
_MAX_TOTAL_LOCALS: Final = 10_000

_TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _EXPORT, _CODE = 1, 2, 3, 4, 5, 7, 10
_CUSTOM: Final = 0
_MIGRATE_VERSION: Final = "cw_migrate_version"


@dataclass(frozen=True, slots=True)
class CodeReport:
    """What is known of code without running it."""

    checksum: bytes
    """SHA-256 of the code."""

    entry_points: frozenset[str]
    """Every function that it exports."""

    required_capabilities: tuple[str, ...]
    migrate_version: int | None


@dataclass(slots=True)
class _Module:
    types: list[tuple[int, int]] = field(default_factory=list)
    """Parameters and results of each."""

    imports: list[tuple[str, bool]] = field(default_factory=list)
    """The full name of each, and whether it is a function."""

    functions: list[int] = field(default_factory=list)
    tables: list[int | None] = field(default_factory=list)
    """The maximum of each."""

    memories: list[tuple[int, int | None]] = field(default_factory=list)
    """The minimum and the maximum of each, in pages."""

    exported_functions: list[str] = field(default_factory=list)
    locals: list[int] = field(default_factory=list)
    migrate_version: int | None = None


def inspect(wasm: bytes) -> CodeReport:
    """What the code is. Raises `CodeRefusedError` where a chain would not store it."""
    if not wasm:
        raise CodeRefusedError("code bytes empty: is required")
    if len(wasm) > MAX_CODE_BYTES:
        raise CodeRefusedError(f"code bytes cannot be longer than {MAX_CODE_BYTES} bytes: exceeds limit")
    module = _parse(wasm)
    _check_tables_and_memories(module)
    _check_exports(module)
    _check_imports(module)
    _check_functions(module)
    required = sorted(
        {
            name.removeprefix(_REQUIRES)
            for name in module.exported_functions
            if name.startswith(_REQUIRES) and name != _REQUIRES
        }
    )
    missing = [capability for capability in required if capability not in CAPABILITIES]
    if missing:
        raise CodeRefusedError(f"Wasm contract requires unavailable capabilities: {missing}")
    return CodeReport(
        hashlib.sha256(wasm).digest(), frozenset(module.exported_functions), tuple(required), module.migrate_version
    )


def _parse(wasm: bytes) -> _Module:
    module = _Module()
    reader = WasmReader(wasm)
    if reader.take(8) != b"\0asm\x01\0\0\0":
        raise CodeRefusedError("Wasm bytecode could not be deserialized: bad magic number or version")
    while not reader.is_at_end():
        kind = reader.byte()
        section = WasmReader(reader.take(reader.u32()))
        if kind == _CUSTOM:
            if section.name() == _MIGRATE_VERSION:
                module.migrate_version = _migrate_version(section.rest())
        elif kind in _SECTIONS:
            for _ in range(section.u32()):
                _SECTIONS[kind](module, section)
    return module


def _migrate_version(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20 or int(text) >= 2**64:  # noqa: PLR2004 -- a u64's digits
        raise CodeRefusedError("the section cw_migrate_version is no u64")
    return int(text)


def _read_type(module: _Module, section: WasmReader) -> None:
    if section.byte() != 0x60:  # noqa: PLR2004 -- a function's type
        raise CodeRefusedError("only types of functions are supported")
    counts = []
    for _ in range(2):
        count = section.u32()
        section.take(count)
        counts.append(count)
    module.types.append((counts[0], counts[1]))


def _read_import(module: _Module, section: WasmReader) -> None:
    name = f"{section.name()}.{section.name()}"
    kind = section.byte()
    module.imports.append((name, kind == 0))
    if kind == 0:
        section.u32()
    elif kind == 1:
        section.byte()
        section.limits()
    elif kind == 2:  # noqa: PLR2004 -- a memory
        section.limits()
    else:
        section.take(2)


def _read_function(module: _Module, section: WasmReader) -> None:
    module.functions.append(section.u32())


def _read_table(module: _Module, section: WasmReader) -> None:
    section.byte()
    module.tables.append(section.limits()[1])


def _read_memory(module: _Module, section: WasmReader) -> None:
    module.memories.append(section.limits())


def _read_export(module: _Module, section: WasmReader) -> None:
    name = section.name()
    kind = section.byte()
    section.u32()
    if kind == 0:
        module.exported_functions.append(name)


def _read_body(module: _Module, section: WasmReader) -> None:
    body = WasmReader(section.take(section.u32()))
    count = 0
    for _ in range(body.u32()):
        count += body.u32()
        body.byte()
    module.locals.append(count)


_SECTIONS: Final = {
    _TYPE: _read_type,
    _IMPORT: _read_import,
    _FUNCTION: _read_function,
    _TABLE: _read_table,
    _MEMORY: _read_memory,
    _EXPORT: _read_export,
    _CODE: _read_body,
}


def _check_tables_and_memories(module: _Module) -> None:
    if len(module.tables) > 1:
        raise CodeRefusedError("Wasm contract must not have more than 1 table section")
    for maximum in module.tables:
        if maximum is None:
            raise CodeRefusedError("Wasm contract must not have unbound table section")
        if maximum > _MAX_TABLE_ELEMENTS:
            raise CodeRefusedError("Wasm contract's first table section has a too large max limit")
    if len(module.memories) != 1:
        raise CodeRefusedError("Wasm contract must contain exactly one memory")
    minimum, maximum = module.memories[0]
    if minimum > _MAX_MEMORY_PAGES:
        raise CodeRefusedError(f"Wasm contract memory's minimum must not exceed {_MAX_MEMORY_PAGES} pages.")
    if maximum is not None:
        raise CodeRefusedError("Wasm contract memory's maximum must be unset. The host will set it for you.")


def _check_exports(module: _Module) -> None:
    versions = [name for name in module.exported_functions if name.startswith(_INTERFACE)]
    if not versions:
        raise CodeRefusedError("Wasm contract missing a required marker export: interface_version_*")
    if len(versions) > 1:
        raise CodeRefusedError("Wasm contract contains more than one marker export: interface_version_*")
    if versions[0] != _SUPPORTED_INTERFACE:
        raise CodeRefusedError("Wasm contract has unknown interface_version_* marker export")
    for required in ("allocate", "deallocate"):
        if required not in module.exported_functions:
            raise CodeRefusedError(f"Wasm contract doesn't have required export: {required!r}")


def _check_imports(module: _Module) -> None:
    if len(module.imports) > _MAX_IMPORTS:
        raise CodeRefusedError(f"Import count exceeds limit. Imports: {len(module.imports)}. Limit: {_MAX_IMPORTS}.")
    for name, is_function in module.imports:
        space, _, function = name.partition(".")
        if space != "env" or function not in IMPORTS:
            raise CodeRefusedError(f"Wasm contract requires unsupported import: {name[:100]!r}")
        if not is_function:
            raise CodeRefusedError(f"Wasm contract requires non-function import: {name!r}")


def _check_functions(module: _Module) -> None:
    if any(kind >= len(module.types) for kind in module.functions):
        raise CodeRefusedError("Wasm bytecode error: function uses unknown type index")
    found_and_allowed = (
        ("functions", len(module.functions), _MAX_FUNCTIONS),
        ("parameters of a function", max((kind[0] for kind in module.types), default=0), _MAX_PARAMETERS),
        ("results of a function", max((kind[1] for kind in module.types), default=0), _MAX_RESULTS),
        ("parameters in total", sum(module.types[kind][0] for kind in module.functions), _MAX_TOTAL_PARAMETERS),
        ("locals of a function", max(module.locals, default=0), _MAX_LOCALS),
        ("locals in total", sum(module.locals), _MAX_TOTAL_LOCALS),
    )
    for what, found, allowed in found_and_allowed:
        if found > allowed:
            raise CodeRefusedError(f"Wasm contract contains more than {allowed} {what}: {found}")
