"""wasmtime, made to run contracts as a chain does.

Its job: keep what the gatekeeper let in, compiled, and run entry points of it. Runs nest: a contract's query may
call another contract. Not for several threads at once; while a contract computes, other threads of the process go on.

SECURITY: contracts are untrusted. Memory is bounded, and time is by fuel; NaNs are canonical, so that floats give the
same everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from wasmtime import FuncType, Instance, InstancePre, Linker, Module, Store, Trap, ValType, WasmtimeError

from relayer.devnet.cosmwasm.vm import gas
from relayer.devnet.cosmwasm.vm.backend import Backend
from relayer.devnet.cosmwasm.vm.compiler import compile_apart
from relayer.devnet.cosmwasm.vm.engine import SETTINGS, make_engine
from relayer.devnet.cosmwasm.vm.errors import CodeRefusedError, VmError
from relayer.devnet.cosmwasm.vm.gatekeeper import CodeReport, inspect
from relayer.devnet.cosmwasm.vm.host_work import CALL_MICROSECONDS, HostWork
from relayer.devnet.cosmwasm.vm.imports import IMPORTS
from relayer.devnet.cosmwasm.vm.run import Run

MEMORY_BYTES: Final = 32 * 1024 * 1024
"""Of a contract's linear memory."""

_U32: Final = 0xFFFF_FFFF
_I32_BITS: Final = 32
_TABLE_ELEMENTS: Final = 2_500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an entry point returned, and the CosmWasm gas that the machine has used for it."""

    data: bytes
    gas_used: int


class Machine:
    """Compiled contracts, by the hash of their code."""

    def __init__(self, cache: Path | None = None) -> None:
        """`cache`: a folder of the caller's own for machine code.

        SECURITY: what lies there is run as it is. It must be writable to nobody else.
        """
        self._engine = make_engine()
        self._cache = cache
        self._compiled: dict[bytes, InstancePre] = {}
        self._parameters: dict[bytes, dict[str, int]] = {}
        self._runs: list[Run] = []
        self._work = HostWork()
        self._linker = Linker(self._engine)
        for name, (function, parameters, result_bits) in IMPORTS.items():
            # A type belongs to the first engine that it is given to: each machine has its own.
            results = [] if not result_bits else [ValType.i32() if result_bits == _I32_BITS else ValType.i64()]
            kind = FuncType([ValType.i32() for _ in range(parameters)], results)
            self._linker.define_func("env", name, kind, partial(self._called, function))

    def store(self, wasm: bytes) -> CodeReport:
        """Let code in and compile it. Raises `CodeRefusedError`."""
        report = inspect(wasm)
        self._compile(report.checksum, wasm)
        return report

    def run(
        self,
        checksum: bytes,
        entry: str,
        arguments: Sequence[bytes],
        backend: Backend,
        gas_limit: int,
        *,
        is_readonly: bool = False,
    ) -> Outcome:
        """Call an entry point of stored code, in an instance of its own.

        Raises:
            VmError: the machine ended the run; what it had used is in it.
            VmOutOfGasError: it used up its gas.
        """
        store = Store(self._engine)
        # SECURITY: without these a contract could take all memory of the process.
        store.set_limits(memory_size=MEMORY_BYTES, table_elements=_TABLE_ELEMENTS, instances=1, tables=1, memories=1)
        run = Run(store, backend, gas_limit, self._work, is_readonly=is_readonly)
        self._runs.append(run)
        try:
            run.open(self._instantiate(checksum, store), entry)
            data = run.call(entry, arguments)
        except VmError as error:
            error.gas_used = run.used()
            raise
        finally:
            self._runs.pop()
        return Outcome(data, run.used())

    def begin(self) -> None:
        """A transaction, or a query from outside, begins: what hosts may do for it is counted anew."""
        self._work = HostWork()

    def parameters(self, checksum: bytes, entry: str) -> int | None:
        """How many an exported function of stored code takes; None where there is none."""
        return self._parameters[checksum].get(entry)

    def _instantiate(self, checksum: bytes, store: Store) -> Instance:
        # SECURITY: no fuel yet, so that a start function ends at its first instruction.
        store.set_fuel(0)
        try:
            return self._compile(checksum, None).instantiate(store)
        except (Trap, WasmtimeError) as error:
            raise VmError(f"Error instantiating a Wasm module: {type(error).__name__}") from None

    def _compile(self, checksum: bytes, wasm: bytes | None) -> InstancePre:
        known = self._compiled.get(checksum)
        if known is None:
            if wasm is None:
                raise VmError("Error opening Wasm file for reading")
            module = self._module(checksum, wasm)
            try:
                known = self._compiled[checksum] = self._linker.instantiate_pre(module)
            except WasmtimeError:
                raise CodeRefusedError("Wasm contract imports a function with another signature") from None
            self._parameters[checksum] = {
                export.name: len(export.type.params) for export in module.exports if isinstance(export.type, FuncType)
            }
        return known

    def _module(self, checksum: bytes, wasm: bytes) -> Module:
        """Compiled now, or by an earlier process with the same settings and the same wasmtime."""
        kept = None if self._cache is None else self._cache / f"{checksum.hex()}.{SETTINGS}"
        if kept is not None and kept.exists():
            try:
                return Module.deserialize_file(self._engine, str(kept))
            except WasmtimeError:
                # Of another processor, or cut short: made anew below.
                kept.unlink()
        machine_code = compile_apart(wasm)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            # Whole or not at all: another process may be reading.
            part = kept.with_suffix(f".{os.getpid()}")
            part.write_bytes(machine_code)
            part.replace(kept)
        return Module.deserialize(self._engine, machine_code)

    def _called(self, function: Callable[..., int | None], *arguments: int) -> int | None:
        """An import, for the innermost run. wasmtime hands pointers over as signed numbers."""
        run = self._runs[-1]
        self._work.spend(CALL_MICROSECONDS)
        run.charge(gas.HOST_CALL)
        return function(run, *[argument & _U32 for argument in arguments])
