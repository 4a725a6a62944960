"""How messages fail, with the numbers by which clients know a failure, and what contracts are told of it.

Source: `x/wasm/types/errors.go` and `redactError` in `x/wasm/keeper/msg_dispatcher.go` of CosmWasm/wasmd;
`types/errors/errors.go` of cosmos/cosmos-sdk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """A registered error."""

    codespace: str
    code: int
    text: str


UNDEFINED: Final = ErrorKind("undefined", 1, "internal error")

SDK_UNAUTHORIZED: Final = ErrorKind("sdk", 4, "unauthorized")
SDK_INSUFFICIENT_FUNDS: Final = ErrorKind("sdk", 5, "insufficient funds")
SDK_UNKNOWN_REQUEST: Final = ErrorKind("sdk", 6, "unknown request")
SDK_INVALID_ADDRESS: Final = ErrorKind("sdk", 7, "invalid address")
SDK_INVALID_COINS: Final = ErrorKind("sdk", 10, "invalid coins")
SDK_OUT_OF_GAS: Final = ErrorKind("sdk", 11, "out of gas")
SDK_INVALID_REQUEST: Final = ErrorKind("sdk", 18, "invalid request")
SDK_NOT_FOUND: Final = ErrorKind("sdk", 38, "not found")

WASM_CREATE_FAILED: Final = ErrorKind("wasm", 2, "create wasm contract failed")
WASM_ACCOUNT_EXISTS: Final = ErrorKind("wasm", 3, "contract account already exists")
WASM_INSTANTIATE_FAILED: Final = ErrorKind("wasm", 4, "instantiate wasm contract failed")
WASM_EXECUTE_FAILED: Final = ErrorKind("wasm", 5, "execute wasm contract failed")
WASM_QUERY_FAILED: Final = ErrorKind("wasm", 9, "query wasm contract failed")
WASM_MIGRATION_FAILED: Final = ErrorKind("wasm", 11, "migrate wasm contract failed")
WASM_EMPTY: Final = ErrorKind("wasm", 12, "empty")
WASM_LIMIT: Final = ErrorKind("wasm", 13, "exceeds limit")
WASM_INVALID: Final = ErrorKind("wasm", 14, "invalid")
WASM_DUPLICATE: Final = ErrorKind("wasm", 15, "duplicate")
WASM_UNKNOWN_MESSAGE: Final = ErrorKind("wasm", 20, "unknown message from the contract")
WASM_INVALID_EVENT: Final = ErrorKind("wasm", 21, "invalid event")
WASM_NO_SUCH_CONTRACT: Final = ErrorKind("wasm", 22, "no such contract")
WASM_QUERY_DEPTH: Final = ErrorKind("wasm", 27, "max query stack size exceeded")
WASM_NO_SUCH_CODE: Final = ErrorKind("wasm", 28, "no such code")
WASM_VM_ERROR: Final = ErrorKind("wasm", 29, "wasmvm error")
WASM_CALL_DEPTH: Final = ErrorKind("wasm", 30, "max call depth exceeded")


class ChainError(Exception):
    """A message or a query that fails. What it changed is undone; what asked for it may go on."""

    def __init__(
        self,
        kind: ErrorKind,
        detail: str = "",
        *,
        is_deterministic: bool = False,
        system_error: dict[str, Any] | None = None,
    ) -> None:
        """`is_deterministic`: its text is the same on all nodes; `system_error`: how CosmWasm's querier calls it."""
        super().__init__(f"{detail}: {kind.text}" if detail else kind.text)
        self.kind = kind
        self.is_deterministic = is_deterministic
        self.system_error = system_error

    def within(self, where: str) -> ChainError:
        """The same, as seen from further out. Contracts are not told its text any more."""
        outer = ChainError(self.kind, system_error=self.system_error)
        outer.args = (f"{where}: {self}",)
        return outer

    def told_to_contracts(self) -> str:
        """The text that a reply, or a query's caller, gets: nodes need not agree on any other."""
        if self.is_deterministic:
            return str(self)
        return f"codespace: {self.kind.codespace}, code: {self.kind.code}"


def no_such_contract(address: str) -> ChainError:
    """There is none at this address."""
    return ChainError(WASM_NO_SUCH_CONTRACT, f"address {address}", system_error={"no_such_contract": {"addr": address}})


def no_such_code(code_id: int) -> ChainError:
    """Nothing was stored under this number."""
    return ChainError(WASM_NO_SUCH_CODE, f"code id {code_id}", system_error={"no_such_code": {"code_id": code_id}})
