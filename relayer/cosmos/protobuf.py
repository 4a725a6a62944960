"""Protobuf's wire format, and messages declared by their fields.

Its job: a message to its canonical bytes, and bytes that nobody vouches for to a message. A message is a frozen
dataclass over `Message` whose fields are declared by number (`text(1)`, `many(3, Coin)`, …). Written are fields in the
order of their numbers, without those that hold their default, as Go's encoder does and signatures need. Read is only
what is well-formed: varints of no more bytes than they need, numbers within their type, UTF-8, no field twice unless it
is repeated, no groups. A field that is not declared is an error; `decode(data, is_lenient=True)` passes over it, as a
client does with answers of newer nodes. How many bytes there may be is the caller's bound, how many fields
`MAX_FIELDS`; fields of one message nest no deeper than they are declared.

Source: protobuf.dev/programming-guides/encoding; the Cosmos SDK's ADR 020 and ADR 027.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Final, Self, TypeVar, cast

MAX_REPEATED: Final = 10_000
"""Elements of one field: an empty one is two bytes on the wire and a hundred in memory."""

MAX_FIELDS: Final = 100_000
"""Fields of a message with all that is within it: some tenths of a second to read. A full transaction's events have
half as many."""

_VARINT: Final = 0
_FIXED64: Final = 1
_SIZED: Final = 2
_FIXED32: Final = 5
_MAX_VARINT_BYTES: Final = 10
_MAX_U64: Final = 2**64 - 1
_MAX_FIELD: Final = 2**29 - 1
_KEY: Final = "protobuf"


class MalformedProtobuf(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """The bytes are not an encoding of the message."""


class _Kind(Enum):
    U64 = "uint64"
    I64 = "int64"
    U32 = "uint32"
    BOOL = "bool"
    TEXT = "string"
    BLOB = "bytes"
    NESTED = "message"


@dataclass(frozen=True, slots=True)
class _Slot:
    """One declared field."""

    number: int
    kind: _Kind
    is_repeated: bool = False
    of: type[Message] | None = None
    name: str = ""

    @property
    def wire_type(self) -> int:
        return _SIZED if self.kind in (_Kind.TEXT, _Kind.BLOB, _Kind.NESTED) else _VARINT


_M = TypeVar("_M", bound="Message")


def _declared(slot: _Slot, default: Any) -> Any:
    return field(default=default, metadata={_KEY: slot})


def u64(number: int) -> int:
    """A `uint64`."""
    return cast("int", _declared(_Slot(number, _Kind.U64), 0))


def i64(number: int) -> int:
    """An `int64`."""
    return cast("int", _declared(_Slot(number, _Kind.I64), 0))


def u32(number: int) -> int:
    """A `uint32`, or an enumeration."""
    return cast("int", _declared(_Slot(number, _Kind.U32), 0))


def flag(number: int) -> bool:
    """A `bool`."""
    return cast("bool", _declared(_Slot(number, _Kind.BOOL), default=False))


def text(number: int) -> str:
    """A `string`."""
    return cast("str", _declared(_Slot(number, _Kind.TEXT), ""))


def blob(number: int) -> bytes:
    """`bytes`."""
    return cast("bytes", _declared(_Slot(number, _Kind.BLOB), b""))


def texts(number: int) -> tuple[str, ...]:
    """A repeated `string`."""
    return cast("tuple[str, ...]", _declared(_Slot(number, _Kind.TEXT, is_repeated=True), ()))


def blobs(number: int) -> tuple[bytes, ...]:
    """Repeated `bytes`."""
    return cast("tuple[bytes, ...]", _declared(_Slot(number, _Kind.BLOB, is_repeated=True), ()))


def one(number: int, of: type[_M]) -> _M | None:
    """A message within, or none."""
    return cast("_M | None", _declared(_Slot(number, _Kind.NESTED, of=of), None))


def many(number: int, of: type[_M]) -> tuple[_M, ...]:
    """Repeated messages."""
    return cast("tuple[_M, ...]", _declared(_Slot(number, _Kind.NESTED, is_repeated=True, of=of), ()))


class _Budget:
    """How many fields may still be read of one message, known or not, at whatever depth."""

    def __init__(self, fields_left: int) -> None:
        self._left = fields_left

    def spend(self) -> None:
        # SECURITY: elements of elements would be read for minutes, in which nothing else of the process runs.
        if not self._left:
            raise MalformedProtobuf(f"there are more than {MAX_FIELDS} fields")
        self._left -= 1


class Message:
    """Base of all messages."""

    __slots__ = ()
    TYPE_URL: ClassVar[str] = ""
    """How an `Any` names it; empty for what never stands in one."""

    def encode(self) -> bytes:
        """The canonical bytes."""
        out = bytearray()
        for slot in _layout(cast("Any", type(self))):
            value = getattr(self, slot.name)
            if slot.is_repeated:
                for element in value:
                    _write(out, slot, element)
            elif value is not None and (slot.kind is _Kind.NESTED or value):
                _write(out, slot, value)
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes, *, is_lenient: bool = False) -> Self:
        """The message of these bytes.

        Raises:
            MalformedProtobuf: they are none, or, unless it is lenient, they have a field that is not declared.
        """
        return _decode(cls, data, _Budget(MAX_FIELDS), is_lenient=is_lenient)


def write_varint(value: int) -> bytes:
    """A number below 2^64, seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at this place, and the place behind it. Raises `MalformedProtobuf`."""
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        if at + place >= len(data):
            raise MalformedProtobuf("the data is cut")
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            if value > _MAX_U64 or (place and not byte):
                break
            return value, at + place + 1
    raise MalformedProtobuf("a varint is not of its shortest form, or above 64 bits")


@cache
def _layout(cls: Any) -> tuple[_Slot, ...]:
    slots = []
    for declared in fields(cls):
        slot: _Slot = declared.metadata[_KEY]
        slots.append(_Slot(slot.number, slot.kind, slot.is_repeated, slot.of, declared.name))
    return tuple(sorted(slots, key=lambda slot: slot.number))


@cache
def _by_number(cls: Any) -> dict[int, _Slot]:
    return {slot.number: slot for slot in _layout(cls)}


def _write(out: bytearray, slot: _Slot, value: Any) -> None:
    out += write_varint(slot.number << 3 | slot.wire_type)
    match slot.kind:
        case _Kind.TEXT:
            body = value.encode()
        case _Kind.BLOB:
            body = value
        case _Kind.NESTED:
            body = value.encode()
        case _:
            most = 2**32 - 1 if slot.kind is _Kind.U32 else _MAX_U64
            number = int(value) & _MAX_U64 if slot.kind is _Kind.I64 else int(value)
            if not 0 <= number <= most:
                raise ValueError(f"{slot.name}: {value} is no {slot.kind.value}")
            out += write_varint(number)
            return
    out += write_varint(len(body))
    out += body


def _decode(cls: type[_M], data: bytes, budget: _Budget, *, is_lenient: bool) -> _M:
    known = _by_number(cast("Any", cls))
    values: dict[str, Any] = {}
    at, end = 0, len(data)
    while at < end:
        budget.spend()
        tag, at = read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if not 1 <= number <= _MAX_FIELD:
            raise MalformedProtobuf(f"{number} is no field number")
        slot = known.get(number)
        if slot is None and not is_lenient:
            raise MalformedProtobuf(f"{cls.__name__} has no field {number}")
        raw, at = _read(data, at, wire_type)
        if slot is not None:
            if wire_type != slot.wire_type:
                raise MalformedProtobuf(f"{cls.__name__}.{slot.name} is not of wire type {wire_type}")
            _put(values, slot, _parse(slot, raw, budget, is_lenient=is_lenient))
    for slot in known.values():
        if slot.is_repeated and slot.name in values:
            values[slot.name] = tuple(values[slot.name])
    return cls(**values)


def _read(data: bytes, at: int, wire_type: int) -> tuple[int | bytes, int]:
    if wire_type == _VARINT:
        return read_varint(data, at)
    if wire_type == _SIZED:
        length, at = read_varint(data, at)
    elif wire_type in (_FIXED64, _FIXED32):
        length = 8 if wire_type == _FIXED64 else 4
    else:
        raise MalformedProtobuf(f"{wire_type} is no wire type")
    if length > len(data) - at:
        raise MalformedProtobuf("the data is cut")
    return data[at : at + length], at + length


def _parse(slot: _Slot, raw: int | bytes, budget: _Budget, *, is_lenient: bool) -> Any:
    if isinstance(raw, bytes):
        if slot.kind is _Kind.NESTED:
            assert slot.of is not None
            return _decode(slot.of, raw, budget, is_lenient=is_lenient)
        if slot.kind is _Kind.TEXT:
            try:
                return raw.decode()
            except UnicodeDecodeError:
                raise MalformedProtobuf(f"{slot.name} is not UTF-8") from None
        return raw
    if slot.kind is _Kind.BOOL:
        if raw > 1:
            raise MalformedProtobuf(f"{slot.name} is neither true nor false")
        return bool(raw)
    if slot.kind is _Kind.U32 and raw >= 2**32:
        raise MalformedProtobuf(f"{slot.name} is above 32 bits")
    return raw - 2**64 if slot.kind is _Kind.I64 and raw >= 2**63 else raw


def _put(values: dict[str, Any], slot: _Slot, value: Any) -> None:
    if slot.is_repeated:
        elements = values.setdefault(slot.name, [])
        if len(elements) >= MAX_REPEATED:
            raise MalformedProtobuf(f"{slot.name} has more than {MAX_REPEATED} elements")
        elements.append(value)
    elif slot.name in values:
        raise MalformedProtobuf(f"{slot.name} is there twice")
    else:
        values[slot.name] = value
