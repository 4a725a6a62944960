"""The gateway's messages: `execute`, `expire`, `deliver` and `rotate`.

Its job: write the JSON that goes to a gateway, compact and in one form, so that the same input gives the same bytes.
Items are written once, wherever they end up. It must not choose what goes together.

Source: contracts/cosmwasm/schema.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import orjson

from attestation.json_object import hex_text
from attestation.keccak import keccak256
from attestation.request import Request
from attestation.signer_set import SignerSet
from attestation.statement import Execute, Outcome
from attestation.words import WORD_LENGTH


class Consumption(StrEnum):
    """The messages that use requests up."""

    EXECUTE = "execute"
    EXPIRE = "expire"


class ItemList(StrEnum):
    """What a batch calls the list of its items."""

    REQUESTS = "items"
    OUTCOMES = "outcomes"


BARE_LEAF_LENGTH: Final = 2 * WORD_LENGTH + 5
"""Bytes of a leaf in a batch's list of those that are not given: hex, `0x`, quotes and a comma."""


def encode_execute_item(request: Request, statement: Execute) -> bytes:
    """An item of `execute`: the whole request, and where it was asked."""
    return orjson.dumps({"request": format_request(request), **_place(statement)})


def encode_expire_item(request: Request, statement: Execute) -> bytes:
    """An item of `expire`: the request with its payload by hash."""
    return orjson.dumps({"request": format_request_by_hash(request), **_place(statement)})


def encode_outcome_item(outcome: Outcome, return_data: bytes) -> bytes:
    """An item of `deliver`."""
    return orjson.dumps(format_outcome(outcome, return_data))


def encode_batch(
    given: int, bare: Sequence[bytes], item_list: ItemList, items: Sequence[bytes], certificate: bytes
) -> bytes:
    """A batch of encoded items. Bit i of `given`: leaf i is an item's; `bare` are the other leaves."""
    length = max((given.bit_length() + 7) // 8, 1)
    return b'{"given":"%b","bare":%b,"%b":[%b],"certificate":"%b"}' % (
        hex_text(given.to_bytes(length, "big")).encode(),
        orjson.dumps([hex_text(leaf) for leaf in bare]),
        item_list.encode(),
        b",".join(items),
        _base64(certificate).encode(),
    )


def encode_consumption(message: Consumption, batches: Sequence[bytes], payee: bytes) -> bytes:
    """An `execute` or `expire` of encoded batches. `payee` is 32 bytes."""
    return b'{"%b":{"batches":[%b],"payee":"%b"}}' % (message.encode(), b",".join(batches), hex_text(payee).encode())


def encode_delivery(batches: Sequence[bytes]) -> bytes:
    """A `deliver` of encoded batches."""
    return b'{"deliver":{"batches":[%b]}}' % b",".join(batches)


def encode_rotation(signer_set: SignerSet, certificate: bytes) -> bytes:
    """A `rotate`."""
    return orjson.dumps({"rotate": {"set": format_signer_set(signer_set), "certificate": _base64(certificate)}})


def format_request(request: Request) -> dict[str, Any]:
    """A `Request`, as messages and events have it."""
    return _request(request, {"payload": _base64(request.payload)})


def format_request_by_hash(request: Request) -> dict[str, Any]:
    """A `RequestByHash`: the same with the payload's keccak256 in its place."""
    return _request(request, {"payload_hash": hex_text(keccak256(request.payload))})


def format_outcome(outcome: Outcome, return_data: bytes) -> dict[str, Any]:
    """An outcome with its data, as `deliver` and `retry_callback` have it."""
    return {
        "request_id": hex_text(outcome.request_id),
        "kind": int(outcome.kind),
        "cut": outcome.cut,
        **_place(outcome),
        "payee": hex_text(outcome.payee),
        "round": outcome.round,
        "return_data": _base64(return_data),
    }


def format_signer_set(signer_set: SignerSet) -> dict[str, Any]:
    """A set, as messages, queries and events have it."""
    return {
        "scheme": int(signer_set.scheme),
        "threshold": str(signer_set.threshold),
        "valid_until": str(signer_set.valid_until),
        "grace_seconds": str(signer_set.grace_seconds),
        "signers": [
            {"key": hex_text(signer.key), "weight": str(signer.weight), "operator": hex_text(signer.operator)}
            for signer in signer_set.signers
        ],
    }


def _request(request: Request, payload: dict[str, str]) -> dict[str, Any]:
    return {
        "source_gateway": hex_text(request.source_gateway),
        "sender": hex_text(request.sender),
        "destination_gateway": hex_text(request.destination_gateway),
        "target": hex_text(request.target),
        "nonce": str(request.nonce),
        "mode": int(request.mode),
        "own_account": request.own_account,
        **payload,
        "execution_gas_limit": str(request.execution_gas_limit),
        "callback_gas_limit": str(request.callback_gas_limit),
        "return_limit": request.return_limit,
        "expiry": str(request.expiry),
        "ordered_after": hex_text(request.ordered_after.to_bytes(WORD_LENGTH, "big")),
        "origin": hex_text(request.origin.to_bytes(WORD_LENGTH, "big")),
        "code_hash": hex_text(request.code_hash),
        "dispute_blocks": request.dispute_blocks,
        "metadata": _base64(request.metadata),
    }


def _place(statement: Execute | Outcome) -> dict[str, Any]:
    return {
        "height": str(statement.height),
        "block_hash": hex_text(statement.block_hash),
        "tx_index": statement.tx_index,
        "log_index": statement.log_index,
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
