"""Builds the gateway program and the examples, or with `--check` says whether the committed ones are what sources give.

To the byte: the same sources and compiler give the same program.
Usage: `python contracts/svm/build/build_program.py [--check]`. Needs the pinned ziglang, whose clang is the compiler;
nothing is fetched.
"""

import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sbf_link import STACK_FRAME_BYTES, SYSTEM_CALLS, link

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Program:
    """One program: its source, where it is committed, what it calls beyond `SYSTEM_CALLS`."""

    source: Path
    path: Path
    more_system_calls: frozenset[str] = frozenset()


GATEWAY: Final = Program(ROOT / "src" / "gateway.c", ROOT / "xvm_gateway.so")
EXAMPLES: Final = (
    Program(ROOT / "examples" / "counter.c", ROOT / "examples" / "counter.so", frozenset({"sol_set_return_data"})),
    Program(ROOT / "examples" / "asker.c", ROOT / "examples" / "asker.so"),
    Program(ROOT / "examples" / "loan.c", ROOT / "examples" / "loan.so"),
)
PROGRAMS: Final = (GATEWAY, *EXAMPLES)

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
    is_check = "--check" in sys.argv[1:]
    stale = []
    for program in PROGRAMS:
        code = compile_program(program.source, program.more_system_calls)
        if not is_check:
            program.path.write_bytes(code)
            print(f"{program.path.name}: {len(code)} bytes")
        elif code != program.path.read_bytes():
            stale.append(program.path.name)
    if stale:
        print(
            f"not what the sources give: {', '.join(stale)}: run contracts/svm/build/build_program.py", file=sys.stderr
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
