"""When spending is worth it.

Its job: say whether a transaction of ours pays, or why it is held. It decides about spending only, never about signing:
a request that nobody finds worth delivering is still attested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction


def gas_cost(gas: int, fee: int, divisor: int) -> int:
    """In a chain's smallest unit, rounded up. `divisor` units of `fee`, which is per gas, make one of it."""
    return -(-gas * fee // divisor)


@dataclass(frozen=True, slots=True)
class SpendPolicy:
    """An operator's terms. `prices` say what one smallest unit of a chain's coin is worth, all in one common unit.

    A submission is held when its expected cost exceeds `cost_limit_percent` of the fees that its requests offer.
    100 covers cost; above 100 subsidises; 0 spends nothing.
    """

    cost_limit_percent: int = 100
    prices: Mapping[str, Fraction] = field(default_factory=dict[str, Fraction])

    def hold_reason(self, cost: int, cost_chain: str, fees: int, fee_chain: str) -> str:
        """Empty if `cost` (on `cost_chain`) is within the terms for `fees` (on `fee_chain`), else why it is held."""
        worth_of_cost = cost * self.prices.get(cost_chain, Fraction(1))
        worth_of_fees = fees * self.prices.get(fee_chain, Fraction(1))
        if worth_of_cost * 100 <= worth_of_fees * self.cost_limit_percent:
            return ""
        return "fee_below_cost"
