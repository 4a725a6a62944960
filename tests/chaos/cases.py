"""The kinds of requests that a storm asks, and how each may end by the rules alone.

Its job: data, and the calldata that asks. What really became of a request, the ledger reads from the chains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from eth_abi.abi import encode

from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.statement import OutcomeKind

NOBODY = bytes.fromhex("00000000000000000000000000000000000e0a00")
"""An address that holds no code."""

EXPIRES_AFTER_BLOCKS = 3
"""Block times ahead of asking: over before a request is final."""

STARVING_CALLBACK_GAS = 2_500
"""Too little for any handler of ours: the callback runs out of gas, and the handler has failed."""

CUT_BYTES = 100
"""The return limit of the requests that answer with more."""

OPTIONS_TYPE = "(uint8,bool,uint64,uint64,uint32,uint64,bool,bytes32,uint32,uint64,bytes)"
ASK = f"ask(bytes,bytes,{OPTIONS_TYPE})"
EXECUTE = f"xvmExecute(bytes,bytes,{OPTIONS_TYPE})"
QUOTE = f"quote(bytes,uint256,{OPTIONS_TYPE})"


@dataclass(frozen=True, slots=True)
class Case:
    """One kind: `weight` of the mix; `function` of the target counter with one number, or its bare `count()`.

    `target` is `counter`, `nobody` or `gateway`. `kind` is the end while the request is in time.
    """

    name: str
    weight: int
    mode: Mode
    function: str
    kind: OutcomeKind
    target: str = "counter"
    is_eoa: bool = False
    is_ordered: bool = False
    expires: bool = False
    is_starving: bool = False
    return_limit: int = 0


_CALL, _QUERY = Mode.CALL, Mode.QUERY
_DONE, _REVERTED, _UNREACHED = OutcomeKind.EXECUTED, OutcomeKind.REVERTED, OutcomeKind.UNREACHED

CASES = (
    Case("call", 28, _CALL, "increment(uint256)", _DONE),
    Case("call by an account", 8, _CALL, "increment(uint256)", _DONE, is_eoa=True),
    Case("call, ordered", 12, _CALL, "increment(uint256)", _DONE, is_ordered=True),
    Case("call that reverts", 8, _CALL, "fail(uint256)", _REVERTED),
    Case("call that burns its gas", 1, _CALL, "burn()", _REVERTED),
    Case("call without code", 4, _CALL, "increment(uint256)", _UNREACHED, target="nobody"),
    Case("call of a forbidden target", 2, _CALL, "increment(uint256)", _UNREACHED, target="gateway"),
    Case("call whose answer is cut", 4, _CALL, "answer(uint256)", _DONE, return_limit=CUT_BYTES),
    Case("call whose handler fails", 5, _CALL, "increment(uint256)", _DONE, is_starving=True),
    Case("call that expires", 6, _CALL, "increment(uint256)", OutcomeKind.EXPIRED, expires=True),
    Case("query", 12, _QUERY, "count()", _DONE),
    Case("query that reverts", 5, _QUERY, "fail(uint256)", _REVERTED),
    Case("query whose answer is cut", 3, _QUERY, "answer(uint256)", _DONE, return_limit=CUT_BYTES),
    Case("query whose handler fails", 2, _QUERY, "count()", _DONE, is_starving=True),
)


def payload(case: Case, number: int) -> bytes:
    """The target's calldata."""
    return selector(case.function) + (b"" if case.function.endswith("()") else encode(["uint256"], [number]))


def options(case: Case, now: int, block_seconds: int) -> tuple[object, ...]:
    """The gateway's `Options`."""
    expiry = now + EXPIRES_AFTER_BLOCKS * block_seconds if case.expires else 0
    callback_gas = STARVING_CALLBACK_GAS if case.is_starving else 0
    limits = (0, callback_gas, case.return_limit)
    return (int(case.mode), False, *limits, expiry, case.is_ordered, bytes(32), 0, 0, b"")


@cache
def selector(signature: str) -> bytes:
    """4 bytes."""
    return keccak256(signature.encode())[:4]
