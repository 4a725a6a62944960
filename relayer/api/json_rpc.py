"""JSON-RPC 2.0, one call at a time: what was asked, and how it is answered or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

Number = int | str | None
"""What the caller calls its call."""

SERVER_ERROR: Final = -32000
INTERNAL_ERROR: Final = -32603


class RpcRefused(Exception):  # noqa: N818 - errors of this project are named by the fault alone
    """The call is refused with an error object."""

    def __init__(self, code: int, message: str, data: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def answer(self, number: Number) -> dict[str, Any]:
        """The error object; `number` is None where that was not understood."""
        fault = {"code": self.code, "message": self.message, **({"data": self.data} if self.data else {})}
        return {"jsonrpc": "2.0", "id": number, "error": fault}


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it was understood. `params` is a list, an object, or None."""

    number: Number
    method: str
    params: Any

    def answer(self, result: Any) -> dict[str, Any]:
        """What it is answered with."""
        return {"jsonrpc": "2.0", "id": self.number, "result": result}

    def require_text(self, name: str) -> str:
        """The only parameter, by place or by name. Raises `RpcRefused`."""
        match self.params:
            case [str(text)]:
                return text
            case {**named} if named.keys() == {name} and isinstance(named[name], str):
                return str(named[name])
        raise RpcRefused(-32602, "Invalid params", f"wants one text, {name}")

    def unknown(self) -> RpcRefused:
        """The refusal of a method that is not there."""
        return RpcRefused(-32601, "Method not found")


def parse_call(text: str | bytes) -> Call:
    """Understand a call. Raises `RpcRefused`."""
    try:
        call = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise RpcRefused(-32700, "Parse error") from None
    match call:
        case {"jsonrpc": "2.0", "method": str(method), **rest}:
            number = rest.get("id")
            if number is None or (isinstance(number, int | str) and not isinstance(number, bool)):
                return Call(number, method, rest.get("params"))
    raise RpcRefused(-32600, "Invalid Request")
