"""How an endpoint tells which EVM chain it serves.

Its job: the one call that every EVM node answers at once, and what it must answer. It asks nobody.
"""

from __future__ import annotations

from typing import Any, Final

from relayer.vms.evm.quantities import parse_quantity
from relayer.vms.jsonrpc.endpoints import ChainProbe
from relayer.vms.jsonrpc.rpc import RpcCall

CHAIN_ID_CALL: Final = RpcCall("eth_chainId", [])


def chain_probe(chain_id: int) -> ChainProbe:
    """The probe for the chain with this EIP-155 id."""

    def is_served(answer: Any) -> bool:
        return parse_quantity(answer) == chain_id

    return ChainProbe(f"eip155:{chain_id}", CHAIN_ID_CALL, is_served)
