"""What people type to act at a gateway: `wasmd`, or the program of the chain's own that takes the same commands.

Its job: implement the port `GatewayCommands`. It runs nothing.

Source: contracts/cosmwasm/schema/execute.json, `add_fee` and `retry_callback`.
"""

from __future__ import annotations

from typing import Any

import orjson

from attestation.request import RequestId, format_request_id
from attestation.statement import Outcome
from relayer.vms.cosmwasm.messages import format_outcome


class WasmdCommands:
    """Implements `GatewayCommands`."""

    def add_fee(self, gateway: str, request_id: RequestId) -> str:
        """`add_fee`, with coins."""
        message = {"add_fee": {"request_id": format_request_id(request_id)}}
        return f"{_execute(gateway, message)} --amount <amount><denomination>"

    def replay(self, gateway: str, outcome: Outcome, return_data: bytes, gas: int) -> str:
        """`retry_callback`."""
        message = {"retry_callback": {"outcome": format_outcome(outcome, return_data), "gas_limit": str(gas)}}
        return _execute(gateway, message)


def _execute(gateway: str, message: dict[str, Any]) -> str:
    chain, _, account = gateway.rpartition(":")
    return (
        f"wasmd tx wasm execute {account} '{orjson.dumps(message).decode()}' --from <key> "
        f"--chain-id {chain.partition(':')[2]} --node <RPC of {chain}> --gas auto --gas-adjustment 1.3"
    )
