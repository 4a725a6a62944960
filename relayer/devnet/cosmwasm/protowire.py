"""The two field types of protocol buffers that messages' responses are made of.

Source: the encoding chapter of the Protocol Buffers documentation.
"""

from __future__ import annotations


def varint_field(number: int, value: int) -> bytes:
    """A number; zero is not written."""
    return _varint(number << 3) + _varint(value) if value else b""


def bytes_field(number: int, value: bytes) -> bytes:
    """Bytes, a text or a message; empty ones are not written."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value if value else b""


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:  # noqa: PLR2004 -- seven bits a byte
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
