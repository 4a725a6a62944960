"""Nothing between the ports knows a VM by name: neither by what it imports, nor by what it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import relayer

ROOT = Path(relayer.__file__).parent
FILES = ("deployment.py", "service.py")
PARTS = ("domain", "ports", "stages", "store", "api", "peers", "keys", "observability", "config", "cli")
OF_ONE_VM = re.compile(r"cli/(evm|svm|cosmwasm)/|cli/xvmd/chain_node\.py")
"""The command line's side of one VM, found by entry point; that of a chain which is none of ours."""

TYPED_NAMES = {"cli/bench.py", "cli/demo.py", "cli/devnet.py", "cli/xvmd/app.py"}
"""They say which kinds of chains there may be, by the names under which whoever types them asks for them."""

FORBIDDEN_IMPORTS = re.compile(
    r"relayer\.(vms|cli|devnet)\.(evm|svm|cosmwasm)(\..*)?|relayer\.cosmos(\..*)?|(web3|eth_\w+|rlp|solders|solana|wasmtime)(\..*)?",
    re.ASCII,
)
FORBIDDEN_NAMES = {"evm_account", "checksum_address", "evm", "EIP155", "SOLANA", "COSMOS", "APTOS", "QVM"}
FORBIDDEN_WORDS = re.compile(
    r"\b(evm|svm|cosmwasm|qvm|eip155|solana|cosmos|aptos|ethereum|solidity|abi|wei|lamports?|cast send)\b",
    re.IGNORECASE,
)
EXAMPLES = re.compile(r"\b(eip155:\d+|cosmos:[-\w]+)(:(0x\S*|\$\w+|wasm1\S*))?")
"""A chain or an account as CAIP writes it: what helps and faults show as an example."""


def _files() -> Iterator[Path]:
    yield from (ROOT / name for name in FILES)
    for part in PARTS:
        files = sorted((ROOT / part).rglob("*.py"))
        yield from (path for path in files if not OF_ONE_VM.match(_name(path)) and _name(path) not in TYPED_NAMES)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _leaks(tree: ast.Module) -> Iterator[str]:
    """What the file imports, calls and says that belongs to one VM. Comments and docstrings may tell of any."""
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"import {each.name}" for each in names if FORBIDDEN_IMPORTS.fullmatch(each.name))
            case ast.ImportFrom(module=str(module), names=names):
                if FORBIDDEN_IMPORTS.fullmatch(module):
                    yield f"from {module}"
                yield from (f"import {each.name}" for each in names if each.name in FORBIDDEN_NAMES)
            case ast.Attribute(attr=attribute) if attribute in FORBIDDEN_NAMES:
                yield f".{attribute}"
            case ast.Constant(value=str(text)) if id(node) not in docstrings:
                if FORBIDDEN_WORDS.search(EXAMPLES.sub("", text)):
                    yield repr(text)
            case _:
                pass


@pytest.mark.parametrize("path", list(_files()), ids=_name)
def test_a_file_between_the_ports_knows_no_vm(path: Path) -> None:
    assert list(_leaks(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        "from relayer.vms.evm.codec import decode",
        "import relayer.vms.svm",
        "from relayer.cli.evm import tools",
        "import solders.pubkey",
        "from attestation.address import evm_account",
        "Chain.evm(1)",
        "Namespace.SOLANA",
        "if namespace == 'eip155': pass",
        "fault = 'on EVM chains: 0x and 40 hex digits'",
        "f'{fee} wei'",
    ],
)
def test_what_knows_one_is_found(code: str) -> None:
    assert list(_leaks(ast.parse(code)))


def test_an_example_of_a_chain_or_account_may_be_shown() -> None:
    assert not list(_leaks(ast.parse("'write CAIP-10, such as eip155:31338:0x…, or eip155:1'")))
