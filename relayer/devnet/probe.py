"""One question to a chain of the devnet, to see whether it answers.

Its job: a JSON-RPC call of no parameters on the loopback address. What has no answer is None, whatever the reason.
"""

from __future__ import annotations

from http.client import HTTPException
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

import orjson

PROBE_SECONDS: Final = 2.0


def ask(rpc_url: str, method: str) -> Any:
    """The result of the call; None if there is none."""
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []})
    request = Request(rpc_url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 - loopback
    try:
        with urlopen(request, timeout=PROBE_SECONDS) as answer:  # noqa: S310
            return orjson.loads(answer.read())["result"]
    except (URLError, OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
