"""Amounts of coins and prices of gas, as nodes write them.

Its job: from decimal texts to whole numbers: amounts in the smallest unit, prices in millionths of it per gas. It must
not know what we bid.

Source: the Cosmos SDK's `DecCoins`, `minimum-gas-prices` of `app.toml`.
"""

from __future__ import annotations

import re
from typing import Final

from relayer.errors import RpcUnavailable

MICRO: Final = 1_000_000
"""Millionths of the smallest unit that make one: chains price gas at thousandths of it."""

MAX_AMOUNT: Final = 2**256 - 1
"""Of a chain's smallest unit."""

_AMOUNT: Final = re.compile(r"[0-9]{1,78}")
_MAX_PRICES: Final = 100
_MAX_TEXT: Final = 10_000
_PRICE: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?([a-zA-Z][a-zA-Z0-9/:._-]{2,127})")
_FRACTION_DIGITS: Final = 18


def parse_amount(text: str) -> int:
    """An amount of a coin: at most `MAX_AMOUNT`. Raises `RpcUnavailable`."""
    amount = int(text) if _AMOUNT.fullmatch(text) else MAX_AMOUNT + 1
    # SECURITY: what is larger would raise where it is stored, far from the endpoint that made it up.
    if amount > MAX_AMOUNT:
        raise RpcUnavailable("an endpoint answered with what is no amount")
    return amount


def minimum_gas_price(text: str, denom: str) -> int:
    """Of a list such as `0.0025uxvm,1ibc/…`, rounded up; 0 where the node asks for none of this denomination.

    Raises `RpcUnavailable` for what is no such list.
    """
    if not text:
        return 0
    parts = text.split(",") if len(text) <= _MAX_TEXT else []
    matches = [_PRICE.fullmatch(part) for part in parts]
    if not 0 < len(matches) <= _MAX_PRICES or not all(matches):
        raise RpcUnavailable("an endpoint answered with what is no list of gas prices")
    for match in filter(None, matches):
        if match[3] == denom:
            parts_of_one = int(match[1] + (match[2] or "").ljust(_FRACTION_DIGITS, "0"))
            return -(-parts_of_one * MICRO // 10**_FRACTION_DIGITS)
    return 0
