"""Letting a database call end before its caller is cancelled.

Its job: keep cancellation away from the driver. A connection that is abandoned in the middle of a transaction keeps
SQLite's write lock until the garbage collector finds its last cursor, and everybody else waits for it. The calls take
milliseconds: a caller that is cancelled waits for the one that it is in, and is cancelled then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

_Result = TypeVar("_Result")


async def uninterrupted(work: Awaitable[_Result]) -> _Result:
    """What `work` returns or raises. If the caller is cancelled meanwhile, `work` still runs to its end first."""
    task = asyncio.ensure_future(work)
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        # Its error, if it had one, is nobody's any more: looked at, so that it is not reported as forgotten.
        task.exception()
        raise asyncio.CancelledError
    return task.result()
