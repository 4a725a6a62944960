"""Links one relocatable object of the BPF target into a program for Solana: a shared object, SBF version 0.

Its job is layout, relocation and refusal: of symbols that no system call has, of data that could be written, of stack
frames beyond the machine's. It compiles nothing and reads no file.

Source: the ELF specification; what the loader asks of SBF version 0: relocation types, system calls by hashes of their
names.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NoReturn

SYSTEM_CALLS: Final = frozenset(
    {
        "sol_create_program_address",
        "sol_get_clock_sysvar",
        "sol_get_rent_sysvar",
        "sol_get_return_data",
        "sol_invoke_signed_c",
        "sol_keccak256",
        "sol_memcpy_",
        "sol_memset_",
        "sol_secp256k1_recover",
        "sol_sha256",
        "sol_try_find_program_address",
    }
)
"""Those that the gateway needs. The loader would take any other name as well; the call would fail when it is made."""

ENTRY: Final = "entrypoint"

STACK_FRAME_BYTES: Final = 4096
"""Of one function. The frame below belongs to its caller."""

_PROGRAM_ADDRESS: Final = 0x1_0000_0000  # where the machine maps the file
_EM_BPF: Final = 247
_ET_DYN: Final = 3
_HEADER_LENGTH: Final = 64
_SEGMENT_LENGTH: Final = 56
_SECTION_LENGTH: Final = 64
_SYMBOL_LENGTH: Final = 24
_SEGMENT_COUNT: Final = 4

_SHT_PROGBITS, _SHT_SYMTAB, _SHT_STRTAB, _SHT_RELA, _SHT_DYNAMIC, _SHT_NOBITS, _SHT_REL, _SHT_DYNSYM = (
    1,
    2,
    3,
    4,
    6,
    8,
    9,
    11,
)
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4
_STT_SECTION: Final = 3
_R_BPF_64_64, _R_BPF_64_ABS64, _R_BPF_64_32 = 1, 2, 10  # an address in an instruction pair; in data; a call

_CALL: Final = 0x85
_LOAD_ADDRESS: Final = 0x18  # the one instruction of two words
_MOVE_REGISTER: Final = 0xBF
_ADD_NUMBER: Final = 0x07
_FRAME_POINTER: Final = 10
_MEMORY_CLASSES: Final = frozenset({0x61, 0x69, 0x71, 0x79, 0x62, 0x6A, 0x72, 0x7A, 0x63, 0x6B, 0x73, 0x7B})
_LOADS: Final = frozenset({0x61, 0x69, 0x71, 0x79})


class LinkError(Exception):
    """The object cannot become a program; the text says why."""


@dataclass(slots=True)
class _Section:
    name: str
    kind: int
    flags: int
    data: bytes
    link: int
    info: int
    alignment: int
    offset: int = -1
    """In the file, once laid out; -1 if it is left out."""


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    kind: int
    section: int
    value: int


@dataclass(frozen=True, slots=True)
class _Relocation:
    section: _Section
    offset: int
    kind: int
    symbol: _Symbol


def link(obj: bytes, system_calls: Collection[str] = SYSTEM_CALLS) -> bytes:
    """The program, which starts at `entrypoint` and makes no other system calls than these. Raises `LinkError`.

    The same object gives the same bytes.
    """
    sections, symbols = _parse_object(obj)
    text = [section for section in sections if _is_kept(section) and section.flags & _SHF_EXECINSTR]
    constants = [section for section in sections if _is_kept(section) and not section.flags & _SHF_EXECINSTR]
    text_start = _HEADER_LENGTH + _SEGMENT_COUNT * _SEGMENT_LENGTH
    constants_start = _place(text, text_start)
    dynamic_start = _aligned(_place(constants, constants_start), 8)
    image = bytearray(dynamic_start)
    for section in text + constants:
        image[section.offset : section.offset + len(section.data)] = section.data
    calls = _relocate(image, sections, symbols, system_calls)
    _make_calls_relative(image, text_start, constants_start)
    _check_stack(image[text_start:constants_start])
    starts = [symbol for symbol in symbols if symbol.name == ENTRY and symbol.section]
    if not starts:
        _refuse(f"there is no function {ENTRY}")
    start = sections[starts[0].section].offset + starts[0].value
    return _write(image, text_start, constants_start, dynamic_start, start, calls)


def _parse_object(obj: bytes) -> tuple[list[_Section], list[_Symbol]]:
    if obj[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", obj, 18)[0] != _EM_BPF:
        _refuse("not a 64-bit little-endian object of the BPF target")
    (table,) = struct.unpack_from("<Q", obj, 40)
    count, names_index = struct.unpack_from("<HH", obj, 60)
    rows = [struct.unpack_from("<IIQQQQIIQQ", obj, table + i * _SECTION_LENGTH) for i in range(count)]
    names = obj[rows[names_index][4] :]
    sections = [
        _Section(
            name=_text(names, row[0]),
            kind=row[1],
            flags=row[2],
            data=bytes(row[5]) if row[1] == _SHT_NOBITS else obj[row[4] : row[4] + row[5]],
            link=row[6],
            info=row[7],
            alignment=max(8, row[8]),
        )
        for row in rows
    ]
    for section in sections:
        if section.flags & _SHF_ALLOC and section.flags & _SHF_WRITE and section.data:
            _refuse(f"section {section.name} could be written: a program has no such memory")
        if section.kind == _SHT_RELA:
            _refuse(f"section {section.name} has relocations with addends")
    symbols: list[_Symbol] = []
    for section in sections:
        if section.kind == _SHT_SYMTAB:
            texts = sections[section.link].data
            for at in range(0, len(section.data), _SYMBOL_LENGTH):
                name, info, _, index, value, _ = struct.unpack_from("<IBBHQQ", section.data, at)
                symbols.append(_Symbol(_text(texts, name), info & 15, index, value))
    return sections, symbols


def _is_kept(section: _Section) -> bool:
    return bool(
        section.flags & _SHF_ALLOC and section.data and section.kind == _SHT_PROGBITS and section.name != ".eh_frame"
    )


def _place(sections: list[_Section], start: int) -> int:
    for section in sections:
        section.offset = _aligned(start, section.alignment)
        start = section.offset + len(section.data)
    return _aligned(start, 8)


def _relocations(sections: list[_Section], symbols: list[_Symbol]) -> list[_Relocation]:
    found = []
    for section in sections:
        if section.kind != _SHT_REL or not _is_kept(sections[section.info]):
            continue
        for at in range(0, len(section.data), 16):
            offset, info = struct.unpack_from("<QQ", section.data, at)
            found.append(_Relocation(sections[section.info], offset, info & 0xFFFFFFFF, symbols[info >> 32]))
    return found


def _relocate(
    image: bytearray, sections: list[_Section], symbols: list[_Symbol], system_calls: Collection[str]
) -> list[tuple[int, str]]:
    """Resolves all that is known. Returns the places of system calls, with their names, for the loader."""
    calls = []
    for relocation in _relocations(sections, symbols):
        symbol = relocation.symbol
        at = relocation.section.offset + relocation.offset
        if symbol.section == 0:
            # SECURITY: the loader takes any name, and calls what has no code
            if relocation.kind != _R_BPF_64_32 or symbol.name not in system_calls:
                _refuse(f"undefined symbol {symbol.name}")
            struct.pack_into("<i", image, at + 4, -1)
            calls.append((at, symbol.name))
            continue
        target = sections[symbol.section]
        if target.offset < 0:
            _refuse(f"section {target.name} is referred to and left out")
        value = target.offset + symbol.value
        if relocation.kind == _R_BPF_64_32:
            (addend,) = struct.unpack_from("<i", image, at + 4)
            if symbol.kind == _STT_SECTION:
                value += (addend + 1) * 8
            struct.pack_into("<i", image, at + 4, (value - at) // 8 - 1)
        elif relocation.kind == _R_BPF_64_64:
            (low,), (high,) = struct.unpack_from("<I", image, at + 4), struct.unpack_from("<I", image, at + 12)
            address = _PROGRAM_ADDRESS + value + (high << 32 | low)
            struct.pack_into("<I", image, at + 4, address & 0xFFFFFFFF)
            struct.pack_into("<I", image, at + 12, address >> 32)
        elif relocation.kind == _R_BPF_64_ABS64:
            (addend,) = struct.unpack_from("<Q", image, at)
            struct.pack_into("<Q", image, at, _PROGRAM_ADDRESS + value + addend)
        else:
            _refuse(f"relocation type {relocation.kind}")
    return calls


def _make_calls_relative(image: bytearray, start: int, end: int) -> None:
    """Takes the mark of a local call off every call: in this version the loader knows them by their number alone."""
    at = start
    while at < end:
        if image[at] == _CALL:
            image[at + 1] &= 0x0F
        at += 16 if image[at] == _LOAD_ADDRESS else 8


def _check_stack(text: bytes) -> None:
    """Refuses code that reaches further down from its frame's top than the frame goes."""
    at = 0
    while at < len(text):
        code, registers, offset, number = struct.unpack_from("<BBhi", text, at)
        destination, source = registers & 15, registers >> 4
        base = source if code in _LOADS else destination
        reach = offset if code in _MEMORY_CLASSES and base == _FRAME_POINTER else 0
        if code == _MOVE_REGISTER and source == _FRAME_POINTER and at + 8 < len(text):
            next_code, next_registers, _, next_number = struct.unpack_from("<BBhi", text, at + 8)
            if next_code == _ADD_NUMBER and next_registers & 15 == destination:
                reach = next_number
        if reach < -STACK_FRAME_BYTES or (code == _ADD_NUMBER and destination == _FRAME_POINTER and number):
            _refuse(f"a stack frame of more than {STACK_FRAME_BYTES} bytes")
        at += 16 if code == _LOAD_ADDRESS else 8


def _write(
    image: bytearray, text: int, constants: int, dynamic: int, entry: int, calls: list[tuple[int, str]]
) -> bytes:
    """Header, segments, what was laid out, dynamic tables, sections."""
    names = sorted({name for _, name in calls})
    strings, symbols = bytearray(b"\0"), bytearray(_SYMBOL_LENGTH)
    for name in names:
        symbols += struct.pack("<IBBHQQ", len(strings), 0x10, 0, 0, 0, 0)
        strings += name.encode("ascii") + b"\0"
    relocations = b"".join(struct.pack("<QQ", at, (names.index(name) + 1) << 32 | _R_BPF_64_32) for at, name in calls)
    symbols_at = dynamic + 9 * 16
    strings_at = symbols_at + len(symbols)
    relocations_at = _aligned(strings_at + len(strings), 8)
    tags = (
        (17, relocations_at),  # DT_REL
        (18, len(relocations)),  # DT_RELSZ
        (19, 16),  # DT_RELENT
        (6, symbols_at),  # DT_SYMTAB
        (11, _SYMBOL_LENGTH),  # DT_SYMENT
        (5, strings_at),  # DT_STRTAB
        (10, len(strings)),  # DT_STRSZ
        (22, 0),  # DT_TEXTREL
        (0, 0),
    )
    table = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    end = relocations_at + len(relocations)
    section_names = b"\0.text\0.rodata\0.dynamic\0.dynsym\0.dynstr\0.rel.dyn\0.shstrtab\0"
    sections_at = _aligned(end + len(section_names), 8)
    image.extend(bytes(sections_at - len(image)))
    for at, data in (
        (dynamic, table),
        (symbols_at, symbols),
        (strings_at, strings),
        (relocations_at, relocations),
        (end, section_names),
    ):
        image[at : at + len(data)] = data
    rows = (
        # name, type, flags, start, length, link, info, alignment, entry length
        (".text", _SHT_PROGBITS, _SHF_ALLOC | _SHF_EXECINSTR, text, constants - text, 0, 0, 8, 0),
        (".rodata", _SHT_PROGBITS, _SHF_ALLOC, constants, dynamic - constants, 0, 0, 8, 0),
        (".dynamic", _SHT_DYNAMIC, _SHF_ALLOC, dynamic, len(table), 5, 0, 8, 16),
        (".dynsym", _SHT_DYNSYM, _SHF_ALLOC, symbols_at, len(symbols), 5, 1, 8, _SYMBOL_LENGTH),
        (".dynstr", _SHT_STRTAB, _SHF_ALLOC, strings_at, len(strings), 0, 0, 1, 0),
        (".rel.dyn", _SHT_REL, _SHF_ALLOC, relocations_at, len(relocations), 4, 0, 8, 16),
        (".shstrtab", _SHT_STRTAB, 0, end, len(section_names), 0, 0, 1, 0),
    )
    section_table = bytearray(_SECTION_LENGTH)
    for name, kind, flags, start, length, section_link, info, alignment, width in rows:
        place = section_names.index(b"\0" + name.encode("ascii") + b"\0") + 1
        address = start if flags else 0
        section_table += struct.pack(
            "<IIQQQQIIQQ", place, kind, flags, address, start, length, section_link, info, alignment, width
        )
    segments = (
        # type, flags, start, length, alignment
        (1, 5, text, constants - text, 4096),
        (1, 4, constants, dynamic - constants, 4096),
        (1, 4, dynamic, end - dynamic, 4096),
        (2, 4, dynamic, len(table), 8),
    )
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    numbers = (
        _ET_DYN,
        _EM_BPF,
        1,
        entry,
        _HEADER_LENGTH,
        sections_at,
        0,
        _HEADER_LENGTH,
        _SEGMENT_LENGTH,
        _SEGMENT_COUNT,
    )
    head = identity + struct.pack("<HHIQQQIHHHHHH", *numbers, _SECTION_LENGTH, len(rows) + 1, len(rows))
    for kind, flags, start, length, alignment in segments:
        head += struct.pack("<IIQQQQQQ", kind, flags, start, start, start, length, length, alignment)
    image[: len(head)] = head
    return bytes(image + section_table)


def _text(strings: bytes, start: int) -> str:
    return strings[start : strings.index(b"\0", start)].decode("ascii")


def _aligned(number: int, alignment: int) -> int:
    return (number + alignment - 1) // alignment * alignment


def _refuse(reason: str) -> NoReturn:
    raise LinkError(reason)
