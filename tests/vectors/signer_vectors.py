"""Vectors of who signs what: signer sets, ranks, batch and peer message digests."""

from dataclasses import replace
from typing import Any

from attestation.domain import (
    batch_digest,
    chain_tag,
    domain_salt,
    domain_separator,
    gateway_tag,
    peer_message_digest,
    peer_recipient,
)
from attestation.epochs import Epochs
from attestation.errors import AttestationError
from attestation.schemes import SECP256K1
from attestation.signer_set import SignerSet, rank_signers
from tests.vectors.examples import (
    DEPLOYED_AT,
    DESTINATION_GATEWAY,
    FOUR,
    NINETEEN,
    SOURCE_GATEWAY,
    UINT64_MAX,
    WEIGHTED,
    error_data,
    example_keys,
    example_set,
    hash_of,
    set_json,
    text_of,
)
from tests.vectors.message_vectors import VALID_ACCOUNTS, address_of_text


def with_signer(signer_set: SignerSet, index: int, **changes: Any) -> SignerSet:
    """The set with one signer changed."""
    signers = list(signer_set.signers)
    signers[index] = replace(signers[index], **changes)
    return replace(signer_set, signers=tuple(signers))


def example_signer_sets() -> dict[str, SignerSet]:
    """Sets that keep all rules, and one for each rule that breaks it."""
    return {
        "three of four": FOUR,
        "thirteen of nineteen": NINETEEN,
        "weighted": WEIGHTED,
        "two of three": example_set("three", [1] * 3, 2),
        "full": example_set("full", [1] * 256, 171),
        "widest weights": example_set("widest", [UINT64_MAX // 3] * 3, UINT64_MAX // 3 * 2),
        "another scheme": replace(FOUR, scheme=9),
        "nobody": replace(FOUR, threshold=1, signers=()),
        "257 signers": example_set("over", [1] * 257, 172),
        "key of 19 bytes": with_signer(FOUR, 1, key=FOUR.signers[1].key[1:]),
        "key of 32 bytes": with_signer(FOUR, 1, key=hash_of("long key")),
        "zero key": with_signer(FOUR, 2, key=bytes(20)),
        "repeated key": with_signer(FOUR, 3, key=FOUR.signers[0].key),
        "zero weight": example_set("four", [1, 1, 0, 1], 3),
        "threshold of half": example_set("four", [1] * 4, 2),
        "threshold of zero": example_set("four", [1] * 4, 0),
        "threshold above the total": example_set("four", [1] * 4, 5),
        "one heavy signer": example_set("four", [1, 1, 1, 4], 4),
        "one operator with three keys": with_signer(
            with_signer(FOUR, 1, operator=FOUR.signers[0].operator), 3, operator=FOUR.signers[0].operator
        ),
        "one signer": example_set("four", [1], 1),
        "no grace": replace(FOUR, grace_seconds=0),
        "expired on registering": replace(FOUR, valid_until=DEPLOYED_AT),
    }


def signer_set_cases(scheme: int, examples: dict[str, SignerSet]) -> list[dict[str, Any]]:
    """Sets, their hashes, and the error, if any, of registering them as a first epoch."""
    cases: list[dict[str, Any]] = []
    for name, signer_set in examples.items():
        try:
            Epochs(scheme).apply(1, signer_set, DEPLOYED_AT)
        except AttestationError as error:
            fault, arguments = error.code, tuple(vars(error).values())
        else:
            fault, arguments = "", ()
        data = error_data(fault, *arguments)
        cases.append({"name": name, "error": fault, "errorData": text_of(data), **set_json(signer_set)})
    return cases


def signer_sets() -> dict[str, Any]:
    """Sets of scheme 1."""
    return {
        "description": "sets as registered at `now` by a verifier of scheme 1; error is empty or names the rule",
        "now": DEPLOYED_AT,
        "cases": signer_set_cases(SECP256K1.number, example_signer_sets()),
    }


def ranks() -> dict[str, Any]:
    """Who submits in which order."""
    route = SOURCE_GATEWAY + DESTINATION_GATEWAY
    cases = [
        (name, signer_set, height, epoch)
        for name, signer_set in (("three of four", FOUR), ("thirteen of nineteen", NINETEEN))
        for height, epoch in ((0, 1), (1, 1), (1, 2), (UINT64_MAX, UINT64_MAX))
    ]
    return {
        "description": "order = signer indices of the set in signer_sets.json with this name, rank 0 first",
        "route": text_of(route),
        "signerSet": [name for name, *_ in cases],
        "firstHeight": [str(height) for *_, height, _ in cases],
        "epoch": [str(epoch) for *_, epoch in cases],
        "order": [list(rank_signers(route, height, epoch, signer_set)) for _, signer_set, height, epoch in cases],
    }


def batches() -> dict[str, Any]:
    """What is signed, and what it is made of."""
    cases = [
        (SOURCE_GATEWAY, hash_of("root"), 1, 1),
        (DESTINATION_GATEWAY, hash_of("root"), 1, 1),
        (DESTINATION_GATEWAY, hash_of("root"), 2, 1),
        (DESTINATION_GATEWAY, hash_of("root"), 1, 2),
        (DESTINATION_GATEWAY, b"\xff" * 32, 256, UINT64_MAX),
        (address_of_text(VALID_ACCOUNTS[5][1]).to_bytes(), hash_of("root"), 13, 7),
    ]
    return {
        "description": "digest = keccak256(0x1901, domainSeparator, hashStruct(Batch)); tags are those of certificates",
        "gateway": [text_of(gateway) for gateway, *_ in cases],
        "root": [text_of(root) for _, root, _, _ in cases],
        "count": [count for _, _, count, _ in cases],
        "epoch": [str(epoch) for *_, epoch in cases],
        "salt": [text_of(domain_salt(gateway)) for gateway, *_ in cases],
        "domainSeparator": [text_of(domain_separator(gateway)) for gateway, *_ in cases],
        "chainTag": [text_of(chain_tag(gateway)) for gateway, *_ in cases],
        "gatewayTag": [text_of(gateway_tag(gateway)) for gateway, *_ in cases],
        "digest": [text_of(batch_digest(*case)) for case in cases],
    }


def peer_messages() -> dict[str, Any]:
    """Peer messages, in their own domain."""
    sender, recipient = example_keys("peer", 2)
    cases = [
        (hash_of("body"), 1_700_000_000_123, peer_recipient(recipient.key)),
        (bytes(32), 0, bytes(32)),
        (b"\xff" * 32, UINT64_MAX, b"\xff" * 32),
    ]
    digests = [peer_message_digest(*case) for case in cases]
    return {
        "description": "relayer to relayer; the first recipient is keccak256(recipientKey); signed by senderKey",
        "senderKey": text_of(sender.key),
        "recipientKey": text_of(recipient.key),
        "bodyHash": [text_of(body_hash) for body_hash, _, _ in cases],
        "sentAtMilliseconds": [str(sent_at) for _, sent_at, _ in cases],
        "recipient": [text_of(recipient_hash) for *_, recipient_hash in cases],
        "digest": [text_of(digest) for digest in digests],
        "signature": [text_of(sender.sign(digest)) for digest in digests],
    }
