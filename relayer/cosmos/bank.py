"""Messages and queries of the module that holds coins.

Source: cosmos/bank/v1beta1/{tx,query}.proto of the Cosmos SDK 0.50.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.cosmos.base import Coin
from relayer.cosmos.protobuf import Message, many, one, text

BALANCE: Final = "/cosmos.bank.v1beta1.Query/Balance"
ALL_BALANCES: Final = "/cosmos.bank.v1beta1.Query/AllBalances"
SUPPLY_OF: Final = "/cosmos.bank.v1beta1.Query/SupplyOf"


@dataclass(frozen=True, slots=True)
class MsgSend(Message):
    """`MsgSend`."""

    TYPE_URL = "/cosmos.bank.v1beta1.MsgSend"
    from_address: str = text(1)
    to_address: str = text(2)
    amount: tuple[Coin, ...] = many(3, Coin)


@dataclass(frozen=True, slots=True)
class MsgSendResponse(Message):
    """`MsgSendResponse`."""

    TYPE_URL = "/cosmos.bank.v1beta1.MsgSendResponse"


@dataclass(frozen=True, slots=True)
class QueryBalanceRequest(Message):
    """`QueryBalanceRequest`."""

    address: str = text(1)
    denom: str = text(2)


@dataclass(frozen=True, slots=True)
class QueryBalanceResponse(Message):
    """`QueryBalanceResponse`."""

    balance: Coin | None = one(1, Coin)


@dataclass(frozen=True, slots=True)
class QueryAllBalancesRequest(Message):
    """`QueryAllBalancesRequest`, of one page."""

    address: str = text(1)


@dataclass(frozen=True, slots=True)
class QueryAllBalancesResponse(Message):
    """`QueryAllBalancesResponse`, of one page."""

    balances: tuple[Coin, ...] = many(1, Coin)


@dataclass(frozen=True, slots=True)
class QuerySupplyOfRequest(Message):
    """`QuerySupplyOfRequest`."""

    denom: str = text(1)


@dataclass(frozen=True, slots=True)
class QuerySupplyOfResponse(Message):
    """`QuerySupplyOfResponse`."""

    amount: Coin | None = one(1, Coin)
