"""How much gas one transaction may offer.

Its job: the operator's cap, and below it the chain's own for a whole block, which no transaction may exceed. It must
not know what is sent.

Source: CometBFT's RPC, `consensus_params`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.values import MAX_COUNT, parse_member
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault

_UNBOUNDED: Final = "-1"
_GAS: Final = re.compile(r"[1-9][0-9]{0,18}")
_PARAMS_CALL: Final = RpcCall("consensus_params", {})


class GasLimits:
    """Of one chain, on which the operator lets a transaction offer `gas_cap` at most.

    The chain is asked once. Where it lowers its limit later, simulations say what is wrong.
    """

    def __init__(self, pool: EndpointPool, gas_cap: int) -> None:
        self._pool = pool
        self._gas_cap = gas_cap
        self._is_known = False

    async def fetch_gas_cap(self) -> int:
        """The lower of both; the operator's where M endpoints do not tell the chain's. Raises `RpcUnavailable`."""
        if not self._is_known:
            # SECURITY: one endpoint that told a low limit could keep anything from being sent.
            (verdict,) = await self._pool.vote(_ask)
            self._gas_cap = min(self._gas_cap, verdict.value or self._gas_cap)
            self._is_known = verdict.value is not None
        return self._gas_cap


async def _ask(endpoint: RpcEndpoint) -> list[int | None]:
    """No voice of a node that does not tell: public ones may not."""
    (answer,) = await endpoint.call([_PARAMS_CALL])
    return [None if isinstance(answer, RpcFault) else _parse_max_gas(answer)]


def _parse_max_gas(answer: Any) -> int:
    text = parse_member(answer, "consensus_params", "block", "max_gas")
    if text == _UNBOUNDED:
        return MAX_COUNT
    if not isinstance(text, str) or not _GAS.fullmatch(text):
        raise RpcUnavailable("an endpoint answered with what is no limit of gas")
    return int(text)
