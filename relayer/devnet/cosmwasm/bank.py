"""Money, and the accounts that have it.

Its job: balances, supply, and account numbers. What an operation costs is what a chain's bank keeper reads and writes
for it, in round numbers.

Source: `x/bank/keeper/send.go` of cosmos/cosmos-sdk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from relayer.devnet.cosmwasm.addresses import AddressFormat, module_address
from relayer.devnet.cosmwasm.chain_errors import SDK_INSUFFICIENT_FUNDS, ChainError
from relayer.devnet.cosmwasm.coins import Coins, coins_of, coins_text
from relayer.devnet.cosmwasm.context import Context
from relayer.devnet.cosmwasm.events import Event
from relayer.devnet.cosmwasm.state import State, View

_BALANCES: Final = "balances"
_SUPPLY: Final = "supply"
_ACCOUNTS: Final = "accounts"
_COUNTERS: Final = "counters"
_NEXT_ACCOUNT: Final = "account"

_TRANSFER_GAS: Final = 6_000
_COIN_GAS: Final = 12_000
_NEW_ACCOUNT_GAS: Final = 10_000
_READ_BALANCE_GAS: Final = 1_200


@dataclass(frozen=True, slots=True)
class Account:
    """What a chain knows of an address besides its money."""

    number: int
    sequence: int = 0
    public_key: bytes = b""
    """Compressed, 33 bytes; empty before the first transaction."""


class Bank:
    """Who has what. It keeps nothing itself."""

    def __init__(self, addresses: AddressFormat) -> None:
        self._addresses = addresses
        self._wasm_module = module_address("wasm")

    # What is so.

    def balances(self, view: View, address: bytes) -> Coins:
        """All coins of an account."""
        held: Coins | None = view.get(_BALANCES, address)
        return held or ()

    def balance(self, view: View, address: bytes, denom: str) -> int:
        """Of one denomination."""
        return dict(self.balances(view, address)).get(denom, 0)

    def supply(self, view: View, denom: str) -> int:
        """All that there is of a denomination."""
        return view.get(_SUPPLY, denom) or 0

    def account(self, view: View, address: bytes) -> Account | None:
        """None for an address that has received nothing yet."""
        account: Account | None = view.get(_ACCOUNTS, address)
        return account

    def charge_read(self, context: Context) -> None:
        """What looking at one balance costs."""
        context.meter.consume(_READ_BALANCE_GAS, "ReadFlat")

    # What changes it.

    def open_account(self, context: Context, address: bytes) -> None:
        """Give an address a number, if it has none."""
        if self.account(context.view, address) is None:
            context.meter.consume(_NEW_ACCOUNT_GAS, "WriteFlat")
            self._number(context.state, address)

    def set_account(self, state: State, address: bytes, account: Account) -> None:
        """Another sequence, or the public key of its first transaction."""
        state.put(_ACCOUNTS, address, account)

    def mint(self, state: State, address: bytes, coins: Coins) -> None:
        """Money from nothing, as a genesis has it."""
        if self.account(state, address) is None:
            self._number(state, address)
        self._credit(state, address, coins)
        for denom, amount in coins:
            state.put(_SUPPLY, denom, self.supply(state, denom) + amount)

    def transfer(self, context: Context, sender: bytes, recipient: bytes, coins: Coins) -> None:
        """Raises `ChainError` where there is not enough, and `OutOfGasError`."""
        context.meter.consume(_TRANSFER_GAS + _COIN_GAS * len(coins), "WriteFlat")
        self._debit(context.state, sender, coins)
        self._credit(context.state, recipient, coins)
        self.open_account(context, recipient)
        amount, payer, payee = coins_text(coins), self._addresses.text(sender), self._addresses.text(recipient)
        context.events += [
            Event("coin_spent", [("spender", payer), ("amount", amount)]),
            Event("coin_received", [("receiver", payee), ("amount", amount)]),
            Event("transfer", [("recipient", payee), ("sender", payer), ("amount", amount)]),
            Event("message", [("sender", payer)]),
        ]

    def burn(self, context: Context, owner: bytes, coins: Coins) -> None:
        """By way of the module's account, as wasmd does it. Raises `ChainError` and `OutOfGasError`."""
        self.transfer(context, owner, self._wasm_module, coins)
        self._debit(context.state, self._wasm_module, coins)
        for denom, amount in coins:
            context.state.put(_SUPPLY, denom, self.supply(context.view, denom) - amount)
        amount_text, module = coins_text(coins), self._addresses.text(self._wasm_module)
        context.events += [
            Event("coin_spent", [("spender", module), ("amount", amount_text)]),
            Event("burn", [("burner", module), ("amount", amount_text)]),
        ]

    def _number(self, state: State, address: bytes) -> None:
        number: int = state.get(_COUNTERS, _NEXT_ACCOUNT) or 0
        state.put(_COUNTERS, _NEXT_ACCOUNT, number + 1)
        state.put(_ACCOUNTS, address, Account(number))

    def _debit(self, state: State, address: bytes, coins: Coins) -> None:
        held = dict(self.balances(state, address))
        for denom, amount in coins:
            have = held.get(denom, 0)
            if have < amount:
                raise ChainError(
                    SDK_INSUFFICIENT_FUNDS, f"spendable balance {have}{denom} is smaller than {amount}{denom}"
                )
            held[denom] = have - amount
        state.put(_BALANCES, address, coins_of(held))

    def _credit(self, state: State, address: bytes, coins: Coins) -> None:
        held = dict(self.balances(state, address))
        for denom, amount in coins:
            held[denom] = held.get(denom, 0) + amount
        state.put(_BALANCES, address, coins_of(held))


def used_once_more(account: Account, public_key: bytes) -> Account:
    """An account behind a transaction of its own."""
    return replace(account, sequence=account.sequence + 1, public_key=public_key)
