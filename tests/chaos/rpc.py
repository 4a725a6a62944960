"""A chain as the storm itself sees it: past all proxies, by its own connection.

Its job: batched JSON-RPC that waits while a chain is frozen, and the few calls that are needed. It believes the chain.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import orjson

CALLS_AT_ONCE = 100
_ATTEMPT_SECONDS = 15.0
_PAUSE_SECONDS = 0.5
_ATTEMPTS = 12


class RpcFault(Exception):  # noqa: N818 - as the relayer names it
    """The chain's own error to a call."""


class ChainRpc:
    """One chain. Results are JSON values, a `RpcFault` in the place of a call that failed.

    `head_method` tells the height of the tip, which `read_head` finds in its result. A batch has `at_once` calls
    at most.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        head_method: str,
        read_head: Callable[[Any], int],
        at_once: int = CALLS_AT_ONCE,
    ) -> None:
        self._session = session
        self._url = url
        self._head_method = head_method
        self._read_head = read_head
        self._at_once = at_once
        self._ids = itertools.count(1)

    async def batch(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """The results of all calls, in order."""
        results: list[Any] = []
        for start in range(0, len(calls), self._at_once):
            results += await self._exchange(calls[start : start + self._at_once])
        return results

    async def call(self, method: str, *params: Any) -> Any:
        """One call's result. Raises `RpcFault`."""
        (result,) = await self._exchange([(method, list(params))])
        if isinstance(result, RpcFault):
            raise result
        return result

    async def await_blocks(self, count: int) -> None:
        """Until so many more are there."""
        target = await self.number() + count
        while await self.number() < target:  # noqa: ASYNC110 - a chain rings no bell
            await asyncio.sleep(_PAUSE_SECONDS)

    async def number(self) -> int:
        """The tip's height."""
        return self._read_head(await self.call(self._head_method))

    async def _exchange(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        ids = [next(self._ids) for _ in calls]
        body = orjson.dumps(
            [
                {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                for number, (method, params) in zip(ids, calls, strict=True)
            ]
        )
        for attempt in itertools.count(1):
            try:
                timeout = aiohttp.ClientTimeout(total=_ATTEMPT_SECONDS)
                headers = {"Content-Type": "application/json"}
                async with self._session.post(self._url, data=body, headers=headers, timeout=timeout) as response:
                    answers = orjson.loads(await response.read())
                break
            except (aiohttp.ClientError, TimeoutError):
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
        # CometBFT makes no difference between a single answer and a batch of one.
        by_id = {answer["id"]: answer for answer in ([answers] if isinstance(answers, dict) else answers)}
        return [
            RpcFault(by_id[number]["error"]["message"]) if "error" in by_id[number] else by_id[number]["result"]
            for number in ids
        ]
