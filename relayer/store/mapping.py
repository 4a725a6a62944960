"""Rows from values, and values from rows. Exact both ways; it runs no statement.

A value's row is a tuple in the order of its table's columns, as the driver takes it: no layer below converts anything.
Row numbers that the database gives are not in it; those of a request are handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import RowMapping

from attestation.request import Mode, RequestId
from attestation.signer_set_file import NumberedSet
from attestation.statement import Execute, Outcome, Statement
from attestation.statement_codec import encode_statements, parse_statements
from attestation.words import WORD_LENGTH
from relayer.domain.batch import Batch, BatchKind
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.effects import EffectKind
from relayer.domain.halt import Halt
from relayer.domain.reorg import ChainCursor, SeenBlock
from relayer.domain.status import Status
from relayer.domain.tracked import Conclusion, TrackedRequest
from relayer.ports.destination_vm import Pin
from relayer.ports.signer import Attestation
from relayer.ports.store import (
    AcceptedSet,
    Attempt,
    Certificate,
    Change,
    EvidenceRow,
    FeeEntry,
    ForeignStatements,
    OutboxRow,
    OwnTransaction,
    PinnedAnswer,
    Receipt,
    StoredEpoch,
    TransactionPurpose,
    TransactionStatus,
    Transition,
)
from relayer.store.codec import decode_request, decode_signer_set, encode_signer_set
from relayer.store.columns import number_in, uint64_bytes, uint256_bytes
from relayer.store.places import destination_chain_of, source_chain_of
from relayer.store.waiting import SETTLED, awaited_by

Values = tuple[Any, ...]
"""One row to write."""

Loaded = RowMapping | Mapping[str, Any]
"""One row as read, by column name."""

STEP_COLUMNS: Final = ("status", "hold_reason", "is_execute_certified", "execute_tx_hash", "callback_tx_hash", "steps")
"""What most steps of a request change, in no index of what is open."""

WORK_COLUMNS: Final = ("execute_root", "outcome_root", "awaits", "is_open")
"""By what work is selected: in indexes, and changed a few times in a life."""

_WORK: Final = {
    status.value: tuple(
        ("" if (kind := awaited_by(status, mode)) is None else kind.value, int(status not in SETTLED))
        for mode in sorted(Mode)
    )
    for status in Status
}
"""What `awaits` and `is_open` are for a request of this status, by mode."""

TERM_COLUMNS: Final = (
    *("block_number", "block_hash", "tx_index", "log_index", "tx_hash"),
    *("source_timestamp", "fee", "deadline", "returned_fee"),
)
"""Where a request stands and what is offered: seldom changed, by a reorg or by whoever pays."""


# Requests


def request_values(tracked: TrackedRequest, row: int, steps: int) -> Values:
    """A request that is new here; the request itself is stored whole beside it."""
    request = tracked.request
    number, block_hash, tx_index, log_index, tx_hash, timestamp, fee, deadline, returned_fee = term_values(tracked)
    status, hold_reason, is_certified, execute_tx_hash, callback_tx_hash, _ = step_values(tracked, steps)
    execute_root, outcome_root, awaits, is_open = work_values(tracked)
    return (
        row,
        tracked.request_id,
        status,
        int(request.mode),
        source_chain_of(tracked),
        destination_chain_of(tracked),
        request.source_gateway,
        request.destination_gateway,
        request.sender,
        tracked.route,
        number,
        block_hash,
        tx_index,
        log_index,
        tx_hash,
        timestamp,
        fee,
        deadline,
        uint64_bytes(request.expiry),
        hold_reason,
        is_certified,
        execute_root,
        outcome_root,
        execute_tx_hash,
        callback_tx_hash,
        returned_fee,
        steps,
        awaits,
        is_open,
    )


def step_values(tracked: TrackedRequest, steps: int) -> Values:
    """`STEP_COLUMNS`, with how many transitions there are now."""
    return (
        text_of(tracked.status),
        tracked.hold_reason,
        tracked.is_execute_certified,
        tracked.execute_tx_hash,
        tracked.callback_tx_hash,
        steps,
    )


def work_values(tracked: TrackedRequest) -> Values:
    """`WORK_COLUMNS`."""
    awaits, is_open = _WORK[tracked.status._value_][tracked.request.mode]
    return (tracked.execute_root, tracked.outcome_root, awaits, is_open)


def term_values(tracked: TrackedRequest) -> Values:
    """`TERM_COLUMNS`."""
    location = tracked.location
    returned = tracked.returned_fee
    return (
        uint64_bytes(location.block.number),
        location.block.hash,
        location.tx_index,
        location.log_index,
        location.tx_hash,
        uint64_bytes(tracked.source_timestamp),
        uint256_bytes(tracked.fee),
        uint64_bytes(tracked.deadline),
        None if returned is None else uint256_bytes(returned),
    )


def conclusion_values(conclusion: Conclusion) -> Values:
    """What became of a request: the last columns of conclusions, receipts and answers."""
    return (encode_statements((conclusion.outcome,)), conclusion.return_data, conclusion.tx_hash)


def to_tracked(row: Loaded) -> TrackedRequest:
    """From a row of requests with its body as `encoded`, and its conclusion as `conclusion_*`, None where unknown."""
    outcome, returned = row["conclusion_outcome"], row["returned_fee"]
    return TrackedRequest(
        request_id=RequestId(row["request_id"]),
        request=decode_request(row["encoded"]),
        route=row["route"],
        location=Location(
            BlockRef(number_in(row["block_number"]), row["block_hash"]),
            row["tx_index"],
            row["log_index"],
            row["tx_hash"],
        ),
        source_timestamp=number_in(row["source_timestamp"]),
        fee=number_in(row["fee"]),
        deadline=number_in(row["deadline"]),
        status=Status(row["status"]),
        hold_reason=row["hold_reason"],
        is_execute_certified=bool(row["is_execute_certified"]),
        conclusion=None
        if outcome is None
        else Conclusion(to_outcome(outcome), row["conclusion_return_data"], row["conclusion_tx_hash"]),
        execute_root=row["execute_root"],
        outcome_root=row["outcome_root"],
        execute_tx_hash=row["execute_tx_hash"],
        callback_tx_hash=row["callback_tx_hash"],
        returned_fee=None if returned is None else number_in(returned),
    )


def transition_values(row: int, step: int, before: Status | None, change: Change) -> Values:
    """A change as the step with this number of the request with this row number."""
    request = change.request
    return (
        row,
        step,
        None if before is None else text_of(before),
        text_of(request.status),
        change.cause,
        request.hold_reason,
        change.at,
    )


def to_transition(row: Loaded, request_id: RequestId) -> Transition:
    """From a row of transitions."""
    before = row["before"]
    return Transition(
        request_id,
        None if before is None else Status(before),
        Status(row["after"]),
        row["cause"],
        row["reason"],
        row["at"],
    )


def fee_values(entry: FeeEntry) -> Values:
    """One movement of money."""
    return (entry.request_id, entry.chain, entry.kind, uint256_bytes(entry.amount), entry.tx_hash, entry.at)


def to_fee(row: Loaded) -> FeeEntry:
    """From a row of fee entries."""
    amount = number_in(row["amount"])
    return FeeEntry(RequestId(row["request_id"]), row["chain"], row["kind"], amount, row["tx_hash"], row["at"])


# Results


def receipt_values(receipt: Receipt) -> Values:
    """A destination gateway's receipt."""
    outcome, return_data, tx_hash = conclusion_values(receipt.conclusion)
    block_hash = receipt.conclusion.outcome.block_hash
    return (receipt.request_id, receipt.chain, block_hash, outcome, return_data, tx_hash, receipt.outcome_root)


def to_receipt(row: Loaded) -> Receipt:
    """From a row of receipts."""
    return Receipt(RequestId(row["request_id"]), row["chain"], _to_conclusion(row), row["outcome_root"])


def answer_values(answer: PinnedAnswer) -> Values:
    """The answer to a QUERY."""
    pin = answer.pin
    return (
        answer.request_id,
        answer.chain,
        uint64_bytes(pin.block.number),
        pin.block.hash,
        uint64_bytes(pin.child.number),
        pin.child.hash,
        *conclusion_values(answer.conclusion),
    )


def to_answer(row: Loaded) -> PinnedAnswer:
    """From a row of answers."""
    block = BlockRef(number_in(row["pin_number"]), row["pin_hash"])
    pin = Pin(block, BlockRef(number_in(row["child_number"]), row["child_hash"]))
    return PinnedAnswer(RequestId(row["request_id"]), row["chain"], pin, _to_conclusion(row))


def batch_values(batch: Batch) -> Values:
    """A batch with its statements."""
    return (
        batch.root,
        text_of(batch.kind),
        batch.route,
        batch.verifying_gateway,
        batch.verifying_chain,
        uint64_bytes(batch.first_height),
        encode_statements(batch.statements),
    )


def to_batch(row: Loaded) -> Batch:
    """From a row of batches."""
    return Batch(
        kind=BatchKind(row["kind"]),
        root=row["root"],
        route=row["route"],
        verifying_gateway=row["verifying_gateway"],
        verifying_chain=row["verifying_chain"],
        first_height=number_in(row["first_height"]),
        statements=parse_statements(row["statements"]),
    )


def attestation_values(attestation: Attestation) -> Values:
    """One signature."""
    return (
        attestation.root,
        attestation.gateway,
        attestation.count,
        uint64_bytes(attestation.epoch),
        attestation.signer,
        attestation.signature,
    )


def to_attestation(row: Loaded) -> Attestation:
    """From a row of attestations."""
    epoch = number_in(row["epoch"])
    return Attestation(row["gateway"], row["root"], row["count"], epoch, row["signer"], row["signature"])


def certificate_values(certificate: Certificate) -> Values:
    """A quorum's certificate."""
    epoch = uint64_bytes(certificate.epoch)
    return (certificate.root, certificate.gateway, epoch, certificate.encoded, certificate.at)


def to_certificate(row: Loaded) -> Certificate:
    """From a row of certificates."""
    return Certificate(row["root"], row["gateway"], number_in(row["epoch"]), row["encoded"], row["at"])


# Work


def outbox_values(row: OutboxRow) -> Values:
    """An effect to perform."""
    return (text_of(row.kind), row.subject, row.chain, row.due_at, row.attempts)


def to_outbox_row(row: Loaded) -> OutboxRow:
    """From a row of the outbox."""
    return OutboxRow(EffectKind(row["kind"]), row["subject"], row["chain"], row["due_at"], row["attempts"])


def transaction_values(transaction: OwnTransaction) -> Values:
    """One nonce of ours, without its attempts."""
    mined = transaction.mined
    return (
        transaction.chain,
        transaction.sender,
        uint64_bytes(transaction.nonce),
        text_of(transaction.purpose),
        text_of(transaction.status),
        transaction.to,
        transaction.data,
        uint64_bytes(transaction.gas_limit),
        uint256_bytes(transaction.value),
        b"".join(transaction.request_ids),
        transaction.created_at,
        None if mined is None else uint64_bytes(mined.number),
        None if mined is None else mined.hash,
        uint64_bytes(transaction.gas_used),
        uint256_bytes(transaction.cost),
    )


def to_transaction(row: Loaded, attempts: Iterable[Attempt]) -> OwnTransaction:
    """From a row of transactions, with its attempts, oldest first."""
    ids = row["request_ids"]
    number, block_hash = row["mined_number"], row["mined_hash"]
    return OwnTransaction(
        chain=row["chain"],
        sender=row["sender"],
        nonce=number_in(row["nonce"]),
        purpose=TransactionPurpose(row["purpose"]),
        status=TransactionStatus(row["status"]),
        to=row["to"],
        data=row["data"],
        gas_limit=number_in(row["gas_limit"]),
        value=number_in(row["value"]),
        request_ids=tuple(RequestId(ids[start : start + WORD_LENGTH]) for start in range(0, len(ids), WORD_LENGTH)),
        attempts=tuple(attempts),
        created_at=row["created_at"],
        mined=None if number is None else BlockRef(number_in(number), block_hash),
        gas_used=number_in(row["gas_used"]),
        cost=number_in(row["cost"]),
    )


def attempt_values(attempt: Attempt, transaction_row: int) -> Values:
    """One signed form of the transaction with this row number."""
    fees = uint256_bytes(attempt.max_fee), uint256_bytes(attempt.priority_fee)
    return (transaction_row, attempt.hash, attempt.raw, *fees, attempt.sent_at)


def to_attempt(row: Loaded) -> Attempt:
    """From a row of attempts."""
    fees = number_in(row["max_fee"]), number_in(row["priority_fee"])
    return Attempt(row["hash"], row["raw"], *fees, row["sent_at"])


# Chains, peers, evidence


def cursor_values(cursor: ChainCursor) -> Values:
    """How far a chain is final."""
    return (cursor.chain, uint64_bytes(cursor.final.number), cursor.final.hash)


def seen_block_values(chain: str, block: SeenBlock) -> Values:
    """A block that is not final."""
    number = uint64_bytes(block.ref.number)
    return (chain, number, block.ref.hash, block.parent_hash, uint64_bytes(block.timestamp))


def to_cursor(row: Loaded, seen: Iterable[Loaded]) -> ChainCursor:
    """From a row of cursors and its seen blocks, ascending."""
    return ChainCursor(
        row["chain"],
        BlockRef(number_in(row["final_number"]), row["final_hash"]),
        tuple(
            SeenBlock(
                BlockRef(number_in(block["number"]), block["hash"]), block["parent_hash"], number_in(block["timestamp"])
            )
            for block in seen
        ),
    )


def accepted_values(accepted: AcceptedSet) -> Values:
    """A row of accepted_sets."""
    epoch, signer_set = uint64_bytes(accepted.numbered.epoch), encode_signer_set(accepted.numbered.signer_set)
    return (epoch, accepted.predecessor, signer_set, accepted.at)


def to_accepted(row: Loaded) -> AcceptedSet:
    """From a row of accepted_sets."""
    numbered = NumberedSet(number_in(row["epoch"]), decode_signer_set(row["signer_set"]))
    return AcceptedSet(numbered, row["predecessor"], row["at"])


def epoch_values(epoch: StoredEpoch) -> Values:
    """A signer set of a gateway."""
    number, valid_until = uint64_bytes(epoch.epoch), uint64_bytes(epoch.valid_until)
    return (epoch.gateway, number, encode_signer_set(epoch.signer_set), valid_until)


def to_epoch(row: Loaded) -> StoredEpoch:
    """From a row of epochs."""
    signer_set, valid_until = decode_signer_set(row["signer_set"]), number_in(row["valid_until"])
    return StoredEpoch(row["gateway"], number_in(row["epoch"]), signer_set, valid_until)


def halt_values(halt: Halt) -> Values:
    """A time at which work on a chain stopped."""
    held = halt.held
    return (
        halt.chain,
        halt.code,
        halt.reason,
        None if held is None else uint64_bytes(held.number),
        None if held is None else held.hash,
        halt.found_hash,
        halt.at,
        halt.resumed_at,
    )


def to_halt(row: Loaded) -> Halt:
    """From a row of halts."""
    number, block_hash = row["held_number"], row["held_hash"]
    return Halt(
        chain=row["chain"],
        code=row["code"],
        reason=row["reason"],
        held=None if number is None else BlockRef(number_in(number), block_hash),
        found_hash=row["found_hash"],
        at=row["at"],
        resumed_at=row["resumed_at"],
    )


def foreign_values(foreign: ForeignStatements) -> Values:
    """What a peer signed under a foreign root."""
    return (foreign.root, foreign.signer, encode_statements(foreign.statements))


def to_foreign(row: Loaded) -> ForeignStatements:
    """From a row of foreign statements."""
    return ForeignStatements(row["root"], row["signer"], parse_statements(row["statements"]))


def ids_in(statements: Iterable[Statement]) -> frozenset[RequestId]:
    """The requests that these statements speak of."""
    return frozenset(statement.request_id for statement in statements if isinstance(statement, Execute | Outcome))


def evidence_values(row: EvidenceRow) -> Values:
    """Evidence against a signer."""
    return (row.offence, row.signer, row.guard_key, row.document, row.at)


def to_evidence(row: Loaded) -> EvidenceRow:
    """From a row of evidence."""
    return EvidenceRow(row["offence"], row["signer"], row["guard_key"], row["document"], row["at"])


def text_of(name: StrEnum) -> str:
    """The name as plain text: what is more than text, the driver looks at more closely, for each row."""
    text: str = name._value_
    return text


def _to_conclusion(row: Loaded) -> Conclusion:
    return Conclusion(to_outcome(row["outcome"]), row["return_data"], row["tx_hash"])


def to_outcome(data: bytes) -> Outcome:
    """From the binary form of one outcome."""
    (outcome,) = parse_statements(data)
    assert isinstance(outcome, Outcome)
    return outcome
