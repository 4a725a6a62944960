"""What goes to a gateway: the golden forms, and that everything a message says can be read off it again."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from attestation.keccak import keccak256
from attestation.request import Mode, Request
from attestation.schemes import BLS12381
from attestation.signer_set import Signer, SignerSet
from attestation.statement import Execute, Outcome, OutcomeKind
from relayer.vms.cosmwasm import messages
from relayer.vms.cosmwasm.messages import Consumption, ItemList
from tests.factories import LONG_KEYS, make_execute, make_outcome, make_request, make_signer_set, track

WIDEST = make_request(
    2**64 - 1,
    own_account=True,
    payload=b'{"transfer":{}}',
    execution_gas_limit=10_000_000,
    return_limit=2**32 - 1,
    ordered_after=1,
    origin=2**256 - 1,
    code_hash=b"\xc0" * 32,
    dispute_blocks=7,
    metadata=b"\xff\xfe\xfd",
)

GOLDEN_REQUEST = (
    '"source_gateway":"0x0001000002' + "7a69" + "14" + "51" * 20 + '",'
    '"sender":"0x0001000002' + "7a69" + "14" + "5e" * 20 + '",'
    '"destination_gateway":"0x0001000002' + "7a6a" + "14" + "d5" * 20 + '",'
    '"target":"0x0001000002' + "7a6a" + "14" + "7a" * 20 + '",'
    '"nonce":"18446744073709551615","mode":0,"own_account":true,%s,'
    '"execution_gas_limit":"10000000","callback_gas_limit":"300000","return_limit":4294967295,"expiry":"1799992000",'
    '"ordered_after":"0x' + "00" * 31 + '01","origin":"0x' + "ff" * 32 + '","code_hash":"0x' + "c0" * 32 + '",'
    '"dispute_blocks":7,"metadata":"//79"'
)
GOLDEN_PLACE = '"height":"9007199254740993","block_hash":"0x' + "b1" * 32 + '","tx_index":4294967295,"log_index":3'


def data(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def uint64(text: Any) -> int:
    assert isinstance(text, str)
    assert text == str(int(text))
    return int(text)


def read_request(fields: dict[str, Any]) -> Request:
    return Request(
        source_gateway=data(fields["source_gateway"]),
        sender=data(fields["sender"]),
        destination_gateway=data(fields["destination_gateway"]),
        target=data(fields["target"]),
        nonce=uint64(fields["nonce"]),
        mode=Mode(fields["mode"]),
        own_account=fields["own_account"],
        payload=base64.b64decode(fields["payload"], validate=True),
        execution_gas_limit=uint64(fields["execution_gas_limit"]),
        callback_gas_limit=uint64(fields["callback_gas_limit"]),
        return_limit=fields["return_limit"],
        expiry=uint64(fields["expiry"]),
        ordered_after=int.from_bytes(data(fields["ordered_after"])),
        origin=int.from_bytes(data(fields["origin"])),
        code_hash=data(fields["code_hash"]),
        dispute_blocks=fields["dispute_blocks"],
        metadata=base64.b64decode(fields["metadata"], validate=True),
    )


uint64s = st.integers(0, 2**64 - 1)
uint32s = st.integers(0, 2**32 - 1)
words = st.binary(min_size=32, max_size=32)
requests = st.builds(
    Request,
    source_gateway=st.binary(max_size=40),
    sender=st.binary(max_size=40),
    destination_gateway=st.binary(max_size=40),
    target=st.binary(max_size=40),
    nonce=uint64s,
    mode=st.sampled_from(Mode),
    own_account=st.booleans(),
    payload=st.binary(max_size=100),
    execution_gas_limit=uint64s,
    callback_gas_limit=uint64s,
    return_limit=uint32s,
    expiry=uint64s,
    ordered_after=st.integers(0, 2**256 - 1),
    origin=st.integers(0, 2**256 - 1),
    code_hash=words,
    dispute_blocks=uint32s,
    metadata=st.binary(max_size=20),
)
outcomes = st.builds(
    Outcome,
    request_id=words,
    kind=st.sampled_from(OutcomeKind),
    cut=st.booleans(),
    return_data_hash=words,
    height=uint64s,
    block_hash=words,
    tx_index=uint32s,
    log_index=uint32s,
    payee=words,
    round=uint32s,
)


def test_an_item_to_execute_is_written_as_ever() -> None:
    statement = Execute(track(WIDEST).request_id, 2**53 + 1, b"\xb1" * 32, 2**32 - 1, 3)
    request = GOLDEN_REQUEST % '"payload":"eyJ0cmFuc2ZlciI6e319"'
    expected = f'{{"request":{{{request}}},{GOLDEN_PLACE}}}'
    assert messages.encode_execute_item(WIDEST, statement).decode() == expected


def test_an_item_to_expire_holds_the_payloads_hash() -> None:
    statement = Execute(track(WIDEST).request_id, 2**53 + 1, b"\xb1" * 32, 2**32 - 1, 3)
    request = GOLDEN_REQUEST % f'"payload_hash":"0x{keccak256(WIDEST.payload).hex()}"'
    expected = f'{{"request":{{{request}}},{GOLDEN_PLACE}}}'
    assert messages.encode_expire_item(WIDEST, statement).decode() == expected


def test_a_batch_is_written_as_ever() -> None:
    batch = messages.encode_batch(
        0b1_0000_0001, [b"\x01" * 32, b"\x02" * 32], ItemList.REQUESTS, [b"{}", b"[]"], b"\x01"
    )
    bare = f'["0x{"01" * 32}","0x{"02" * 32}"]'
    assert batch.decode() == f'{{"given":"0x0101","bare":{bare},"items":[{{}},[]],"certificate":"AQ=="}}'
    call = messages.encode_consumption(Consumption.EXPIRE, [batch, b"{}"], b"\xfe" * 32)
    assert call.decode() == f'{{"expire":{{"batches":[{batch.decode()},{{}}],"payee":"0x{"fe" * 32}"}}}}'


def test_a_bare_leaf_is_as_long_as_is_reckoned() -> None:
    leaves = [bytes([n]) * 32 for n in range(5)]
    lengths = [len(messages.encode_batch(1, leaves[:n], ItemList.OUTCOMES, [], b"")) for n in range(5)]
    assert lengths[4] - lengths[3] == messages.BARE_LEAF_LENGTH
    assert lengths[1] - lengths[0] <= messages.BARE_LEAF_LENGTH


def test_a_delivery_is_written_as_ever() -> None:
    tracked = track(make_request())
    outcome = make_outcome(tracked.request_id, kind=OutcomeKind.REVERTED)
    item = messages.encode_outcome_item(outcome, b"\x2a")
    call = messages.encode_delivery([messages.encode_batch(1, [], ItemList.OUTCOMES, [item], b"\x02\x03")])
    written = (
        f'{{"request_id":"0x{tracked.request_id.hex()}","kind":1,"cut":false,"height":"20",'
        f'"block_hash":"0x{outcome.block_hash.hex()}","tx_index":0,"log_index":0,"payee":"0x{outcome.payee.hex()}",'
        f'"round":0,"return_data":"Kg=="}}'
    )
    batch = f'{{"given":"0x01","bare":[],"outcomes":[{written}],"certificate":"AgM="}}'
    assert call.decode() == f'{{"deliver":{{"batches":[{batch}]}}}}'


def test_a_rotation_is_written_as_ever() -> None:
    signer_set = SignerSet(1, 3, 2**64 - 1, 3_600, (Signer(b"\x0a" * 20, 2**63, b"\x0b" * 32),))
    signer = f'{{"key":"0x{"0a" * 20}","weight":"9223372036854775808","operator":"0x{"0b" * 32}"}}'
    expected = (
        '{"rotate":{"set":{"scheme":1,"threshold":"3","valid_until":"18446744073709551615","grace_seconds":"3600",'
        f'"signers":[{signer}]}},"certificate":"AQI="}}}}'
    )
    assert messages.encode_rotation(signer_set, b"\x01\x02").decode() == expected


def test_keys_of_every_scheme_are_written_whole() -> None:
    written = messages.format_signer_set(make_signer_set(LONG_KEYS, scheme=BLS12381))
    assert [data(signer["key"]) for signer in written["signers"]] == [
        signer.key for signer in make_signer_set(LONG_KEYS, scheme=BLS12381).signers
    ]


@given(requests)
def test_a_request_can_be_read_off_its_item(request: Request) -> None:
    statement = make_execute(track(make_request()))
    item = json.loads(messages.encode_execute_item(request, statement))
    assert read_request(item["request"]) == request
    by_hash = json.loads(messages.encode_expire_item(request, statement))["request"]
    assert data(by_hash.pop("payload_hash")) == keccak256(request.payload)
    assert by_hash == {name: value for name, value in item["request"].items() if name != "payload"}


@given(outcomes, st.binary(max_size=100))
def test_an_outcome_can_be_read_off_its_item(outcome: Outcome, return_data: bytes) -> None:
    item = json.loads(messages.encode_outcome_item(outcome, return_data))
    read = Outcome(
        request_id=data(item["request_id"]),
        kind=OutcomeKind(item["kind"]),
        cut=item["cut"],
        return_data_hash=outcome.return_data_hash,
        height=uint64(item["height"]),
        block_hash=data(item["block_hash"]),
        tx_index=item["tx_index"],
        log_index=item["log_index"],
        payee=data(item["payee"]),
        round=item["round"],
    )
    assert read == outcome
    assert base64.b64decode(item["return_data"], validate=True) == return_data
