"""How the values of the domain look in JSON. Pure; it asks nobody anything.

Bytes are `0x` and lower-case hex. Accounts are CAIP-10 (hex if they do not parse: whoever asks may write anything),
chains CAIP-2. Hashes of blocks and transactions, and accounts beside their chain, are as the chain's people write them.
Amounts of money are decimal strings, for they exceed what a JSON number holds; heights, gas and nonces are numbers.
Times are seconds since the Unix epoch. Absent is null.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import orjson

from attestation.address import parse_chain_text, parse_interoperable_address
from attestation.errors import MalformedAddress
from attestation.request import Mode, format_request_id
from attestation.signer_set_file import NumberedSet, encode_signer_set
from attestation.statement import Execute, Outcome
from relayer.api.account_texts import AccountTexts
from relayer.domain.batch import Batch
from relayer.domain.blocks import BlockRef
from relayer.domain.halt import Halt
from relayer.domain.route import Route
from relayer.domain.tracked import TrackedRequest
from relayer.observability.health import Health
from relayer.ports.node_status import ChainStatus, PeerStatus
from relayer.ports.signer import Attestation
from relayer.ports.store import AcceptedSet, Certificate, EvidenceRow, FeeEntry, OwnTransaction, StoredEpoch, Transition

Json = dict[str, Any]


def hex_text(data: bytes) -> str:
    """`0x` and lower-case hex."""
    return f"0x{data.hex()}"


def hash_text(chain: str, data: bytes) -> str | None:
    """The hash of a block or a transaction of this chain (CAIP-2), or None for the empty bytes that stand for none."""
    if not data:
        return None
    try:
        return parse_chain_text(chain).hash_text(data)
    except MalformedAddress:
        return hex_text(data)


def chain_text(data: bytes) -> str:
    """CAIP-2 of the chain in ERC-7930 bytes, empty if they do not parse."""
    try:
        return str(parse_interoperable_address(data).chain)
    except MalformedAddress:
        return ""


def mode_text(mode: int) -> str:
    """`CALL`, `QUERY`, or the number of a mode that the protocol does not know."""
    return Mode(mode).name if mode in (Mode.CALL, Mode.QUERY) else str(mode)


def block_view(chain: str, block: BlockRef) -> Json:
    """A block of this chain (CAIP-2) by number and hash."""
    return {"number": block.number, "hash": hash_text(chain, block.hash)}


def summary_view(accounts: AccountTexts, row: int, request: TrackedRequest, route: Route | None) -> Json:
    """One line of the list of requests."""
    return {
        "row": row,
        "id": format_request_id(request.request_id),
        "status": request.status,
        "hold_reason": request.hold_reason or None,
        "mode": mode_text(request.request.mode),
        "source_chain": None if route is None else route.source_chain,
        "destination_chain": None if route is None else route.destination_chain,
        "sender": accounts.caip10(request.request.sender),
        "target": accounts.caip10(request.request.target),
        "nonce": request.request.nonce,
        "fee": str(request.fee),
        "is_cancelled": request.returned_fee is not None,
        "asked_at": request.source_timestamp,
        "kind": None if request.conclusion is None else request.conclusion.outcome.kind.name,
    }


def request_view(accounts: AccountTexts, request: TrackedRequest) -> Json:
    """The protocol's struct, field by field, and where it was asked."""
    fields = request.request
    chain = chain_text(fields.source_gateway)
    return {
        "id": format_request_id(request.request_id),
        "source_gateway": accounts.caip10(fields.source_gateway),
        "sender": accounts.caip10(fields.sender),
        "destination_gateway": accounts.caip10(fields.destination_gateway),
        "target": accounts.caip10(fields.target),
        "nonce": fields.nonce,
        "mode": mode_text(fields.mode),
        "own_account": fields.own_account,
        "payload": hex_text(fields.payload),
        "execution_gas_limit": fields.execution_gas_limit,
        "callback_gas_limit": fields.callback_gas_limit,
        "return_limit": fields.return_limit,
        "expiry": fields.expiry,
        "ordered_after": hex_text(fields.ordered_after.to_bytes(32, "big")),
        "origin": hex_text(fields.origin.to_bytes(32, "big")),
        "code_hash": hex_text(fields.code_hash),
        "dispute_blocks": fields.dispute_blocks,
        "metadata": hex_text(fields.metadata),
        "block": block_view(chain, request.block),
        "tx_hash": hash_text(chain, request.location.tx_hash),
        "tx_index": request.location.tx_index,
        "log_index": request.location.log_index,
        "asked_at": request.source_timestamp,
        "fee": str(request.fee),
        "returned_fee": None if request.returned_fee is None else str(request.returned_fee),
        "deadline": request.deadline,
    }


def route_view(accounts: AccountTexts, route: Route) -> Json:
    """Where requests of this route go."""
    return {
        "mode": route.mode.name,
        "source_chain": route.source_chain,
        "destination_chain": route.destination_chain,
        "source_gateway": accounts.caip10(route.source_gateway),
        "destination_gateway": accounts.caip10(route.destination_gateway),
    }


def timeline_view(transitions: Sequence[Transition]) -> list[Json]:
    """The steps of a request's life, each with the seconds since the one before."""
    starts = [None, *(transition.at for transition in transitions)]
    return [
        {
            "status": transition.after,
            "before": transition.before,
            "cause": transition.cause,
            "reason": transition.reason or None,
            "at": transition.at,
            "seconds": None if start is None else round(transition.at - start, 3),
        }
        for start, transition in zip(starts, transitions, strict=False)
    ]


def conclusion_view(request: TrackedRequest) -> Json | None:
    """What became of a request, as it is signed, with the data that its hash commits to; None until something did."""
    if request.conclusion is None:
        return None
    conclusion, outcome = request.conclusion, request.conclusion.outcome
    chain = chain_text(request.request.target)
    return {
        "kind": outcome.kind.name,
        "cut": outcome.cut,
        "return_data": hex_text(conclusion.return_data),
        "block": block_view(chain, BlockRef(outcome.height, outcome.block_hash)),
        "tx_hash": hash_text(chain, conclusion.tx_hash),
        "tx_index": outcome.tx_index,
        "log_index": outcome.log_index,
        "payee": hex_text(outcome.payee),
        "round": outcome.round,
    }


def batch_view(
    accounts: AccountTexts,
    batch: Batch,
    request: TrackedRequest,
    attestations: Iterable[Attestation],
    epoch: StoredEpoch | None,
    certificate: Certificate | None,
) -> Json:
    """The batch that holds a request's statement: which signers of `epoch` signed it, and its certificate."""
    signed = {item.signer for item in attestations if epoch is not None and item.epoch == epoch.epoch}
    return {
        "root": hex_text(batch.root),
        "kind": batch.kind,
        "verifying_chain": batch.verifying_chain,
        "verifying_gateway": accounts.caip10(batch.verifying_gateway),
        "first_height": batch.first_height,
        "count": batch.count,
        "index": next(
            (
                index
                for index, statement in enumerate(batch.statements)
                if isinstance(statement, Execute | Outcome) and statement.request_id == request.request_id
            ),
            None,
        ),
        "epoch": None if epoch is None else epoch.epoch,
        "threshold": None if epoch is None else epoch.signer_set.threshold,
        "weight": None if epoch is None else epoch.signer_set.weight_of(signed),
        "signers": []
        if epoch is None
        else [
            {"key": hex_text(key), "weight": signer.weight, "has_signed": key in signed}
            for key, signer in zip(epoch.signer_set.keys, epoch.signer_set.signers, strict=True)
        ],
        "certificate": None
        if certificate is None
        else {"epoch": certificate.epoch, "encoded": hex_text(certificate.encoded), "at": certificate.at},
    }


def transaction_view(accounts: AccountTexts, transaction: OwnTransaction) -> Json:
    """One of this node's own transactions, with every attempt at it. Its data is on the chain, and left out."""
    chain = transaction.chain
    return {
        "chain": chain,
        "sender": accounts.of_chain(chain, transaction.sender),
        "nonce": transaction.nonce,
        "purpose": transaction.purpose,
        "status": transaction.status,
        "to": accounts.of_chain(chain, transaction.to),
        "gas_limit": transaction.gas_limit,
        "request_count": len(transaction.request_ids),
        "attempts": [
            {
                "hash": hash_text(chain, attempt.hash),
                "max_fee": str(attempt.max_fee),
                "priority_fee": str(attempt.priority_fee),
                "sent_at": attempt.sent_at,
            }
            for attempt in transaction.attempts
        ],
        "block": None if transaction.mined is None else block_view(chain, transaction.mined),
        "gas_used": transaction.gas_used,
        "cost": str(transaction.cost),
        "created_at": transaction.created_at,
    }


def fee_view(entry: FeeEntry) -> Json:
    """One movement of a request's money."""
    return {
        "chain": entry.chain,
        "kind": entry.kind,
        "amount": str(entry.amount),
        "tx_hash": hash_text(entry.chain, entry.tx_hash),
        "at": entry.at,
    }


def chain_view(accounts: AccountTexts, chain: ChainStatus, epochs: Sequence[StoredEpoch]) -> Json:
    """One chain, and the newest epochs that its gateway verifies, newest first."""
    return {
        "chain": chain.caip2,
        "name": chain.name,
        "gateway": accounts.caip10(chain.gateway),
        "tip": None if chain.tip is None else block_view(chain.caip2, chain.tip),
        "final_number": chain.final_number,
        "taken_in_number": chain.taken_in_number,
        "lag_blocks": chain.lag_blocks,
        "halt_reason": chain.halt_reason or None,
        "halt": None if chain.halt is None else halt_view(chain.halt),
        "epochs": [epoch_view(epoch) for epoch in epochs],
    }


def halt_view(halt: Halt) -> Json:
    """Why work on a chain stopped: the final block that was held, and what stands at its height instead."""
    return {
        "code": halt.code,
        "reason": halt.reason,
        "held": None if halt.held is None else block_view(halt.chain, halt.held),
        "found_hash": hash_text(halt.chain, halt.found_hash),
        "at": halt.at,
        "resumed_at": halt.resumed_at,
    }


def epoch_view(epoch: StoredEpoch) -> Json:
    """A signer set that a gateway applied."""
    return {
        "epoch": epoch.epoch,
        "valid_until": epoch.valid_until,
        "scheme": epoch.signer_set.scheme,
        "threshold": epoch.signer_set.threshold,
        "total_weight": epoch.signer_set.total_weight,
        "signers": [
            {"key": hex_text(key), "weight": signer.weight, "operator": hex_text(signer.operator)}
            for key, signer in zip(epoch.signer_set.keys, epoch.signer_set.signers, strict=True)
        ],
    }


def signers_view(
    accounts: AccountTexts,
    chain: ChainStatus,
    newest: StoredEpoch | None,
    accepted: AcceptedSet | None,
    signed: Collection[bytes],
) -> Json:
    """One gateway's present set, and the one that this node's operator accepted for the next epoch.

    Sets are signer set files. `signed` are the keys whose signature of the accepted set's rotation is known here. Who
    signed that set before it was accepted here is no rival.
    """
    gateway = {"chain": chain.caip2, "gateway": accounts.caip10(chain.gateway)}
    if newest is None:
        return {**gateway, "current": None, "next": None, "rivals": []}
    return {
        **gateway,
        "current": {**_set_view(NumberedSet(newest.epoch, newest.signer_set)), "valid_until": newest.valid_until},
        "next": None
        if accepted is None
        else {
            **_set_view(accepted.numbered),
            "accepted_at": accepted.at,
            "weight": newest.signer_set.weight_of(signed),
            "threshold": newest.signer_set.threshold,
            "signers": [{"key": hex_text(key), "has_signed": key in signed} for key in newest.signer_set.keys],
        },
        "rivals": [
            {"signer": hex_text(signer), "epoch": rotate.new_epoch, "hash": hex_text(rotate.signer_set_hash)}
            for signer, rotate in chain.rival_rotations
            if rotate.new_epoch == newest.epoch + 1 and (accepted is None or rotate != accepted.numbered.rotate)
        ],
    }


def _set_view(numbered: NumberedSet) -> Json:
    return {
        "epoch": numbered.epoch,
        "hash": hex_text(numbered.rotate.signer_set_hash),
        "set": orjson.Fragment(encode_signer_set(numbered)),
    }


def peer_view(peer: PeerStatus) -> Json:
    """One peer as this node sees it."""
    return {
        "key": hex_text(peer.key),
        "peer_key": hex_text(peer.peer_key),
        "url": peer.url,
        "is_up": peer.is_up,
        "last_answer_at": peer.last_answer_at or None,
        "clock_offset_seconds": round(peer.clock_offset_seconds, 3),
        "queued": peer.queued,
        "heads": [
            {"chain": head.chain, "tip_number": head.tip_number, "final_number": head.final_number}
            for head in peer.heads
        ],
    }


def evidence_view(row: EvidenceRow) -> Json:
    """Evidence against a signer. `document` is the evidence file, byte for byte."""
    return {
        "offence": row.offence,
        "signer": hex_text(row.signer),
        "guard_key": hex_text(row.guard_key),
        "at": row.at,
        "document": orjson.Fragment(row.document),
    }


def health_view(health: Health) -> Json:
    """Every check with its reason."""
    return {
        "is_ok": health.is_ok,
        "checks": [{"name": check.name, "is_ok": check.is_ok, "reason": check.reason} for check in health.checks],
    }
