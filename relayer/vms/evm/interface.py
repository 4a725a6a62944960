"""The names by which our contracts are called and heard on an EVM chain.

Its job: function selectors and event topics, from their signatures. The committed ABIs must say the same; a test
compares. It encodes and decodes nothing.

Source: contracts/evm/src/interfaces.
"""

from __future__ import annotations

from typing import Final

from attestation.keccak import keccak256

_REQUEST_HEAD: Final = "bytes,bytes,bytes,bytes,uint64,uint8,bool"
_REQUEST_TAIL: Final = "uint64,uint64,uint32,uint64,uint256,uint256,bytes32,uint32,bytes"
_REQUEST: Final = f"({_REQUEST_HEAD},bytes,{_REQUEST_TAIL})"
_REQUEST_BY_HASH: Final = f"({_REQUEST_HEAD},bytes32,{_REQUEST_TAIL})"
_PLACE: Final = "uint64,bytes32,uint32,uint32"
_OUTCOME_ITEM: Final = "(uint256,uint8,bool,uint64,bytes32,uint32,uint32,bytes32,uint32,bytes)"
_SIGNER_SET: Final = "(uint8,uint64,uint64,uint64,(bytes,uint64,bytes32)[])"


def _batches(item: str) -> str:
    return f"(uint256,bytes32[],{item}[],bytes)[]"


EXECUTE: Final = f"execute({_batches(f'({_REQUEST},{_PLACE})')},bytes32)"
EXPIRE: Final = f"expire({_batches(f'({_REQUEST_BY_HASH},{_PLACE})')},bytes32)"
DELIVER: Final = f"deliver({_batches(_OUTCOME_ITEM)})"
CONSUMED: Final = "consumed(uint256)"
PENDING_REQUEST: Final = "pendingRequest(uint256)"
VERIFIER: Final = "verifier()"
CURRENT_EPOCH: Final = "currentEpoch()"
SIGNER_SET: Final = "signerSet(uint64)"
ROTATE: Final = f"rotate({_SIGNER_SET},bytes)"

UNKNOWN_EPOCH: Final = "UnknownEpoch(uint64)"

CALL_REQUESTED: Final = f"XVMCallRequested(uint256,address,bytes32,{_REQUEST},uint256,uint64)"
FEE_ADDED: Final = "XVMFeeAdded(uint256,uint256,uint256)"
CALLBACK_DELIVERED: Final = "XVMCallbackDelivered(uint256,uint8,bool,bytes32,address)"
HANDLER_FAILED: Final = "XVMHandlerFailed(uint256,uint8,bool,bytes32,address)"
CANCELLED: Final = "XVMCancelled(uint256,uint256)"
CANCELLED_CONCLUDED: Final = "XVMCancelledConcluded(uint256,uint8,address)"
RECLAIMED: Final = "XVMReclaimed(uint256,uint256)"
OUTCOME_SKIPPED: Final = "XVMOutcomeSkipped(uint256)"
CALL_CONCLUDED: Final = "XVMCallConcluded(uint256,bytes32,bytes,uint8,bool,bytes,bytes32)"
CALL_SKIPPED: Final = "XVMCallSkipped(uint256,bytes4)"
EPOCH_APPLIED: Final = f"XVMEpochApplied(uint64,bytes32,uint64,{_SIGNER_SET})"

FUNCTIONS: Final = (EXECUTE, EXPIRE, DELIVER, CONSUMED, PENDING_REQUEST, VERIFIER, CURRENT_EPOCH, SIGNER_SET, ROTATE)
ERRORS: Final = (UNKNOWN_EPOCH,)
EVENTS: Final = (
    CALL_REQUESTED,
    FEE_ADDED,
    CALLBACK_DELIVERED,
    HANDLER_FAILED,
    CANCELLED,
    CANCELLED_CONCLUDED,
    RECLAIMED,
    OUTCOME_SKIPPED,
    CALL_CONCLUDED,
    CALL_SKIPPED,
    EPOCH_APPLIED,
)

SELECTOR_LENGTH: Final = 4


def selector(signature: str) -> bytes:
    """The 4 bytes that name a function or an error in calldata or revert data."""
    return keccak256(signature.encode("ascii"))[:SELECTOR_LENGTH]


def topic(signature: str) -> bytes:
    """The 32 bytes that name an event."""
    return keccak256(signature.encode("ascii"))
