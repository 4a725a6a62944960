"""How values of the protocol are held in columns.

Its job: the column types that both databases order and compare as the protocol does. Chains count in unsigned integers
of 64 and 256 bits, databases in signed ones of 64: SECURITY: a number above 2^63 from a chain must neither fail a
commit nor come back as another. Such numbers are big-endian BLOBs of their full width: exact, indexable, and compared
byte by byte in numeric order by SQLite and PostgreSQL alike (TEXT would need padding, NUMERIC is a float in SQLite).
What the relayer counts itself (rows, attempts, positions in a block) are plain integers. No type converts values when a
statement runs: `mapping` does it once, and a row is handed to the driver as it is.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary
from sqlalchemy.types import TypeEngine

_UINT64_BYTES: Final = 8

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


def uint64() -> Blob:
    """A height, a nonce, seconds of a chain's clock, gas: 8 bytes."""
    return Blob(_UINT64_BYTES)


def uint256() -> Blob:
    """An amount in a chain's smallest unit: 32 bytes."""
    return Blob(WORD_BYTES)


def uint64_bytes(number: int) -> bytes:
    """A number for a `uint64` column. Raises `OverflowError` if it does not fit: it is never cut."""
    return number.to_bytes(_UINT64_BYTES, "big")


def uint256_bytes(number: int) -> bytes:
    """A number for a `uint256` column. Raises `OverflowError` if it does not fit."""
    return number.to_bytes(WORD_BYTES, "big")


def number_in(column: bytes) -> int:
    """The number that either of them holds."""
    return int.from_bytes(column, "big")


def word() -> Blob:
    """32 bytes."""
    return Blob(WORD_BYTES)


def row_number() -> TypeEngine[int]:
    """The order of writing. SQLite numbers rows by itself only in a column whose type is exactly INTEGER."""
    return BigInteger().with_variant(Integer(), "sqlite")
