"""Signers of another scheme than the other simulations have."""

from __future__ import annotations

import random

from attestation.request import Mode
from attestation.schemes import BLS12381
from relayer.domain.status import Status
from relayer.stages.settings import StageSettings
from tests.factories import LONG_KEYS
from tests.simulation.test_scenarios import statuses
from tests.simulation.world import World


async def test_signers_of_a_scheme_that_sums_up_bring_calls_and_queries_home() -> None:
    world = World(random.Random(11), settings=StageSettings(), signers=LONG_KEYS, scheme=BLS12381)
    identifiers = [world.ask(world.a, world.b, mode=mode) for mode in Mode]
    await world.calm()
    assert {status for identifier in identifiers for status in statuses(world, identifier)} == {Status.DELIVERED}
    certificates = [certificate for node in world.nodes for certificate in node.store._certificates.values()]
    assert {len(certificate.encoded) for certificate in certificates} == {145}
