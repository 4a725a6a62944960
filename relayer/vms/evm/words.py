"""ABI data read strictly: only the one encoding that the compiler writes is taken.

Its job: exact slices out of 32-byte words. Offsets must be where a canonical encoder puts them, padding must be zero,
nothing may follow. SECURITY: what decodes has exactly one encoding, so that no two readers of one log can disagree.

Source: Solidity's contract ABI specification, with `strict encoding mode`.
"""

from __future__ import annotations

from typing import Final

WORD: Final = 32

_UINT8: Final = 1 << 8
_UINT64: Final = 1 << 64


class MalformedAbi(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """The data is not the canonical encoding of the expected types."""


class Words:
    """Reads one static or dynamic tuple after the other from `data`, whose tuple begins at `base`.

    Head words are read by index. Dynamic parts are taken in the order of their heads: each must begin where the one
    before ended.
    """

    __slots__ = ("_next", "base", "data")

    def __init__(self, data: bytes, base: int, head_words: int) -> None:
        self.data = data
        self.base = base
        self._next = base + WORD * head_words
        if self._next > len(data):
            raise MalformedAbi("the head is cut")

    def word(self, index: int) -> bytes:
        """Head word `index`, 32 bytes."""
        start = self.base + WORD * index
        return self.data[start : start + WORD]

    def uint256(self, index: int) -> int:
        """Head word `index` as a number."""
        return int.from_bytes(self.word(index), "big")

    def uint64(self, index: int) -> int:
        """Head word `index` as a uint64."""
        return _bounded(self.uint256(index), _UINT64)

    def uint8(self, index: int) -> int:
        """Head word `index` as a uint8."""
        return _bounded(self.uint256(index), _UINT8)

    def boolean(self, index: int) -> bool:
        """Head word `index` as a bool."""
        return _bounded(self.uint256(index), 2) == 1

    def dynamic(self, index: int) -> int:
        """Where the dynamic part of head word `index` begins: right after the one before."""
        if self.uint256(index) != self._next - self.base:
            raise MalformedAbi("a dynamic part is not where it belongs")
        return self._next

    def bytes_at(self, index: int) -> bytes:
        """The `bytes` whose offset stands in head word `index`."""
        (value,) = self.take_bytes(self.uint256(index))
        return value

    def take_bytes(self, *offsets: int) -> list[bytes]:
        """The next `bytes`, one after the other, which their heads put at these offsets."""
        data, base, begin = self.data, self.base, self._next
        taken: list[bytes] = []
        for offset in offsets:
            if offset != begin - base:
                raise MalformedAbi("a dynamic part is not where it belongs")
            start = begin + WORD
            length = int.from_bytes(data[begin:start], "big")
            end = start + length
            begin = end + -length % WORD
            # A cut length word reads as a smaller number, but then the data ends before `start`.
            if begin > len(data) or start > len(data):
                raise MalformedAbi("bytes are cut")
            if data.count(0, end, begin) != begin - end:
                raise MalformedAbi("padding is not zero")
            taken.append(data[start:end])
        self._next = begin
        return taken

    def advance(self, end: int) -> None:
        """The dynamic part that was begun ends here."""
        self._next = end

    @property
    def end(self) -> int:
        """Where all that was read so far ends."""
        return self._next

    def finish(self) -> None:
        """Require that nothing follows."""
        if self._next != len(self.data):
            raise MalformedAbi("more bytes follow")


def _bounded(value: int, bound: int) -> int:
    if value >= bound:
        raise MalformedAbi("a number does not fit its type")
    return value
