"""What a destination gateway keeps of a request that it has consumed.

Its job: whether a request is used up, by the words at its own slot and at its first attempt's: kind ‖ the low 248 bits
of the attempt's id. It must not know how a chain stores them.
"""

from __future__ import annotations

from typing import Final

from attestation.request import RequestId

EMPTY_SLOT: Final = bytes(32)


def is_consumed(identifier: RequestId, own_word: bytes, origin_word: bytes) -> bool:
    """A retry that ran is written down under its first attempt, with the low 248 bits of its own id."""
    return own_word != EMPTY_SLOT or (origin_word != EMPTY_SLOT and origin_word[1:] == identifier[1:])
