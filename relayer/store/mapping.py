"""Rows from values, and values from rows. Exact both ways; it runs no statement.

A value's row is a dictionary by column name, as executemany takes it. Row numbers are not in it: the database gives
them, and whoever writes adds those of the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import RowMapping

from attestation.request import RequestId
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
from relayer.store.places import destination_chain_of, source_chain_of

Values = dict[str, Any]
"""One row to write, by column name."""

Loaded = RowMapping | Mapping[str, Any]
"""One row as read, by column name."""

LOCATION_COLUMNS: Final = ("block_number", "block_hash", "tx_index", "log_index", "tx_hash")
"""Where a request stands. They are in indexes, and change only when a reorg moves the request."""


# Requests


def request_values(tracked: TrackedRequest) -> Values:
    """What never changes about a request, and is looked for; the request itself is stored whole beside it."""
    request = tracked.request
    return {
        "request_id": tracked.request_id,
        "mode": int(request.mode),
        "source_chain": source_chain_of(tracked),
        "destination_chain": destination_chain_of(tracked),
        "source_gateway": request.source_gateway,
        "destination_gateway": request.destination_gateway,
        "sender": request.sender,
        "route": tracked.route,
        "expiry": request.expiry,
    }


def location_values(location: Location) -> Values:
    """Where it stands."""
    return dict(zip(LOCATION_COLUMNS, location_key(location), strict=True))


def location_key(location: Location) -> tuple[int, bytes, int, int, bytes]:
    """The same as a tuple, in the order of `LOCATION_COLUMNS`."""
    return (location.block.number, location.block.hash, location.tx_index, location.log_index, location.tx_hash)


def progress_values(tracked: TrackedRequest) -> Values:
    """What every step may change."""
    return {
        "status": tracked.status.value,
        "source_timestamp": tracked.source_timestamp,
        "fee": tracked.fee,
        "deadline": tracked.deadline,
        "hold_reason": tracked.hold_reason,
        "is_execute_certified": tracked.is_execute_certified,
        "execute_root": tracked.execute_root,
        "outcome_root": tracked.outcome_root,
        "execute_tx_hash": tracked.execute_tx_hash,
        "callback_tx_hash": tracked.callback_tx_hash,
        "returned_fee": tracked.returned_fee,
    }


def conclusion_values(conclusion: Conclusion) -> Values:
    """What became of a request."""
    return {
        "outcome": encode_statements((conclusion.outcome,)),
        "return_data": conclusion.return_data,
        "tx_hash": conclusion.tx_hash,
    }


def to_tracked(row: Loaded) -> TrackedRequest:
    """From a row of requests with its body as `encoded`, and its conclusion as `conclusion_*`, None where unknown."""
    outcome = row["conclusion_outcome"]
    return TrackedRequest(
        request_id=RequestId(row["request_id"]),
        request=decode_request(row["encoded"]),
        route=row["route"],
        location=Location(
            BlockRef(row["block_number"], row["block_hash"]), row["tx_index"], row["log_index"], row["tx_hash"]
        ),
        source_timestamp=row["source_timestamp"],
        fee=row["fee"],
        deadline=row["deadline"],
        status=Status(row["status"]),
        hold_reason=row["hold_reason"],
        is_execute_certified=row["is_execute_certified"],
        conclusion=None
        if outcome is None
        else Conclusion(to_outcome(outcome), row["conclusion_return_data"], row["conclusion_tx_hash"]),
        execute_root=row["execute_root"],
        outcome_root=row["outcome_root"],
        execute_tx_hash=row["execute_tx_hash"],
        callback_tx_hash=row["callback_tx_hash"],
        returned_fee=row["returned_fee"],
    )


def transition_values(transition: Transition, request_row: int) -> Values:
    """One step of the request with this row number."""
    return {
        "request_row": request_row,
        "before": None if transition.before is None else transition.before.value,
        "after": transition.after.value,
        "cause": transition.cause,
        "reason": transition.reason,
        "at": transition.at,
    }


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
    return {
        "request_id": entry.request_id,
        "chain": entry.chain,
        "kind": entry.kind,
        "amount": entry.amount,
        "tx_hash": entry.tx_hash,
        "at": entry.at,
    }


def to_fee(row: Loaded) -> FeeEntry:
    """From a row of fee entries."""
    return FeeEntry(RequestId(row["request_id"]), row["chain"], row["kind"], row["amount"], row["tx_hash"], row["at"])


# Results


def receipt_values(receipt: Receipt) -> Values:
    """A destination gateway's receipt."""
    return {
        "request_id": receipt.request_id,
        "chain": receipt.chain,
        "block_hash": receipt.conclusion.outcome.block_hash,
        "outcome_root": receipt.outcome_root,
        **conclusion_values(receipt.conclusion),
    }


def to_receipt(row: Loaded) -> Receipt:
    """From a row of receipts."""
    return Receipt(RequestId(row["request_id"]), row["chain"], _to_conclusion(row), row["outcome_root"])


def answer_values(answer: PinnedAnswer) -> Values:
    """The answer to a QUERY."""
    return {
        "request_id": answer.request_id,
        "chain": answer.chain,
        "pin_number": answer.pin.block.number,
        "pin_hash": answer.pin.block.hash,
        "child_number": answer.pin.child.number,
        "child_hash": answer.pin.child.hash,
        **conclusion_values(answer.conclusion),
    }


def to_answer(row: Loaded) -> PinnedAnswer:
    """From a row of answers."""
    pin = Pin(BlockRef(row["pin_number"], row["pin_hash"]), BlockRef(row["child_number"], row["child_hash"]))
    return PinnedAnswer(RequestId(row["request_id"]), row["chain"], pin, _to_conclusion(row))


def batch_values(batch: Batch) -> Values:
    """A batch with its statements."""
    return {
        "root": batch.root,
        "kind": batch.kind.value,
        "route": batch.route,
        "verifying_gateway": batch.verifying_gateway,
        "verifying_chain": batch.verifying_chain,
        "first_height": batch.first_height,
        "statements": encode_statements(batch.statements),
    }


def to_batch(row: Loaded) -> Batch:
    """From a row of batches."""
    return Batch(
        kind=BatchKind(row["kind"]),
        root=row["root"],
        route=row["route"],
        verifying_gateway=row["verifying_gateway"],
        verifying_chain=row["verifying_chain"],
        first_height=row["first_height"],
        statements=parse_statements(row["statements"]),
    )


def attestation_values(attestation: Attestation) -> Values:
    """One signature."""
    return {
        "root": attestation.root,
        "gateway": attestation.gateway,
        "count": attestation.count,
        "epoch": attestation.epoch,
        "signer": attestation.signer,
        "signature": attestation.signature,
    }


def to_attestation(row: Loaded) -> Attestation:
    """From a row of attestations."""
    return Attestation(row["gateway"], row["root"], row["count"], row["epoch"], row["signer"], row["signature"])


def certificate_values(certificate: Certificate) -> Values:
    """A quorum's certificate."""
    return {
        "root": certificate.root,
        "gateway": certificate.gateway,
        "epoch": certificate.epoch,
        "encoded": certificate.encoded,
        "at": certificate.at,
    }


def to_certificate(row: Loaded) -> Certificate:
    """From a row of certificates."""
    return Certificate(row["root"], row["gateway"], row["epoch"], row["encoded"], row["at"])


# Work


def outbox_values(row: OutboxRow) -> Values:
    """An effect to perform."""
    return {
        "kind": row.kind.value,
        "subject": row.subject,
        "chain": row.chain,
        "due_at": row.due_at,
        "attempts": row.attempts,
    }


def to_outbox_row(row: Loaded) -> OutboxRow:
    """From a row of the outbox."""
    return OutboxRow(EffectKind(row["kind"]), row["subject"], row["chain"], row["due_at"], row["attempts"])


def transaction_values(transaction: OwnTransaction) -> Values:
    """One nonce of ours, without its attempts."""
    mined = transaction.mined
    return {
        "chain": transaction.chain,
        "sender": transaction.sender,
        "nonce": transaction.nonce,
        "purpose": transaction.purpose.value,
        "status": transaction.status.value,
        "to": transaction.to,
        "data": transaction.data,
        "gas_limit": transaction.gas_limit,
        "value": transaction.value,
        "request_ids": b"".join(transaction.request_ids),
        "created_at": transaction.created_at,
        "mined_number": None if mined is None else mined.number,
        "mined_hash": None if mined is None else mined.hash,
        "gas_used": transaction.gas_used,
        "cost": transaction.cost,
    }


def to_transaction(row: Loaded, attempts: Iterable[Attempt]) -> OwnTransaction:
    """From a row of transactions, with its attempts, oldest first."""
    ids = row["request_ids"]
    number, block_hash = row["mined_number"], row["mined_hash"]
    return OwnTransaction(
        chain=row["chain"],
        sender=row["sender"],
        nonce=row["nonce"],
        purpose=TransactionPurpose(row["purpose"]),
        status=TransactionStatus(row["status"]),
        to=row["to"],
        data=row["data"],
        gas_limit=row["gas_limit"],
        value=row["value"],
        request_ids=tuple(RequestId(ids[start : start + WORD_LENGTH]) for start in range(0, len(ids), WORD_LENGTH)),
        attempts=tuple(attempts),
        created_at=row["created_at"],
        mined=None if number is None else BlockRef(number, block_hash),
        gas_used=row["gas_used"],
        cost=row["cost"],
    )


def attempt_values(attempt: Attempt, transaction_row: int) -> Values:
    """One signed form of the transaction with this row number."""
    return {
        "transaction_row": transaction_row,
        "hash": attempt.hash,
        "raw": attempt.raw,
        "max_fee": attempt.max_fee,
        "priority_fee": attempt.priority_fee,
        "sent_at": attempt.sent_at,
    }


def to_attempt(row: Loaded) -> Attempt:
    """From a row of attempts."""
    return Attempt(row["hash"], row["raw"], row["max_fee"], row["priority_fee"], row["sent_at"])


# Chains, peers, evidence


def seen_block_values(chain: str, block: SeenBlock) -> Values:
    """A block that is not final."""
    return {
        "chain": chain,
        "number": block.ref.number,
        "hash": block.ref.hash,
        "parent_hash": block.parent_hash,
        "timestamp": block.timestamp,
    }


def to_cursor(row: Loaded, seen: Iterable[Loaded]) -> ChainCursor:
    """From a row of cursors and its seen blocks, ascending."""
    return ChainCursor(
        row["chain"],
        BlockRef(row["final_number"], row["final_hash"]),
        tuple(
            SeenBlock(BlockRef(block["number"], block["hash"]), block["parent_hash"], block["timestamp"])
            for block in seen
        ),
    )


def accepted_values(accepted: AcceptedSet) -> Values:
    """A row of accepted_sets."""
    numbered = accepted.numbered
    return {
        "epoch": numbered.epoch,
        "predecessor": accepted.predecessor,
        "signer_set": encode_signer_set(numbered.signer_set),
        "at": accepted.at,
    }


def to_accepted(row: Loaded) -> AcceptedSet:
    """From a row of accepted_sets."""
    numbered = NumberedSet(row["epoch"], decode_signer_set(row["signer_set"]))
    return AcceptedSet(numbered, row["predecessor"], row["at"])


def epoch_values(epoch: StoredEpoch) -> Values:
    """A signer set of a gateway."""
    return {
        "gateway": epoch.gateway,
        "epoch": epoch.epoch,
        "signer_set": encode_signer_set(epoch.signer_set),
        "valid_until": epoch.valid_until,
    }


def to_epoch(row: Loaded) -> StoredEpoch:
    """From a row of epochs."""
    return StoredEpoch(row["gateway"], row["epoch"], decode_signer_set(row["signer_set"]), row["valid_until"])


def halt_values(halt: Halt) -> Values:
    """A time at which work on a chain stopped."""
    return {
        "chain": halt.chain,
        "code": halt.code,
        "reason": halt.reason,
        "held_number": None if halt.held is None else halt.held.number,
        "held_hash": None if halt.held is None else halt.held.hash,
        "found_hash": halt.found_hash,
        "at": halt.at,
        "resumed_at": halt.resumed_at,
    }


def to_halt(row: Loaded) -> Halt:
    """From a row of halts."""
    number, block_hash = row["held_number"], row["held_hash"]
    return Halt(
        chain=row["chain"],
        code=row["code"],
        reason=row["reason"],
        held=None if number is None else BlockRef(number, block_hash),
        found_hash=row["found_hash"],
        at=row["at"],
        resumed_at=row["resumed_at"],
    )


def foreign_values(foreign: ForeignStatements) -> Values:
    """What a peer signed under a foreign root."""
    return {"root": foreign.root, "signer": foreign.signer, "statements": encode_statements(foreign.statements)}


def to_foreign(row: Loaded) -> ForeignStatements:
    """From a row of foreign statements."""
    return ForeignStatements(row["root"], row["signer"], parse_statements(row["statements"]))


def ids_in(statements: Iterable[Statement]) -> frozenset[RequestId]:
    """The requests that these statements speak of."""
    return frozenset(statement.request_id for statement in statements if isinstance(statement, Execute | Outcome))


def evidence_values(row: EvidenceRow) -> Values:
    """Evidence against a signer."""
    return {
        "offence": row.offence,
        "signer": row.signer,
        "guard_key": row.guard_key,
        "document": row.document,
        "at": row.at,
    }


def to_evidence(row: Loaded) -> EvidenceRow:
    """From a row of evidence."""
    return EvidenceRow(row["offence"], row["signer"], row["guard_key"], row["document"], row["at"])


def _to_conclusion(row: Loaded) -> Conclusion:
    return Conclusion(to_outcome(row["outcome"]), row["return_data"], row["tx_hash"])


def to_outcome(data: bytes) -> Outcome:
    """From the binary form of one outcome."""
    (outcome,) = parse_statements(data)
    assert isinstance(outcome, Outcome)
    return outcome
