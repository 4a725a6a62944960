"""What a node says to a transaction that it does not take.

Its job: one word for the SDK's codes and CometBFT's texts. What is unknown is REFUSED: whoever sent it looks at the
chain again. It must not decide what to do about it.

Source: cosmos-sdk/types/errors; cometbft/mempool/errors.go.
"""

from __future__ import annotations

import re
from typing import Any, Final

from relayer.ports.wallet import SendResult
from relayer.vms.cosmwasm.values import parse_code, parse_member, parse_text
from relayer.vms.jsonrpc.rpc import RpcFault

SDK: Final = "sdk"
"""The codespace of the errors that are not a module's."""

WRONG_SEQUENCE: Final = 32

_CODES: Final = {
    5: SendResult.INSUFFICIENT_FUNDS,
    9: SendResult.INSUFFICIENT_FUNDS,  # there is no account before it has been sent something
    13: SendResult.UNDERPRICED,
    19: SendResult.KNOWN,
}
_IN_CACHE: Final = "already exists in cache"
_SEQUENCE: Final = re.compile(r"account sequence mismatch, expected ([0-9]{1,20}), got ([0-9]{1,20})")


def classify_send_answer(answer: Any) -> SendResult:
    """What a node meant by its answer to `broadcast_tx_sync`. Raises `RpcUnavailable` for what is none."""
    if isinstance(answer, RpcFault):
        return SendResult.KNOWN if _IN_CACHE in f"{answer.message} {answer.data}" else SendResult.REFUSED
    code, text = parse_code(parse_member(answer, "code")), parse_text(parse_member(answer, "log"))
    if code == 0:
        return SendResult.ACCEPTED
    if answer.get("codespace") != SDK:
        return SendResult.REFUSED
    if code == WRONG_SEQUENCE:
        # Too high is no fault of the transaction's: the one before it has not arrived there yet.
        expected = expected_sequence(text)
        return SendResult.NONCE_TOO_LOW if expected is not None and expected[0] > expected[1] else SendResult.REFUSED
    return _CODES.get(code, SendResult.REFUSED)


def expected_sequence(text: str) -> tuple[int, int] | None:
    """The sequence that the node waits for, and the one that it was given; None if this is no such error."""
    match = _SEQUENCE.search(text)
    return (int(match[1]), int(match[2])) if match else None
