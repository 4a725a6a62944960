"""Rotations through the devnet's node, upon the committed contracts."""

from __future__ import annotations

import pytest

from attestation.signer_set import SignerSet
from relayer.errors import CallReverted
from tests.cosmwasm.adapter.world import World, receipt_of, send
from tests.cosmwasm.contract.ledger import NOW, signer_set, signing_keys


def next_set(count: int) -> SignerSet:
    return signer_set(signing_keys(count, first=100), count * 2 // 3 + 1, NOW + 10**7)


@pytest.mark.parametrize("count", [3, 64])
async def test_the_next_set_is_brought_in_within_what_is_offered(count: int) -> None:
    world, upcoming = World(), next_set(count)
    certificate = world.rotation(upcoming)
    async with world.connected() as chain:
        await world.advance()
        call = await chain.source.prepare_rotate(upcoming, certificate)
        signed = await send(chain, call)
        await world.advance()
        receipt = await receipt_of(chain, signed)
        assert receipt.is_success
        assert receipt.gas_used <= call.gas_limit
        assert world.tell("current_epoch") == "2"
        with pytest.raises(CallReverted):
            await chain.source.prepare_rotate(upcoming, certificate)


async def test_a_set_that_is_not_certified_is_refused_by_name() -> None:
    world, upcoming = World(), next_set(3)
    async with world.connected() as chain:
        await world.advance()
        with pytest.raises(CallReverted) as refusal:
            await chain.source.prepare_rotate(upcoming, world.rotation(next_set(4)))
    assert refusal.value.error_name.isalpha()
