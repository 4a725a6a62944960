"""The gas of a transaction, or of a part of it with a limit of its own.

Source: `store/types/gas.go` of cosmos/cosmos-sdk.
"""

from __future__ import annotations


class OutOfGasError(Exception):
    """A meter's limit is passed. It ends all that runs on that meter: no contract sees it happen."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class GasMeter:
    """So much, and no more."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.consumed = 0

    @property
    def remaining(self) -> int:
        """What is left."""
        return max(0, self.limit - self.consumed)

    def consume(self, amount: int, where: str) -> None:
        """Count; more than there is is counted too. Raises `OutOfGasError`."""
        self.consumed += amount
        if self.consumed > self.limit:
            raise OutOfGasError(where)
