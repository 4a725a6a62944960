"""What bundling goes by on an EVM chain.

Its job: the caps of a transaction, what it offers, and batches as calldata. It must not choose what goes together.

Source: contracts/evm/src/interfaces/XvmTypes.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relayer.vms.bundling.packing import Capacity, Part
from relayer.vms.bundling.preparing import GasOffer, Preparer
from relayer.vms.evm.calldata import encode_batch
from relayer.vms.evm.gas import EMPTY_TRANSACTION
from relayer.vms.evm.simulation import Simulator

MAX_CALLDATA_LENGTH: Final = 120_000
"""Bytes. Nodes' pools refuse transactions above 128 KiB."""


def make_preparer(simulator: Simulator, gateway: bytes, gas_cap: int) -> Preparer:
    """Prepares calls of one gateway (20-byte address) under a gas cap."""
    return Preparer(simulator, gateway, transaction_capacity(gas_cap), _offer)


def transaction_capacity(gas_cap: int) -> Capacity:
    """What a transaction holds."""
    return Capacity(EMPTY_TRANSACTION, gas_cap, MAX_CALLDATA_LENGTH)


def encode_parts(parts: Sequence[Part]) -> list[bytes]:
    """The batches as calldata has them."""
    return [
        encode_batch(part.given, part.bare, [item.encoded for item in part.items], part.certificate) for part in parts
    ]


def _offer(sufficient_gas: int, used_gas: int) -> GasOffer:
    return GasOffer(sufficient_gas, min(used_gas, sufficient_gas))
