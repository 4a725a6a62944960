"""The chain in this process: blocks, transactions, queries.

Its job: a transaction as a whole, either kept or undone; the block that is open; what is so now and was so earlier. It
knows no signatures, no fees and no sockets. Not for several threads at once.

Source: `baseapp.go` of cosmos/cosmos-sdk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from relayer.devnet.cosmwasm.addresses import AddressFormat
from relayer.devnet.cosmwasm.bank import Account, Bank
from relayer.devnet.cosmwasm.chain_errors import SDK_OUT_OF_GAS, SDK_UNKNOWN_REQUEST, ChainError, no_such_contract
from relayer.devnet.cosmwasm.code_registry import CodeInfo, CodeRegistry, ContractInfo, HistoryEntry
from relayer.devnet.cosmwasm.coins import Coins, coins_of
from relayer.devnet.cosmwasm.context import Block, Context, Position
from relayer.devnet.cosmwasm.crossvm.module import CrossVm, CrossVmSettings
from relayer.devnet.cosmwasm.crossvm.queue import QueueView
from relayer.devnet.cosmwasm.entry_points import EntryPoints
from relayer.devnet.cosmwasm.events import Event
from relayer.devnet.cosmwasm.gas_meter import GasMeter, OutOfGasError
from relayer.devnet.cosmwasm.messages import (
    CrossVmCall,
    ExecuteContract,
    InstantiateContract,
    InstantiateContract2,
    Message,
    MessageResponse,
    MigrateContract,
    StoreCode,
    TransactionMessage,
)
from relayer.devnet.cosmwasm.queries import Queries
from relayer.devnet.cosmwasm.state import State, View
from relayer.devnet.cosmwasm.submessages import Submessages
from relayer.devnet.cosmwasm.vm.machine import Machine

GAS_LIMIT: Final = 50_000_000
"""Of a transaction, where none is given."""

QUERY_GAS_LIMIT: Final = 3_000_000
"""wasmd's own default; Source: `defaultSmartQueryGasLimit`."""

Json = bytes | str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TxResult:
    """What became of a transaction. `code` is zero where it succeeded."""

    code: int
    codespace: str
    log: str
    """Why it failed."""

    events: tuple[Event, ...]
    """Of its messages in order, none of a transaction that failed."""

    gas_used: int
    responses: tuple[MessageResponse, ...] = ()

    @property
    def data(self) -> bytes | None:
        """What the contract returned that the first message called."""
        return self.responses[0].data if self.responses else None


class FailedError(Exception):
    """A transaction failed that was taken to succeed; `result` says why."""

    def __init__(self, result: TxResult) -> None:
        super().__init__(result.log)
        self.result = result


class Keeper:
    """One chain."""

    def __init__(
        self,
        chain_id: str = "xvm-cosmwasm-1",
        *,
        prefix: str = "wasm",
        height: int = 1,
        time_ns: int = 1_700_000_000_000_000_000,
        kept_heights: int = 1_000,
        query_gas_limit: int = QUERY_GAS_LIMIT,
        cache: Path | None = None,
        crossvm: CrossVmSettings | None = None,
    ) -> None:
        """A chain with a block open.

        Args:
            chain_id: what contracts are told.
            prefix: of accounts' texts.
            height: of the open block.
            time_ns: of the open block, since 1970.
            kept_heights: how many blocks back queries can look.
            query_gas_limit: of a query from outside.
            cache: a folder for machine code, writable to nobody else.
            crossvm: of the module for calls between VMs; None for a chain without.
        """
        self.addresses = AddressFormat(prefix)
        self.chain_id = chain_id
        self._query_gas_limit = query_gas_limit
        self._state = State(kept_heights)
        self._bank = Bank(self.addresses)
        self._registry = CodeRegistry()
        machine = self._machine = Machine(cache)
        self._queries = Queries(self.addresses, self._bank, self._registry)
        entry_points = EntryPoints(machine, self.addresses, chain_id, self._queries.answer)
        self._queries.entry_points = entry_points
        submessages = Submessages(machine, self.addresses, self._bank, self._registry, entry_points)
        self._contracts = submessages.contracts
        self.crossvm = None if crossvm is None else CrossVm(crossvm, self.addresses, self._bank)
        self._blocks: dict[int, Block] = {}
        self._next_index = 0
        self.block = Block(height, time_ns)
        self.begin_block(height, time_ns)

    # Blocks.

    def begin_block(self, height: int, time_ns: int) -> None:
        """Close the block that is open, and open this one. Heights only grow."""
        self._state.open_block(height)
        self.block = self._blocks[height] = Block(height, time_ns)
        self._next_index = 0
        oldest = self._state.heights()[0]
        for old in [at for at in self._blocks if at < oldest]:
            del self._blocks[old]

    def end_block(self) -> list[Event]:
        """What modules do when a block's transactions are over, and tell of it."""
        return [] if self.crossvm is None else self.crossvm.end_block(self, self._state, self.block.height)

    def advance(self, seconds: float = 1, blocks: int = 1) -> None:
        """So many blocks, and so many seconds over all of them."""
        start = self.block
        for step in range(1, blocks + 1):
            self.begin_block(start.height + step, start.time_ns + int(seconds * 1_000_000_000) * step // blocks)

    # Transactions.

    def deliver(
        self,
        messages: Sequence[TransactionMessage],
        *,
        gas_limit: int = GAS_LIMIT,
        gas_used: int = 0,
        tx: bytes = b"",
    ) -> TxResult:
        """Carry out messages as one transaction of the open block: all of them, or none.

        Args:
            messages: in order.
            gas_limit: of all together.
            gas_used: what was used before the first, for signatures and the like.
            tx: the transaction's bytes, whose hash contracts are told.
        """
        position = Position(self._next_index, hashlib.sha256(tx).digest())
        self._next_index += 1
        return self._run(messages, gas_limit, gas_used, position, is_kept=True)

    def simulate(
        self, messages: Sequence[TransactionMessage], *, gas_limit: int = GAS_LIMIT, gas_used: int = 0
    ) -> TxResult:
        """What `deliver` would do now, without doing it."""
        return self._run(messages, gas_limit, gas_used, None, is_kept=False)

    def store_code(self, sender: str, wasm: bytes) -> int:
        """The number of the code. Raises `FailedError`."""
        return self._deliver_one(StoreCode(sender, wasm)).responses[0].code_id

    def instantiate(
        self,
        sender: str,
        code_id: int,
        message: Json,
        *,
        label: str = "contract",
        admin: str = "",
        funds: Mapping[str, int] | None = None,
        salt: bytes | None = None,
        gas_limit: int = GAS_LIMIT,
    ) -> str:
        """The address of the contract; by instantiate2 where there is a salt. Raises `FailedError`."""
        common = (sender, code_id, label, json_bytes(message))
        coins = coins_of(funds or {})
        made: Message = InstantiateContract(*common, admin, coins)
        if salt is not None:
            made = InstantiateContract2(*common, salt, admin, coins)
        return self._deliver_one(made, gas_limit).responses[0].address

    def execute(
        self,
        sender: str,
        contract: str,
        message: Json,
        *,
        funds: Mapping[str, int] | None = None,
        gas_limit: int = GAS_LIMIT,
    ) -> TxResult:
        """Call a contract in a transaction of its own."""
        call = ExecuteContract(sender, contract, json_bytes(message), coins_of(funds or {}))
        return self.deliver([call], gas_limit=gas_limit, tx=call.message)

    def migrate(self, sender: str, contract: str, code_id: int, message: Json) -> TxResult:
        """Give a contract other code, in a transaction of its own."""
        return self.deliver([MigrateContract(sender, contract, code_id, json_bytes(message))])

    def mint(self, address: str, funds: Mapping[str, int]) -> None:
        """Give money to an account, as a genesis does."""
        self._bank.mint(self._state, self.addresses.parse(address), coins_of(funds))

    # What a node does around messages.

    def transfer(self, sender: str, recipient: str, coins: Coins) -> list[Event]:
        """Move coins outside of any message, as fees are. Raises `ChainError`."""
        context = self._context(self._state, GasMeter(GAS_LIMIT), None, set())
        self._bank.transfer(context, self.addresses.parse(sender), self.addresses.parse(recipient), coins)
        return context.events

    def account(self, address: str, height: int | None = None) -> Account | None:
        """None for an address that has received nothing yet. Raises `KeyError` for a height that is not kept."""
        return self._bank.account(self._view(height), self.addresses.parse(address))

    def set_account(self, address: str, account: Account) -> None:
        """Write an account's sequence and public key."""
        self._bank.set_account(self._state, self.addresses.parse(address), account)

    # Queries. With a height: at the end of that block; without one: now, within the open block.

    def query_smart(self, contract: str, message: Json, height: int | None = None) -> bytes:
        """What a contract answers.

        Raises:
            ChainError: there is no such contract, or it failed; `kind` tells them apart.
            KeyError: the height is not kept, or not closed.
        """
        meter = GasMeter(self._query_gas_limit)
        context = self._context(self._view(height), meter, None, None, height)
        context.query_depth = 1
        self._machine.begin()
        try:
            return self._queries.smart(context, self.addresses.parse(contract), json_bytes(message))
        except OutOfGasError as error:
            raise ChainError(SDK_OUT_OF_GAS, _out_of_gas(error, meter)) from None

    def query_raw(self, contract: str, key: bytes, height: int | None = None) -> bytes | None:
        """An entry of a contract. Raises `ChainError` where there is no contract, and `KeyError`."""
        view, address = self._view(height), self.addresses.parse(contract)
        if self._registry.find_contract(view, address) is None:
            raise no_such_contract(contract)
        value: bytes | None = view.get(address, key)
        return value

    def query_all(self, contract: str, height: int | None = None) -> list[tuple[bytes, bytes]]:
        """All entries of a contract, by key. Raises `KeyError`."""
        scan = self._view(height).scan(self.addresses.parse(contract), None, None, descending=False)
        entries = []
        entry = scan.peek()
        while entry is not None:
            entries.append(entry)
            scan.step(entry[0])
            entry = scan.peek()
        return entries

    def contract_info(self, contract: str, height: int | None = None) -> ContractInfo | None:
        """None where there is no contract. Raises `KeyError`."""
        return self._registry.find_contract(self._view(height), self.addresses.parse(contract))

    def contract_history(self, contract: str, height: int | None = None) -> tuple[HistoryEntry, ...]:
        """The oldest first. Raises `KeyError`."""
        return self._registry.history(self._view(height), self.addresses.parse(contract))

    def code_info(self, code_id: int, height: int | None = None) -> CodeInfo | None:
        """None for a number that was not given. Raises `KeyError`."""
        return self._registry.find_code(self._view(height), code_id)

    def newest_code(self, height: int | None = None) -> int:
        """The highest number of stored code; zero before the first. Raises `KeyError`."""
        return self._registry.newest_code(self._view(height))

    def crossvm_messages(self, height: int | None = None) -> QueueView | None:
        """Calls between VMs; None on a chain without. Raises `KeyError`."""
        return None if self.crossvm is None else self.crossvm.at(self._view(height))

    def balance(self, address: str, denom: str, height: int | None = None) -> int:
        """Raises `KeyError`."""
        return self._bank.balance(self._view(height), self.addresses.parse(address), denom)

    def balances(self, address: str, height: int | None = None) -> Coins:
        """Raises `KeyError`."""
        return self._bank.balances(self._view(height), self.addresses.parse(address))

    def supply(self, denom: str, height: int | None = None) -> int:
        """Raises `KeyError`."""
        return self._bank.supply(self._view(height), denom)

    def _deliver_one(self, message: Message, gas_limit: int = GAS_LIMIT) -> TxResult:
        result = self.deliver([message], gas_limit=gas_limit)
        if result.code:
            raise FailedError(result)
        return result

    def _run(
        self,
        messages: Sequence[TransactionMessage],
        gas_limit: int,
        gas_used: int,
        position: Position | None,
        *,
        is_kept: bool,
    ) -> TxResult:
        meter = GasMeter(gas_limit)
        meter.consumed = gas_used
        loaded: set[bytes] = set()
        events: list[Event] = []
        responses = []
        code, codespace, log = 0, "", ""
        self._machine.begin()
        self._state.open_layer()
        try:
            for index, message in enumerate(messages):
                context = self._context(self._state, meter, position, loaded)
                try:
                    responses.append(self._handle(context, message))
                except ChainError as error:
                    code, codespace = error.kind.code, error.kind.codespace
                    log = f"failed to execute message; message index: {index}: {error}"
                    break
                events += [_action(message, context.events), *context.events]
        except OutOfGasError as error:
            code, codespace = SDK_OUT_OF_GAS.code, SDK_OUT_OF_GAS.codespace
            log = f"{_out_of_gas(error, meter)}: {SDK_OUT_OF_GAS.text}"
        finally:
            if code or not is_kept or len(responses) < len(messages):
                self._state.drop_layer()
            else:
                self._state.keep_layer()
        if code:
            return TxResult(code, codespace, log, (), meter.consumed)
        return TxResult(0, "", "", tuple(events), meter.consumed, tuple(responses))

    def _handle(self, context: Context, message: TransactionMessage) -> MessageResponse:
        if not isinstance(message, CrossVmCall):
            return self._contracts.handle(context, message)
        if self.crossvm is None:
            raise ChainError(SDK_UNKNOWN_REQUEST, f"unrecognized message route: {message.type_url}")
        return self.crossvm.submit(context, message)

    def _context(
        self,
        view: View,
        meter: GasMeter,
        position: Position | None,
        loaded: set[bytes] | None,
        height: int | None = None,
    ) -> Context:
        block = self.block if height is None else self._blocks[height]
        return Context(view, meter, block, position, loaded, [])

    def _view(self, height: int | None) -> View:
        return self._state if height is None else self._state.at(height)


def json_bytes(message: Json) -> bytes:
    """A contract's message: JSON as it is, or what is to become JSON."""
    if isinstance(message, bytes):
        return message
    return message.encode() if isinstance(message, str) else orjson.dumps(message)


def _action(message: TransactionMessage, events: list[Event]) -> Event:
    """The event that every message begins with."""
    attributes = [("action", message.type_url), ("sender", message.sender)]
    if not any(event.values("module") for event in events):
        attributes.append(("module", message.type_url.split(".")[1]))
    return Event("message", attributes)


def _out_of_gas(error: OutOfGasError, meter: GasMeter) -> str:
    return f"out of gas in location: {error.where}; gasWanted: {meter.limit}, gasUsed: {meter.consumed}"
