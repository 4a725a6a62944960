"""What all methods share: their shape, the context around an answer, and the block that an answer is of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from solders.account import Account
from solders.pubkey import Pubkey

from relayer.devnet.svm.blocks import Block
from relayer.devnet.svm.chain import Chain, Commitment
from relayer.devnet.svm.params import Options, Params
from relayer.devnet.svm.rpc_errors import min_context_slot_not_reached
from relayer.devnet.svm.tokens import AccountReader

API_VERSION: Final = "2.3.0"
"""The release of agave whose answers these are modelled on."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method: how many parameters it takes at most, and what it does with them."""

    most_params: int
    answer: Callable[[Chain, Params], Any]


def in_context(slot: int, value: Any) -> dict[str, Any]:
    """A value with the slot that it is of."""
    return {"context": {"slot": slot, "apiVersion": API_VERSION}, "value": value}


def block_of(chain: Chain, options: Options, *, name: str = "commitment") -> Block:
    """The block of the commitment that a call asks for.

    Raises:
        RpcError: it is below the slot that the call wants at least.
    """
    block = chain.block_at(options.commitment(name=name))
    wanted = options.integer("minContextSlot")
    if wanted is not None and block.slot < wanted:
        raise min_context_slot_not_reached(block.slot)
    return block


def reader_at(chain: Chain, slot: int) -> AccountReader:
    """Finds accounts of the state at a slot."""

    def read(key: Pubkey) -> Account | None:
        return chain.account(key, slot)

    return read


def history_commitment(options: Options) -> Commitment:
    """The commitment of a question about the past: nothing below `confirmed` counts as such. Raises `RpcError`."""
    return options.commitment(least=Commitment.CONFIRMED)
