"""How a signer is named where people read: in text, logs and metrics. Programs are given whole keys."""

from __future__ import annotations

from typing import Final

SHOWN_KEY_BYTES: Final = 20
"""An address whole; of a longer public key as much as nobody can make a second key for."""


def signer_text(key: bytes) -> str:
    """0x and the first 20 bytes of a public key in hex: what a search in a longer key finds."""
    return shown_text(f"0x{key.hex()}")


def shown_text(key_text: str) -> str:
    """The same of a key that is 0x and hex already."""
    return key_text[: len("0x") + 2 * SHOWN_KEY_BYTES]
