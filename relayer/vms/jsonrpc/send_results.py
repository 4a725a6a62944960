"""What several endpoints said to one transaction.

Its job: one word for it. It must not read what an endpoint wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from relayer.ports.wallet import SendResult

_PREFERENCE: Final = tuple(SendResult)


def combine_results(results: Sequence[SendResult]) -> SendResult:
    """The best of what the endpoints said; where none took it, what most say, the milder word on a tie."""
    for taken in (SendResult.ACCEPTED, SendResult.KNOWN):
        if taken in results:
            return taken
    counts = Counter(results)
    return max(counts, key=lambda result: (counts[result], -_PREFERENCE.index(result)))
