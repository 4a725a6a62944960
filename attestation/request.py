"""What a contract asks for: the request, its id, its route. It decides nothing about what happens to a request.

`Request` accepts whatever its EIP-712 types can hold and a mode that exists, because an id must be computable for any
event that a gateway emits. `validate_request` checks what the protocol asks beyond that.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NewType

from attestation.address import InteroperableAddress, parse_account, parse_interoperable_address
from attestation.errors import MalformedAddress, MalformedRequest
from attestation.keccak import keccak256, keccak256_of_repeated
from attestation.words import (
    MAXIMUM_UINT32,
    MAXIMUM_UINT64,
    MAXIMUM_UINT256,
    UINT32_BITS,
    UINT64_BITS,
    UINT256_BITS,
    WORD_LENGTH,
    require_uint,
    require_word,
)

RequestId = NewType("RequestId", bytes)
"""32 bytes, the big-endian uint256 that contracts call `requestId`."""

REQUEST_TYPE: Final = (
    "Request(bytes sourceGateway,bytes sender,bytes destinationGateway,bytes target,uint64 nonce,uint8 mode,"
    "bool ownAccount,bytes payload,uint64 executionGasLimit,uint64 callbackGasLimit,uint32 returnLimit,uint64 expiry,"
    "uint256 orderedAfter,uint256 origin,bytes32 codeHash,uint32 disputeBlocks,bytes metadata)"
)
"""EIP-712 type of a request."""

MAXIMUM_PAYLOAD_LENGTH: Final = 65_536
"""Bytes. The widest cap that a route may set: beyond it a transaction hardly fits a block of the narrower chains."""

MAXIMUM_METADATA_LENGTH: Final = 256
"""Bytes. Metadata is for integrators and costs every relayer: it is a label, not a payload."""

FIRST_ORDERED: Final = 1
"""`ordered_after` of the first ordered request of a sender on a route."""

_TYPE_HASH: Final = keccak256(REQUEST_TYPE.encode("ascii"))
# One word each: type hash, four hashes of addresses, nonce, mode, ownAccount, hash of the payload, both gas limits,
# returnLimit, expiry, then orderedAfter, origin and codeHash as they are, disputeBlocks, hash of the metadata.
_ENCODING: Final = struct.Struct(">32s32s32s32s32s24xQ31xB31xB32s24xQ24xQ28xI24xQ32s32s32s28xI32s")


class Mode(IntEnum):
    """What a request wants: a change of state through the destination gateway, or a read at one agreed block."""

    CALL = 0
    QUERY = 1


_MODES: Final = frozenset(Mode)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, field by field as the protocol and the contracts have it.

    The four addresses are ERC-7930 bytes; `destination_gateway` is empty for a `QUERY`. `expiry` is in seconds of the
    destination gateway's clock, `dispute_blocks` in source blocks, the gas limits in the unit of the chain that burns
    it, `return_limit` in bytes. `ordered_after` and `origin` are uint256 ids, `code_hash` is 32 bytes, zero if unused.

    Raises:
        MalformedRequest: a field does not fit its type; the error names the field.
    """

    source_gateway: bytes
    sender: bytes
    destination_gateway: bytes
    target: bytes
    nonce: int
    mode: Mode
    own_account: bool
    payload: bytes
    execution_gas_limit: int
    callback_gas_limit: int
    return_limit: int
    expiry: int
    ordered_after: int
    origin: int
    code_hash: bytes
    dispute_blocks: int
    metadata: bytes

    def __post_init__(self) -> None:
        # All at once for the sound, of which there are thousands a second; one by one to name the fault.
        if not (
            type(self.mode) is Mode
            and 0 <= self.nonce <= MAXIMUM_UINT64
            and 0 <= self.execution_gas_limit <= MAXIMUM_UINT64
            and 0 <= self.callback_gas_limit <= MAXIMUM_UINT64
            and 0 <= self.return_limit <= MAXIMUM_UINT32
            and 0 <= self.expiry <= MAXIMUM_UINT64
            and 0 <= self.ordered_after <= MAXIMUM_UINT256
            and 0 <= self.origin <= MAXIMUM_UINT256
            and len(self.code_hash) == WORD_LENGTH
            and 0 <= self.dispute_blocks <= MAXIMUM_UINT32
        ):
            self._require_fields()

    def _require_fields(self) -> None:
        require_uint(MalformedRequest, "nonce", self.nonce, UINT64_BITS)
        if self.mode not in _MODES:
            raise MalformedRequest("mode", f"{self.mode} is unknown")
        require_uint(MalformedRequest, "execution_gas_limit", self.execution_gas_limit, UINT64_BITS)
        require_uint(MalformedRequest, "callback_gas_limit", self.callback_gas_limit, UINT64_BITS)
        require_uint(MalformedRequest, "return_limit", self.return_limit, UINT32_BITS)
        require_uint(MalformedRequest, "expiry", self.expiry, UINT64_BITS)
        require_uint(MalformedRequest, "ordered_after", self.ordered_after, UINT256_BITS)
        require_uint(MalformedRequest, "origin", self.origin, UINT256_BITS)
        require_word(MalformedRequest, "code_hash", self.code_hash)
        require_uint(MalformedRequest, "dispute_blocks", self.dispute_blocks, UINT32_BITS)

    @property
    def predecessor(self) -> RequestId | None:
        """The ordered request that must be consumed before this one, or None."""
        return _reference(self.ordered_after) if self.ordered_after > FIRST_ORDERED else None

    @property
    def first_attempt(self) -> RequestId | None:
        """The id of the first attempt, of which this request is a retry, or None."""
        return _reference(self.origin) if self.origin else None


def struct_hash_of_request(request: Request) -> bytes:
    """EIP-712 `hashStruct(Request)`, 32 bytes."""
    return keccak256(encode_request_struct(request))


def encode_request_struct(request: Request) -> bytes:
    """EIP-712 `typeHash ‖ encodeData` of a request: 18 words, 576 bytes. The preimage of its id."""
    return _ENCODING.pack(
        _TYPE_HASH,
        keccak256_of_repeated(request.source_gateway),
        keccak256_of_repeated(request.sender),
        keccak256_of_repeated(request.destination_gateway),
        keccak256_of_repeated(request.target),
        request.nonce,
        request.mode,
        request.own_account,
        keccak256(request.payload),
        request.execution_gas_limit,
        request.callback_gas_limit,
        request.return_limit,
        request.expiry,
        request.ordered_after.to_bytes(WORD_LENGTH, "big"),
        request.origin.to_bytes(WORD_LENGTH, "big"),
        request.code_hash,
        request.dispute_blocks,
        keccak256_of_repeated(request.metadata),
    )


def request_id(request: Request) -> RequestId:
    """The id of a request: it commits to every field."""
    return RequestId(struct_hash_of_request(request))


def route_of(request: Request) -> bytes:
    """`sourceGateway ‖ destinationGateway`, or for a `QUERY` `sourceGateway ‖` the target's chain, all ERC-7930 bytes.

    Raises `MalformedAddress` if a query's target does not parse.
    """
    if request.mode == Mode.QUERY:
        return request.source_gateway + parse_interoperable_address(request.target).chain.to_bytes()
    return request.source_gateway + request.destination_gateway


def validate_request(request: Request) -> None:
    """Raise `MalformedRequest` unless the request can be served by the rules of version 1, whatever its route.

    A gateway emits no other; a request that fails here can never end (it is rejected, not retried).
    """
    source_gateway = _require_account("source_gateway", request.source_gateway)
    sender = _require_account("sender", request.sender)
    target = _require_account("target", request.target)
    if sender.chain != source_gateway.chain:
        raise MalformedRequest("sender", "is not on the source gateway's chain")
    if request.mode == Mode.QUERY:
        _require_query_rules(request)
    else:
        destination_gateway = _require_account("destination_gateway", request.destination_gateway)
        if target.chain != destination_gateway.chain:
            raise MalformedRequest("target", "is not on the destination gateway's chain")
    if len(request.payload) > MAXIMUM_PAYLOAD_LENGTH:
        raise MalformedRequest("payload", f"is longer than {MAXIMUM_PAYLOAD_LENGTH} bytes")
    if len(request.metadata) > MAXIMUM_METADATA_LENGTH:
        raise MalformedRequest("metadata", f"is longer than {MAXIMUM_METADATA_LENGTH} bytes")


def format_request_id(identifier: RequestId) -> str:
    """`0x` and 64 lower-case hex digits."""
    return f"0x{identifier.hex()}"


def parse_request_id(text: str) -> RequestId:
    """Parse `0x` and 64 hex digits of either case. Raises `MalformedRequest`."""
    digits = text[2:]
    if not text.startswith("0x") or len(digits) != 2 * WORD_LENGTH or not _HEX_DIGITS.issuperset(digits):
        raise MalformedRequest("request_id", "is not 0x and 64 hex digits")
    return RequestId(bytes.fromhex(digits))


_HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")


def _require_query_rules(request: Request) -> None:
    if request.destination_gateway:
        raise MalformedRequest("destination_gateway", "is not empty in a query")
    if request.expiry:
        raise MalformedRequest("expiry", "is not 0 in a query")


def _require_account(field: str, data: bytes) -> InteroperableAddress:
    try:
        return parse_account(data)
    except MalformedAddress as error:
        raise MalformedRequest(field, str(error)) from error


def _reference(number: int) -> RequestId:
    return RequestId(number.to_bytes(WORD_LENGTH, "big"))
