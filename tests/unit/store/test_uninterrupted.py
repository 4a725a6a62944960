"""Cancellation waits for the call that it finds under way."""

from __future__ import annotations

import asyncio

import pytest

from relayer.store.uninterrupted import uninterrupted


class Call:
    """A database call that ends when told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.is_over = False
        self.may_end = asyncio.Event()

    async def run(self) -> str:
        await self.may_end.wait()
        self.is_over = True
        if self._error:
            raise self._error
        return "result"


async def started(call: Call) -> asyncio.Task[str]:
    task = asyncio.create_task(uninterrupted(call.run()))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_it_gives_what_the_call_gives() -> None:
    call = Call()
    call.may_end.set()
    assert await uninterrupted(call.run()) == "result"


async def test_it_raises_what_the_call_raises() -> None:
    call = Call(ValueError("fault"))
    call.may_end.set()
    with pytest.raises(ValueError, match="fault"):
        await uninterrupted(call.run())


@pytest.mark.parametrize("error", [None, ValueError("fault")])
async def test_a_cancelled_caller_is_cancelled_after_the_call_has_ended(error: Exception | None) -> None:
    call = Call(error)
    task = await started(call)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    call.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.is_over


async def test_a_timeout_is_still_a_timeout() -> None:
    call = Call()
    asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, call.may_end.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await uninterrupted(call.run())
    assert call.is_over
