"""Coins of transactions' messages, from untrusted text to amounts."""

from __future__ import annotations

import re
from typing import Final

from relayer.cosmos.base import Coin
from relayer.devnet.cosmwasm.tx_errors import SDK, TxError

_MAX_COINS: Final = 16
_DENOM: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9/:._-]{2,127}", re.ASCII)
_AMOUNT: Final = re.compile(r"[1-9][0-9]{0,38}", re.ASCII)
_MAX_SHOWN: Final = 40


def amounts_of(coins: tuple[Coin, ...]) -> dict[str, int]:
    """Amounts by denomination.

    Raises:
        TxError: they are not sorted, repeat a denomination, or one is no positive amount.
    """
    denoms = [coin.denom for coin in coins]
    if len(coins) > _MAX_COINS or denoms != sorted(set(denoms)):
        raise TxError(SDK, 10, "coins are not sorted, or are there twice: invalid coins")
    for coin in coins:
        if not _DENOM.fullmatch(coin.denom) or not _AMOUNT.fullmatch(coin.amount):
            raise TxError(SDK, 10, f"{coin.amount[:_MAX_SHOWN]}{coin.denom[:_MAX_SHOWN]}: invalid coins")
    return {coin.denom: int(coin.amount) for coin in coins}
