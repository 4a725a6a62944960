"""What bundling goes by on a CosmWasm chain.

Its job: the caps of a transaction, what it offers, and batches as messages have them. It must not choose what goes
together.

Source: contracts/cosmwasm/schema; CometBFT's `max_body_bytes` and `max_tx_bytes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relayer.ports.source_chain import Preparation
from relayer.vms.bundling.packing import Capacity, Part
from relayer.vms.bundling.preparing import Encoder, GasOffer, Preparer
from relayer.vms.bundling.trials import Trier
from relayer.vms.cosmwasm.gas import EMPTY_TRANSACTION, with_margin
from relayer.vms.cosmwasm.limits import GasLimits
from relayer.vms.cosmwasm.messages import ItemList, encode_batch

MAX_TRANSACTION_LENGTH: Final = 450_000
"""Bytes. Nodes' pools take a mebibyte, but their RPC a body of a million bytes, in which simulations are hex."""


class CosmwasmPreparer:
    """Prepares calls of one gateway (32 bytes)."""

    def __init__(self, trier: Trier, gateway: bytes, limits: GasLimits) -> None:
        self._trier = trier
        self._gateway = gateway
        self._limits = limits

    async def prepare(self, parts: Sequence[Part], encode: Encoder) -> Preparation:
        """Calls for all items but those named `settled` or `refused`. Raises `RpcUnavailable`."""
        gas_cap = await self._limits.fetch_gas_cap()

        def offer(sufficient_gas: int, used_gas: int) -> GasOffer:
            limit = min(max(sufficient_gas, with_margin(used_gas)), gas_cap)
            # The fee is for the gas offered: what is left of it is not given back.
            return GasOffer(limit, limit)

        capacity = Capacity(EMPTY_TRANSACTION, gas_cap, MAX_TRANSACTION_LENGTH)
        return await Preparer(self._trier, self._gateway, capacity, offer).prepare(parts, encode)


def encode_parts(parts: Sequence[Part], item_list: ItemList) -> list[bytes]:
    """The batches as messages have them."""
    return [
        encode_batch(part.given, part.bare, item_list, [item.encoded for item in part.items], part.certificate)
        for part in parts
    ]
