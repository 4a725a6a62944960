"""The committed program and IDL are what the sources say, and the linker refuses what the machine cannot run."""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
from pathlib import Path

import pytest
from build_program import COMPILER, PROGRAMS, Program, compile_program
from sbf_link import LinkError, link
from solders.pubkey import Pubkey

from tests.svm.program import idl
from tests.svm.program.ledger import Ledger

SOURCES = {path.name: path.read_text() for path in sorted((idl.FOLDER / "src").iterdir())}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.source.stem)
def test_a_committed_program_is_what_the_sources_give(program: Program) -> None:
    assert compile_program(program.source, program.more_system_calls) == program.path.read_bytes()


def compiled(tmp_path: Path, source: str) -> bytes:
    (tmp_path / "program.c").write_text(f"typedef unsigned long long u64; {source}")
    command = [*COMPILER, "-c", "program.c", "-o", "program.o"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return (tmp_path / "program.o").read_bytes()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("extern u64 sol_bogus(u64); u64 entrypoint(u64 x) { return sol_bogus(x); }", "undefined symbol sol_bogus"),
        ("extern u64 there; u64 entrypoint(void) { return there; }", "undefined symbol there"),
        ("u64 count; u64 entrypoint(void) { return ++count; }", "could be written"),
        ("u64 count = 1; u64 entrypoint(void) { return ++count; }", "could be written"),
        ("u64 start(void) { return 0; }", "there is no function entrypoint"),
    ],
)
def test_the_linker_refuses(tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(LinkError, match=reason):
        link(compiled(tmp_path, source))


def test_the_linker_refuses_a_frame_that_is_too_large(tmp_path: Path) -> None:
    """SECURITY: what lies below a frame's end is not the function's."""
    source = (
        "u64 entrypoint(u64 x) { volatile u64 big[500]; for (u64 i = 0; i < 500; ++i) big[i] = x;return big[x % 500]; }"
    )
    obj = bytearray(compiled(tmp_path, source))
    assert link(bytes(obj))
    lowest = struct.pack("<i", -4000)
    at = next(at for at in range(0, len(obj) - 8, 8) if obj[at] == 7 and obj[at + 4 : at + 8] == lowest)
    obj[at + 4 : at + 8] = struct.pack("<i", -4104)
    with pytest.raises(LinkError, match="a stack frame of more than 4096 bytes"):
        link(bytes(obj))


def test_the_linker_refuses_another_machine_s_object() -> None:
    with pytest.raises(LinkError, match="not a 64-bit little-endian object of the BPF target"):
        link(b"\x7fELF\x02\x01" + bytes(200))


def test_functions_and_constants_are_linked_as_they_are_called(tmp_path: Path) -> None:
    source = (
        "static const u64 table[4] = {5, 6, 7, 8};"
        "__attribute__((noinline)) static u64 at(u64 i) { return table[i & 3]; }"
        "static u64 (*const ways[2])(u64) = {at, at};"
        "extern u64 sol_set_return_data(const void *, u64);"
        "u64 entrypoint(u64 *input) { u64 v = ways[*input & 1](*input + 2) + at(1);"
        "return sol_set_return_data(&v, 8); }"
    )
    ledger = Ledger()
    program = Pubkey(bytes([8] * 32))
    ledger.svm.add_program(program, link(compiled(tmp_path, source), {"sol_set_return_data"}))
    from solders.instruction import Instruction  # noqa: PLC0415 - only here

    assert ledger.send(Instruction(program, b"", [])).return_data == struct.pack("<Q", 7 + 6)


def numbers(file: str, pattern: str) -> dict[str, int]:
    return {name: int(value, 0) for name, value in re.findall(pattern, SOURCES[file], re.MULTILINE)}


def snake(name: str) -> str:
    return name.upper()


def test_the_idl_has_the_program_s_tags() -> None:
    tags = numbers("gateway.c", r"^  ([A-Z_]+) = (\d+),")
    assert tags == {snake(entry["name"]): entry["discriminator"][0] for entry in idl.IDL["instructions"]}


def test_the_idl_has_the_program_s_errors() -> None:
    codes = numbers("errors.h", r"^  ([A-Z_0-9]+) = (\d+),")
    assert sorted(codes.values()) == list(range(6000, 6000 + len(codes)))
    assert {"".join(part.capitalize() for part in name.split("_")): code for name, code in codes.items()} == {
        entry["name"]: entry["code"] for entry in idl.IDL["errors"]
    }


def test_the_idl_has_the_program_s_discriminators() -> None:
    accounts = numbers("layouts.h", r"^#define ([A-Z]+)_DISCRIMINATOR (0x[0-9a-f]+)ULL")
    assert {entry["name"].upper() for entry in idl.IDL["accounts"]} == set(accounts)
    for kind in ("account", "event"):
        for entry in idl.IDL[f"{kind}s"]:
            expected = hashlib.sha256(f"{kind}:{entry['name']}".encode()).digest()[:8]
            assert bytes(entry["discriminator"]) == expected
            if kind == "account":
                assert accounts[entry["name"].upper()] == int.from_bytes(expected, "little")
    begun = {
        int(value, 16)
        for text in SOURCES.values()
        for value in re.findall(r"begin_event\(gateway, (0x[0-9a-f]+)ULL\)", text)
    }
    assert begun == {int.from_bytes(bytes(entry["discriminator"]), "little") for entry in idl.IDL["events"]}


def test_the_idl_has_as_many_accounts_as_the_program_asks_for() -> None:
    constants: dict[str, int] = {}
    for text in (SOURCES["gateway.h"], SOURCES["epochs.h"], *SOURCES.values()):
        for body in re.findall(r"^enum \{(.*?)\};", text, re.MULTILINE | re.DOTALL):
            value = -1
            for item in re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL).split(","):
                name, _, given = (part.strip() for part in item.partition("="))
                if not name:
                    continue
                value = value + 1 if not given else constants.get(given, -1) if not given.isdigit() else int(given)
                constants[name] = value
    cases = re.findall(r"CASE\((\w+), (\w+), \w+\);", SOURCES["gateway.c"])
    assert len(cases) == len(idl.IDL["instructions"]) - 1  # `use_stage` comes before them all
    lengths = {snake(entry["name"]): len(entry["accounts"]) for entry in idl.IDL["instructions"]}
    assert {tag: constants[count] for tag, count in cases} == {
        tag: n for tag, n in lengths.items() if tag != "USE_STAGE"
    }


def test_the_idl_has_the_program_s_layouts(ledger: Ledger) -> None:
    ledger.request()
    held = {
        bytes(account.data[:8]): len(account.data)
        for _, account in ledger.svm.get_program_accounts(Pubkey(ledger_program()))
    }
    for name in ("Config", "Outbound", "Inbound", "Sender", "Pending"):
        (entry,) = (one for one in idl.IDL["accounts"] if one["name"] == name)
        assert held[bytes(entry["discriminator"])] == idl.account_length(name)


def ledger_program() -> bytes:
    from tests.svm.program.ledger import PROGRAM as ADDRESS  # noqa: PLC0415 - another PROGRAM than the file's

    return bytes(ADDRESS)
