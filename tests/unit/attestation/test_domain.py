from typing import Any

import pytest

from attestation.address import Chain
from attestation.domain import (
    batch_digest,
    chain_tag,
    domain_salt,
    domain_separator,
    gateway_tag,
    peer_message_digest,
    peer_recipient,
)
from attestation.errors import MalformedAddress, MalformedBatch, MalformedPeerMessage
from attestation.keccak import keccak256
from tests.vectors.examples import DESTINATION_GATEWAY, SOURCE_GATEWAY, UINT32_MAX, UINT64_MAX, hash_of

ROOT = hash_of("root")


def test_tags_are_the_heads_of_their_hashes() -> None:
    assert chain_tag(SOURCE_GATEWAY) == keccak256(Chain.evm(31337).to_bytes())[:4]
    assert gateway_tag(SOURCE_GATEWAY) == domain_salt(SOURCE_GATEWAY)[:4] == keccak256(SOURCE_GATEWAY)[:4]


def test_a_tag_needs_a_gateway() -> None:
    with pytest.raises(MalformedAddress):
        chain_tag(Chain.evm(1).to_bytes())


def test_security_no_digest_is_valid_at_two_gateways() -> None:
    """SECURITY: the gateway is in the domain, so its certificates cannot be replayed elsewhere."""
    assert batch_digest(SOURCE_GATEWAY, ROOT, 1, 1) != batch_digest(DESTINATION_GATEWAY, ROOT, 1, 1)
    assert domain_separator(SOURCE_GATEWAY) != domain_separator(DESTINATION_GATEWAY)


def test_the_digest_commits_to_root_count_and_epoch() -> None:
    digests = {
        batch_digest(SOURCE_GATEWAY, root, count, epoch)
        for root in (ROOT, bytes(32))
        for count in (0, 1, UINT32_MAX)
        for epoch in (0, 1, UINT64_MAX)
    }
    assert len(digests) == 18


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("root", (bytes(31), 1, 1)),
        ("root", (bytes(33), 1, 1)),
        ("count", (ROOT, -1, 1)),
        ("count", (ROOT, 2**32, 1)),
        ("epoch", (ROOT, 1, -1)),
        ("epoch", (ROOT, 1, 2**64)),
    ],
)
def test_a_digest_is_of_what_the_types_hold(field: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(MalformedBatch) as caught:
        batch_digest(SOURCE_GATEWAY, *arguments)
    assert caught.value.field == field


def test_the_recipient_is_the_hash_of_its_key() -> None:
    assert peer_recipient(b"key") == keccak256(b"key")


def test_security_a_peer_message_is_bound_to_body_time_and_recipient() -> None:
    """SECURITY: it can be neither changed, nor sent later, nor passed on to another."""
    body, recipient = hash_of("body"), hash_of("recipient")
    digests = {
        peer_message_digest(body, 1, recipient),
        peer_message_digest(hash_of("another body"), 1, recipient),
        peer_message_digest(body, 2, recipient),
        peer_message_digest(body, 1, hash_of("another recipient")),
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("body_hash", (bytes(31), 1, ROOT)),
        ("sent_at_milliseconds", (ROOT, -1, ROOT)),
        ("sent_at_milliseconds", (ROOT, 2**64, ROOT)),
        ("recipient", (ROOT, 1, bytes(20))),
    ],
)
def test_a_peer_message_is_of_what_the_types_hold(field: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(MalformedPeerMessage) as caught:
        peer_message_digest(*arguments)
    assert caught.value.field == field
