"""Headers, commits and the hashes that chain blocks, as CometBFT makes them.

Its job: a block's parts to the bytes that are hashed and signed. It decides nothing and keeps nothing.

Source: types/{block,encoding_helper,canonical,part_set,validator_set}.go and
proto/tendermint/{types,version,crypto} of CometBFT 0.38; 0.34 hashes alike.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from relayer.cosmos.base import Timestamp
from relayer.cosmos.protobuf import Message, blob, blobs, i64, many, one, text, u32, u64, write_varint
from relayer.devnet.cosmwasm.merkle import merkle_root

BLOCK_PROTOCOL: Final = 11
COMMIT_FLAG: Final = 2
"""`BLOCK_ID_FLAG_COMMIT`: the validator signed this block."""

_PART_BYTES: Final = 65_536
_PRECOMMIT: Final = 2
_NANOSECONDS: Final = 10**9


@dataclass(frozen=True, slots=True)
class PartSetHeader(Message):
    """`PartSetHeader`: in how many parts a block travels, and their root."""

    total: int = u32(1)
    hash: bytes = blob(2)


@dataclass(frozen=True, slots=True)
class BlockId(Message):
    """`BlockID`."""

    hash: bytes = blob(1)
    parts: PartSetHeader | None = one(2, PartSetHeader)


NO_BLOCK: Final = BlockId(b"", PartSetHeader())
"""What the first block says of its parent."""


@dataclass(frozen=True, slots=True)
class Version(Message):
    """`Consensus`: the protocols of block and application."""

    block: int = u64(1)
    app: int = u64(2)


@dataclass(frozen=True, slots=True)
class CommitSig(Message):
    """`CommitSig`: one validator's part of a commit."""

    flag: int = u32(1)
    validator_address: bytes = blob(2)
    timestamp: Timestamp | None = one(3, Timestamp)
    signature: bytes = blob(4)


@dataclass(frozen=True, slots=True)
class Commit(Message):
    """`Commit`: that a block is final."""

    height: int = i64(1)
    round: int = u32(2)
    block_id: BlockId | None = one(3, BlockId)
    signatures: tuple[CommitSig, ...] = many(4, CommitSig)

    def root(self) -> bytes:
        """What the next header holds of it."""
        return merkle_root([signature.encode() for signature in self.signatures])


NO_COMMIT: Final = Commit(0, 0, NO_BLOCK)


@dataclass(frozen=True, slots=True)
class _TextValue(Message):
    value: str = text(1)


@dataclass(frozen=True, slots=True)
class _NumberValue(Message):
    value: int = i64(1)


@dataclass(frozen=True, slots=True)
class _BytesValue(Message):
    value: bytes = blob(1)


@dataclass(frozen=True, slots=True)
class HeaderFields(Message):
    """`Header`, as it travels."""

    version: Version | None = one(1, Version)
    chain_id: str = text(2)
    height: int = i64(3)
    time: Timestamp | None = one(4, Timestamp)
    last_block_id: BlockId | None = one(5, BlockId)
    last_commit_hash: bytes = blob(6)
    data_hash: bytes = blob(7)
    validators_hash: bytes = blob(8)
    next_validators_hash: bytes = blob(9)
    consensus_hash: bytes = blob(10)
    app_hash: bytes = blob(11)
    last_results_hash: bytes = blob(12)
    evidence_hash: bytes = blob(13)
    proposer_address: bytes = blob(14)

    def root(self) -> bytes:
        """The block's hash: 32 bytes, the root over these fields."""
        plain = (
            self.last_commit_hash,
            self.data_hash,
            self.validators_hash,
            self.next_validators_hash,
            self.consensus_hash,
            self.app_hash,
            self.last_results_hash,
            self.evidence_hash,
            self.proposer_address,
        )
        nested = (self.time, self.last_block_id)
        return merkle_root(
            [
                b"" if self.version is None else self.version.encode(),
                _TextValue(self.chain_id).encode(),
                _NumberValue(self.height).encode(),
                *(b"" if part is None else part.encode() for part in nested),
                *(_BytesValue(value).encode() for value in plain),
            ]
        )


@dataclass(frozen=True, slots=True)
class _Data(Message):
    txs: tuple[bytes, ...] = blobs(1)


@dataclass(frozen=True, slots=True)
class _EvidenceList(Message):
    pass


@dataclass(frozen=True, slots=True)
class _BlockProto(Message):
    header: HeaderFields | None = one(1, HeaderFields)
    data: _Data | None = one(2, _Data)
    evidence: _EvidenceList | None = one(3, _EvidenceList)
    last_commit: Commit | None = one(4, Commit)


@dataclass(frozen=True, slots=True)
class _HashedParams(Message):
    block_max_bytes: int = i64(1)
    block_max_gas: int = i64(2)


@dataclass(frozen=True, slots=True)
class _PublicKey(Message):
    ed25519: bytes = blob(1)


@dataclass(frozen=True, slots=True)
class _SimpleValidator(Message):
    pub_key: _PublicKey | None = one(1, _PublicKey)
    voting_power: int = i64(2)


@dataclass(frozen=True, slots=True)
class _VoteTail(Message):
    """The fields of `CanonicalVote` behind its two fixed numbers."""

    block_id: BlockId | None = one(4, BlockId)
    timestamp: Timestamp | None = one(5, Timestamp)
    chain_id: str = text(6)


@dataclass(frozen=True)
class Header:
    """A header. `time_ns` is in Unix nanoseconds; hashes are 32 bytes, the proposer's address 20."""

    chain_id: str
    height: int
    time_ns: int
    last_block_id: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    proposer_address: bytes

    @property
    def evidence_hash(self) -> bytes:
        """Of no evidence."""
        return merkle_root(())

    @cached_property
    def hash(self) -> bytes:
        """The block's hash: 32 bytes."""
        return self._fields().root()

    def _fields(self) -> HeaderFields:
        return HeaderFields(
            Version(BLOCK_PROTOCOL),
            self.chain_id,
            self.height,
            timestamp_of(self.time_ns),
            self.last_block_id,
            self.last_commit_hash,
            self.data_hash,
            self.validators_hash,
            self.validators_hash,
            self.consensus_hash,
            self.app_hash,
            self.last_results_hash,
            self.evidence_hash,
            self.proposer_address,
        )

    def block_bytes(self, txs: Sequence[bytes], last_commit: Commit) -> bytes:
        """The block as it travels."""
        return _BlockProto(self._fields(), _Data(tuple(txs)), _EvidenceList(), last_commit).encode()


def timestamp_of(time_ns: int) -> Timestamp:
    """A moment of Unix nanoseconds."""
    return Timestamp(time_ns // _NANOSECONDS, time_ns % _NANOSECONDS)


def block_id_of(header: Header, block_bytes: bytes) -> BlockId:
    """What commits and children name a block by."""
    parts = [block_bytes[at : at + _PART_BYTES] for at in range(0, len(block_bytes), _PART_BYTES)]
    return BlockId(header.hash, PartSetHeader(len(parts), merkle_root(parts)))


def data_root(txs: Sequence[bytes]) -> bytes:
    """What a header holds of its transactions."""
    return merkle_root([hashlib.sha256(tx).digest() for tx in txs])


def params_hash(max_bytes: int, max_gas: int) -> bytes:
    """What a header holds of the consensus parameters."""
    return hashlib.sha256(_HashedParams(max_bytes, max_gas).encode()).digest()


def validators_root(public_key: bytes, voting_power: int) -> bytes:
    """What a header holds of a set of one validator, its ed25519 key of 32 bytes."""
    return merkle_root([_SimpleValidator(_PublicKey(public_key), voting_power).encode()])


def vote_bytes(chain_id: str, height: int, block_id: BlockId, time_ns: int) -> bytes:
    """What a validator signs to commit a block in round 0."""
    tail = _VoteTail(block_id, timestamp_of(time_ns), chain_id).encode()
    # Field 1 is the type; field 2, the height, is of a fixed eight bytes; field 3, the round, is zero and left out.
    vote = bytes([0x08, _PRECOMMIT, 0x11]) + struct.pack("<q", height) + tail
    return write_varint(len(vote)) + vote
