"""The price below which a node takes no transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

_PRICE: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,18})?)([a-zA-Z][a-zA-Z0-9/:._-]{2,127})", re.ASCII)
_SDK_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class GasPrice:
    """So many smallest units of a denomination for one unit of gas."""

    amount: Decimal = Decimal("0.025")
    denom: str = "uxvm"

    @classmethod
    def parse(cls, text: str) -> GasPrice:
        """From `0.025uxvm`. Raises `ValueError`."""
        found = _PRICE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no gas price: it is a decimal and a denomination, as 0.025uxvm")
        return cls(Decimal(found[1]), found[2])

    def fee_of(self, gas: int) -> int:
        """What so much gas costs at least, rounded up."""
        return int((self.amount * gas).to_integral_value(ROUND_CEILING))

    def __str__(self) -> str:
        """As a node's `minimum_gas_price` shows it."""
        return f"{self.amount:.{_SDK_DIGITS}f}{self.denom}"
