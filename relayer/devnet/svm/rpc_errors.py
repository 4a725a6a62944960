"""The errors that a Solana RPC node answers, with its codes and its words.

Source: the JSON-RPC 2.0 specification for -32700 to -32600; for the rest the custom errors of agave's RPC, whose texts
clients match.
"""

from __future__ import annotations

from typing import Any


class RpcError(Exception):
    """An answer that is an error: its code, its text, and what further data it carries."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """The member `error` of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


def parse_error() -> RpcError:
    """The body is no JSON."""
    return RpcError(-32700, "Parse error")


def invalid_request(reason: str = "Invalid request") -> RpcError:
    """JSON, but no request; or one that cannot be answered as it is put."""
    return RpcError(-32600, reason)


def method_not_found() -> RpcError:
    """This node has no such method."""
    return RpcError(-32601, "Method not found")


def invalid_params(reason: str) -> RpcError:
    """The parameters are not what the method takes."""
    return RpcError(-32602, f"Invalid params: {reason}")


def block_cleaned_up(slot: int, first_available: int) -> RpcError:
    """The block was there and is kept no more."""
    text = f"Block {slot} cleaned up, does not exist on node. First available block: {first_available}"
    return RpcError(-32001, text)


def preflight_failure(reason: str, simulation: dict[str, Any]) -> RpcError:
    """The transaction would fail: the error's text and what the simulation gave."""
    return RpcError(-32002, f"Transaction simulation failed: {reason}", simulation)


def signature_verification_failure() -> RpcError:
    """A signature of the transaction is not of its key over its message."""
    return RpcError(-32003, "Transaction signature verification failure")


def block_not_available(slot: int) -> RpcError:
    """There is no block at this slot yet, as far as this node knows."""
    return RpcError(-32004, f"Block not available for slot {slot}")


def node_unhealthy(slots_behind: int) -> RpcError:
    """This node is behind the others."""
    return RpcError(-32005, f"Node is behind by {slots_behind} slots", {"numSlotsBehind": slots_behind})


def slot_skipped(slot: int) -> RpcError:
    """The slot passed without a block."""
    return RpcError(-32007, f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot")


def long_term_storage_slot_skipped(slot: int) -> RpcError:
    """The slot has no block, and it is so old that only an archive could have said so."""
    return RpcError(-32009, f"Slot {slot} was skipped, or missing in long-term storage")


def block_status_not_available_yet(slot: int) -> RpcError:
    """There is a block, of a commitment that was not asked for."""
    return RpcError(-32014, f"Block status not yet available for slot {slot}")


def unsupported_transaction_version(version: int) -> RpcError:
    """The transaction's version is above what the client says to know."""
    text = (
        f"Transaction version ({version}) is not supported by the requesting client. Please try the request again "
        f'with the following configuration parameter: "maxSupportedTransactionVersion": {version}'
    )
    return RpcError(-32015, text)


def min_context_slot_not_reached(slot: int) -> RpcError:
    """This node stands at `slot`, below the one that the client asks for."""
    return RpcError(-32016, "Minimum context slot has not been reached", {"contextSlot": slot})
