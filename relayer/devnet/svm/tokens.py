"""Token accounts and mints of SPL Token and Token-2022: what their bytes say, and what a transaction moved.

Source: the account layouts of the SPL Token program; Token-2022 begins with the same and appends extensions, which are
not read here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM

TOKEN_2022_PROGRAM: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
PROGRAMS: Final = {TOKEN_PROGRAM: "spl-token", TOKEN_2022_PROGRAM: "spl-token-2022"}

MINT_AT: Final = 0
OWNER_AT: Final = 32

_MINT_BYTES: Final = 82
_ACCOUNT_BYTES: Final = 165
"""Token-2022 stores the kind of an extended account right behind it."""
_KIND_MINT: Final = 1
_KIND_ACCOUNT: Final = 2
_STATES: Final = ("uninitialized", "initialized", "frozen")

AccountReader = Callable[[Pubkey], Account | None]


@dataclass(frozen=True, slots=True)
class Mint:
    """A mint: its supply in base units and how many of its digits are behind the point."""

    authority: Pubkey | None
    supply: int
    decimals: int
    is_initialized: bool
    freeze_authority: Pubkey | None


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """Tokens of one mint with one owner, in base units."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    delegate: Pubkey | None
    state: str
    native_reserve: int | None
    delegated_amount: int
    close_authority: Pubkey | None


@dataclass(frozen=True, slots=True)
class TokenBalance:
    """What a transaction's account at `index` holds, in base units."""

    index: int
    mint: Pubkey
    owner: Pubkey
    program: Pubkey
    amount: int
    decimals: int

    def as_json(self) -> dict[str, Any]:
        """As the RPC writes it."""
        return {
            "accountIndex": self.index,
            "mint": str(self.mint),
            "owner": str(self.owner),
            "programId": str(self.program),
            "uiTokenAmount": amount_json(self.amount, self.decimals),
        }


def parse_mint(account: Account | None) -> Mint | None:
    """The mint that an account is, or None."""
    data = _data_of(account, _KIND_MINT, _MINT_BYTES)
    if data is None:
        return None
    return Mint(
        authority=_optional_key(data, 0),
        supply=int.from_bytes(data[36:44], "little"),
        decimals=data[44],
        is_initialized=data[45] == 1,
        freeze_authority=_optional_key(data, 46),
    )


def parse_token_account(account: Account | None) -> TokenAccount | None:
    """The token account that an account is, or None."""
    data = _data_of(account, _KIND_ACCOUNT, _ACCOUNT_BYTES)
    if data is None or data[108] not in (1, 2):
        return None
    return TokenAccount(
        mint=Pubkey(data[MINT_AT:32]),
        owner=Pubkey(data[OWNER_AT:64]),
        amount=int.from_bytes(data[64:72], "little"),
        delegate=_optional_key(data, 72),
        state=_STATES[data[108]],
        native_reserve=int.from_bytes(data[113:121], "little") if data[109] else None,
        delegated_amount=int.from_bytes(data[121:129], "little"),
        close_authority=_optional_key(data, 129),
    )


def amount_json(amount: int, decimals: int) -> dict[str, Any]:
    """An amount as the RPC writes it."""
    exact = Decimal(amount).scaleb(-decimals)
    text = format(exact, "f")
    return {
        "amount": str(amount),
        "decimals": decimals,
        "uiAmount": float(exact),
        "uiAmountString": text.rstrip("0").rstrip(".") if "." in text else text,
    }


def parsed_json(account: Account, read: AccountReader) -> dict[str, Any] | None:
    """The data of a mint or a token account as `jsonParsed` has it; None for anything else."""
    mint, held = parse_mint(account), parse_token_account(account)
    if mint is not None:
        info: dict[str, Any] = {
            "mintAuthority": None if mint.authority is None else str(mint.authority),
            "supply": str(mint.supply),
            "decimals": mint.decimals,
            "isInitialized": mint.is_initialized,
            "freezeAuthority": None if mint.freeze_authority is None else str(mint.freeze_authority),
        }
        kind = "mint"
    elif held is not None and (its_mint := parse_mint(read(held.mint))) is not None:
        info = {
            "mint": str(held.mint),
            "owner": str(held.owner),
            "tokenAmount": amount_json(held.amount, its_mint.decimals),
            "state": held.state,
            "isNative": held.native_reserve is not None,
        }
        if held.delegate is not None:
            info["delegate"] = str(held.delegate)
            info["delegatedAmount"] = amount_json(held.delegated_amount, its_mint.decimals)
        if held.native_reserve is not None:
            info["rentExemptReserve"] = amount_json(held.native_reserve, its_mint.decimals)
        if held.close_authority is not None:
            info["closeAuthority"] = str(held.close_authority)
        kind = "account"
    else:
        return None
    return {
        "program": PROGRAMS[account.owner],
        "parsed": {"info": info, "type": kind},
        "space": len(account.data),
    }


def balances_of(keys: Sequence[Pubkey], accounts: Sequence[Account | None], read: AccountReader) -> list[TokenBalance]:
    """The token balances among a transaction's accounts; `read` finds mints that it does not name."""
    found = []
    for index, account in enumerate(accounts):
        held = parse_token_account(account)
        if account is None or held is None:
            continue
        mint = parse_mint(accounts[keys.index(held.mint)] if held.mint in keys else read(held.mint))
        if mint is not None:
            found.append(TokenBalance(index, held.mint, held.owner, account.owner, held.amount, mint.decimals))
    return found


def _data_of(account: Account | None, kind: int, size: int) -> bytes | None:
    if account is None or account.owner not in PROGRAMS:
        return None
    data: bytes = account.data
    if len(data) == size:
        return data
    is_extended = account.owner == TOKEN_2022_PROGRAM and len(data) > _ACCOUNT_BYTES and data[_ACCOUNT_BYTES] == kind
    return data if is_extended else None


def _optional_key(data: bytes, start: int) -> Pubkey | None:
    return Pubkey(data[start + 4 : start + 36]) if data[start] else None
