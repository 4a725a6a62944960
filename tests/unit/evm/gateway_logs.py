"""Logs of a gateway and its verifier as the contracts write them, encoded by eth_abi: the tests' oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Request, request_id, route_of
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import OutcomeKind
from relayer.vms.evm import interface
from relayer.vms.evm.logs import Log
from tests.factories import make_request

CHAIN_ID = 31337
GATEWAY = b"\x51" * 20
VERIFIER = b"\x7e" * 20
REQUEST_TYPE = (
    "(bytes,bytes,bytes,bytes,uint64,uint8,bool,bytes,uint64,uint64,uint32,uint64,uint256,uint256,bytes32,uint32,bytes)"
)
SIGNER_SET_TYPE = "(uint8,uint64,uint64,uint64,(bytes,uint64,bytes32)[])"
SENDER = b"\x5e" * 20


def request_tuple(request: Request) -> tuple[Any, ...]:
    return (
        request.source_gateway,
        request.sender,
        request.destination_gateway,
        request.target,
        request.nonce,
        int(request.mode),
        request.own_account,
        request.payload,
        request.execution_gas_limit,
        request.callback_gas_limit,
        request.return_limit,
        request.expiry,
        request.ordered_after,
        request.origin,
        request.code_hash,
        request.dispute_blocks,
        request.metadata,
    )


def signer_set_tuple(signer_set: SignerSet) -> tuple[Any, ...]:
    return (
        signer_set.scheme,
        signer_set.threshold,
        signer_set.valid_until,
        signer_set.grace_seconds,
        [(signer.key, signer.weight, signer.operator) for signer in signer_set.signers],
    )


def requested_data(request: Request, fee: int = 10**16, deadline: int = 1_000) -> bytes:
    """The data of `XVMCallRequested`."""
    return encode([REQUEST_TYPE, "uint256", "uint64"], [request_tuple(request), fee, deadline])


def requested_log(request: Request | None = None, fee: int = 10**16, deadline: int = 1_000, **changes: Any) -> Log:
    """`XVMCallRequested`; `changes` are fields of `Log`."""
    request = request or make_request()
    log = Log(
        GATEWAY,
        (
            interface.topic(interface.CALL_REQUESTED),
            request_id(request),
            bytes(12) + request.sender[-20:],
            keccak256(route_of(request)),
        ),
        requested_data(request, fee, deadline),
    )
    return log._replace(**changes)


def concluded_log(
    identifier: bytes,
    source_gateway: bytes = evm_account(1, GATEWAY).to_bytes(),
    kind: int = OutcomeKind.EXECUTED,
    *,
    cut: bool = False,
    return_data: bytes = b"\x2a",
    payee: bytes = bytes(12) + b"\xfe" * 20,
    emitter: bytes = GATEWAY,
) -> Log:
    """`XVMCallConcluded`."""
    topics = (interface.topic(interface.CALL_CONCLUDED), identifier, keccak256(source_gateway))
    types: Sequence[str] = ["bytes", "uint8", "bool", "bytes", "bytes32"]
    return Log(emitter, topics, encode(types, [source_gateway, kind, cut, return_data, payee]))


def fee_added_log(identifier: bytes, amount: int, fee: int) -> Log:
    """`XVMFeeAdded`."""
    return Log(GATEWAY, (interface.topic(interface.FEE_ADDED), identifier), encode(["uint256"] * 2, [amount, fee]))


def delivered_log(identifier: bytes, *, is_handler_failed: bool = False, kind: int = 0) -> Log:
    """`XVMCallbackDelivered` or `XVMHandlerFailed`."""
    name = interface.HANDLER_FAILED if is_handler_failed else interface.CALLBACK_DELIVERED
    data = encode(["uint8", "bool", "bytes32", "address"], [kind, True, bytes(32), b"\x01" * 20])
    return Log(GATEWAY, (interface.topic(name), identifier), data)


def cancelled_log(identifier: bytes, returned: int = 0) -> Log:
    """`XVMCancelled`."""
    return Log(GATEWAY, (interface.topic(interface.CANCELLED), identifier), encode(["uint256"], [returned]))


def cancelled_concluded_log(identifier: bytes, kind: int = 0) -> Log:
    """`XVMCancelledConcluded`."""
    data = encode(["uint8", "address"], [kind, b"\x01" * 20])
    return Log(GATEWAY, (interface.topic(interface.CANCELLED_CONCLUDED), identifier), data)


def reclaimed_log(identifier: bytes, returned: int = 0) -> Log:
    """`XVMReclaimed`."""
    return Log(GATEWAY, (interface.topic(interface.RECLAIMED), identifier), encode(["uint256"], [returned]))


def epoch_log(epoch: int, signer_set: SignerSet) -> Log:
    """`XVMEpochApplied`."""
    topics = (interface.topic(interface.EPOCH_APPLIED), epoch.to_bytes(32, "big"), signer_set_hash(signer_set))
    return Log(
        VERIFIER, topics, encode(["uint64", SIGNER_SET_TYPE], [signer_set.valid_until, signer_set_tuple(signer_set)])
    )


def foreign_log(data: bytes = b"") -> Log:
    """A log of somebody else."""
    return Log(b"\xab" * 20, (keccak256(b"Transfer"),), data)
