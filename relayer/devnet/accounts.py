"""The accounts that have money on every chain of a devnet.

Its job: their secrets, those that anvil derives from its own words. A secret is used under each chain's curve, so that
one private key is an account on each chain. They are known to everybody and hold play money only.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from eth_account import Account

ACCOUNTS: Final = 11
"""The owner of the contracts, and ten for whoever wants to ask something."""

MNEMONIC: Final = "test test test test test test test test test test test junk"
"""anvil's own."""


@cache
def dev_secrets() -> tuple[bytes, ...]:
    """The 32-byte secrets, the owner's first."""
    Account.enable_unaudited_hdwallet_features()
    return tuple(
        bytes(Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}").key) for index in range(ACCOUNTS)
    )
