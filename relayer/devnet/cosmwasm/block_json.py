"""Blocks and results in the JSON that CometBFT's RPC gives them.

Its job: the form alone. Numbers of 64 bits are texts, hashes are upper-case hexadecimal, other bytes base64. What
differs between versions 0.34 and 0.38 is chosen by `Dialect`.

Source: types/block.go, abci/types and rpc/core/types/responses.go of CometBFT 0.34 and 0.38.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from relayer.cosmos.abci import Event
from relayer.devnet.cosmwasm.blocks import Block, Executed, TxResult
from relayer.devnet.cosmwasm.headers import BLOCK_PROTOCOL, BlockId, Commit, Header

Json = dict[str, Any]

_NANOSECONDS: Final = 10**9


class Dialect(Enum):
    """Whose JSON it is."""

    V034 = "0.34"
    V038 = "0.38"


def base64_text(data: bytes) -> str:
    """Bytes as padded base64."""
    return base64.b64encode(data).decode()


def hex_text(data: bytes) -> str:
    """Bytes as upper-case hexadecimal."""
    return data.hex().upper()


def time_text(time_ns: int) -> str:
    """A moment as Go writes it: RFC 3339 with as many digits of the fraction as it has."""
    seconds, nanoseconds = divmod(time_ns, _NANOSECONDS)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanoseconds:09}".rstrip("0").rstrip(".") + "Z"


def block_id_json(block_id: BlockId) -> Json:
    """A block's hash and parts."""
    assert block_id.parts is not None
    parts = {"total": block_id.parts.total, "hash": hex_text(block_id.parts.hash)}
    return {"hash": hex_text(block_id.hash), "parts": parts}


def header_json(header: Header) -> Json:
    """A header."""
    return {
        "version": {"block": str(BLOCK_PROTOCOL)},
        "chain_id": header.chain_id,
        "height": str(header.height),
        "time": time_text(header.time_ns),
        "last_block_id": block_id_json(header.last_block_id),
        "last_commit_hash": hex_text(header.last_commit_hash),
        "data_hash": hex_text(header.data_hash),
        "validators_hash": hex_text(header.validators_hash),
        "next_validators_hash": hex_text(header.validators_hash),
        "consensus_hash": hex_text(header.consensus_hash),
        "app_hash": hex_text(header.app_hash),
        "last_results_hash": hex_text(header.last_results_hash),
        "evidence_hash": hex_text(header.evidence_hash),
        "proposer_address": hex_text(header.proposer_address),
    }


def commit_json(commit: Commit) -> Json:
    """A commit with its signatures."""
    assert commit.block_id is not None
    signatures = []
    for signature in commit.signatures:
        assert signature.timestamp is not None
        time_ns = signature.timestamp.seconds * _NANOSECONDS + signature.timestamp.nanos
        signatures.append(
            {
                "block_id_flag": signature.flag,
                "validator_address": hex_text(signature.validator_address),
                "timestamp": time_text(time_ns),
                "signature": base64_text(signature.signature),
            }
        )
    return {
        "height": str(commit.height),
        "round": commit.round,
        "block_id": block_id_json(commit.block_id),
        "signatures": signatures,
    }


def block_json(block: Block) -> Json:
    """A block with its transactions."""
    return {
        "header": header_json(block.header),
        "data": {"txs": [base64_text(executed.tx) for executed in block.executed]},
        "evidence": {"evidence": []},
        "last_commit": commit_json(block.last_commit),
    }


def events_json(events: Sequence[Event], dialect: Dialect) -> list[Json]:
    """Events: their keys and values as base64 before version 0.37."""

    def written(text: str) -> str:
        return base64_text(text.encode()) if dialect is Dialect.V034 else text

    return [
        {
            "type": event.type,
            "attributes": [
                {"key": written(attribute.key), "value": written(attribute.value), "index": attribute.index}
                for attribute in event.attributes
            ],
        }
        for event in events
    ]


def result_json(result: TxResult, dialect: Dialect) -> Json:
    """What a transaction came to."""
    return {
        "code": result.code,
        "data": base64_text(result.data) if result.data else None,
        "log": result.log,
        "info": "",
        "gas_wanted": str(result.gas_wanted),
        "gas_used": str(result.gas_used),
        "events": events_json(result.events, dialect),
        "codespace": result.codespace,
    }


def executed_json(executed: Executed, dialect: Dialect) -> Json:
    """A transaction in its block, as `tx` and `tx_search` give it."""
    return {
        "hash": hex_text(executed.hash),
        "height": str(executed.height),
        "index": executed.index,
        "tx_result": result_json(executed.result, dialect),
        "tx": base64_text(executed.tx),
    }


def tx_event_json(executed: Executed, dialect: Dialect) -> Json:
    """The data of a `Tx` event: there what is zero or empty is left out."""
    result = result_json(executed.result, dialect)
    shown = {name: value for name, value in result.items() if value not in (0, "0", "", None, [])}
    for event in shown.get("events", ()):
        event["attributes"] = [
            {name: value for name, value in attribute.items() if value} for attribute in event["attributes"]
        ]
    place = {"index": executed.index} if executed.index else {}
    value = {"height": str(executed.height), **place, "tx": base64_text(executed.tx), "result": shown}
    return {"type": "tendermint/event/Tx", "value": {"TxResult": value}}


def block_event_json(block: Block, dialect: Dialect) -> Json:
    """The data of a `NewBlock` event."""
    value: Json = {"block": block_json(block)}
    if dialect is Dialect.V034:
        value |= _ends_of_034(block)
    else:
        value |= {
            "block_id": block_id_json(block.block_id),
            "result_finalize_block": {
                "events": events_json(block.events, dialect),
                "tx_results": [result_json(executed.result, dialect) for executed in block.executed],
                "validator_updates": None,
                "app_hash": base64_text(block.app_hash),
            },
        }
    return {"type": "tendermint/event/NewBlock", "value": value}


def header_event_json(block: Block, dialect: Dialect) -> Json:
    """The data of a `NewBlockHeader` event."""
    value: Json = {"header": header_json(block.header)}
    if dialect is Dialect.V034:
        value |= {"num_txs": str(len(block.executed)), **_ends_of_034(block)}
    return {"type": "tendermint/event/NewBlockHeader", "value": value}


def block_results_json(block: Block, params: Json, dialect: Dialect) -> Json:
    """What a block's transactions, and the block itself, did."""
    results = [result_json(executed.result, dialect) for executed in block.executed]
    answer: Json = {"height": str(block.height), "txs_results": results or None}
    if dialect is Dialect.V034:
        answer |= {"begin_block_events": None, "end_block_events": events_json(block.events, dialect) or None}
    else:
        answer |= {"finalize_block_events": events_json(block.events, dialect)}
    answer |= {"validator_updates": None, "consensus_param_updates": params}
    return answer if dialect is Dialect.V034 else {**answer, "app_hash": base64_text(block.app_hash)}


def params_json(max_bytes: int, max_gas: int) -> Json:
    """The consensus parameters."""
    return {
        "block": {"max_bytes": str(max_bytes), "max_gas": str(max_gas)},
        "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576"},
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {},
    }


def _ends_of_034(block: Block) -> Json:
    end = {"events": events_json(block.events, Dialect.V034)} if block.events else {}
    return {"result_begin_block": {}, "result_end_block": {"validator_updates": None, **end}}
