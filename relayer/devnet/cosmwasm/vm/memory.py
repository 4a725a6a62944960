"""A contract's linear memory, and the regions in it by which contract and host hand each other bytes.

A region is twelve bytes: offset, capacity and length, each a little-endian uint32. Contracts make them, so nothing in
one is trusted.

Source: `packages/vm/src/memory.rs` and `sections.rs` of CosmWasm/cosmwasm.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ctypes import addressof, memmove, string_at
from typing import Final

from wasmtime import Memory, Store

from relayer.devnet.cosmwasm.vm.errors import VmError

_REGION: Final = struct.Struct("<III")
_U32_MAXIMUM: Final = 2**32 - 1


class GuestMemory:
    """The memory of one instance. It may move when the contract runs, so its place is asked for each time."""

    def __init__(self, memory: Memory, store: Store) -> None:
        self._memory = memory
        self._store = store

    def region_length(self, pointer: int) -> int:
        """How many bytes a region says it holds. Raises `VmError`."""
        return self._region(pointer)[2]

    def read(self, pointer: int, limit: int) -> bytes:
        """What a region holds, at most `limit` bytes. Raises `VmError`."""
        offset, _, length = self._region(pointer)
        if length > limit:
            raise VmError(f"Region length too big. Got {length}, limit {limit}")
        return self._bytes(offset, length)

    def write(self, pointer: int, data: bytes) -> None:
        """Fill a region, and set its length. Raises `VmError`."""
        offset, capacity, _ = self._region(pointer)
        if len(data) > capacity:
            raise VmError(f"Region too small. Got {capacity}, required {len(data)}")
        self._place(offset, data)
        self._place(pointer, _REGION.pack(offset, capacity, len(data)))

    def _region(self, pointer: int) -> tuple[int, int, int]:
        offset, capacity, length = _REGION.unpack(self._bytes(pointer, _REGION.size))
        if offset == 0:
            raise VmError("Got an invalid region: Region has zero offset")
        if length > capacity:
            raise VmError(f"Got an invalid region: Region length {length} exceeds capacity {capacity}")
        if capacity > _U32_MAXIMUM - offset:
            raise VmError("Got an invalid region: Region exceeds address space")
        return offset, capacity, length

    def _bytes(self, offset: int, length: int) -> bytes:
        return string_at(self._address(offset, length), length)

    def _place(self, offset: int, data: bytes) -> None:
        memmove(self._address(offset, len(data)), data, len(data))

    def _address(self, offset: int, length: int) -> int:
        size = self._memory.data_len(self._store)
        # SECURITY: the one place where a contract's number becomes an address of this process.
        if offset + length > size:
            raise VmError(f"Tried to access {length} bytes at {offset} in Wasm memory of size {size} bytes")
        return addressof(self._memory.data_ptr(self._store).contents) + offset


def encode_sections(sections: Iterable[bytes]) -> bytes:
    """Each part with its length behind it, a big-endian uint32."""
    return b"".join(section + len(section).to_bytes(4, "big") for section in sections)


def decode_sections(data: bytes) -> list[bytes]:
    """The inverse. Raises `VmError`."""
    sections: list[bytes] = []
    end = len(data)
    while end >= 4:  # noqa: PLR2004 -- the length's own length
        start = end - 4 - int.from_bytes(data[end - 4 : end], "big")
        if start < 0:
            raise VmError("Got an invalid section: section length overflow")
        sections.append(data[start : end - 4])
        end = start
    if end:
        raise VmError("Got an invalid section: extra data outside of any section")
    return sections[::-1]
