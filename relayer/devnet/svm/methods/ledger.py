"""Methods about what happened: blocks, transactions, signatures."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

from relayer.devnet.svm.blocks import Block, Landed
from relayer.devnet.svm.chain import Chain, Commitment
from relayer.devnet.svm.methods.answering import Method, history_commitment, in_context
from relayer.devnet.svm.params import Options, Params, as_signature
from relayer.devnet.svm.rpc_errors import (
    block_cleaned_up,
    block_not_available,
    block_status_not_available_yet,
    invalid_params,
    long_term_storage_slot_skipped,
    min_context_slot_not_reached,
    slot_skipped,
)
from relayer.devnet.svm.transaction_json import form_of, memo_of, status_json

_MAX_STATUSES: Final = 256
"""Source: MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS of agave."""

_MAX_SIGNATURES: Final = 1_000
"""Source: MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT of agave."""

_MAX_BLOCKS: Final = 500_000
"""Source: MAX_GET_CONFIRMED_BLOCKS_RANGE of agave."""

_RECENT_SLOTS: Final = 300
"""A skipped slot further back is told in the words of a node that asks an archive."""

_DETAILS: Final = ("full", "accounts", "signatures", "none")


def get_block(chain: Chain, params: Params) -> Any:
    """A block, with as much of its transactions as asked for."""
    slot = params.integer(0)
    # The outdated form names the encoding alone.
    plain = params.raw(1) if params.has(1) else None
    options = Options({"encoding": plain}) if isinstance(plain, str) else params.options(1)
    commitment, form = history_commitment(options), form_of(options)
    details = options.choice("transactionDetails", _DETAILS, "full")
    shows_rewards = options.flag("rewards", default=True)
    if details == "accounts":
        raise invalid_params("transactionDetails accounts is not supported")
    block = _find_block(chain, slot, commitment)
    written: dict[str, Any] = {
        "blockhash": str(block.blockhash),
        "previousBlockhash": str(block.previous_blockhash),
        "parentSlot": block.parent_slot,
        "blockHeight": block.height,
        "blockTime": block.time,
    }
    if shows_rewards:
        written["rewards"] = []
    if details == "full":
        written["transactions"] = [form.write(landed, shows_rewards=shows_rewards) for landed in block.landed]
    elif details == "signatures":
        written["signatures"] = [str(landed.signature) for landed in block.landed]
    return written


def get_blocks(chain: Chain, params: Params) -> Any:
    """The slots with a block from one to another."""
    first = params.integer(0)
    # The end may be left out, and the settings stand in its place.
    has_end = params.has(1) and not isinstance(params.raw(1), dict)
    options = params.options(2 if has_end or params.has(2) else 1)
    newest = chain.slot_at(history_commitment(options))
    last = min(params.integer(1), newest) if has_end else newest
    if last - first > _MAX_BLOCKS:
        raise invalid_params(f"Slot range too large; max {_MAX_BLOCKS}")
    return [block.slot for block in chain.ledger.blocks_between(first, last)]


def get_blocks_with_limit(chain: Chain, params: Params) -> Any:
    """The first so many slots with a block from one on."""
    first, limit = params.integer(0), params.integer(1)
    if limit > _MAX_BLOCKS:
        raise invalid_params(f"Limit too large; max {_MAX_BLOCKS}")
    last = chain.slot_at(history_commitment(params.options(2)))
    return [block.slot for block in islice(chain.ledger.blocks_between(first, last), limit)]


def get_block_time(chain: Chain, params: Params) -> Any:
    """When a block was made, in Unix seconds."""
    return _find_block(chain, params.integer(0), Commitment.CONFIRMED).time


def get_first_available_block(chain: Chain, params: Params) -> Any:
    """The oldest slot that is kept."""
    del params
    return chain.ledger.first_slot


def get_transaction(chain: Chain, params: Params) -> Any:
    """A transaction, or null while its commitment is not reached."""
    signature = params.signature(0)
    plain = params.raw(1) if params.has(1) else None
    options = Options({"encoding": plain}) if isinstance(plain, str) else params.options(1)
    commitment, form = history_commitment(options), form_of(options)
    landed = chain.ledger.find(signature)
    if landed is None or landed.slot > chain.slot_at(commitment):
        return None
    return {"slot": landed.slot, "blockTime": landed.time, **form.write(landed)}


def get_signature_statuses(chain: Chain, params: Params) -> Any:
    """How far each transaction is; null for each that is not known."""
    signatures = [as_signature(value) for value in params.items(0, _MAX_STATUSES)]
    params.options(1).flag("searchTransactionHistory")
    slot = chain.slot_at(Commitment.PROCESSED)
    return in_context(slot, [_status(chain, chain.ledger.find(signature), slot) for signature in signatures])


def get_signatures_for_address(chain: Chain, params: Params) -> Any:
    """The transactions that name or load an account, newest first."""
    key, options = params.pubkey(0), params.options(1)
    commitment = history_commitment(options)
    limit = options.integer("limit", _MAX_SIGNATURES, least=1, most=_MAX_SIGNATURES)
    before, until = options.signature("before"), options.signature("until")
    newest = chain.slot_at(commitment)
    wanted = options.integer("minContextSlot")
    if wanted is not None and newest < wanted:
        raise min_context_slot_not_reached(newest)
    known = chain.ledger.of_address(key)
    end = bisect_left(known, (newest + 1, 0), key=_place)
    if before is not None:
        # What is not of this account still has its place in the order of all.
        mark = chain.ledger.find(before)
        if mark is None or chain.faults.hides_signatures_of(mark.slot):
            return []
        end = min(end, bisect_left(known, mark.place, key=_place))
    mark = None if until is None else chain.ledger.find(until)
    start = 0 if mark is None else bisect_right(known, mark.place, key=_place)
    newest_first = (known[place] for place in range(end - 1, start - 1, -1))
    seen = (landed for landed in newest_first if not chain.faults.hides_signatures_of(landed.slot))
    reached = cache(chain.commitment_of)
    return [
        {
            "signature": str(landed.signature),
            "slot": landed.slot,
            "err": landed.error,
            "memo": memo_of(landed.transaction),
            "blockTime": landed.time,
            "confirmationStatus": reached(landed.slot),
        }
        for landed in islice(seen, limit)
    ]


def _place(landed: Landed) -> tuple[int, int]:
    return landed.place


def _status(chain: Chain, landed: Landed | None, slot: int) -> dict[str, Any] | None:
    if landed is None:
        return None
    reached = chain.commitment_of(landed.slot)
    if reached is None:
        return None
    return {
        "slot": landed.slot,
        "confirmations": None if reached is Commitment.FINALIZED else slot - landed.slot,
        "err": landed.error,
        "status": status_json(landed.error),
        "confirmationStatus": reached,
    }


def _find_block(chain: Chain, slot: int, commitment: Commitment) -> Block:
    """The block of a slot that has reached a commitment.

    Raises:
        RpcError: it has not, it never was, or it is kept no more.
    """
    ledger = chain.ledger
    block = ledger.block(slot)
    newest = chain.slot_at(commitment)
    if slot > newest:
        raise block_not_available(slot)
    if block is None and slot < ledger.first_slot:
        raise block_cleaned_up(slot, ledger.first_slot)
    if block is None:
        is_old = newest - slot > _RECENT_SLOTS
        raise long_term_storage_slot_skipped(slot) if is_old else slot_skipped(slot)
    if chain.faults.hides_statuses_of(slot):
        raise block_status_not_available_yet(slot)
    return block


LEDGER_METHODS: Final[Mapping[str, Method]] = {
    "getBlock": Method(2, get_block),
    "getBlockTime": Method(1, get_block_time),
    "getBlocks": Method(3, get_blocks),
    "getBlocksWithLimit": Method(3, get_blocks_with_limit),
    "getFirstAvailableBlock": Method(0, get_first_available_block),
    "getSignatureStatuses": Method(2, get_signature_statuses),
    "getSignaturesForAddress": Method(2, get_signatures_for_address),
    "getTransaction": Method(2, get_transaction),
}
