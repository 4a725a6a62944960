"""The methods of the RPC, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from relayer.devnet.cosmwasm.methods.answering import Method
from relayer.devnet.cosmwasm.methods.chain_data import CHAIN_METHODS
from relayer.devnet.cosmwasm.methods.sending import SENDING_METHODS
from relayer.devnet.cosmwasm.methods.transactions import TRANSACTION_METHODS

METHODS: Final[Mapping[str, Method]] = {**CHAIN_METHODS, **SENDING_METHODS, **TRANSACTION_METHODS}
