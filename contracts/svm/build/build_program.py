"""Builds the gateway program, or with `--check` says whether the committed one is what the sources give, to the byte.

Usage: `python contracts/svm/build/build_program.py [--check]`. Needs the pinned ziglang, whose clang is the compiler;
nothing is fetched.
"""

import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from sbf_link import STACK_FRAME_BYTES, SYSTEM_CALLS, link

ROOT: Final = Path(__file__).resolve().parents[1]
PROGRAM: Final = ROOT / "xvm_gateway.so"

# SBF version 0 is BPF's second instruction set, with frames of 4 KiB and no symbols but system calls.
COMPILER: Final = (
    *(
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        "bpfel-freestanding",
        "-Xclang",
        "-target-cpu",
        "-Xclang",
        "v2",
    ),
    *("-std=c17", "-Os", "-Wall", "-Wextra", "-Werror", "-Wno-flexible-array-extensions"),
    *("-fno-builtin", "-fno-strict-aliasing", "-mllvm", f"-bpf-stack-size={STACK_FRAME_BYTES}"),
)


def compile_program(source: Path, more_system_calls: Collection[str] = ()) -> bytes:
    """The program that one C file, with what it includes, gives. Raises `CalledProcessError`, `LinkError`."""
    with tempfile.TemporaryDirectory() as folder:
        obj = Path(folder) / "program.o"
        # relative, so that no path of this machine can reach the object
        subprocess.run([*COMPILER, "-c", source.name, "-o", str(obj)], cwd=source.parent, check=True)  # noqa: S603 - our own command line
        return link(obj.read_bytes(), SYSTEM_CALLS.union(more_system_calls))


def main() -> int:
    """Returns the process' exit code."""
    program = compile_program(ROOT / "src" / "gateway.c")
    if "--check" not in sys.argv[1:]:
        PROGRAM.write_bytes(program)
        print(f"{PROGRAM.name}: {len(program)} bytes")
    elif program != PROGRAM.read_bytes():
        print(f"{PROGRAM.name} is not what the sources give: run contracts/svm/build/build_program.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
