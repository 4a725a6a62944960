"""The binary form in which relayers serve leaves to one another and store batches. It hashes nothing.

version 1 byte (= 1) ‖ count uint16 ‖ the statements in batch order: kind tag 1 byte (`StatementKind`), then the fields
of its EIP-712 type in order, each in its natural width, big-endian. There is one encoding of a list and no other.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, assert_never

from attestation.errors import EmptyBatch, MalformedStatements, OversizeBatch
from attestation.merkle import MAXIMUM_BATCH_COUNT
from attestation.request import RequestId
from attestation.statement import Execute, Outcome, OutcomeKind, Prices, Rotate, Statement, StatementKind

_VERSION: Final = 1
_HEADER: Final = struct.Struct(">BH")
_EXECUTE: Final = struct.Struct(">B32sQ32sII")
_OUTCOME: Final = struct.Struct(">B32sBB32sQ32sII32sI")
_ROTATE: Final = struct.Struct(">B32sQ")
_PRICES: Final = struct.Struct(">B32sQQ")

MAXIMUM_ENCODED_LENGTH: Final = _HEADER.size + MAXIMUM_BATCH_COUNT * _OUTCOME.size
"""Bytes of the longest list, 256 outcomes: what a reader from the network need accept at most."""


def encode_statements(statements: Sequence[Statement]) -> bytes:
    """The binary form of 1 to 256 statements. Raises `EmptyBatch`, `OversizeBatch`."""
    if not statements:
        raise EmptyBatch
    if len(statements) > MAXIMUM_BATCH_COUNT:
        raise OversizeBatch(len(statements))
    return b"".join((_HEADER.pack(_VERSION, len(statements)), *map(_encode, statements)))


def parse_statements(data: bytes) -> tuple[Statement, ...]:
    """Parse what `encode_statements` gives, and nothing else.

    Raises `EmptyBatch`, `OversizeBatch`, or `MalformedStatements`: cut, trailing bytes, unknown version, tag, flag.
    """
    if len(data) < _HEADER.size:
        raise MalformedStatements("the header is cut")
    version, count = _HEADER.unpack_from(data)
    if version != _VERSION:
        raise MalformedStatements(f"version {version} is unknown")
    if not count:
        raise EmptyBatch
    if count > MAXIMUM_BATCH_COUNT:
        raise OversizeBatch(count)
    statements: list[Statement] = []
    offset = _HEADER.size
    for _ in range(count):
        statement, offset = _parse(data, offset)
        statements.append(statement)
    if offset != len(data):
        raise MalformedStatements("bytes follow the last statement")
    return tuple(statements)


def _encode(statement: Statement) -> bytes:
    match statement:
        case Execute(request_id, height, block_hash, tx_index, log_index):
            return _EXECUTE.pack(StatementKind.EXECUTE, request_id, height, block_hash, tx_index, log_index)
        case Outcome():
            return _OUTCOME.pack(
                StatementKind.OUTCOME,
                statement.request_id,
                statement.kind,
                statement.cut,
                statement.return_data_hash,
                statement.height,
                statement.block_hash,
                statement.tx_index,
                statement.log_index,
                statement.payee,
                statement.round,
            )
        case Rotate(signer_set_hash, new_epoch):
            return _ROTATE.pack(StatementKind.ROTATE, signer_set_hash, new_epoch)
        case Prices(table_hash, sequence, valid_until):
            return _PRICES.pack(StatementKind.PRICES, table_hash, sequence, valid_until)
        case _:
            assert_never(statement)


def _parse(data: bytes, offset: int) -> tuple[Statement, int]:
    form = _FORMS.get(data[offset]) if offset < len(data) else None
    if form is None:
        raise MalformedStatements("a statement is cut, or its kind is unknown")
    layout, statement_of = form
    end = offset + layout.size
    if end > len(data):
        raise MalformedStatements("a statement is cut")
    _, *fields = layout.unpack_from(data, offset)
    return statement_of(*fields), end


def _parse_outcome(request_id: RequestId, kind: int, cut: int, *rest: Any) -> Outcome:
    if kind not in _OUTCOME_KINDS:
        raise MalformedStatements(f"outcome kind {kind} is unknown")
    # SECURITY: a flag of 2 would read as true and have two encodings for one leaf.
    if cut not in (0, 1):
        raise MalformedStatements(f"{cut} is not a flag")
    return Outcome(request_id, _OUTCOME_KINDS[kind], cut == 1, *rest)


_OUTCOME_KINDS: Final = {int(kind): kind for kind in OutcomeKind}
_FORMS: Final[Mapping[int, tuple[struct.Struct, Callable[..., Statement]]]] = {
    StatementKind.EXECUTE: (_EXECUTE, Execute),
    StatementKind.OUTCOME: (_OUTCOME, _parse_outcome),
    StatementKind.ROTATE: (_ROTATE, Rotate),
    StatementKind.PRICES: (_PRICES, Prices),
}
