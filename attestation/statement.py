"""What signers sign about: the four kinds of statement, their hashes, leaves and guard keys. It signs nothing.

A leaf is `keccak256(hashStruct(statement))`: hashed twice, so that no leaf can be passed off as an inner node.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import ClassVar, Final, assert_never

from attestation.errors import MalformedStatement
from attestation.keccak import keccak256
from attestation.request import RequestId
from attestation.words import (
    MAXIMUM_UINT32,
    MAXIMUM_UINT64,
    UINT32_BITS,
    UINT64_BITS,
    WORD_LENGTH,
    require_uint,
    require_word,
)

EXECUTE_TYPE: Final = "Execute(uint256 requestId,uint64 height,bytes32 blockHash,uint32 txIndex,uint32 logIndex)"
OUTCOME_TYPE: Final = (
    "Outcome(uint256 requestId,uint8 kind,bool cut,bytes32 returnDataHash,uint64 height,bytes32 blockHash,"
    "uint32 txIndex,uint32 logIndex,bytes32 payee,uint32 round)"
)
ROTATE_TYPE: Final = "Rotate(bytes32 signerSetHash,uint64 newEpoch)"
PRICES_TYPE: Final = "Prices(bytes32 tableHash,uint64 sequence,uint64 validUntil)"

EMPTY_DATA_HASH: Final = keccak256(b"")
"""`return_data_hash` of an outcome without data."""

_REMEMBERED_LEAVES: Final = 8192
"""Leaves kept: a statement is met as it is born, when it is signed and in peers' batches. 4 MB; some seconds' worth."""

_EXECUTE_ENCODING: Final = struct.Struct(">32s32s24xQ32s28xI28xI")
_OUTCOME_ENCODING: Final = struct.Struct(">32s32s31xB31xB32s24xQ32s28xI28xI32s28xI")
_ROTATE_ENCODING: Final = struct.Struct(">32s32s24xQ")
_PRICES_ENCODING: Final = struct.Struct(">32s32s24xQ24xQ")


@lru_cache(_REMEMBERED_LEAVES)
def _leaf_of(encoded: bytes) -> bytes:
    """The leaf of an encoded statement."""
    return keccak256(keccak256(encoded))


class OutcomeKind(IntEnum):
    """What became of a request."""

    EXECUTED = 0
    REVERTED = 1
    UNREACHED = 2
    EXPIRED = 3
    DUPLICATE = 4


class StatementKind(IntEnum):
    """The tag of a statement in guard keys and in the binary form. Append-only: databases hold it."""

    EXECUTE = 1
    OUTCOME = 2
    ROTATE = 3
    PRICES = 4


@dataclass(frozen=True, slots=True)
class Execute:
    """This request is final on its source, here.

    `height` is the source chain's own; `tx_index` counts in the block, `log_index` within the transaction's receipt.
    """

    TYPE_HASH: ClassVar[bytes] = keccak256(EXECUTE_TYPE.encode("ascii"))

    request_id: RequestId
    height: int
    block_hash: bytes
    tx_index: int
    log_index: int

    def __post_init__(self) -> None:
        # All at once for the sound, of which there are thousands a second; one by one to name the fault.
        if not (
            len(self.request_id) == WORD_LENGTH
            and 0 <= self.height <= MAXIMUM_UINT64
            and len(self.block_hash) == WORD_LENGTH
            and 0 <= self.tx_index <= MAXIMUM_UINT32
            and 0 <= self.log_index <= MAXIMUM_UINT32
        ):
            self._require_fields()

    def _require_fields(self) -> None:
        require_word(MalformedStatement, "request_id", self.request_id)
        _require_location(self)

    @property
    def struct_hash(self) -> bytes:
        """EIP-712 `hashStruct`, 32 bytes."""
        return keccak256(self._encoded())

    @property
    def leaf(self) -> bytes:
        """The 32-byte leaf in a batch's tree."""
        return _leaf_of(self._encoded())

    def _encoded(self) -> bytes:
        return _EXECUTE_ENCODING.pack(
            self.TYPE_HASH, self.request_id, self.height, self.block_hash, self.tx_index, self.log_index
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """This became of a request, here. Fields that do not apply are zero, empty data hashes as `EMPTY_DATA_HASH`.

    `cut` says that the data was cut to the request's return limit before hashing. `payee` is 32 bytes in the source
    chain's own form. `round` counts where a chain has no historical reads, else it is 0.
    """

    TYPE_HASH: ClassVar[bytes] = keccak256(OUTCOME_TYPE.encode("ascii"))

    request_id: RequestId
    kind: OutcomeKind
    cut: bool
    return_data_hash: bytes
    height: int
    block_hash: bytes
    tx_index: int
    log_index: int
    payee: bytes
    round: int

    def __post_init__(self) -> None:
        # As above.
        if not (
            len(self.request_id) == WORD_LENGTH
            and type(self.kind) is OutcomeKind
            and len(self.return_data_hash) == WORD_LENGTH
            and 0 <= self.height <= MAXIMUM_UINT64
            and len(self.block_hash) == WORD_LENGTH
            and 0 <= self.tx_index <= MAXIMUM_UINT32
            and 0 <= self.log_index <= MAXIMUM_UINT32
            and len(self.payee) == WORD_LENGTH
            and 0 <= self.round <= MAXIMUM_UINT32
        ):
            self._require_fields()

    def _require_fields(self) -> None:
        require_word(MalformedStatement, "request_id", self.request_id)
        if not 0 <= self.kind <= OutcomeKind.DUPLICATE:
            raise MalformedStatement("kind", f"{self.kind} is unknown")
        require_word(MalformedStatement, "return_data_hash", self.return_data_hash)
        _require_location(self)
        require_word(MalformedStatement, "payee", self.payee)
        require_uint(MalformedStatement, "round", self.round, UINT32_BITS)

    @property
    def struct_hash(self) -> bytes:
        """EIP-712 `hashStruct`, 32 bytes."""
        return keccak256(self._encoded())

    @property
    def leaf(self) -> bytes:
        """The 32-byte leaf in a batch's tree."""
        return _leaf_of(self._encoded())

    def _encoded(self) -> bytes:
        return _OUTCOME_ENCODING.pack(
            self.TYPE_HASH,
            self.request_id,
            self.kind,
            self.cut,
            self.return_data_hash,
            self.height,
            self.block_hash,
            self.tx_index,
            self.log_index,
            self.payee,
            self.round,
        )


@dataclass(frozen=True, slots=True)
class Rotate:
    """The set with this hash is the gateway's from epoch `new_epoch` on. Signed by epoch `new_epoch - 1`."""

    TYPE_HASH: ClassVar[bytes] = keccak256(ROTATE_TYPE.encode("ascii"))

    signer_set_hash: bytes
    new_epoch: int

    def __post_init__(self) -> None:
        require_word(MalformedStatement, "signer_set_hash", self.signer_set_hash)
        require_uint(MalformedStatement, "new_epoch", self.new_epoch, UINT64_BITS)

    @property
    def struct_hash(self) -> bytes:
        """EIP-712 `hashStruct`, 32 bytes."""
        return keccak256(_ROTATE_ENCODING.pack(self.TYPE_HASH, self.signer_set_hash, self.new_epoch))

    @property
    def leaf(self) -> bytes:
        """The 32-byte leaf in a batch's tree."""
        return keccak256(self.struct_hash)


@dataclass(frozen=True, slots=True)
class Prices:
    """The price table with this hash stands until `valid_until` (seconds). `sequence` strictly rises per gateway."""

    TYPE_HASH: ClassVar[bytes] = keccak256(PRICES_TYPE.encode("ascii"))

    table_hash: bytes
    sequence: int
    valid_until: int

    def __post_init__(self) -> None:
        require_word(MalformedStatement, "table_hash", self.table_hash)
        require_uint(MalformedStatement, "sequence", self.sequence, UINT64_BITS)
        require_uint(MalformedStatement, "valid_until", self.valid_until, UINT64_BITS)

    @property
    def struct_hash(self) -> bytes:
        """EIP-712 `hashStruct`, 32 bytes."""
        return keccak256(_PRICES_ENCODING.pack(self.TYPE_HASH, self.table_hash, self.sequence, self.valid_until))

    @property
    def leaf(self) -> bytes:
        """The 32-byte leaf in a batch's tree."""
        return keccak256(self.struct_hash)


Statement = Execute | Outcome | Rotate | Prices


def guard_key(statement: Statement, gateway: bytes) -> bytes:
    """The key under which a signer may ever sign one leaf, across all epochs and batches.

    `gateway` is the ERC-7930 bytes of the verifying gateway; `Rotate` and `Prices` are numbered per gateway. The ids of
    the other two commit to theirs, so their keys do not depend on it. Layout: tag 1 byte, then

    - `Execute`: request id 32 bytes;
    - `Outcome`: request id 32, round 4, big-endian; the kind is not part of it;
    - `Rotate`: keccak256(gateway) 32, new epoch 8;
    - `Prices`: keccak256(gateway) 32, sequence 8.

    SECURITY: two signed leaves under one key are what `EQUIVOCATION` convicts. The guard stores these bytes.
    """
    match statement:
        case Execute():
            return bytes((StatementKind.EXECUTE,)) + statement.request_id
        case Outcome():
            return bytes((StatementKind.OUTCOME,)) + statement.request_id + statement.round.to_bytes(4, "big")
        case Rotate():
            return bytes((StatementKind.ROTATE,)) + keccak256(gateway) + statement.new_epoch.to_bytes(8, "big")
        case Prices():
            return bytes((StatementKind.PRICES,)) + keccak256(gateway) + statement.sequence.to_bytes(8, "big")
        case _:
            assert_never(statement)


def _require_location(statement: Execute | Outcome) -> None:
    require_uint(MalformedStatement, "height", statement.height, UINT64_BITS)
    require_word(MalformedStatement, "block_hash", statement.block_hash)
    require_uint(MalformedStatement, "tx_index", statement.tx_index, UINT32_BITS)
    require_uint(MalformedStatement, "log_index", statement.log_index, UINT32_BITS)
