"""The kinds of requests that a storm asks, and how each may end by the rules alone.

Its job: data. How a chain's target is called and what it does then, its side knows; what really became of a request,
the ledger reads from the chains.
"""

from __future__ import annotations

from dataclasses import dataclass

from attestation.request import Mode

EXPIRES_AFTER_SECONDS = 3
"""Over before a request is final, or at least before it can be executed."""

ABORTS_AFTER_SECONDS = 15
"""What a target is given that always fails, where that is no outcome: then its request ends as expired."""

CUT_BYTES = 100
"""The return limit of the requests that answer with more."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind: `weight` of the mix; `function` of the example counter, most of which take a number.

    `target` is `counter`, `nobody` or `gateway`.
    """

    name: str
    weight: int
    mode: Mode
    function: str
    target: str = "counter"
    is_eoa: bool = False
    is_ordered: bool = False
    expires: bool = False
    is_starving: bool = False
    return_limit: int = 0


_CALL, _QUERY = Mode.CALL, Mode.QUERY

CASES = (
    Case("call", 28, _CALL, "increment"),
    Case("call by an account", 8, _CALL, "increment", is_eoa=True),
    Case("call, ordered", 12, _CALL, "increment", is_ordered=True),
    Case("call that reverts", 8, _CALL, "fail"),
    Case("call that burns its gas", 1, _CALL, "burn"),
    Case("call without code", 4, _CALL, "increment", target="nobody"),
    Case("call of a forbidden target", 2, _CALL, "increment", target="gateway"),
    Case("call whose answer is cut", 4, _CALL, "answer", return_limit=CUT_BYTES),
    Case("call whose handler fails", 5, _CALL, "increment", is_starving=True),
    Case("call that expires", 6, _CALL, "increment", expires=True),
    Case("query", 12, _QUERY, "count"),
    Case("query that reverts", 5, _QUERY, "fail"),
    Case("query whose answer is cut", 3, _QUERY, "answer", return_limit=CUT_BYTES),
    Case("query whose handler fails", 2, _QUERY, "count", is_starving=True),
)
