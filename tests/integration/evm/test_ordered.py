"""Ordered requests on real chains: what stands before them ends, so they run or expire, without `showLapsed`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.statement import OutcomeKind
from relayer.domain.observations import CallConcluded
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from relayer.vms.evm.connect import EvmOpenChain
from tests.certifying import track_all
from tests.integration.evm.acting import fetch_tip, mine_and_fetch, send_and_mine
from tests.integration.evm.network import Network, calldata

pytestmark = pytest.mark.anvil


async def kinds_at_the_tip(destination: EvmOpenChain) -> list[OutcomeKind]:
    return [o.kind for o in (await fetch_tip(destination)).observations if isinstance(o, CallConcluded)]


async def test_an_expired_predecessor_frees_its_successor(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    now = network.destination.web3.eth.get_block("latest")["timestamp"]
    payload = calldata(network.destination.counter, "increment", 1)
    network.ask(payload, ordered=True, expiry=now + 60)
    network.ask(payload, ordered=True, expiry=now + 500)
    network.ask(payload, ordered=True, expiry=now + 500)
    asked = await mine_and_fetch(network.source, source)
    first, second, third = track_all(asked)
    (batch,) = network.executions(asked)
    payee = source.wallet.payee

    def of(*requests: TrackedRequest) -> list[CertifiedBatch]:
        return [replace(batch, requests=tuple(requests))]

    held = await destination.destination.prepare_execute(of(second, third), payee)
    assert held.refused == ((second.request_id, "PredecessorOpen"), (third.request_id, "PredecessorOpen"))
    network.destination.pass_seconds(100)
    held = await destination.destination.prepare_execute(of(second, third), payee)
    assert (held.calls, [reason for _, reason in held.refused]) == ((), ["PredecessorOpen"] * 2)

    expiry = await destination.destination.prepare_expire(of(first), payee)
    await send_and_mine(network.destination, destination, expiry.calls)
    assert await kinds_at_the_tip(destination) == [OutcomeKind.EXPIRED]
    freed = await destination.destination.prepare_execute(of(second), payee)
    await send_and_mine(network.destination, destination, freed.calls)
    assert await kinds_at_the_tip(destination) == [OutcomeKind.EXECUTED]
    # And one that nobody ran in time expires, whatever stands before it.
    network.destination.pass_seconds(500)
    expiry = await destination.destination.prepare_expire(of(third), payee)
    await send_and_mine(network.destination, destination, expiry.calls)
    assert await kinds_at_the_tip(destination) == [OutcomeKind.EXPIRED]
