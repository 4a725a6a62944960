"""What a transaction costs besides compute units, in lamports: its signature, and the rent of what stays.

Its job: these amounts. It must not judge whether they are worth it.

Source: Solana's fee structure and rent; lengths by contracts/svm/src/layouts.h.
"""

from __future__ import annotations

from typing import Final

SIGNATURE_LAMPORTS: Final = 5_000
"""All our transactions have one signature."""

_ACCOUNT_OVERHEAD: Final = 128
_LAMPORTS_PER_BYTE: Final = 6_960
"""For as long as an account lives: the rate of two years, which has stood since genesis."""


def rent_of(length: int) -> int:
    """What an account of so many bytes must hold."""
    return (_ACCOUNT_OVERHEAD + length) * _LAMPORTS_PER_BYTE


SLOT_RENT: Final = rent_of(80)


def epoch_rent(signers: int) -> int:
    """Of an epoch's account."""
    return rent_of(128 + 64 * signers)
