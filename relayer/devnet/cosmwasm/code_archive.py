"""Code that comes compressed, as clients send it.

Source: `x/wasm/ioutils` of CosmWasm/wasmd.
"""

from __future__ import annotations

import zlib
from typing import Final

from relayer.devnet.cosmwasm.vm.errors import CodeRefusedError
from relayer.devnet.cosmwasm.vm.gatekeeper import MAX_CODE_BYTES

_GZIP: Final = b"\x1f\x8b\x08"
_GZIP_WINDOW: Final = 31


def is_compressed(code: bytes) -> bool:
    """Whether it is a gzip archive."""
    return code.startswith(_GZIP)


def uncompressed(code: bytes) -> bytes:
    """What is in an archive. Raises `CodeRefusedError`."""
    reader = zlib.decompressobj(_GZIP_WINDOW)
    try:
        # SECURITY: an archive of a kilobyte can hold a gigabyte: no more is taken out than may be stored.
        data = reader.decompress(code, MAX_CODE_BYTES + 1)
    except zlib.error as error:
        raise CodeRefusedError(f"uncompress wasm archive: {error}") from None
    if len(data) > MAX_CODE_BYTES:
        raise CodeRefusedError("uncompress wasm archive: exceeds limit")
    if not reader.eof:
        raise CodeRefusedError("uncompress wasm archive: unexpected EOF")
    return data
