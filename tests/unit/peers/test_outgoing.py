"""The queue to one peer."""

from __future__ import annotations

import asyncio

from relayer.peers.outgoing import OutgoingQueue
from relayer.ports.signer import Attestation


def _attestations(*numbers: int) -> list[Attestation]:
    return [Attestation(b"", bytes([number]) * 32, 1, 1, b"", b"") for number in numbers]


def _numbers(attestations: tuple[Attestation, ...]) -> list[int]:
    return [attestation.root[0] for attestation in attestations]


async def test_the_oldest_come_first_and_stay_until_they_are_forgotten() -> None:
    queue = OutgoingQueue()
    queue.add(_attestations(1, 2, 3))
    taken, mark = await queue.first(2)
    assert _numbers(taken) == [1, 2]
    assert _numbers((await queue.first(2))[0]) == [1, 2]
    queue.forget(mark)
    assert _numbers((await queue.first(9))[0]) == [3]


async def test_a_full_queue_loses_its_oldest() -> None:
    queue = OutgoingQueue(limit=3)
    assert queue.add(_attestations(1, 2)) == 0
    assert queue.add(_attestations(3, 4, 5)) == 2
    assert (len(queue), _numbers((await queue.first(9))[0])) == (3, [3, 4, 5])


async def test_what_was_dropped_on_its_way_takes_nothing_newer_with_it() -> None:
    queue = OutgoingQueue(limit=3)
    queue.add(_attestations(1, 2))
    _, mark = await queue.first(2)
    queue.add(_attestations(3, 4, 5))
    queue.forget(mark)
    assert _numbers((await queue.first(9))[0]) == [3, 4, 5]


async def test_an_empty_queue_waits_for_something() -> None:
    queue = OutgoingQueue()
    queue.add([])
    waiting = asyncio.ensure_future(queue.first(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.add(_attestations(7))
    taken, mark = await waiting
    assert _numbers(taken) == [7]
    queue.forget(mark)
    assert len(queue) == 0
    waiting = asyncio.ensure_future(queue.first(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_what_is_patient_waits_for_company_or_until_it_has_waited_long_enough() -> None:
    queue = OutgoingQueue()
    queue.add(_attestations(1), is_patient=True)
    waiting = asyncio.ensure_future(queue.first(9))
    await asyncio.sleep(0)
    assert queue.is_patient
    assert not waiting.done()
    queue.add(_attestations(2))
    taken, mark = await waiting
    assert (_numbers(taken), queue.is_patient) == ([1, 2], False)
    queue.forget(mark)
    queue.hurry()
    queue.add(_attestations(3), is_patient=True)
    assert queue.is_patient
    queue.hurry()
    assert _numbers((await queue.first(9))[0]) == [3]
