"""Calls of Solana programs between text and bytes. SPL Token, Anchor and the tests' Borsh are the oracles."""

from __future__ import annotations

import json
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.cli.asking import TypedCall
from relayer.cli.svm.borsh_types import BorshTypes, kind_text
from relayer.cli.svm.borsh_values import MalformedValue
from relayer.cli.svm.idl import Idl
from relayer.cli.svm.payload import SvmPayloadCodec
from relayer.errors import ConfigError
from tests.svm.program import idl as oracle

SPL = Path(__file__).with_name("spl_token.idl.json")
GATEWAY_IDL = oracle.FOLDER / "xvm_gateway.idl.json"
SOLANA = Chain(Namespace.SOLANA, bytes(range(32)))
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
GATEWAY = Pubkey(keccak256(b"gateway"))
ASKER = evm_account(31337, b"\x5e" * 20)
FROM, TO, WHO = (Pubkey(keccak256(name)) for name in (b"from", b"to", b"who"))
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")


def codec(**fields: Any) -> SvmPayloadCodec:
    target = InteroperableAddress(SOLANA, bytes(TOKEN))
    return SvmPayloadCodec(TypedCall(target=target, asker=ASKER, gateway=str(GATEWAY), **fields))


def payload(data: bytes, *accounts: tuple[Pubkey, bool, bool]) -> bytes:
    """As the gateway's page has it."""
    listed = b"".join(
        bytes(key) + struct.pack("??", is_signer, is_writable) for key, is_signer, is_writable in accounts
    )
    return struct.pack("<I", len(accounts)) + listed + struct.pack("<I", len(data)) + data


def test_data_and_accounts_are_the_payload() -> None:
    call = codec(data=b"\1\2", accounts=(f"{FROM}:w", str(TO), f"{WHO}:sw"), is_own_account=True)
    expected = payload(b"\1\2", (FROM, False, True), (TO, False, False), (WHO, True, True))
    assert call.encode(Mode.CALL) == expected
    assert codec(data=b"\1", accounts=(f"{FROM}:w",)).encode(Mode.QUERY) == payload(b"\1", (FROM, False, True))
    assert codec(data=b"").encode(Mode.CALL) == bytes(8)


def test_contracts_of_other_vms_write_the_same_payload() -> None:
    """As contracts/evm/test/client/SolanaPayload.t.sol has it."""
    written, signer = Pubkey(b"\x11" * 32), Pubkey(b"\x22" * 32)
    call = codec(data=b"\3\4", accounts=(f"{written}:w", f"{signer}:s"), is_own_account=True)
    expected = "02000000" + "11" * 32 + "0001" + "22" * 32 + "0100" + "02000000" + "0304"
    assert call.encode(Mode.CALL).hex() == expected
    target = InteroperableAddress(Chain(Namespace.SOLANA, bytes(written)), bytes(signer)).to_bytes()
    assert target.hex() == "0001000220" + "11" * 32 + "20" + "22" * 32


def test_a_token_transfer_is_encoded_by_the_idl_with_its_flags() -> None:
    accounts = (f"destination={TO}", f"authority={WHO}", f"source={FROM}")
    call = codec(function="transfer", arguments=("300",), accounts=accounts, interface=SPL, is_own_account=True)
    data = b"\3" + (300).to_bytes(8, "little")
    assert call.encode(Mode.CALL) == payload(data, (FROM, False, True), (TO, False, True), (WHO, True, False))


def test_own_is_the_askers_account_at_the_targets_gateway() -> None:
    own, _ = Pubkey.find_program_address([b"account", keccak256(ASKER.to_bytes())], GATEWAY)
    call = codec(data=b"", accounts=("own:s",), is_own_account=True)
    assert call.encode(Mode.CALL) == payload(b"", (own, True, False))


def test_what_the_idl_fixes_or_lets_go_needs_not_be_typed_and_others_follow() -> None:
    accounts = (f"account={FROM}", f"mint={TO}", f"owner={WHO}", f"{FROM}:w")
    call = codec(function="initialize_account", accounts=accounts, interface=SPL)
    expected = ((FROM, False, True), (TO, False, False), (WHO, False, False), (RENT, False, False))
    assert call.encode(Mode.CALL) == payload(b"\1", *expected, (TOKEN, False, False), (FROM, False, True))


@pytest.mark.parametrize(
    ("authority", "encoded"), [("null", b"\0"), (str(WHO), b"\1" + bytes(WHO)), (f'"{WHO}"', b"\1" + bytes(WHO))]
)
def test_variants_and_options_are_typed_bare_or_as_json(authority: str, encoded: bytes) -> None:
    accounts = (f"owned={FROM}", f"owner={WHO}")
    for kind in ("AccountOwner", '"AccountOwner"'):
        words = {"arguments": (kind, authority), "accounts": accounts, "is_own_account": True}
        call = codec(function="set_authority", interface=SPL, **words)
        assert call.encode(Mode.CALL) == payload(b"\6\2" + encoded, (FROM, False, True), (WHO, True, False))


def test_a_signature_is_anchors_instruction() -> None:
    call = codec(function="set_limit(u64, (pubkey, vec<u8>))", arguments=("7", f'["{WHO}", "0x0102"]'))
    data = sha256(b"global:set_limit").digest()[:8] + struct.pack("<Q", 7) + bytes(WHO) + b"\2\0\0\0\1\2"
    assert call.encode(Mode.CALL) == payload(data)


def test_a_query_without_a_call_is_of_the_accounts_data() -> None:
    assert codec().encode(Mode.QUERY) == b""
    assert codec(function="slice", arguments=("36", "8")).encode(Mode.QUERY) == struct.pack("<II", 36, 8)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "name the call either by --fn"),
        ({"data": b"", "function": "f()"}, "name the call either by --fn"),
        ({"data": b"", "arguments": ("1",)}, "name the call either by --fn"),
        ({"function": "transfer"}, "is no signature"),
        ({"function": "f(u65)"}, "--fn: u65|u65"),
        ({"function": "f(u8)"}, "takes 1 arguments"),
        ({"function": "f(u8)", "arguments": ("256",)}, "does not fit 1 bytes"),
        ({"function": "burn", "interface": SPL}, "'burn' is none of its instructions: transfer, set_authority"),
        ({"function": "transfer", "arguments": ("1",), "interface": SPL}, "takes source: write source=ADDRESS"),
        ({"data": b"", "accounts": ("0x12",)}, "is no account"),
        ({"data": b"", "accounts": (str(WHO)[:-2],)}, "is not 32 bytes in base58"),
        ({"data": b"", "accounts": (f"who={WHO}",)}, "have names only where --idl gives them"),
        ({"data": b"", "accounts": (f"{WHO}:s",)}, "add --own-account"),
        ({"data": b"", "accounts": tuple([str(WHO)] * 256)}, "256, of which a transaction holds 255"),
        ({"function": "slice", "arguments": ("1", "2")}, "is no signature"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        codec(**fields).encode(Mode.CALL)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"accounts": (str(WHO),)}, "a query of an account's data takes none"),
        ({"data": b"", "accounts": (f"{WHO}:s",), "is_own_account": True}, "a query has nobody's signature"),
        ({"function": "slice", "arguments": ("1",)}, "slice takes an offset and a length"),
        ({"function": "slice", "arguments": ("1", str(2**32))}, "slice takes an offset and a length"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        codec(**fields).encode(Mode.QUERY)


def test_own_without_a_known_gateway_is_refused() -> None:
    target = InteroperableAddress(SOLANA, bytes(TOKEN))
    with pytest.raises(ConfigError, match="own: the gateway"):
        SvmPayloadCodec(TypedCall(target=target, asker=ASKER, data=b"", accounts=("own:s",)))


def test_results_are_read_by_their_types() -> None:
    data = struct.pack("<Qq", 7, -2) + bytes(WHO) + b"\1\x05\0\0\0\2\0\0\0hi"
    shown = codec(data=b"").decode_result("u64, i64, pubkey, option<u32>, string", data)
    assert shown == ["7", "-2", str(WHO), "5", "hi"]
    assert codec(data=b"").decode_result("vec<[u8;2]>", struct.pack("<I4s", 2, b"\1\2\3\4")) == [["0x0102", "0x0304"]]
    assert codec(data=b"").decode_result("((bool,u8),)", b"\1\2") == [[True, "2"]]


def test_an_account_is_read_by_the_idl() -> None:
    mint = struct.pack("<I32sQBBI32s", 1, bytes(WHO), 21_000_000, 6, 1, 0, bytes(32))
    (shown,) = codec(interface=SPL).decode_result("Mint", mint)
    assert shown == {
        "mint_authority": str(WHO),
        "supply": "21000000",
        "decimals": "6",
        "is_initialized": True,
        "freeze_authority": None,
    }


def test_an_anchor_account_has_its_discriminator_and_room_behind() -> None:
    fields = {"request_id": b"\7" * 32, "word": bytes(32), "bump": 254, "reserved": bytes(7)}
    (entry,) = (one for one in oracle.IDL["accounts"] if one["name"] == "Slot")
    data = bytes(entry["discriminator"]) + oracle.encode({"defined": {"name": "Slot"}}, fields)
    reader = codec(interface=GATEWAY_IDL)
    assert reader.decode_result("Slot", data + bytes(40))[0]["request_id"] == "0x" + "07" * 32
    with pytest.raises(ConfigError, match="its discriminator is another"):
        reader.decode_result("Sender", data)


@pytest.mark.parametrize(
    ("types", "data"),
    [("u64", b"\1"), ("u8", b"\1\2"), ("bool", b"\2"), ("vec<u8>", b"\xff\xff\xff\xff"), ("string", b"\1\0\0\0\xff")],
)
def test_data_that_is_none_of_the_types_is_an_error_not_a_value(types: str, data: bytes) -> None:
    with pytest.raises(ConfigError, match="--returns: the data is none of"):
        codec(data=b"").decode_result(types, data)


@pytest.mark.parametrize("types", ["", "u7", "vec<u8", "[u8]", "(u8", "u8)", "Mint", "vec<" * 40 + "u8" + ">" * 40])
def test_types_that_are_none_are_refused_before_anything_is_paid(types: str) -> None:
    if types:
        with pytest.raises(ConfigError, match="is no list of types"):
            codec(data=b"").check_result_types(types)
    else:
        codec(data=b"").check_result_types(types)


OPTIONS = st.fixed_dictionaries(
    {
        "mode": st.integers(0, 255),
        "own_account": st.booleans(),
        "execution_gas_limit": st.integers(0, 2**64 - 1),
        "callback_gas_limit": st.integers(0, 2**64 - 1),
        "return_limit": st.integers(0, 2**32 - 1),
        "expiry": st.integers(0, 2**64 - 1),
        "ordered": st.booleans(),
        "code_hash": st.binary(min_size=32, max_size=32),
        "dispute_blocks": st.integers(0, 2**32 - 1),
        "deadline_slots": st.integers(0, 2**64 - 1),
        "metadata": st.binary(max_size=60),
    }
)


@given(options=OPTIONS, salt=st.integers(0, 2**64 - 1), target=st.binary(max_size=70))
def test_the_gateways_own_request_is_encoded_as_the_program_reads_it(
    options: dict[str, Any], salt: int, target: bytes
) -> None:
    args = {"salt": salt, "max_fee": 5, "target": target, "payload": b"", "options": options, "callback": None}
    typed = json.dumps(
        {name: f"0x{value.hex()}" if isinstance(value, bytes) else value for name, value in options.items()}
    )
    words = (str(salt), "5", f"0x{target.hex()}", "0x", typed, "null")
    names = ("payer", "config", "event_authority", "program", "sender", "outbound", "sender_state", "pending")
    accounts = tuple(f"{name}={WHO}" for name in names)
    call = codec(function="request", arguments=words, accounts=accounts, interface=GATEWAY_IDL, is_own_account=True)
    encoded = call.encode(Mode.CALL)
    assert encoded[4 + 10 * 34 + 4 :] == oracle.instruction_data("request", args)
    types = Idl.load(GATEWAY_IDL).types
    kind = {"defined": {"name": "Options"}}
    assert types.encode(kind, types.decode(kind, types.encode(kind, json.loads(typed)))) == oracle.encode(kind, options)


@given(st.binary(max_size=80), st.sampled_from(["Options", "Terms", "Request", "XVMCallConcluded"]))
def test_any_bytes_are_a_value_or_an_error(data: bytes, name: str) -> None:
    types = Idl.load(GATEWAY_IDL).types
    try:
        value = types.decode({"defined": {"name": name}}, data)
    except MalformedValue:
        return
    assert types.encode({"defined": {"name": name}}, value) == data


def test_what_a_call_returns_stands_in_the_idl() -> None:
    counter = oracle.FOLDER / "examples" / "counter.idl.json"
    call = codec(function="read", accounts=(f"counter={WHO}",), interface=counter)
    assert call.result_types == "u64"
    assert call.decode_result("u64", struct.pack("<Q", 9)) == ["9"]
    assert codec(function="fail", interface=counter).result_types is None
    assert codec(data=b"").result_types is None


@pytest.mark.parametrize(
    "text", ["u64", "vec<option<pubkey>>", "[u8;32]", "(u8,[(bool,i128);2],coption<string>)", "Mint"]
)
def test_a_type_is_written_as_it_is_typed(text: str) -> None:
    assert kind_text(Idl.load(SPL).types.parse(text)) == text


def test_an_older_idl_says_the_same_in_other_words(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    document = {
        "version": "0.1.0",
        "name": "old",
        "instructions": [
            {
                "name": "setLimit",
                "accounts": [
                    {"name": "who", "isMut": True, "isSigner": False},
                    {"name": "rest", "accounts": [{"name": "mint", "isMut": False, "isSigner": False}]},
                ],
                "args": [{"name": "owner", "type": "publicKey"}, {"name": "shape", "type": {"defined": "Shape"}}],
            }
        ],
        "accounts": [{"name": "Limit", "type": {"kind": "struct", "fields": [{"name": "most", "type": "u16"}]}}],
        "types": [
            {
                "name": "Shape",
                "type": {"kind": "enum", "variants": [{"name": "Dot"}, {"name": "Box", "fields": ["u8", "u8"]}]},
            }
        ],
    }
    path.write_text(json.dumps(document))
    words = {"function": "setLimit", "accounts": (f"who={FROM}", f"rest.mint={TO}"), "interface": path}
    call = codec(arguments=(str(WHO), '{"Box": [1, 2]}'), **words)
    data = sha256(b"global:set_limit").digest()[:8] + bytes(WHO) + b"\1\1\2"
    assert call.encode(Mode.CALL) == payload(data, (FROM, False, True), (TO, False, False))
    held = sha256(b"account:Limit").digest()[:8] + b"\7\0"
    assert codec(interface=path).decode_result("Limit", held) == [{"most": "7"}]
    assert codec(interface=path).decode_result("Shape", b"\0") == ["Dot"]
    assert codec(interface=path).decode_result("Shape", b"\1\1\2") == [{"Box": ["1", "2"]}]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"instructions": [{"name": 1}]}', "[" * 3000])
def test_a_file_that_is_no_idl_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.json: is no IDL of Anchor's"):
        codec(interface=path)
    with pytest.raises(ConfigError, match="cannot be read"):
        codec(interface=tmp_path / "none.json")


def test_a_type_that_defines_itself_has_an_end() -> None:
    types = BorshTypes({"Loop": {"kind": "type", "alias": {"defined": {"name": "Loop"}}}})
    for attempt in (
        lambda: types.decode({"defined": {"name": "Loop"}}, b""),
        lambda: types.encode({"defined": {"name": "Loop"}}, 1),
    ):
        with pytest.raises(MalformedValue, match="without end"):
            attempt()


@pytest.mark.parametrize("length", [-1, 1 << 62])
def test_security_an_array_that_nobody_can_hold_is_refused(length: int) -> None:
    """SECURITY: an IDL comes from anybody, and its items may take no byte."""
    types = BorshTypes({"Nothing": {"kind": "struct", "fields": []}})
    with pytest.raises(MalformedValue, match="an array of"):
        types.decode({"array": [{"defined": {"name": "Nothing"}}, length]}, b"")


def test_security_a_discriminator_is_a_list_of_bytes(tmp_path: Path) -> None:
    """SECURITY: of a number as many zeros would be made, and sent."""
    path = tmp_path / "odd.json"
    instruction = {"name": "go", "discriminator": 1 << 62, "args": [], "accounts": []}
    path.write_text(json.dumps({"instructions": [instruction]}))
    with pytest.raises(ConfigError, match="no discriminator"):
        Idl.load(path)
