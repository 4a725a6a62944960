"""What the contracts and the library say to one question, in one form. It asks; whether they agree, a test says."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eth_abi import decode
from web3 import Web3

from attestation.errors import AttestationError
from tests.integration.contracts.local_gateway import ARTIFACTS

RETURNED: Final = "returned"

Verdict = tuple[Any, ...]
"""`RETURNED` and what was returned, or the name of the error and its arguments."""

CALLS_AT_ONCE: Final = 40
"""Of one JSON-RPC batch: with the largest certificates it stays below 2 MB, which is what anvil takes."""

_ERRORS: Final = json.loads((ARTIFACTS / "errors.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Question:
    """One `eth_call`.

    `returns` are the types of its answer, `seconds` is the block's time if not the chain's, `codes` is what other
    contracts have as their code meanwhile.
    """

    sender: str
    to: str
    calldata: str
    returns: tuple[str, ...] = ()
    seconds: int | None = None
    codes: Mapping[str, str] = field(default_factory=dict)

    def parameters(self) -> list[Any]:
        call = {"from": self.sender, "to": self.to, "data": self.calldata, "gas": hex(60_000_000)}
        states = {address: {"code": code} for address, code in self.codes.items()}
        block = {} if self.seconds is None else {"time": hex(self.seconds)}
        return [call, "latest", states, block]


def verdicts_of_contracts(web3: Web3, questions: Sequence[Question]) -> list[Verdict]:
    """In the order of the questions."""
    found: list[Verdict] = []
    for start in range(0, len(questions), CALLS_AT_ONCE):
        asked = questions[start : start + CALLS_AT_ONCE]
        answers = web3.provider.make_batch_request([("eth_call", question.parameters()) for question in asked])  # type: ignore[misc, list-item]
        assert isinstance(answers, list), answers
        for question, answer in zip(asked, sorted(answers, key=lambda answer: int(answer["id"])), strict=True):
            found.append(_verdict(question, answer))
    return found


def verdict_of_library(judge: Callable[[], Any]) -> Verdict:
    """What it returns, or the error, whose attributes are the arguments of the contracts' error in their order."""
    try:
        value = judge()
    except AttestationError as error:
        return error.code, *vars(error).values()
    return (RETURNED,) if value is None else (RETURNED, value)


def _verdict(question: Question, answer: Mapping[str, Any]) -> Verdict:
    if "error" not in answer:
        return RETURNED, *decode(question.returns, bytes.fromhex(answer["result"][2:]))
    revert = bytes.fromhex(answer["error"].get("data", "0x")[2:])
    error = _ERRORS.get(f"0x{revert[:4].hex()}")
    if error is None:
        return answer["error"]["message"], revert
    return error["name"], *decode([argument["type"] for argument in error["inputs"]], revert[4:])
