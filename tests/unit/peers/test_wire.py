"""The envelope of peer messages: what is signed, what parses."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.domain import batch_digest, peer_message_digest, peer_recipient
from attestation.keccak import keccak256
from attestation.schemes import SECP256K1
from relayer.errors import PeerMessageInvalid
from relayer.peers.wire import HEAD_LENGTH, MAX_BODY_BYTES, Head, MessageKind, SignedHead, network_id, parse_head

KEY = SECP256K1.signing_key(b"\x01" * 32)
OTHER_KEY = SECP256K1.signing_key(b"\x02" * 32)

WORDS = st.binary(min_size=32, max_size=32)
KEYS = st.binary(min_size=20, max_size=20)
HEADS = st.builds(
    Head,
    kind=st.sampled_from(MessageKind),
    is_answer=st.booleans(),
    network=WORDS,
    sender=KEYS,
    recipient=KEYS,
    sent_at_milliseconds=st.integers(0, 2**64 - 1),
    reference=WORDS,
    body_length=st.integers(0, MAX_BODY_BYTES),
    body_hash=WORDS,
)
HEAD = Head(
    kind=MessageKind.PING,
    is_answer=False,
    network=b"\x03" * 32,
    sender=KEY.key,
    recipient=OTHER_KEY.key,
    sent_at_milliseconds=1_700_000_000_000,
    reference=b"\x04" * 32,
    body_length=2,
    body_hash=keccak256(b"ab"),
)


def _sealed(head: Head) -> SignedHead:
    return SignedHead(head, KEY.sign(head.digest()))


@given(head=HEADS, signature=st.binary(min_size=64, max_size=64))
def test_a_head_comes_back_as_it_was_sent(head: Head, signature: bytes) -> None:
    data = SignedHead(head, signature).to_bytes()
    assert len(data) == HEAD_LENGTH == 214
    assert parse_head(data) == SignedHead(head, signature)


def test_the_layout_is_the_documented_one() -> None:
    data = _sealed(HEAD).to_bytes()
    assert data[:2] == b"\x01\x01"
    assert data[2:34] == HEAD.network
    assert (data[34:54], data[54:74]) == (KEY.key, OTHER_KEY.key)
    assert int.from_bytes(data[74:82], "big") == HEAD.sent_at_milliseconds
    assert data[82:114] == HEAD.reference
    assert (int.from_bytes(data[114:118], "big"), data[118:150]) == (2, HEAD.body_hash)
    assert replace(HEAD, is_answer=True).signed_bytes()[1] == 0x81
    expected = peer_message_digest(keccak256(data[:150]), HEAD.sent_at_milliseconds, peer_recipient(OTHER_KEY.key))
    assert HEAD.digest() == expected


def test_the_digest_of_one_head_is_pinned() -> None:
    """Relayers of different versions must agree on it; the signature is deterministic."""
    assert HEAD.digest().hex() == "7295e7b6939faaa235bf5a6c76569b43e77b92de282b6dbf0cfab659d3cdfff7"
    assert _sealed(HEAD).signature.hex() == (
        "dc96a1e94160ca4755435e9cf72dd790fce37d9bcb17cdc0076d4eca962fc932"
        "8e68ec8c232647df170072fab78a2e873c2e0677e3a2fc8e53b58bed73db4c7c"
    )


def test_a_signed_head_verifies() -> None:
    parse_head(_sealed(HEAD).to_bytes()).verify(HEAD.digest())


@pytest.mark.parametrize("field", [field.name for field in fields(Head)])
def test_security_no_field_can_be_changed_after_signing(field: str) -> None:
    """SECURITY: whoever sits on the line could redirect, repeat or reword messages."""
    changes: dict[str, object] = {
        "kind": MessageKind.ATTESTATIONS,
        "is_answer": True,
        "sent_at_milliseconds": HEAD.sent_at_milliseconds + 1,
        "body_length": 3,
        "sender": OTHER_KEY.key,
        "recipient": KEY.key,
    }
    signed = _sealed(HEAD)
    changed = replace(HEAD, **{field: changes.get(field, b"\x09" * 32)})  # type: ignore[arg-type]
    assert changed != HEAD
    with pytest.raises(PeerMessageInvalid, match="not signed"):
        SignedHead(changed, signed.signature).verify(changed.digest())


def test_security_another_key_signs_for_nobody_else() -> None:
    """SECURITY: the sender that a head names is the one that signed it."""
    with pytest.raises(PeerMessageInvalid, match="not signed"):
        SignedHead(HEAD, OTHER_KEY.sign(HEAD.digest())).verify(HEAD.digest())


def test_security_a_peer_message_is_never_an_attestation() -> None:
    """SECURITY: the digest of a peer message lies in a domain of its own."""
    assert HEAD.digest() != batch_digest(KEY.key, HEAD.body_hash, 1, 1)
    with pytest.raises(PeerMessageInvalid, match="not signed"):
        SignedHead(HEAD, KEY.sign(batch_digest(KEY.key, HEAD.body_hash, 1, 1))).verify(HEAD.digest())


def test_a_signature_that_is_none_is_refused_like_a_wrong_one() -> None:
    for junk in (bytes(64), b"\xff" * 64):
        with pytest.raises(PeerMessageInvalid, match="not signed"):
            SignedHead(HEAD, junk).verify(HEAD.digest())


@pytest.mark.parametrize("length", [0, 1, HEAD_LENGTH - 1, HEAD_LENGTH + 1, 4096])
def test_only_a_whole_head_parses(length: int) -> None:
    with pytest.raises(PeerMessageInvalid, match="bytes"):
        parse_head(_sealed(HEAD).to_bytes().ljust(length, b"\0")[:length])


def test_other_versions_and_kinds_do_not_parse() -> None:
    data = _sealed(HEAD).to_bytes()
    for start, fault in ((b"\x02\x01", "version"), (b"\x01\x00", "kind"), (b"\x01\x05", "kind"), (b"\x01\x80", "kind")):
        with pytest.raises(PeerMessageInvalid, match=fault):
            parse_head(start + data[2:])


def test_security_a_head_cannot_announce_a_body_beyond_the_limit() -> None:
    """SECURITY: the receiver makes room for it on this word alone."""
    parse_head(SignedHead(replace(HEAD, body_length=MAX_BODY_BYTES), bytes(64)).to_bytes())
    with pytest.raises(PeerMessageInvalid, match="limit"):
        parse_head(SignedHead(replace(HEAD, body_length=MAX_BODY_BYTES + 1), bytes(64)).to_bytes())


@given(data=st.binary(min_size=HEAD_LENGTH, max_size=HEAD_LENGTH))
def test_junk_is_refused_or_is_one_head_and_no_other(data: bytes) -> None:
    try:
        parsed = parse_head(data)
    except PeerMessageInvalid:
        return
    assert parsed.to_bytes() == data


def test_a_body_is_the_one_that_was_announced() -> None:
    assert HEAD.is_body(b"ab")
    assert not HEAD.is_body(b"ac")
    assert not replace(HEAD, body_length=3).is_body(b"ab")


def test_networks_of_other_names_have_other_ids() -> None:
    assert network_id("devnet") == keccak256(b"devnet") != network_id("testnet")
