"""Stored code, and the contracts made of it, as entries of the chain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from relayer.devnet.cosmwasm.chain_errors import no_such_code, no_such_contract
from relayer.devnet.cosmwasm.state import State, View

_CODES: Final = "codes"
_CONTRACTS: Final = "contracts"
_HISTORY: Final = "history"
_COUNTERS: Final = "counters"
_NEXT_CODE: Final = "code"
_NEXT_INSTANCE: Final = "instance"


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """Stored code."""

    checksum: bytes
    creator: str
    entry_points: frozenset[str]
    migrate_version: int | None


@dataclass(frozen=True, slots=True)
class ContractInfo:
    """A contract."""

    code_id: int
    creator: str
    admin: str
    """Empty for nobody."""

    label: str
    created_height: int
    created_index: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """When a contract got code, and with which message."""

    operation: str
    """`init` or `migrate`."""

    code_id: int
    height: int
    index: int
    message: bytes


class CodeRegistry:
    """Reads and writes them. It checks and charges nothing."""

    def find_code(self, view: View, code_id: int) -> CodeInfo | None:
        """None for a number that was not given."""
        code: CodeInfo | None = view.get(_CODES, code_id)
        return code

    def code(self, view: View, code_id: int) -> CodeInfo:
        """Raises `ChainError`."""
        code = self.find_code(view, code_id)
        if code is None:
            raise no_such_code(code_id)
        return code

    def find_contract(self, view: View, address: bytes) -> ContractInfo | None:
        """None where there is no contract."""
        contract: ContractInfo | None = view.get(_CONTRACTS, address)
        return contract

    def contract(self, view: View, address: bytes, text: str) -> ContractInfo:
        """Raises `ChainError`."""
        contract = self.find_contract(view, address)
        if contract is None:
            raise no_such_contract(text)
        return contract

    def history(self, view: View, address: bytes) -> tuple[HistoryEntry, ...]:
        """The oldest first."""
        return view.get(_HISTORY, address) or ()

    def newest_code(self, view: View) -> int:
        """The highest number that was given; zero before the first."""
        return view.get(_COUNTERS, _NEXT_CODE) or 0

    def add_code(self, state: State, code: CodeInfo) -> int:
        """Its number."""
        return self._store_next(state, _NEXT_CODE, code)

    def next_instance(self, state: State) -> int:
        """A number for a contract."""
        return self._store_next(state, _NEXT_INSTANCE, None)

    def set_contract(self, state: State, address: bytes, contract: ContractInfo) -> None:
        """Make or change one."""
        state.put(_CONTRACTS, address, contract)

    def move_to_code(self, state: State, address: bytes, contract: ContractInfo, code_id: int) -> None:
        """Give a contract other code."""
        state.put(_CONTRACTS, address, replace(contract, code_id=code_id))

    def set_admin(self, state: State, address: bytes, contract: ContractInfo, admin: str) -> None:
        """Empty for nobody."""
        state.put(_CONTRACTS, address, replace(contract, admin=admin))

    def add_history(self, state: State, address: bytes, entry: HistoryEntry) -> None:
        """Remember how a contract got its code."""
        state.put(_HISTORY, address, (*self.history(state, address), entry))

    def _store_next(self, state: State, counter: str, code: CodeInfo | None) -> int:
        number: int = (state.get(_COUNTERS, counter) or 0) + 1
        state.put(_COUNTERS, counter, number)
        if code is not None:
            state.put(_CODES, number, code)
        return number
