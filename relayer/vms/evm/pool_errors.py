"""What a node says to a transaction that it does not take.

Its job: one word for the many texts of the many nodes. Unknown texts are REFUSED: whoever sent it looks at the chain
again. It must not decide what to do about it.

Source: texts of geth (core/txpool), reth, erigon (txnprovider/txpool), nethermind (AcceptTxResult), besu and anvil.
"""

from __future__ import annotations

from typing import Final

from relayer.ports.wallet import SendResult
from relayer.vms.jsonrpc.rpc import RpcFault

# Squashed to lower-case letters without spaces. The first that is contained counts, so narrower texts come first.
_TEXTS: Final = (
    ("alreadyknown", SendResult.KNOWN),
    ("alreadyimported", SendResult.KNOWN),
    ("alreadyexists", SendResult.KNOWN),
    ("knowntransaction", SendResult.KNOWN),
    ("existingtxwithsamehash", SendResult.KNOWN),
    ("samehashwasalreadyimported", SendResult.KNOWN),
    ("noncetoolow", SendResult.NONCE_TOO_LOW),
    ("nonceistoolow", SendResult.NONCE_TOO_LOW),
    ("oldnonce", SendResult.NONCE_TOO_LOW),
    ("ownnoncealreadyused", SendResult.UNDERPRICED),  # nethermind: another transaction of ours holds the nonce
    ("underpriced", SendResult.UNDERPRICED),
    ("feetoolow", SendResult.UNDERPRICED),
    ("replacementnotallowed", SendResult.UNDERPRICED),
    ("lessthanblockbasefee", SendResult.UNDERPRICED),
    ("belowcurrentbasefee", SendResult.UNDERPRICED),
    ("gaspricetoolow", SendResult.UNDERPRICED),
    ("gaspriceistoolow", SendResult.UNDERPRICED),
    ("minimumgasprice", SendResult.UNDERPRICED),
    ("insufficientfunds", SendResult.INSUFFICIENT_FUNDS),
    ("insufficientbalance", SendResult.INSUFFICIENT_FUNDS),
    ("notenoughfunds", SendResult.INSUFFICIENT_FUNDS),
    ("upfrontcostexceedsaccountbalance", SendResult.INSUFFICIENT_FUNDS),
    ("overdraft", SendResult.INSUFFICIENT_FUNDS),
)


def classify_send_fault(fault: RpcFault) -> SendResult:
    """What the node meant. Never ACCEPTED."""
    text = "".join(character for character in fault.message.lower() if character.isalpha())
    return next((result for part, result in _TEXTS if part in text), SendResult.REFUSED)
