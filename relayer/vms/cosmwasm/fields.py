"""The attributes of one event, read strictly by name.

Its job: from an event's attributes to values, each in its one form. Attributes that nobody asks for are passed over:
the chain adds some. SECURITY: one that stands twice has no value, so that no two readers of one event can disagree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attestation.errors import MalformedJson
from attestation.words import WORD_LENGTH
from relayer.vms.cosmwasm.documents import parse_canonical_base64

_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,77}")
_BOOLEANS: Final = {"true": True, "false": False}


class MalformedEvent(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """An attribute is missing, stands twice, or is not written in the one form of its type."""


class Fields:
    """The attributes of one event. All methods raise `MalformedEvent`."""

    def __init__(self, attributes: Sequence[tuple[str, str]]) -> None:
        self._attributes = attributes

    def text(self, name: str) -> str:
        """As it stands there."""
        values = [value for key, value in self._attributes if key == name]
        if len(values) != 1:
            raise MalformedEvent(f"{name} stands {len(values)} times")
        return values[0]

    def hex_bytes(self, name: str) -> bytes:
        """Bytes of any length, as `0x` and lower-case hex."""
        text = self.text(name)
        if _HEX.fullmatch(text) is None:
            raise MalformedEvent(f"{name} is not lower-case hex")
        return bytes.fromhex(text[2:])

    def word(self, name: str) -> bytes:
        """32 bytes."""
        word = self.hex_bytes(name)
        if len(word) != WORD_LENGTH:
            raise MalformedEvent(f"{name} is {len(word)} bytes long")
        return word

    def uint(self, name: str, bits: int) -> int:
        """A decimal number of so many bits at most."""
        text = self.text(name)
        number = int(text) if _DECIMAL.fullmatch(text) else -1
        if not 0 <= number < 1 << bits:
            raise MalformedEvent(f"{name} is no uint{bits}")
        return number

    def boolean(self, name: str) -> bool:
        """`true` or `false`."""
        value = _BOOLEANS.get(self.text(name))
        if value is None:
            raise MalformedEvent(f"{name} is neither true nor false")
        return value

    def base64_bytes(self, name: str) -> bytes:
        """Bytes of any length, in base64."""
        try:
            return parse_canonical_base64(self.text(name))
        except MalformedJson as fault:
            raise MalformedEvent(f"{name}: {fault}") from None
