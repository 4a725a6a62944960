"""Compiling a contract in a process of its own, which can be ended.

Its job: machine code for a module, or a refusal, within bounds. `python -m` of this module is that process: a module on
its standard input, machine code on its standard output.

SECURITY: a module of half a megabyte can keep the compiler busy for minutes, and no limit of lengths tells which: time
and memory are bounded from outside. What the process writes is run as it is, so its code comes from nowhere else.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from functools import lru_cache
from typing import Final

from wasmtime import Module, WasmtimeError

from relayer.devnet.cosmwasm.vm.engine import make_engine
from relayer.devnet.cosmwasm.vm.errors import CodeRefusedError

COMPILE_SECONDS: Final = 20
"""A contract takes a fraction of one."""

_MEMORY_BYTES: Final = 4 * 1024**3
_SMALL_BYTES: Final = 16 * 1024
"""The worst of so many takes a tenth of a second, less than a process."""

_KEPT: Final = 32
_REFUSED: Final = 3


@lru_cache(_KEPT)
def compile_apart(wasm: bytes) -> bytes:
    """Machine code, for an engine of the same settings. Raises `CodeRefusedError`."""
    if len(wasm) <= _SMALL_BYTES:
        try:
            return _compile(wasm)
        except WasmtimeError as error:
            raise CodeRefusedError(f"Error compiling Wasm: {_last_line(error)}") from None
    command = [sys.executable, "-m", __spec__.name]
    try:
        done = subprocess.run(command, input=wasm, capture_output=True, timeout=COMPILE_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise CodeRefusedError(f"Error compiling Wasm: not done within {COMPILE_SECONDS} s") from None
    if done.returncode == _REFUSED:
        raise CodeRefusedError(f"Error compiling Wasm: {done.stderr.decode(errors='replace').strip()}")
    if done.returncode:
        raise CodeRefusedError(f"Error compiling Wasm: the compiler ended with {done.returncode}")
    return done.stdout


def main() -> int:
    """Compile standard input. The status says whether it could be."""
    if sys.platform == "linux":  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (COMPILE_SECONDS * 4, COMPILE_SECONDS * 4))
    try:
        machine_code = _compile(sys.stdin.buffer.read())
    except WasmtimeError as error:
        sys.stderr.write(_last_line(error))
        return _REFUSED
    sys.stdout.buffer.write(machine_code)
    return 0


def _compile(wasm: bytes) -> bytes:
    return bytes(Module(make_engine(), wasm).serialize())


def _last_line(error: WasmtimeError) -> str:
    return str(error).splitlines()[-1].strip()


if __name__ == "__main__":
    sys.exit(main())
