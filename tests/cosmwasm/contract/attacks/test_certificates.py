"""SECURITY: nothing is executed that a quorum of this gateway's signers did not certify for it."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.keccak import keccak256
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import Rotate
from tests.cosmwasm.contract.ledger import (
    CHAIN_ID,
    NOW,
    PAYEE,
    REMOTE_GATEWAY,
    Ledger,
    Refused,
    b64,
    hexed,
    request_json,
    set_json,
    signer_set,
    signing_keys,
)


def refused_name(ledger: Ledger, batch: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        ledger.act(ledger.relayer, "execute", {"batches": [batch], "payee": hexed(PAYEE)})
    assert ledger.ask(ledger.probe, {"callers": {}}) == []
    return refused.value.name


def test_too_few_signers_certify_nothing(ledger: Ledger) -> None:
    """SECURITY: below the threshold, whoever they are."""
    asked = ledger.request()
    for signers in ([], [0], [1, 3]):
        certificate = ledger.certificate([ledger.leaf(asked)], signers)
        assert refused_name(ledger, ledger.batch([asked], certificate=certificate)) == "BelowThreshold"


def test_a_certificate_covers_only_its_own_leaves(ledger: Ledger) -> None:
    """SECURITY: a request changed by a byte is another request."""
    signed, other = ledger.request(0), ledger.request(0, call={"answer": {"data": b64(b"other")}})
    certificate = ledger.certificate([ledger.leaf(signed)])
    assert refused_name(ledger, ledger.batch([other], certificate=certificate)) == "ForgedSignature"


def test_a_certificate_covers_a_batch_of_its_own_length(ledger: Ledger) -> None:
    """SECURITY: an inner node of a tree is no leaf, and the count is signed."""
    asked = [ledger.request(nonce) for nonce in range(2)]
    leaves = [ledger.leaf(one) for one in asked]
    batch = ledger.batch([asked[0]], certificate=ledger.certificate(leaves))
    assert refused_name(ledger, batch) == "ForgedSignature"


def test_an_item_that_no_leaf_covers_is_refused(ledger: Ledger) -> None:
    """SECURITY: `given` names as many leaves as there are items, and none beyond the batch."""
    signed, stowaway = ledger.request(0), ledger.request(1)
    leaf = ledger.leaf(signed)
    certificate = ledger.certificate([leaf])
    for given in (0, 0b11, 0b10, 1 << 255, 1 << 256):
        batch = ledger.batch([stowaway], bare=[leaf], given=given, certificate=certificate)
        batch["bare"] = [hexed(leaf)] if given != 0b10 else []
        assert refused_name(ledger, batch) == "MalformedBatch"
    assert refused_name(ledger, ledger.batch([signed, stowaway], given=1, certificate=certificate)) == "MalformedBatch"
    for given in (0b11, 1 << 256 | 1):
        assert refused_name(ledger, ledger.batch([signed], given=given, certificate=certificate)) == "MalformedBatch"


def test_an_empty_batch_is_refused(ledger: Ledger) -> None:
    """SECURITY: nothing was signed."""
    batch = ledger.batch([], certificate=ledger.certificate([keccak256(b"leaf")]))
    assert refused_name(ledger, batch) == "EmptyBatch"


def test_a_batch_has_at_most_256_leaves(ledger: Ledger) -> None:
    """SECURITY: a bitmap of 256 bits names no more."""
    asked = ledger.request()
    bare = [keccak256(b"%d" % number) for number in range(256)]
    leaves = [ledger.leaf(asked), *bare]
    fitting = ledger.batch([asked], bare=bare[:255], certificate=ledger.certificate(leaves[:256]))
    too_long = ledger.batch([asked], bare=bare, certificate=ledger.certificate(leaves[:256]))
    assert refused_name(ledger, too_long) == "MalformedBatch"
    ledger.act(ledger.relayer, "execute", {"batches": [fitting], "payee": hexed(PAYEE)})


def test_a_certificate_is_not_good_at_another_gateway_of_the_chain() -> None:
    """SECURITY: signatures hold in one gateway's domain."""
    ledger = Ledger()
    other = ledger.instantiate(b"another")
    ledger.open()
    asked = ledger.request()
    certificate = ledger.certificate([ledger.leaf(asked)], gateway=ledger.interoperable(other))
    assert refused_name(ledger, ledger.batch([asked], certificate=certificate)) == "OtherGateway"
    relabelled = certificate[:13] + keccak256(ledger.address)[:4] + certificate[17:]
    assert refused_name(ledger, ledger.batch([asked], certificate=relabelled)) == "ForgedSignature"


def test_a_certificate_is_not_good_on_another_chain() -> None:
    """SECURITY: the same contract address on a chain with another id is another gateway."""
    here, there = Ledger(chain_id=CHAIN_ID).open(), Ledger(chain_id="xvm-cosmwasm-2").open()
    assert here.gateway == there.gateway
    asked = here.request()
    certificate = there.certificate([here.leaf(asked)])
    assert refused_name(here, here.batch([asked], certificate=certificate)) == "OtherChain"
    tags = here.certificate([here.leaf(asked)])[9:17]
    relabelled = certificate[:9] + tags + certificate[17:]
    assert refused_name(here, here.batch([asked], certificate=relabelled)) == "ForgedSignature"


def test_a_certificate_used_again_executes_nothing_again(ledger: Ledger) -> None:
    """SECURITY: at most once, however often it is sent, in however many batches."""
    asked = ledger.request()
    batch = ledger.batch([asked])
    ledger.act(ledger.relayer, "execute", {"batches": [batch, batch], "payee": hexed(PAYEE)})
    again = ledger.act(ledger.asker, "execute", {"batches": [batch], "payee": hexed(PAYEE)})
    assert again.event("XVMCallSkipped")["reason"] == "AlreadyConsumed"
    assert len(ledger.ask(ledger.probe, {"callers": {}})) == 1
    ledger.keeper.advance(601)
    assert ledger.run(asked, how="expire").event("XVMCallSkipped")["reason"] == "AlreadyConsumed"


def test_before_the_first_set_nothing_is_believed() -> None:
    """SECURITY: an epoch that was never applied has no signers."""
    ledger = Ledger()
    ledger.act(ledger.owner, "set_inbound", {"source_gateway": hexed(REMOTE_GATEWAY), "registered": True})
    assert refused_name(ledger, ledger.batch([ledger.request()])) == "UnknownEpoch"


def rotation(ledger: Ledger, following: SignerSet, epoch: int, **by: Any) -> dict[str, Any]:
    leaf = Rotate(signer_set_hash(following), epoch).leaf
    return {"set": set_json(following), "certificate": b64(ledger.certificate([leaf], **by))}


def test_a_rotation_cuts_the_former_set_to_its_grace(ledger: Ledger) -> None:
    """SECURITY: who was rotated out for a leaked key does not verify for long."""
    following = signer_set(signing_keys(4, first=11), 3)
    sent = ledger.act(ledger.asker, "rotate", rotation(ledger, following, 2))
    assert sent.event("XVMEpochApplied")["signer_set_hash"] == hexed(signer_set_hash(following))
    assert ledger.tell("current_epoch") == "2"
    assert ledger.tell("signer_set", epoch="1")["valid_until"] == str(NOW + 86_400)
    ledger.keeper.advance(86_400)
    asked = ledger.request()
    ledger.run(asked)
    ledger.keeper.advance(1)
    with pytest.raises(Refused, match="ExpiredEpoch: 1"):
        ledger.run(ledger.request(1))


def test_a_set_in_its_grace_names_no_other_successor(ledger: Ledger) -> None:
    """SECURITY: a second successor would be a fork of the set."""
    ledger.act(ledger.asker, "rotate", rotation(ledger, signer_set(signing_keys(4, first=11), 3), 2))
    stray = signer_set(signing_keys(4, first=21), 3)
    with pytest.raises(Refused, match="NotCurrentEpoch: 1"):
        ledger.act(ledger.asker, "rotate", rotation(ledger, stray, 3))
    with pytest.raises(Refused, match="ForgedSignature"):
        ledger.act(ledger.asker, "rotate", rotation(ledger, stray, 2))


def test_only_the_owner_installs_a_set_and_only_where_none_is_valid(ledger: Ledger) -> None:
    """SECURITY: while signers answer for the gateway, its owner does not."""
    stray = signer_set(signing_keys(4, first=21), 3, NOW + 10**9)
    with pytest.raises(Refused, match="NotOwner"):
        ledger.act(ledger.asker, "install", {"set": set_json(stray)})
    with pytest.raises(Refused, match="EpochStillValid: 1"):
        ledger.act(ledger.owner, "install", {"set": set_json(stray)})
    ledger.keeper.advance(10**6)
    with pytest.raises(Refused, match="EpochStillValid: 1"):
        ledger.act(ledger.owner, "install", {"set": set_json(stray)})
    ledger.keeper.advance(1)
    ledger.act(ledger.owner, "install", {"set": set_json(stray)})
    assert ledger.tell("current_epoch") == "2"


def test_what_expires_is_certified_too(ledger: Ledger) -> None:
    """SECURITY: an EXPIRED receipt pays the requester back."""
    asked = ledger.request()
    ledger.keeper.advance(601)
    certificate = ledger.certificate([ledger.leaf(asked)], [0, 1])
    with pytest.raises(Refused, match="BelowThreshold"):
        ledger.run(asked, how="expire", certificate=certificate)


def test_a_lapse_is_shown_only_of_what_lapsed(ledger: Ledger) -> None:
    """SECURITY: or anybody could have what is ordered overtake."""
    asked = ledger.request()
    ledger.keeper.advance(600)
    with pytest.raises(Refused, match="NotLapsed"):
        ledger.act(ledger.asker, "show_lapsed", {"requests": [request_json(asked, by_hash=True)]})
