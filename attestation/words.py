"""Checks that a field fits the width that the protocol gives it. It encodes nothing and knows no struct.

The hashing modules pack with `struct`, which pads and cuts byte fields silently: SECURITY: every value that is hashed
passes through here first, or two different values could share one hash.
"""

from typing import Final

from attestation.errors import AttestationError

WORD_LENGTH: Final = 32
"""Bytes in an EVM word: hashes, ids and operators."""

UINT8_BITS: Final = 8
UINT32_BITS: Final = 32
UINT64_BITS: Final = 64
UINT256_BITS: Final = 256

MAXIMUM_UINT32: Final = 2**UINT32_BITS - 1
MAXIMUM_UINT64: Final = 2**UINT64_BITS - 1
MAXIMUM_UINT256: Final = 2**UINT256_BITS - 1


def require_uint(error: type[AttestationError], field: str, value: int, bits: int) -> None:
    """Raise `error(field, reason)` unless `value` is an unsigned integer of at most `bits` bits."""
    if not 0 <= value < 1 << bits:
        raise error(field, f"is not a uint{bits}")


def require_word(error: type[AttestationError], field: str, value: bytes) -> None:
    """Raise `error(field, reason)` unless `value` is exactly 32 bytes."""
    if len(value) != WORD_LENGTH:
        raise error(field, f"is {len(value)} bytes long, not {WORD_LENGTH}")
