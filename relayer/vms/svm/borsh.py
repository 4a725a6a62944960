"""Borsh read strictly: nothing may be cut and nothing may follow.

Its job: exact slices and numbers out of bytes. SECURITY: what decodes has exactly one encoding, so that no two readers
of one event or account can disagree.

Source: the Borsh specification; contracts/svm/src/borsh.h.
"""

from __future__ import annotations

import struct
from typing import Final

_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
WORD: Final = 32


class MalformedBorsh(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """The data is not the encoding of the expected types."""


class Borsh:
    """Reads one value after the other from `data`."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def fixed(self, length: int) -> bytes:
        """So many bytes."""
        begin = self._at
        self._at = begin + length
        if self._at > len(self._data):
            raise MalformedBorsh("the data is cut")
        return self._data[begin : self._at]

    def word(self) -> bytes:
        """32 bytes: a hash, an id, an address."""
        return self.fixed(WORD)

    def u8(self) -> int:
        """A number of one byte."""
        return self.fixed(1)[0]

    def u16(self) -> int:
        """A number of two bytes."""
        return int(_U16.unpack(self.fixed(_U16.size))[0])

    def u32(self) -> int:
        """A number of four bytes."""
        return int(_U32.unpack(self.fixed(_U32.size))[0])

    def u64(self) -> int:
        """A number of eight bytes."""
        return int(_U64.unpack(self.fixed(_U64.size))[0])

    def boolean(self) -> bool:
        """One byte, 0 or 1."""
        value = self.u8()
        if value > 1:
            raise MalformedBorsh("a bool is neither 0 nor 1")
        return value == 1

    def sized(self) -> bytes:
        """Bytes with their length in front."""
        return self.fixed(self.u32())

    def rest(self) -> bytes:
        """All that follows."""
        return self.fixed(len(self._data) - self._at)

    def finish(self) -> None:
        """Require that nothing follows."""
        if self._at != len(self._data):
            raise MalformedBorsh("more bytes follow")
