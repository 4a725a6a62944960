"""Every encoding comes back as it went, and no parser takes what no encoder gives."""

import json
from collections.abc import Callable

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from attestation.address import (
    Chain,
    InteroperableAddress,
    Namespace,
    parse_account_text,
    parse_chain_text,
    parse_interoperable_address,
)
from attestation.certificate import Certificate, parse_certificate
from attestation.errors import AttestationError, BatchError, MalformedAddress, MalformedEvidence, MalformedStatements
from attestation.evidence import Equivocation, SignedStatement
from attestation.evidence_file import encode_evidence, parse_evidence
from attestation.merkle import merkle_path, merkle_root, verify_path
from attestation.request import (
    REQUEST_TYPE,
    Request,
    RequestId,
    format_request_id,
    parse_request_id,
    request_id,
)
from attestation.statement import Statement, guard_key
from attestation.statement_codec import encode_statements, parse_statements
from attestation.textcodecs import base58_decode, base58_encode, bech32_decode, bech32_encode
from tests.property.attestation.strategies import (
    accounts,
    addresses,
    batches,
    bech32_prefixes,
    chains,
    request_ids,
    requests,
    statements,
    uint64s,
    words,
)


@given(addresses)
def test_address_bytes_come_back(address: InteroperableAddress) -> None:
    assert parse_interoperable_address(address.to_bytes()) == address


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        address = parse_interoperable_address(data)
    except MalformedAddress:
        return
    assert address.to_bytes() == data


@given(addresses, st.data())
def test_a_changed_address_is_refused_or_another(address: InteroperableAddress, data: st.DataObject) -> None:
    encoded = bytearray(address.to_bytes())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = parse_interoperable_address(bytes(encoded))
    except MalformedAddress:
        return
    assert changed != address
    assert changed.to_bytes() == encoded


@given(accounts(), st.binary(min_size=1, max_size=40))
def test_cut_or_followed_addresses_are_refused(address: InteroperableAddress, tail: bytes) -> None:
    encoded = address.to_bytes()
    for data in (encoded + tail, encoded[: -min(len(tail), len(encoded))]):
        with pytest.raises(MalformedAddress):
            parse_interoperable_address(data)


@given(chains)
def test_chain_text_comes_back(chain: Chain) -> None:
    assert parse_chain_text(str(chain)) == chain


@given(accounts())
def test_account_text_comes_back(account: InteroperableAddress) -> None:
    assert parse_account_text(account.to_text()) == account


@given(accounts().filter(lambda account: account.chain.namespace is Namespace.COSMOS), bech32_prefixes)
def test_cosmos_text_comes_back_under_any_prefix(account: InteroperableAddress, prefix: str) -> None:
    text = account.to_text(prefix)
    assert parse_account_text(text) == parse_account_text(text, prefix) == account


@given(st.text(max_size=100))
def test_arbitrary_text_is_refused_or_an_account(text: str) -> None:
    for parse in (parse_chain_text, parse_account_text, base58_decode, bech32_decode):
        try:
            parse(text)
        except MalformedAddress:
            continue


@given(st.binary(max_size=32))
def test_base58_comes_back(data: bytes) -> None:
    assert base58_decode(base58_encode(data)) == data


@given(st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", max_size=44))
def test_base58_text_comes_back(text: str) -> None:
    assert base58_encode(base58_decode(text)) == text


@given(bech32_prefixes, st.binary(max_size=32))
def test_bech32_comes_back(prefix: str, data: bytes) -> None:
    assert bech32_decode(bech32_encode(prefix, data)) == (prefix, data)


@given(bech32_prefixes, st.binary(max_size=32), st.data())
def test_one_wrong_character_fails_bech32(prefix: str, data: bytes, draw: st.DataObject) -> None:
    text = bech32_encode(prefix, data)
    place = draw.draw(st.integers(len(prefix) + 1, len(text) - 1))
    other = draw.draw(
        st.sampled_from([letter for letter in "qpzry9x8gf2tvdw0s3jn54khce6mua7l" if letter != text[place]])
    )
    with pytest.raises(MalformedAddress):
        bech32_decode(text[:place] + other + text[place + 1 :])


@given(request_ids)
def test_id_text_comes_back(identifier: RequestId) -> None:
    assert parse_request_id(format_request_id(identifier)) == identifier


@given(requests)
def test_any_request_has_eth_accounts_id(request: Request) -> None:
    members = [dict(zip(("type", "name"), member.split(" "), strict=True)) for member in REQUEST_TYPE[8:-1].split(",")]
    values = [getattr(request, field) for field in Request.__dataclass_fields__]
    message = {member["name"]: value for member, value in zip(members, values, strict=True)}
    typed = encode_typed_data(
        full_message={
            "types": {"EIP712Domain": [{"name": "name", "type": "string"}], "Request": members},
            "primaryType": "Request",
            "domain": {"name": "any"},
            "message": message,
        }
    )
    assert request_id(request) == typed.body


@given(st.lists(statements, min_size=1, max_size=256))
def test_statements_come_back(items: list[Statement]) -> None:
    parsed = parse_statements(encode_statements(items))
    assert parsed == tuple(items)
    assert [type(statement) for statement in parsed] == [type(statement) for statement in items]


def _cut(data: bytes, amount: int) -> bytes:
    return data[: -min(amount, len(data))]


def _extend(data: bytes, amount: int) -> bytes:
    return data + bytes(amount)


@given(st.lists(statements, min_size=1, max_size=5), st.sampled_from([_cut, _extend]), st.integers(1, 400))
def test_cut_or_followed_statements_are_refused(
    items: list[Statement], change: Callable[[bytes, int], bytes], amount: int
) -> None:
    with pytest.raises(MalformedStatements):
        parse_statements(change(encode_statements(items), amount))


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda tail: b"\x01\x00\x01" + tail)))
def test_arbitrary_bytes_are_no_statements_or_canonical_ones(data: bytes) -> None:
    try:
        parsed = parse_statements(data)
    except (MalformedStatements, BatchError):
        return
    assert encode_statements(parsed) == data


@given(statements, statements, st.binary(max_size=30))
def test_equal_statements_have_equal_keys_and_leaves(first: Statement, second: Statement, gateway: bytes) -> None:
    assert (first.leaf == second.leaf) == (first == second)
    if first == second:
        assert guard_key(first, gateway) == guard_key(second, gateway)


@given(st.lists(words, min_size=1, max_size=256), st.data())
def test_every_path_leads_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle_path(leaves, index)
    verify_path(merkle_root(leaves), leaves[index], path)
    assert len(path) <= (len(leaves) - 1).bit_length()
    assert len(path) >= len(leaves).bit_length() - 1


certificates = st.builds(
    lambda epoch, chain_tag, gateway_tag, signatures: Certificate(
        scheme=1,
        epoch=epoch,
        chain_tag=chain_tag,
        gateway_tag=gateway_tag,
        bitmap=sum(1 << index for index in signatures),
        payload=b"".join(signatures.values()),
    ),
    uint64s,
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=4, max_size=4),
    st.dictionaries(st.integers(0, 255), st.binary(min_size=64, max_size=64), max_size=8),
)


@given(certificates)
def test_certificates_come_back(certificate: Certificate) -> None:
    assert parse_certificate(certificate.to_bytes()) == certificate


@given(st.binary(max_size=300).map(lambda tail: b"\x01" + tail))
def test_arbitrary_bytes_are_no_certificate_or_a_canonical_one(data: bytes) -> None:
    try:
        certificate = parse_certificate(data)
    except AttestationError:
        return
    assert certificate.to_bytes() == data


signed_statements = st.builds(
    SignedStatement, statements, batches, st.lists(words, max_size=8).map(tuple), st.binary(max_size=96)
)


@given(st.builds(Equivocation, st.integers(0, 255), st.binary(max_size=48), signed_statements, signed_statements))
def test_evidence_comes_back(evidence: Equivocation) -> None:
    assert parse_evidence(encode_evidence(evidence)) == evidence


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)


@given(st.one_of(st.text(max_size=200), json_values.map(json.dumps)))
def test_arbitrary_text_is_no_evidence(text: str) -> None:
    with pytest.raises(MalformedEvidence):
        parse_evidence(text)
