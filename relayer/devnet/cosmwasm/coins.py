"""Amounts of money as chains write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from relayer.devnet.cosmwasm.chain_errors import SDK_INVALID_COINS, UNDEFINED, ChainError

Coins = tuple[tuple[str, int], ...]
"""Denomination and amount of each, sorted by denomination, none twice, none zero."""

_DENOM: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9/:._-]{2,127}")
_AMOUNT: Final = re.compile(r"[0-9]{1,78}")
_LIMIT: Final = 2**256


def coins_of(amounts: Mapping[str, int]) -> Coins:
    """By denomination; what is zero is no coin. Raises `ValueError` for what cannot be one."""
    for denom, amount in amounts.items():
        if _DENOM.fullmatch(denom) is None or not 0 <= amount < _LIMIT:
            raise ValueError(f"{amount}{denom} is no coin")
    return tuple(sorted((denom, amount) for denom, amount in amounts.items() if amount))


def coins_of_contract(listed: Iterable[Any]) -> Coins:
    """What a contract wrote: in any order, and each denomination as often as it likes. Raises `ChainError`."""
    total: dict[str, int] = {}
    for coin in listed:
        denom, amount = coin.get("denom"), coin.get("amount")
        if not isinstance(denom, str) or not isinstance(amount, str) or _AMOUNT.fullmatch(amount) is None:
            raise ChainError(SDK_INVALID_COINS, f"{amount}{denom}")
        total[denom] = total.get(denom, 0) + int(amount)
    try:
        return coins_of(total)
    except ValueError as error:
        raise ChainError(UNDEFINED, str(error)) from None


def coins_json(coins: Coins) -> list[dict[str, str]]:
    """As contracts read them."""
    return [{"denom": denom, "amount": str(amount)} for denom, amount in coins]


def coins_text(coins: Coins) -> str:
    """As events have them."""
    return ",".join(f"{amount}{denom}" for denom, amount in coins)
