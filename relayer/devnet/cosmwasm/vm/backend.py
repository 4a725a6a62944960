"""What a run may ask of its chain. The keeper provides it; the machine knows no more of a chain than this.

Storage and queries charge the transaction's own meter, which `sdk_gas` tells: the machine takes that out of the gas of
the run as well, so that none is spent twice.
"""

from __future__ import annotations

from typing import Protocol


class Storage(Protocol):
    """The entries of one contract."""

    def get(self, key: bytes) -> bytes | None:
        """The value, if there is one."""

    def set(self, key: bytes, value: bytes) -> None:
        """Write an entry."""

    def remove(self, key: bytes) -> None:
        """Remove an entry, if it is there."""

    def scan(self, start: bytes | None, end: bytes | None, *, descending: bool) -> Cursor:
        """From `start` on, and below `end`, in the order of keys."""


class Cursor(Protocol):
    """A place between entries."""

    def advance(self) -> tuple[bytes, bytes] | None:
        """The next entry; None after the last."""


class Backend(Protocol):
    """All that a contract's imports lead to."""

    @property
    def storage(self) -> Storage:
        """The contract's own."""

    def sdk_gas(self) -> int:
        """What the transaction has used, in its own gas. Only differences mean anything."""

    def canonicalize(self, address: str) -> bytes:
        """The bytes of an account's text. Raises `ValueError`."""

    def humanize(self, address: bytes) -> str:
        """The text of an account's bytes. Raises `ValueError`."""

    def query(self, request: bytes, gas_limit: int) -> bytes:
        """A `SystemResult` as JSON, for a `QueryRequest` as JSON, within so much CosmWasm gas."""
