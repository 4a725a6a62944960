"""Methods about the chain as a whole: slots, heights, blockhashes, fees, who answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from solders.message import Message, MessageV0, from_bytes_versioned

from relayer.devnet.svm.chain import SLOTS_PER_EPOCH, Chain, Commitment
from relayer.devnet.svm.fees import fee_of
from relayer.devnet.svm.messages import MAX_TRANSACTION_BYTES
from relayer.devnet.svm.methods.answering import API_VERSION, Method, block_of, in_context
from relayer.devnet.svm.params import Params, as_base64, as_pubkey
from relayer.devnet.svm.rpc_errors import invalid_params, node_unhealthy

_MAX_BASE64: Final = 4 * MAX_TRANSACTION_BYTES
_MAX_FEE_ACCOUNTS: Final = 128
_FEE_SLOTS: Final = 150
"""Source: MAX_ENTRIES of agave's cache of prioritization fees."""

_FEATURE_SET: Final = 0


def get_slot(chain: Chain, params: Params) -> Any:
    """The slot of a commitment."""
    return block_of(chain, params.options(0)).slot


def get_block_height(chain: Chain, params: Params) -> Any:
    """The height of a commitment's block."""
    return block_of(chain, params.options(0)).height


def get_epoch_info(chain: Chain, params: Params) -> Any:
    """The epoch that a commitment stands in."""
    block = block_of(chain, params.options(0))
    return {
        "absoluteSlot": block.slot,
        "blockHeight": block.height,
        "epoch": block.slot // SLOTS_PER_EPOCH,
        "slotIndex": block.slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": block.transactions_before + len(block.landed),
    }


def get_transaction_count(chain: Chain, params: Params) -> Any:
    """How many transactions there were up to a commitment."""
    block = block_of(chain, params.options(0))
    return block.transactions_before + len(block.landed)


def get_latest_blockhash(chain: Chain, params: Params) -> Any:
    """The blockhash to put into a transaction now."""
    block = block_of(chain, params.options(0))
    blockhash, last_height = chain.blockhash_at(block)
    return in_context(block.slot, {"blockhash": str(blockhash), "lastValidBlockHeight": last_height})


def is_blockhash_valid(chain: Chain, params: Params) -> Any:
    """Whether a blockhash is still good."""
    blockhash = params.blockhash(0)
    block = block_of(chain, params.options(1))
    return in_context(block.slot, chain.is_blockhash_valid(blockhash, block))


def get_fee_for_message(chain: Chain, params: Params) -> Any:
    """What a message would cost; null if its blockhash is no longer good."""
    data = as_base64(params.text(0, _MAX_BASE64), MAX_TRANSACTION_BYTES)
    block = block_of(chain, params.options(1))
    try:
        message = from_bytes_versioned(data)
    except ValueError:
        raise invalid_params("failed to deserialize the message") from None
    if not isinstance(message, Message | MessageV0):
        raise invalid_params("unsupported message version")
    is_valid = chain.is_blockhash_valid(message.recent_blockhash, block)
    return in_context(block.slot, fee_of(message) if is_valid else None)


def get_recent_prioritization_fees(chain: Chain, params: Params) -> Any:
    """The lowest price of a compute unit that was paid in recent slots: none was ever needed."""
    if params.has(0):
        for value in params.items(0, _MAX_FEE_ACCOUNTS):
            as_pubkey(value)
    last = chain.slot_at(Commitment.CONFIRMED)
    blocks = chain.ledger.blocks_between(last - _FEE_SLOTS + 1, last)
    return [{"slot": block.slot, "prioritizationFee": 0} for block in blocks]


def get_health(chain: Chain, params: Params) -> Any:
    """`ok`, or how far this node is behind."""
    del params
    if chain.faults.lag_slots:
        raise node_unhealthy(chain.faults.lag_slots)
    return "ok"


def get_version(chain: Chain, params: Params) -> Any:
    """The release that the answers are modelled on."""
    del chain, params
    return {"solana-core": API_VERSION, "feature-set": _FEATURE_SET}


def get_identity(chain: Chain, params: Params) -> Any:
    """This node's key."""
    del params
    return {"identity": str(chain.identity)}


def get_genesis_hash(chain: Chain, params: Params) -> Any:
    """What the cluster is known by."""
    del params
    return str(chain.genesis_hash)


CLUSTER_METHODS: Final[Mapping[str, Method]] = {
    "getBlockHeight": Method(1, get_block_height),
    "getEpochInfo": Method(1, get_epoch_info),
    "getFeeForMessage": Method(2, get_fee_for_message),
    "getGenesisHash": Method(0, get_genesis_hash),
    "getHealth": Method(0, get_health),
    "getIdentity": Method(0, get_identity),
    "getLatestBlockhash": Method(1, get_latest_blockhash),
    "getRecentPrioritizationFees": Method(1, get_recent_prioritization_fees),
    "getSlot": Method(1, get_slot),
    "getTransactionCount": Method(1, get_transaction_count),
    "getVersion": Method(0, get_version),
    "isBlockhashValid": Method(2, is_blockhash_valid),
}
