"""One RPC endpoint of a Solana chain, which is believed.

Its job: a call and its answer, and the endpoint's refusals as ours, in words: what a program said by number has its
name. SECURITY: no error shows the endpoint's URL, which may hold an access key.

Source: agave's JSON-RPC and its error codes.
"""

from __future__ import annotations

from typing import Any, Final

import requests
from solders.pubkey import Pubkey

from attestation.address import Chain
from relayer.errors import CallReverted, RejectedError, RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.svm.program_errors import error_name

RPC_SECONDS: Final = 10.0
"""For one exchange."""

_PREFLIGHT_FAILED: Final = -32002
_SHOWN_LOGS: Final = 3
"""Of a transaction that fails: the last ones say why."""

_HINTS: Final = {
    "OutOfBounds": "an option is beyond the route's bounds: gas, lengths, --expires-in or --deadline-blocks",
    "FeeTooHigh": "the price rose meanwhile; ask again",
    "SenderLimit": "this account has asked as often as it may for now",
    "Paused": "the gateway, or this route of it, takes no requests now",
    "UnsupportedMode": "the route does not take such requests",
}


class SvmEndpoint:
    """Speaks to the endpoint. Methods raise `RpcUnavailable`, `RejectedError`, and `CallReverted` for the gateway's."""

    def __init__(self, chain: Chain, url: str) -> None:
        self._chain = chain
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def call(self, call: RpcCall) -> Any:
        """The result of a call."""
        body = {"jsonrpc": "2.0", "id": 1, "method": call.method, "params": call.params}
        try:
            answer = self._session.post(self._url, json=body, timeout=RPC_SECONDS).json()
        except (OSError, ValueError) as error:
            raise RpcUnavailable(f"{self._chain}: the endpoint gives no answer ({type(error).__name__})") from None
        match answer:
            case {"error": {"code": code, "message": message, **rest}}:
                if code == _PREFLIGHT_FAILED:
                    raise explain_failure(rest.get("data"), str(message))
                raise RejectedError(f"{self._chain}: the endpoint refuses: {message}")
            case {"result": result}:
                return result
            case _:
                raise RpcUnavailable(f"{self._chain}: the endpoint gives a malformed answer")

    def fetch_mentions(self, account: Pubkey) -> list[tuple[int, str]]:
        """Slot and signature of the confirmed transactions that name an account and succeeded, oldest first."""
        listed = self.call(RpcCall("getSignaturesForAddress", [str(account), {"commitment": "confirmed"}]))
        return [(entry["slot"], entry["signature"]) for entry in reversed(listed) if entry["err"] is None]


def explain_failure(told: Any, message: str) -> CallReverted:
    """What the simulation of a transaction, or its status, says of why it fails."""
    match told:
        case {"err": {"InstructionError": [_, {"Custom": int(code)}]}}:
            name = error_name(code)
            hint = _HINTS.get(name)
            return CallReverted(name if hint is None else f"{name}: {hint}", b"")
        case {"logs": [*logs]}:
            return CallReverted("; ".join([message, *map(str, logs[-_SHOWN_LOGS:])]), b"")
        case _:
            return CallReverted(message, b"")
