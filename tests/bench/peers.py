"""What an exchange between two relayers costs: signed head, HTTP on loopback, answer, both sides together.

Run: `python -m tests.bench.peers`. Prints a JSON object of microseconds of CPU; asserts nothing: machines differ.
"""

from __future__ import annotations

import asyncio
import sys
import time

import orjson

from relayer.observability.logging import configure_logging
from tests.factories import SIGNING_KEYS, attest, execute_batch, make_request, track
from tests.integration.peers.nodes import MovedClock, listening, reaching

_EXCHANGES = 300
_ROUNDS = 3
_ATTESTATIONS = 256
_STEP_SECONDS = 1.0
"""Of the peers' clock between two exchanges: nobody is asked more often than a peer may."""


async def _exchange_us(attestations: int) -> float:
    """Of one in which so many attestations are fetched."""
    asking, asked, *_ = SIGNING_KEYS
    clock = MovedClock()
    spent = []
    async with listening(asked, clock) as node, reaching(asking, clock, node.address, is_running=False) as client:
        batch = execute_batch(track(make_request()))
        node.inbox.own = [attest(batch, asked)] * attestations
        for _ in range(_ROUNDS):
            started = time.process_time()
            for _ in range(_EXCHANGES):
                page = await client.fetch_attestations(asked.key, "")
                assert len(page.attestations) == attestations
                clock.move(_STEP_SECONDS)
            spent.append(time.process_time() - started)
    return round(min(spent) / _EXCHANGES * 1e6, 2)


def measure() -> dict[str, float]:
    """All figures. Microseconds are CPU time of this process, which plays both sides."""
    configure_logging("error")
    empty, full = asyncio.run(_exchange_us(0)), asyncio.run(_exchange_us(_ATTESTATIONS))
    return {"peer_exchange_us": empty, "peer_attestation_us": round((full - empty) / _ATTESTATIONS, 2)}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(measure(), option=orjson.OPT_INDENT_2).decode() + "\n")
