"""What a node means by refusing a transaction.

Its job: from the words of the runtime, which nodes hand on, to the port's words. It must not decide what comes of it.

Source: `TransactionError` of Agave, and its texts.
"""

from __future__ import annotations

from typing import Final

from relayer.ports.wallet import SendResult
from relayer.vms.jsonrpc.rpc import RpcFault

_TEXTS: Final = (
    ("already been processed", SendResult.KNOWN),
    ("insufficient funds", SendResult.INSUFFICIENT_FUNDS),
    ("attempt to debit an account but found no record", SendResult.INSUFFICIENT_FUNDS),
    ("blockhash not found", SendResult.NONCE_TOO_LOW),
)


def classify_send_fault(fault: RpcFault) -> SendResult:
    """What the node meant. Never ACCEPTED."""
    text = fault.message.lower()
    return next((result for part, result in _TEXTS if part in text), SendResult.REFUSED)
