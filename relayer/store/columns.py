"""How values of the protocol are held in columns.

Its job: the column types that both databases order and compare as the protocol does. Chains count in unsigned integers
of 64 and 256 bits, databases in signed ones of 64: SECURITY: a number above 2^63 from a chain must neither fail a
commit nor come back as another. Such numbers are big-endian BLOBs of their full width: exact, indexable, and compared
byte by byte in numeric order by SQLite and PostgreSQL alike (TEXT would need padding, NUMERIC is a float in SQLite).
What the relayer counts itself (rows, attempts, positions in a block) are plain integers.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary
from sqlalchemy.types import TypeDecorator, TypeEngine

WORD_BYTES: Final = 32
"""Hashes, request ids, roots and leaves."""

HIGHEST_ROW: Final = 2**63 - 1
"""SECURITY: row numbers come back from peers and people as cursors; a larger one is no error of the database's."""


class Blob(LargeBinary):
    """Bytes as the SQLite driver takes and gives them, without the copy that is made of each for drivers of old."""

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - the base's
        """None: nothing to do."""
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - the base's
        """None: nothing to do."""
        return None


class BigEndian(TypeDecorator[int]):
    """An unsigned integer as a BLOB of `width` bytes. A number that does not fit raises `OverflowError`."""

    impl = Blob
    cache_ok = True

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.width = width

    def process_bind_param(self, value: int | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - the base's
        """To bytes."""
        return None if value is None else value.to_bytes(self.width, "big")

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the base's
        """From bytes."""
        return None if value is None else int.from_bytes(value, "big")


def uint64() -> BigEndian:
    """A height, a nonce, seconds of a chain's clock, gas: 8 bytes."""
    return BigEndian(8)


def uint256() -> BigEndian:
    """An amount in a chain's smallest unit: 32 bytes."""
    return BigEndian(32)


def word() -> Blob:
    """32 bytes."""
    return Blob(WORD_BYTES)


def row_number() -> TypeEngine[int]:
    """The order of writing. SQLite numbers rows by itself only in a column whose type is exactly INTEGER."""
    return BigInteger().with_variant(Integer(), "sqlite")
