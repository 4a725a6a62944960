"""Reading the binary format of WebAssembly: numbers, names, limits. It knows no sections.

Source: chapter 5 of the WebAssembly Core Specification.
"""

from __future__ import annotations

from typing import Final

from relayer.devnet.cosmwasm.vm.errors import CodeRefusedError

_MAX_U32_BYTES: Final = 5


class WasmReader:
    """A place in some bytes. Every method raises `CodeRefusedError` where they end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def is_at_end(self) -> bool:
        """Whether all was read."""
        return self._at == len(self._data)

    def byte(self) -> int:
        """The next one."""
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        """The next ones."""
        end = self._at + count
        if end > len(self._data):
            raise CodeRefusedError("Wasm bytecode could not be deserialized: unexpected end")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def u32(self) -> int:
        """An unsigned number in LEB128."""
        number = 0
        for place in range(_MAX_U32_BYTES):
            part = self.byte()
            number |= (part & 0x7F) << 7 * place
            if not part & 0x80:
                break
        else:
            raise CodeRefusedError("Wasm bytecode could not be deserialized: integer representation too long")
        return number

    def name(self) -> str:
        """A text with its length before it."""
        try:
            return self.take(self.u32()).decode()
        except UnicodeDecodeError:
            raise CodeRefusedError("Wasm bytecode could not be deserialized: malformed UTF-8 encoding") from None

    def limits(self) -> tuple[int, int | None]:
        """The minimum and the maximum of a memory or a table. Neither is shared nor of 64 bits."""
        flags = self.byte()
        if flags > 1:
            raise CodeRefusedError("threads and 64-bit memories must be enabled: they are not")
        return self.u32(), self.u32() if flags else None
