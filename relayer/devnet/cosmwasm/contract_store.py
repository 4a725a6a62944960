"""A contract's own entries, at the prices of a chain's store.

Source: `store/gaskv/store.go` and `KVGasConfig` in `store/types/gas.go` of cosmos/cosmos-sdk; `GetContractStorePrefix`
in `x/wasm/types/keys.go` of CosmWasm/wasmd.
"""

from __future__ import annotations

from typing import Final

from relayer.devnet.cosmwasm.context import Context
from relayer.devnet.cosmwasm.state import Scan

READ_GAS: Final = 1_000
READ_BYTE_GAS: Final = 3
WRITE_GAS: Final = 2_000
WRITE_BYTE_GAS: Final = 30
REMOVE_GAS: Final = 1_000
HAS_GAS: Final = 1_000
_NEXT_GAS: Final = 30


def read_cost(length: int) -> int:
    """Of an entry whose key and value have so many bytes together."""
    return READ_GAS + READ_BYTE_GAS * length


def write_cost(length: int) -> int:
    """Of an entry whose key and value have so many bytes together."""
    return WRITE_GAS + WRITE_BYTE_GAS * length


class ContractStore:
    """What `db_*` works on."""

    def __init__(self, context: Context, address: bytes) -> None:
        self._context = context
        self._address = address
        self._prefix_bytes = 1 + len(address)

    def get(self, key: bytes) -> bytes | None:
        """Raises `OutOfGasError`, as all of these."""
        self._context.meter.consume(READ_GAS, "ReadFlat")
        value: bytes | None = self._context.view.get(self._address, key)
        self._context.meter.consume(READ_BYTE_GAS * self._length(key, value or b""), "ReadPerByte")
        return value

    def set(self, key: bytes, value: bytes) -> None:
        """Write an entry."""
        self._context.meter.consume(WRITE_GAS, "WriteFlat")
        self._context.meter.consume(WRITE_BYTE_GAS * self._length(key, value), "WritePerByte")
        self._context.state.put(self._address, key, value)

    def remove(self, key: bytes) -> None:
        """Remove an entry."""
        self._context.meter.consume(REMOVE_GAS, "Delete")
        if self._context.view.get(self._address, key) is not None:
            self._context.state.put(self._address, key, None)

    def scan(self, start: bytes | None, end: bytes | None, *, descending: bool) -> StoreCursor:
        """Look at the first entry, and hold the place."""
        scan = self._context.view.scan(self._address, start, end, descending=descending)
        return StoreCursor(self._context, scan, self._prefix_bytes)

    def _length(self, key: bytes, value: bytes) -> int:
        return self._prefix_bytes + len(key) + len(value)


class StoreCursor:
    """Each entry is paid for when it is reached, and the last step too."""

    def __init__(self, context: Context, scan: Scan, prefix_bytes: int) -> None:
        self._context = context
        self._scan = scan
        self._prefix_bytes = prefix_bytes
        self._passed_over = 0
        self._charge(self._peek())

    def advance(self) -> tuple[bytes, bytes] | None:
        """The next entry. Raises `OutOfGasError`."""
        entry = self._peek()
        if entry is not None:
            self._charge(entry)
            self._scan.step(entry[0])
        return entry

    def _peek(self) -> tuple[bytes, bytes] | None:
        entry = self._scan.peek()
        # SECURITY: a chain does not charge for it, but to remove much and scan it often must not be free here.
        passed = self._scan.passed_over - self._passed_over
        self._passed_over += passed
        if passed:
            self._context.meter.consume(_NEXT_GAS * passed, "IterNextFlat")
        return entry

    def _charge(self, entry: tuple[bytes, bytes] | None) -> None:
        if entry is not None:
            length = self._prefix_bytes + len(entry[0]) + len(entry[1])
            self._context.meter.consume(READ_BYTE_GAS * length, "ValuePerByte")
        self._context.meter.consume(_NEXT_GAS, "IterNextFlat")
