"""Protobuf's wire format: exact, canonical, and closed to what is malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.cosmos.abci import Event, EventAttribute
from relayer.cosmos.accounts import account_of_key, from_bech32, to_bech32
from relayer.cosmos.base import AnyMessage, Coin, Timestamp
from relayer.cosmos.protobuf import MAX_FIELDS, MAX_REPEATED, MalformedProtobuf, read_varint, write_varint
from relayer.cosmos.tx import (
    SIGN_MODE_DIRECT,
    AuthInfo,
    Fee,
    ModeInfo,
    Secp256k1PubKey,
    SignDoc,
    SignerInfo,
    SimulationResult,
    Single,
    TxBody,
    TxRaw,
)
from relayer.cosmos.wasm import MsgExecuteContract, MsgInstantiateContract2, MsgMigrateContract, MsgStoreCode

_U64 = st.integers(min_value=0, max_value=2**64 - 1)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_COINS = st.lists(st.builds(Coin, _TEXT, _TEXT), max_size=3).map(tuple)
_MESSAGES = st.one_of(
    st.builds(Timestamp, st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**32 - 1)),
    st.builds(MsgInstantiateContract2, _TEXT, _TEXT, _U64, _TEXT, st.binary(), _COINS, st.binary(), st.booleans()),
    st.builds(TxRaw, st.binary(), st.binary(), st.lists(st.binary(max_size=3), max_size=4).map(tuple)),
    st.builds(AuthInfo, st.lists(st.builds(SignerInfo, sequence=_U64)).map(tuple), st.none() | st.builds(Fee, _COINS)),
)


def test_what_is_signed_has_the_bytes_that_the_cosmos_sdk_gives_it() -> None:
    """The bytes are cosmpy's, of the same values."""
    call = MsgExecuteContract("wasm1a", "wasm1b", b'{"x":{}}', (Coin("uxvm", "5"),))
    body = TxBody((AnyMessage.of(call),), "m", 300)
    key = AnyMessage.of(Secp256k1PubKey(bytes(33)))
    signer = SignerInfo(key, ModeInfo(Single(SIGN_MODE_DIRECT)), 7)
    auth = AuthInfo((signer,), Fee((Coin("uxvm", "500"),), 400_000))
    document = SignDoc(body.encode(), auth.encode(), "xvm-cosmwasm-1", 3)
    assert document.encode().hex() == (
        "0a550a4d0a242f636f736d7761736d2e7761736d2e76312e4d736745786563757465436f6e747261637412250a067761736d3161120677"
        "61736d31621a087b2278223a7b7d7d2a090a047578766d12013512016d18ac0212650a500a460a1f2f636f736d6f732e63727970746f2e"
        "736563703235366b312e5075624b657912230a210000000000000000000000000000000000000000000000000000000000000000001204"
        "0a020801180712110a0b0a047578766d12033530301080b5181a0e78766d2d636f736d7761736d2d312003"
    )


def test_messages_of_contracts_have_the_bytes_that_the_cosmos_sdk_gives_them() -> None:
    made = MsgInstantiateContract2("s", "a", 2**63, "l", b"{}", (), b"salt", fix_msg=True)
    assert made.encode().hex() == "0a0173120161188080808080808080800122016c2a027b7d3a0473616c744001"
    assert MsgMigrateContract("s", "c", 1, b"{}").encode().hex() == "0a0173120163180122027b7d"
    assert MsgStoreCode("s", b"\0asm").encode().hex() == "0a017312040061736d"


@given(_MESSAGES)
def test_what_is_written_is_read_as_it_was(message: Timestamp | MsgInstantiateContract2 | TxRaw | AuthInfo) -> None:
    assert type(message).decode(message.encode()) == message


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    for is_lenient in (False, True):
        try:
            AuthInfo.decode(data, is_lenient=is_lenient)
        except MalformedProtobuf:
            continue


@given(_U64)
def test_a_number_is_read_from_its_shortest_form_alone(number: int) -> None:
    data = write_varint(number)
    assert read_varint(data, 0) == (number, len(data))
    with pytest.raises(MalformedProtobuf):
        read_varint(data[:-1] + bytes([data[-1] | 0x80, 0]), 0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("0a", id="cut before the length"),
        pytest.param("0a0261", id="cut in the text"),
        pytest.param("0a01ff", id="no UTF-8"),
        pytest.param("0801", id="a number where a text is"),
        pytest.param("0a01610a0162", id="a field twice"),
        pytest.param("0b0c", id="a group"),
        pytest.param("0201", id="field 0"),
        pytest.param("8a0001", id="a tag that is too long"),
        pytest.param("0a0161" + "ff" * 10 + "01", id="above 64 bits"),
        pytest.param("1a0161", id="a field that is not declared"),
    ],
)
def test_malformed_bytes_are_refused(data: str) -> None:
    with pytest.raises(MalformedProtobuf):
        Coin.decode(bytes.fromhex(data))


def test_a_lenient_reader_passes_over_fields_of_newer_nodes() -> None:
    newer = Coin("uxvm", "1").encode() + bytes.fromhex("1a016120012900000000000000ff3500000000")
    assert Coin.decode(newer, is_lenient=True) == Coin("uxvm", "1")
    with pytest.raises(MalformedProtobuf):
        Coin.decode(newer)


def test_numbers_keep_to_their_type() -> None:
    with pytest.raises(MalformedProtobuf):
        Timestamp.decode(b"\x10" + write_varint(2**32))
    with pytest.raises(ValueError, match="sequence"):
        SignerInfo(sequence=2**64).encode()


def test_a_message_has_no_more_elements_than_memory_is_kept_for() -> None:
    assert len(TxRaw.decode(b"\x1a\x00" * MAX_REPEATED).signatures) == MAX_REPEATED
    with pytest.raises(MalformedProtobuf, match="elements"):
        TxRaw.decode(b"\x1a\x00" * (MAX_REPEATED + 1))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(Event("x", (EventAttribute(),) * MAX_REPEATED).encode(), id="elements of elements"),
        pytest.param(b"\x78\x01" * MAX_REPEATED, id="fields that nobody knows"),
    ],
)
def test_security_all_that_is_within_a_message_is_bounded_together(data: bytes) -> None:
    """SECURITY: a node that answers with some megabytes of empty attributes would stop the process for minutes."""
    events = [b"\x1a" + write_varint(len(data)) + data] * (MAX_FIELDS // MAX_REPEATED)
    SimulationResult.decode(b"".join(events[1:]), is_lenient=True)
    with pytest.raises(MalformedProtobuf, match="fields"):
        SimulationResult.decode(b"".join(events), is_lenient=True)


def test_an_account_is_the_hash_of_its_key() -> None:
    """The example is that of BIP 173: the public key of secret 1."""
    account = account_of_key(bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"))
    assert account.hex() == "751e76e8199196d454941c45d1b3a323f1433bd6"
    assert from_bech32("wasm", to_bech32("wasm", account)) == account
