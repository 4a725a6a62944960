"""The next signer set, step by step."""

from __future__ import annotations

import pytest

from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import Rotate
from relayer.errors import CallReverted
from tests.svm.adapter.relaying import Hands
from tests.svm.adapter.test_executing import hands_on
from tests.svm.adapter.world import World
from tests.svm.program.ledger import CONFIG, signer_set, signing_keys


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    return world


def certificate_of(world: World, chosen: SignerSet, signers: tuple[int, ...] = (0, 1, 2)) -> bytes:
    return world.certificate(world.batch([Rotate(signer_set_hash(chosen), 2).leaf]), signers)


async def rotate(hands: Hands, chosen: SignerSet, certificate: bytes) -> str:
    """Send what is next until nothing is; why."""
    while True:
        try:
            call = await hands.rotator.prepare(chosen, certificate)
        except CallReverted as refusal:
            return refusal.error_name
        assert await hands.send([call]) == [None]


@pytest.mark.parametrize(("count", "transactions"), [(4, 2), (12, 2), (40, 6)])
async def test_a_set_is_certified_staged_where_it_is_long_and_brought_in(
    world: World, count: int, transactions: int
) -> None:
    chosen = signer_set(signing_keys(count, first=50), count)
    async with hands_on(world) as hands:
        assert await rotate(hands, chosen, certificate_of(world, chosen)) == "NotCurrentEpoch"
        assert len(hands.sent) == transactions
    assert world.state("Config", CONFIG)["epoch"] == 2


async def test_another_set_than_the_certified_one_is_refused(world: World) -> None:
    chosen, other = signer_set(signing_keys(4, first=50), 3), signer_set(signing_keys(4, first=60), 3)
    async with hands_on(world) as hands:
        assert await rotate(hands, other, certificate_of(world, chosen)) == "ForgedSignature"
    assert hands.sent == []


async def test_a_certificate_of_too_few_is_refused(world: World) -> None:
    chosen = signer_set(signing_keys(4, first=50), 3)
    async with hands_on(world) as hands:
        assert await rotate(hands, chosen, certificate_of(world, chosen, (0, 1))) == "BelowThreshold"


async def test_whoever_is_late_sends_nothing(world: World) -> None:
    chosen = signer_set(signing_keys(4, first=50), 3)
    world.rotate(chosen)
    async with hands_on(world) as hands:
        assert await rotate(hands, chosen, certificate_of(world, chosen)) == "NotCurrentEpoch"
    assert hands.sent == []
