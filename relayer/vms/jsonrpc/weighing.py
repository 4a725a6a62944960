"""Calls that make an endpoint run code, in exchanges that it can finish.

Its job: cut calls into exchanges by the gas that they may burn, and find the call that gets no answer, so that it
spoils no other. SECURITY: whoever asks decides how much is run; together it may be more than a node runs in the time
that an exchange has, again at every retry, and nobody's requests would be served. It must not know what is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result

MAX_GAS_PER_EXCHANGE: Final = 30_000_000
"""Gas of one exchange: a block's worth, of which nodes run the slowest code in a few seconds, within the timeout of an
exchange. A single call that may burn more travels alone."""

MAX_HEAVY_EXCHANGES: Final = 2
"""Exchanges under way at once: one is run while the next is read. More would share the node's cores, and be late."""

UNANSWERED: Final = RpcFault(0, "no answer to this call alone")
"""Stands for the answer to a call that an endpoint, though it is up, does not give. It is no halt of a VM."""


class WeighedCall(NamedTuple):
    """A call, and the most gas that it may burn."""

    call: RpcCall
    gas: int


async def call_by_weight(endpoint: RpcEndpoint, calls: Sequence[WeighedCall], probe: RpcCall) -> list[Any]:
    """The calls' results in order, each a JSON value, an `RpcFault`, or `UNANSWERED`.

    Raises `RpcUnavailable` if the endpoint does not even answer `probe`, which needs no work.
    """
    exchanges = _Exchanges(endpoint, probe)
    tasks: list[asyncio.Task[list[Any]]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks.extend(group.create_task(exchanges.run(part)) for part in _cut(calls))
    except* RpcUnavailable as failures:
        raise RpcUnavailable(str(failures.exceptions[0])) from None
    return [answer for task in tasks for answer in task.result()]


class _Exchanges:
    """A few at a time with one endpoint."""

    def __init__(self, endpoint: RpcEndpoint, probe: RpcCall) -> None:
        self._endpoint = endpoint
        self._probe = probe
        self._slots = asyncio.Semaphore(MAX_HEAVY_EXCHANGES)

    async def run(self, part: Sequence[RpcCall]) -> list[Any]:
        async with self._slots:
            try:
                return await self._endpoint.call(part)
            except RpcUnavailable:
                # An endpoint that is down would be waited for once a call: it is given up instead.
                (answer,) = await self._endpoint.call([self._probe])
                require_result(answer, self._endpoint)
        if len(part) == 1:
            return [UNANSWERED]
        return [answer for call in part for answer in await self.run([call])]


def _cut(calls: Sequence[WeighedCall]) -> Iterator[list[RpcCall]]:
    part: list[RpcCall] = []
    gas = 0
    for call in calls:
        if part and gas + call.gas > MAX_GAS_PER_EXCHANGE:
            yield part
            part, gas = [], 0
        part.append(call.call)
        gas += call.gas
    if part:
        yield part
