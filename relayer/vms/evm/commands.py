"""What people type to act at a gateway: Foundry's `cast`.

Its job: implement the port `GatewayCommands`. It runs nothing.

Source: contracts/evm/src/interfaces/IXvmSource.sol, `addFee` and `retryCallback`.
"""

from __future__ import annotations

from typing import Final

from attestation.request import RequestId, format_request_id
from attestation.statement import Outcome

_OUTCOME_ITEM: Final = "(uint256,uint8,bool,uint64,bytes32,uint32,uint32,bytes32,uint32,bytes)"


class CastCommands:
    """Implements `GatewayCommands`."""

    def add_fee(self, gateway: str, request_id: RequestId) -> str:
        """`addFee`, payable."""
        return _cast(gateway, f'"addFee(uint256)" {format_request_id(request_id)} --value <wei>')

    def replay(self, gateway: str, outcome: Outcome, return_data: bytes, gas: int) -> str:
        """`retryCallback`."""
        item = _outcome_item(outcome, return_data)
        return _cast(gateway, f'"retryCallback({_OUTCOME_ITEM},uint64)" "{item}" {gas}')


def _cast(gateway: str, call: str) -> str:
    chain, _, account = gateway.rpartition(":")
    return f"cast send {account} {call} --rpc-url <RPC of {chain}> --interactive"


def _outcome_item(outcome: Outcome, return_data: bytes) -> str:
    fields = (
        format_request_id(outcome.request_id),
        int(outcome.kind),
        str(outcome.cut).lower(),
        outcome.height,
        f"0x{outcome.block_hash.hex()}",
        outcome.tx_index,
        outcome.log_index,
        f"0x{outcome.payee.hex()}",
        outcome.round,
        f"0x{return_data.hex()}",
    )
    return f"({','.join(str(value) for value in fields)})"
