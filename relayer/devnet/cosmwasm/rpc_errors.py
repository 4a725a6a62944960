"""The errors that a CometBFT node answers, with its codes and its words.

Source: rpc/jsonrpc/types/types.go and rpc/core of CometBFT 0.38. What a handler refuses is -32603 with the reason as
`data`; clients match these texts.
"""

from __future__ import annotations

from typing import Any


class RpcError(Exception):
    """An answer that is an error: its code, its text, and the reason that it carries."""

    def __init__(self, code: int, message: str, data: str) -> None:
        super().__init__(f"{message}: {data}")
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """The member `error` of the answer."""
        return {"code": self.code, "message": self.message, "data": self.data}


def parse_error(reason: str) -> RpcError:
    """The body is no JSON."""
    return RpcError(-32700, "Parse error. Invalid JSON", reason)


def invalid_request(reason: str) -> RpcError:
    """JSON, but no request."""
    return RpcError(-32600, "Invalid Request", reason)


def method_not_found() -> RpcError:
    """This node has no such method."""
    return RpcError(-32601, "Method not found", "")


def invalid_params(reason: str) -> RpcError:
    """The parameters are not what the method takes."""
    return RpcError(-32602, "Invalid params", reason)


def internal_error(reason: str) -> RpcError:
    """The method cannot do what it is asked for."""
    return RpcError(-32603, "Internal error", reason)


def server_error(reason: str) -> RpcError:
    """The node ends what it had promised."""
    return RpcError(-32000, "Server error", reason)


def height_not_positive(height: int) -> RpcError:
    """Blocks begin at 1."""
    return internal_error(f"height must be greater than 0, but got {height}")


def height_above(height: int, latest: int) -> RpcError:
    """There is no such block yet, as far as this node knows."""
    return internal_error(f"height {height} must be less than or equal to the current blockchain height {latest}")


def height_pruned(height: int, lowest: int) -> RpcError:
    """The block was there and is kept no more."""
    return internal_error(f"height {height} is not available, lowest height is {lowest}")


def tx_not_found(tx_hash: bytes) -> RpcError:
    """No block that is kept holds it."""
    return internal_error(f"tx ({tx_hash.hex().upper()}) not found")
