"""Lists without end, texts that two readers read differently, accounts of other chains: in messages that would act."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.request import request_id
from attestation.textcodecs import bech32_encode
from tests.cosmwasm.contract.ledger import (
    DENOM,
    PAYEE,
    Ledger,
    Refused,
    b64,
    compact,
    hexed,
    request_json,
    set_json,
    signer_set,
    signing_keys,
    word,
)
from tests.cosmwasm.contract.source_side import SourceLedger


def refused_name(ledger: Ledger, message: Any, *, sender: str = "", gas_limit: int | None = None) -> str:
    """By what a message to the gateway is refused."""
    with pytest.raises(Refused) as refused:
        ledger.send(sender or ledger.relayer, ledger.gateway, message, gas_limit=gas_limit)
    return refused.value.name


@pytest.mark.parametrize(
    "message",
    [
        {"execute": {"batches": [{}] * 10_000, "payee": hexed(PAYEE)}},
        {"execute": {"batches": [0] * 50_000, "payee": hexed(PAYEE)}},
        {"deliver": {"batches": [[]] * 30_000}},
        {"show_lapsed": {"requests": [{}] * 30_000}},
        {"show_lapsed": {"requests": [word(1)] * 1_500}},
        {"rotate": {"set": {"signers": [{}] * 20_000}, "certificate": ""}},
        {"xvm_execute": {"target": "0x" + "00" * 60_000, "payload": "", "options": {}}},
        {"xvm_execute": {"target": "0x", "payload": b64(bytes(90_000)), "options": {}}},
        {"credits": "x" * 130_000},
    ],
    ids=lambda message: next(iter(message)),
)
def test_security_a_list_without_end_is_refused_at_its_senders_cost(source: SourceLedger, message: Any) -> None:
    """SECURITY: whatever its length, a message is refused by name or runs out of its own gas; it is no panic."""
    for gas_limit in (50_000_000, 300_000):
        with pytest.raises(Refused) as refused:
            source.send(source.asker, source.gateway, message, gas_limit=gas_limit)
        assert "out of gas" in refused.value.log or refused.value.log.endswith(": execute wasm contract failed")


def test_security_a_signer_set_has_at_most_256_signers() -> None:
    """SECURITY: a bitmap of 256 bits names no more, and each is looked at by every certificate."""
    fresh = Ledger()
    keys = signing_keys(257)
    at_most = set_json(signer_set(keys[:256], 200))
    too_many = {**at_most, "signers": [*at_most["signers"], {**at_most["signers"][0], "key": hexed(keys[256].key)}]}
    assert refused_name(fresh, {"install": {"set": too_many}}, sender=fresh.owner) == "TooManySigners"
    fresh.act(fresh.owner, "install", {"set": at_most})


def test_security_what_is_shown_lapsed_is_paid_for_by_who_shows_it(source: SourceLedger) -> None:
    """SECURITY: a message that is as long as may be either fits into its own gas or leaves nothing."""
    lapsed = [request_json(source.request(nonce, expiry=1), by_hash=True) for nonce in range(100)]
    with pytest.raises(Refused, match="out of gas"):
        source.send(source.asker, source.gateway, {"show_lapsed": {"requests": lapsed}}, gas_limit=400_000)
    for nonce in (0, 99):
        shown = hexed(request_id(source.request(nonce, expiry=1)))
        assert source.tell("is_lapsed", request_id=shown) is False


def with_raw(message: Any, mark: str, raw: bytes) -> bytes:
    """A message's bytes, with some others in the place of a mark."""
    return compact(message).replace(compact(mark), raw)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'"1","nonce":"1"', "DuplicateField"),
        (b'"1","non\\u0063e":"0"', "DuplicateField"),
        (b'"1","Nonce":"0"', "UnknownField"),
        (b'"1","nonce\\u0000":"0"', "UnknownField"),
        (b"9007199254740993", "NumberTooLarge"),
        (b"9007199254740992", "MalformedField"),
        (b'"18446744073709551616"', "MalformedField"),
        (b"1.0", "MalformedJson"),
        (b'"1\\u0000"', "MalformedField"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else value,
)
def test_security_a_certified_request_has_one_text(ledger: Ledger, raw: bytes, name: str) -> None:
    """SECURITY: what a submitter writes twice, or larger than 2^53, is no request that anybody has signed."""
    asked = ledger.request(1)
    body = {"batches": [ledger.batch([asked])], "payee": hexed(PAYEE)}
    body["batches"][0]["items"][0]["request"]["nonce"] = "@"
    assert refused_name(ledger, with_raw({"execute": body}, "@", raw)) == name
    assert ledger.consumed(asked) == bytes(32)
    ledger.send(ledger.relayer, ledger.gateway, with_raw({"execute": body}, "@", b'"1"'))


@pytest.mark.parametrize("raw", [b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf5\x80\x80\x80"'])
def test_security_invalid_utf8_reaches_no_contract(ledger: Ledger, raw: bytes) -> None:
    """SECURITY: readers differ in what they make of it; the chain refuses it before the contract would."""
    message = with_raw({"withdraw": {"to": "@"}}, "@", raw)
    with pytest.raises(Refused) as refused:
        ledger.send(ledger.relayer, ledger.gateway, message)
    assert "invalid" in refused.value.log or refused.value.name == "NotUtf8"


@pytest.mark.parametrize("prefix", ["cosmos", "osmo", "wasmvaloper", "Wasm"])
def test_security_money_and_offices_go_to_accounts_of_this_chain_alone(source: SourceLedger, prefix: str) -> None:
    """SECURITY: the same bytes under another chain's prefix are somebody else, or nobody."""
    address = source.keeper.addresses.parse(source.asker)
    stranger = bech32_encode(prefix.lower(), address) if prefix != "Wasm" else source.asker.upper()
    source.deliver(source.outcome(request_id(source.ask_from(source.asker)[0])))
    credit = source.credit_of(source.relayer)
    for sender, message in (
        (source.relayer, {"withdraw": {"to": stranger}}),
        (source.owner, {"transfer_ownership": {"to": stranger}}),
        (source.owner, {"set_offices": {"guardian": stranger, "treasury": source.owner}}),
        (source.owner, {"set_offices": {"guardian": None, "treasury": stranger}}),
    ):
        assert refused_name(source, message, sender=sender) == "InvalidAddress"
    for question in ({"credits": {"account": stranger}}, {"next_nonce": {"sender": stranger}}):
        with pytest.raises(Refused, match="InvalidAddress"):
            source.ask(source.gateway, question)
    assert source.credit_of(source.relayer) == credit > 0


def test_security_funds_that_differ_from_the_fee_are_the_senders(source: SourceLedger) -> None:
    """SECURITY: what is above a fee comes back whole, and what is below makes nothing."""
    before = source.balance_of(source.asker)
    asked, sent = source.ask_from(source.asker)
    fee = int(sent.event("XVMCallRequested")["fee"])
    assert before - source.balance_of(source.asker) == fee == int(source.pending(request_id(asked))["fee"])
    with pytest.raises(Refused, match=f"InsufficientFee: {fee}, {fee - 1}"):
        source.ask_from(source.asker, funds=fee - 1)
    assert source.keeper.balance(source.gateway, DENOM) == fee
