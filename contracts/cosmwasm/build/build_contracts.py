"""Builds the contracts and their tests' own, or with `--check` says whether the committed ones are what sources give.

To the byte: the same sources and compiler give the same contracts, wherever they lie.
Usage: `python contracts/cosmwasm/build/build_contracts.py [--check]`. Needs rustc 1.63 with the target
wasm32-unknown-unknown: later ones emit instructions that chains refuse. Nothing is fetched. `--check` without that
compiler leaves this out and says so; with XVM_CI_STRICT=1 it fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
REPOSITORY: Final = ROOT.parents[1]
EXAMPLES: Final = ROOT / "examples"
TESTS: Final = REPOSITORY / "tests" / "cosmwasm" / "contract"
VERSION: Final = "1.63.0"

# What a chain stores at most.
MAX_BYTES: Final = 800 * 1024


@dataclass(frozen=True)
class Contract:
    """One contract: its crate's root, and where it is committed, whose name is the crate's."""

    source: Path
    path: Path


COMMON: Final = ROOT / "common" / "src" / "lib.rs"
CONTRACTS: Final = (
    Contract(ROOT / "gateway" / "src" / "lib.rs", ROOT / "xvm_gateway.wasm"),
    Contract(ROOT / "account" / "src" / "lib.rs", ROOT / "xvm_account.wasm"),
    Contract(EXAMPLES / "counter" / "lib.rs", EXAMPLES / "counter.wasm"),
    Contract(EXAMPLES / "asker" / "lib.rs", EXAMPLES / "asker.wasm"),
    Contract(EXAMPLES / "loan" / "lib.rs", EXAMPLES / "loan.wasm"),
    Contract(EXAMPLES / "purse" / "lib.rs", EXAMPLES / "purse.wasm"),
    Contract(TESTS / "probe.rs", TESTS / "probe.wasm"),
    Contract(TESTS / "hashes.rs", TESTS / "hashes.wasm"),
)

OPTIONS: Final = (
    *("--edition", "2021", "--target", "wasm32-unknown-unknown", "-D", "warnings"),
    *("-C", "opt-level=s", "-C", "panic=abort", "-C", "strip=symbols", "-C", "embed-bitcode=yes"),
)


def compiler() -> str | None:
    """The path of the pinned compiler, or nothing if it is not here."""
    for candidate in ("/usr/bin/rustc", shutil.which("rustc")):
        if candidate is None or not Path(candidate).exists():
            continue
        told = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
        if told.stdout.split()[1:2] == [VERSION]:
            return candidate
    return None


def compile_contracts(rustc: str) -> dict[Contract, bytes]:
    """What the sources give. Raises `CalledProcessError`."""
    with tempfile.TemporaryDirectory() as folder:
        # no path of this machine may reach a contract
        places = ("--remap-path-prefix", f"{REPOSITORY}=", "--remap-path-prefix", f"{folder}=")

        def build(name: str, source: Path, path: Path, *options: str) -> Path:
            subprocess.run(  # noqa: S603 - our own command line
                [rustc, *OPTIONS, *places, "--crate-name", name, *options, "-o", str(path), str(source)],
                cwd=REPOSITORY,
                check=True,
            )
            return path

        common = build("xvm_common", COMMON, Path(folder) / "libxvm_common.rlib", "--crate-type", "rlib")
        linked = ("--crate-type", "cdylib", "-C", "lto", "--extern", f"xvm_common={common}")
        return {
            one: build(one.path.stem, one.source, Path(folder) / one.path.name, *linked).read_bytes()
            for one in CONTRACTS
        }


def main() -> int:
    """Returns the process' exit code."""
    is_check = "--check" in sys.argv[1:]
    rustc = compiler()
    if rustc is None:
        print(f"CosmWasm contracts not built: there is no rustc {VERSION} with wasm32-unknown-unknown", file=sys.stderr)
        return 0 if is_check and os.environ.get("XVM_CI_STRICT") != "1" else 1
    stale = []
    for contract, code in compile_contracts(rustc).items():
        if len(code) > MAX_BYTES:
            print(f"{contract.path.name}: {len(code)} bytes, more than {MAX_BYTES}", file=sys.stderr)
            return 1
        if not is_check:
            contract.path.write_bytes(code)
            print(f"{contract.path.name}: {len(code)} bytes")
        elif not contract.path.is_file() or code != contract.path.read_bytes():
            stale.append(contract.path.name)
    if stale:
        print(
            f"not what the sources give: {', '.join(stale)}: run contracts/cosmwasm/build/build_contracts.py",
            file=sys.stderr,
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
