"""Which events are the gateway's, as an endpoint tells a block's results."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.events import EventReader, PlacedEvent
from tests.cosmwasm.adapter.comet_chain import GATEWAY_TEXT, Transaction, encoded, text_of, wasm_event

OTHER = text_of(b"\x99" * 32)
FIELDS = {"request_id": "0x11", "returned": "5"}
READER = EventReader(GATEWAY_TEXT, frozenset({"XVMReclaimed"}))
OURS = wasm_event("XVMReclaimed", FIELDS)


def read(*transactions: Transaction, height: int = 9) -> list[tuple[int, int]]:
    """(transaction's index, event's index) of what is found."""
    return [(found.tx_index, found.log_index) for found in read_events(*transactions, height=height)]


def read_events(*transactions: Transaction, height: int = 9) -> tuple[PlacedEvent, ...]:
    results = [transaction.result() for transaction in transactions]
    return READER.read({"height": str(height), "txs_results": results}, 9, len(transactions))


def mined(*events: dict[str, Any], code: int = 0) -> Transaction:
    return Transaction(b"raw", list(events), code)


def with_attributes(*pairs: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "wasm-XVMReclaimed", "attributes": [{"key": key, "value": value} for key, value in pairs]}


def test_an_event_is_read_alike_in_either_encoding() -> None:
    (plain,) = read_events(mined(OURS))
    (older,) = read_events(mined(encoded(OURS)))
    assert plain == older
    assert plain.event.name == "XVMReclaimed"
    assert plain.event.attributes == (*FIELDS.items(), ("msg_index", "0"))


def test_whether_a_node_indexes_an_attribute_is_no_part_of_it() -> None:
    unindexed = OURS | {"attributes": [one | {"index": False} for one in OURS["attributes"]]}
    assert read_events(mined(OURS)) == read_events(mined(unindexed))


def test_events_are_counted_among_the_gateways_own_of_their_transaction() -> None:
    transactions = (
        mined(OURS, {"type": "tx", "attributes": []}, wasm_event("XVMPriceSet", {}), OURS),
        mined({"type": "transfer", "attributes": [{"key": "amount", "value": "1u"}]}),
        mined(wasm_event("XVMReclaimed", FIELDS, OTHER), wasm_event("other", {}), wasm_event("XVMNew", {}), OURS),
    )
    assert read(*transactions) == [(0, 0), (0, 2), (2, 1)]


def test_security_another_contracts_event_is_not_the_gateways() -> None:
    """SECURITY: anybody can deploy a contract that tells of requests that were never made."""
    assert read(mined(wasm_event("XVMReclaimed", FIELDS, OTHER))) == []
    assert read(mined(encoded(wasm_event("XVMReclaimed", FIELDS, OTHER)))) == []
    assert read(mined({"type": "wasm-XVMReclaimed", "attributes": []})) == []
    assert read(mined(with_attributes(*FIELDS.items(), ("contract_address", GATEWAY_TEXT)))) == []


@pytest.mark.parametrize(
    "pairs",
    [
        [("_contract_address", GATEWAY_TEXT), ("_contract_address", GATEWAY_TEXT)],
        [("_contract_address", GATEWAY_TEXT), ("_contract_address", OTHER)],
        [("_contract_address", OTHER), ("_contract_address", GATEWAY_TEXT)],
        [
            ("_contract_address", OTHER),
            (b64encode(b"_contract_address").decode(), b64encode(GATEWAY_TEXT.encode()).decode()),
        ],
    ],
)
def test_security_an_event_has_one_emitter(pairs: list[tuple[str, str]]) -> None:
    """SECURITY: with two it could be the gateway's to one reader and not to another."""
    assert read(mined(with_attributes(*pairs, *FIELDS.items()))) == []


def test_security_a_key_that_reads_like_the_encoded_one_is_a_contracts_own() -> None:
    """SECURITY: a contract may call an attribute whatever does not begin with an underscore."""
    key, value = (b64encode(text.encode()).decode() for text in ("_contract_address", GATEWAY_TEXT))
    assert read(mined(wasm_event("XVMReclaimed", {**FIELDS, key: value}, OTHER))) == []


def test_security_a_failed_transaction_tells_nothing() -> None:
    """SECURITY: what it did was undone, so that a request in it was never made."""
    assert read(mined(OURS, code=5), mined(OURS)) == [(1, 0)]


def test_what_the_chain_tells_at_a_blocks_ends_is_no_contracts() -> None:
    told = {"begin_block_events": [OURS], "end_block_events": [OURS], "finalize_block_events": [OURS]}
    answer = {"height": "9", "txs_results": [mined().result()], **told}
    assert READER.read(answer, 9, 1) == ()


def test_a_duplicated_attribute_is_kept_for_the_codec_to_refuse() -> None:
    event = with_attributes(("_contract_address", GATEWAY_TEXT), ("returned", "5"), ("returned", "6"))
    (found,) = read_events(mined(event))
    assert found.event.attributes == (("returned", "5"), ("returned", "6"))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"height": "9"},
        {"height": 9, "txs_results": []},
        {"height": "8", "txs_results": [mined().result()]},
        {"height": "9", "txs_results": None},
        {"height": "9", "txs_results": {}},
        {"height": "9", "txs_results": [None]},
        {"height": "9", "txs_results": [{"events": []}]},
        {"height": "9", "txs_results": [{"code": "0", "events": []}]},
        {"height": "9", "txs_results": [{"code": True, "events": []}]},
        {"height": "9", "txs_results": [{"code": 0}]},
        {"height": "9", "txs_results": [{"code": 0, "events": 1}]},
        {"height": "9", "txs_results": [{"code": 0, "events": [1]}]},
        {"height": "9", "txs_results": [{"code": 0, "events": [{"type": 1}]}]},
        {"height": "9", "txs_results": [{"code": 0, "events": [{"type": "wasm-XVMReclaimed"}]}]},
        {"height": "9", "txs_results": [{"code": 0, "events": [{"type": "wasm-XVMReclaimed", "attributes": [1]}]}]},
        {
            "height": "9",
            "txs_results": [mined(with_attributes(("_contract_address", GATEWAY_TEXT), ("a", 1))).result()],
        },
        {"height": "9", "txs_results": [mined().result(), mined().result()]},
    ],
)
def test_security_results_of_another_shape_are_no_answer(answer: Any) -> None:
    """SECURITY: a result that is left out would be a request that nobody serves."""
    with pytest.raises(RpcUnavailable):
        READER.read(answer, 9, 1)


@pytest.mark.parametrize("value", ["%%%", b64encode(b"\xff").decode(), 7])
def test_a_value_that_is_no_text_in_base64_is_no_answer(value: Any) -> None:
    event = encoded(OURS)
    event["attributes"][1]["value"] = value
    with pytest.raises(RpcUnavailable):
        read(mined(event))
