"""One JSON-RPC exchange of the bench with a chain.

Its job: several calls in one body, their results in order. What the chain refuses is the bench's own fault and raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson

from relayer.errors import CallReverted


async def exchange(http: aiohttp.ClientSession, url: str, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
    """The results. Raises `CallReverted` if the chain refuses one, `aiohttp.ClientError` if it does not answer."""
    batch = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(calls)
    ]
    async with http.post(url, data=orjson.dumps(batch), headers={"Content-Type": "application/json"}) as answer:
        told = orjson.loads(await answer.read())
    # CometBFT makes no difference between a single answer and a batch of one.
    answers = [told] if isinstance(told, dict) else told
    fault = next((item["error"] for item in answers if "error" in item), None)
    if fault is not None:
        raise CallReverted(f"{url} refuses: {fault.get('message')}")
    return [item["result"] for item in sorted(answers, key=lambda item: int(item["id"]))]
