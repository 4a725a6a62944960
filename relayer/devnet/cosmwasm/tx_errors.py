"""How a transaction fails before its messages run.

Source: types/errors/errors.go of the Cosmos SDK.
"""

from __future__ import annotations

from typing import Final

SDK: Final = "sdk"


class TxError(Exception):
    """Why a transaction fails: the code, of which codespace, and the words."""

    def __init__(self, codespace: str, code: int, log: str) -> None:
        super().__init__(log)
        self.codespace = codespace
        self.code = code
        self.log = log
