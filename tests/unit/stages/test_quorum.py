"""When attestations make a certificate, and under which epoch."""

from __future__ import annotations

from attestation.certificate import parse_certificate
from relayer.domain.status import Status
from relayer.ports.store import StoredEpoch
from tests.factories import SIGNING_KEYS, attest
from tests.simulation.world import Node
from tests.unit.stages.steps import born, new_world


def certified_epochs(node: Node) -> list[int]:
    """Of all certificates, oldest first."""
    return [parse_certificate(certificate.encoded).epoch for certificate in node.store._certificates.values()]


async def test_three_of_four_are_a_quorum_and_two_are_none() -> None:
    world = new_world()
    node, batch = await born(world)
    for key, expected in zip(SIGNING_KEYS, ([], [], [1], [1]), strict=True):
        await node.running.inbox.take_in(key.key, [attest(batch, key)])
        assert certified_epochs(node) == expected
    [request] = node.store._requests.values()
    assert request.status is Status.CERTIFIED


async def test_security_one_signer_counts_once_however_often_it_speaks() -> None:
    """SECURITY: weight is of signers, not of messages."""
    world = new_world()
    node, batch = await born(world)
    for _ in range(3):
        for key in SIGNING_KEYS[:2]:
            await node.running.inbox.take_in(key.key, [attest(batch, key), attest(batch, key)])
    assert certified_epochs(node) == []


async def test_security_signatures_of_two_epochs_do_not_add_up() -> None:
    """SECURITY: a certificate is of one epoch, and a gateway verifies it under that one."""
    world = new_world()
    node, batch = await born(world)
    signer_set = world.signer_set
    newer = StoredEpoch(batch.verifying_gateway, 2, signer_set, signer_set.valid_until)
    await node.running.inbox.take_in(SIGNING_KEYS[0].key, [attest(batch, SIGNING_KEYS[0])])
    await node.running.inbox.take_in(SIGNING_KEYS[1].key, [attest(batch, SIGNING_KEYS[1])])
    node.running.desk.epochs.add([newer])
    await node.running.inbox.take_in(SIGNING_KEYS[2].key, [attest(batch, SIGNING_KEYS[2], epoch=2)])
    assert certified_epochs(node) == []
    for key in SIGNING_KEYS[:2]:
        await node.running.inbox.take_in(key.key, [attest(batch, key, epoch=2)])
    assert certified_epochs(node) == [2]


async def test_a_newer_epochs_certificate_is_made_beside_the_older_ones() -> None:
    world = new_world()
    node, batch = await born(world)
    signer_set = world.signer_set
    for key in SIGNING_KEYS[:3]:
        await node.running.inbox.take_in(key.key, [attest(batch, key)])
    node.running.desk.epochs.add([StoredEpoch(batch.verifying_gateway, 2, signer_set, signer_set.valid_until)])
    for key in SIGNING_KEYS[:3]:
        await node.running.inbox.take_in(key.key, [attest(batch, key, epoch=2)])
    assert certified_epochs(node) == [1, 2]
    newest = await node.store.load_certificates([batch.root])
    assert newest[batch.root].epoch == 2
