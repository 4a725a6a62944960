"""The chain as its node sees it: blocks, mempool and state, through whatever fault tests want.

Its job: take transactions, make blocks, and show those that are in view. It speaks no JSON and opens no sockets. Blocks
are read from any thread; what looks into state or mempool belongs into one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from relayer.devnet.cosmwasm.application import Application
from relayer.devnet.cosmwasm.block_json import Dialect
from relayer.devnet.cosmwasm.blocks import MIN_KEPT_BLOCKS, Block, Executed, Ledger, TxResult
from relayer.devnet.cosmwasm.crossvm.module import CrossVmSettings
from relayer.devnet.cosmwasm.crossvm.queue import QueuedMessage
from relayer.devnet.cosmwasm.faults import Faults
from relayer.devnet.cosmwasm.gas_price import GasPrice
from relayer.devnet.cosmwasm.grpc_queries import GrpcQueries, QueryAnswer
from relayer.devnet.cosmwasm.keeper import FailedError, Keeper
from relayer.devnet.cosmwasm.limits import BLOCK_MAX_BYTES, BLOCK_MAX_GAS
from relayer.devnet.cosmwasm.making import Making, sealed
from relayer.devnet.cosmwasm.mempool import Mempool
from relayer.devnet.cosmwasm.transactions import Transaction, parse_transaction
from relayer.devnet.cosmwasm.tx_errors import TxError
from relayer.devnet.cosmwasm.validator import Validator

_NANOSECONDS: Final = 10**9
PREFIX: Final = "wasm"
"""Of the chain's addresses."""

_LEAST_STEP_NS: Final = 1_000_000
"""Between blocks; a clock that stands still must not stop the chain."""


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """What a chain is started with. `code_cache` is a folder for contracts' machine code, writable to nobody else."""

    chain_id: str = "xvm-cosmwasm-1"
    dialect: Dialect = Dialect.V038
    gas_price: GasPrice = field(default_factory=GasPrice)
    kept_blocks: int = 20_000
    kept_transactions: int = 100_000
    kept_states: int = 1_000
    code_cache: Path | None = None
    crossvm: CrossVmSettings | None = None
    """Of the emulated module for calls between VMs; None for a chain without."""

    def __post_init__(self) -> None:
        if self.kept_blocks < MIN_KEPT_BLOCKS:
            raise ValueError(f"at least {MIN_KEPT_BLOCKS} blocks are kept")
        if self.kept_states < 1:
            raise ValueError("at least 1 state is kept")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check gave for a transaction of this hash."""

    hash: bytes
    result: TxResult


class Chain:
    """One chain from its genesis on."""

    def __init__(self, settings: ChainSettings, now: Callable[[], float]) -> None:
        """`now` gives Unix seconds."""
        self.settings = settings
        self._now = now
        self._offset_ns = 0
        self.genesis_time_ns = self._clock_ns()
        self._keeper = Keeper(
            settings.chain_id,
            prefix=PREFIX,
            height=0,
            time_ns=self.genesis_time_ns,
            kept_heights=settings.kept_states,
            cache=settings.code_cache,
            crossvm=settings.crossvm,
        )
        self._application = Application(self._keeper, settings.chain_id, settings.gas_price, settings.dialect)
        self._queries = GrpcQueries(self._application, settings.dialect, settings.kept_states, self.find)
        self.validator = Validator(settings.chain_id)
        self.ledger = Ledger(settings.kept_blocks, settings.kept_transactions)
        self.mempool = Mempool()
        self.faults = Faults()
        self.genesis_app_hash = hashlib.sha256(f"genesis of {settings.chain_id}".encode()).digest()
        self._forged: dict[int, Block] = {}

    def fund(self, address: str, amount: int) -> None:
        """Give an account money, before the first block. Raises `ValueError`: the address is none."""
        self._keeper.mint(address, {self.settings.gas_price.denom: amount})

    def place(self, owner: str, code: bytes) -> str:
        """Have a contract of this code there, made with `{}`, before the first block; its address.

        Raises `ValueError`: the owner is no account, or the chain takes no such code.
        """
        try:
            return self._keeper.instantiate(owner, self._keeper.store_code(owner, code), {}, label="placed")
        except FailedError as error:
            raise ValueError(str(error)) from None

    # What is in view.

    @property
    def view_height(self) -> int:
        """The newest height that clients see; 0 before the first block."""
        return max(self.ledger.latest_height - self.faults.lag_blocks, 0)

    @property
    def lowest_height(self) -> int:
        """The lowest height that clients see."""
        return max(self.ledger.lowest_height, self.faults.pruned_below)

    def block(self, height: int) -> Block | None:
        """The block at a height in view."""
        if not self.lowest_height <= height <= self.view_height:
            return None
        return self._forged_block(height) if height in self.faults.forged else self.ledger.block(height)

    def height_of(self, block_hash: bytes) -> int | None:
        """The height of the block of this hash, if it is in view."""
        for height, block in tuple(self._forged.items()):
            if block.block_id.hash == block_hash:
                return height
        found = self.ledger.height_of(block_hash)
        is_shown = found is not None and found not in self.faults.forged and self.block(found) is not None
        return found if is_shown else None

    def find(self, tx_hash: bytes) -> Executed | None:
        """The transaction of this hash, if its block is in view."""
        found = self.ledger.find(tx_hash)
        return found if found is not None and self.lowest_height <= found.height <= self.view_height else None

    def executed(self) -> Iterator[Executed]:
        """All transactions in view, oldest first."""
        return self.ledger.executed(self.lowest_height, self.view_height)

    def query(self, path: str, data: bytes, height: int) -> QueryAnswer:
        """Ask the application of the state at a height; 0 is the newest in view."""
        lowest = min(self.faults.pruned_below, self.view_height)
        return self._queries.answer(path, data, height or self.view_height, lowest)

    @property
    def has_crossvm(self) -> bool:
        """Whether the chain calls between VMs."""
        return self._keeper.crossvm is not None

    def crossvm_message(self, number: int) -> QueuedMessage | None:
        """A call between VMs as of the newest height in view; None for a number that was not given, or is not known."""
        try:
            messages = self._keeper.crossvm_messages(self._application.at(self.view_height))
        except KeyError:
            return None
        return None if messages is None else messages.find(number)

    # What comes in.

    def check(self, raw: bytes) -> Checked:
        """What the mempool would say of a transaction."""
        return self._check(raw)[0]

    def take(self, raw: bytes) -> Checked:
        """Check a transaction, and let it wait for a block if it is good.

        Raises:
            MempoolError: it is not looked at.
        """
        digest = hashlib.sha256(raw).digest()
        self.mempool.see(digest, len(raw))
        checked, transaction = self._check(raw)
        if transaction is None:
            self.mempool.forget(digest)
        elif self.faults.transactions_to_lose:
            self.faults.transactions_to_lose -= 1
            self.mempool.forget(digest)
        else:
            self.mempool.add(transaction)
        return checked

    def _check(self, raw: bytes) -> tuple[Checked, Transaction | None]:
        """The verdict, and the transaction if it is good."""
        try:
            transaction = parse_transaction(raw)
            gas_used = self._application.check(transaction, self.mempool.ahead_of(transaction.signer))
        except TxError as error:
            result = TxResult(error.code, error.codespace, error.log, b"", 0, 0, ())
            return Checked(hashlib.sha256(raw).digest(), result), None
        result = TxResult(0, "", "", b"", transaction.fee.gas_limit, gas_used, ())
        return Checked(transaction.hash, result), transaction

    # What makes blocks.

    def open_block(self) -> Making:
        """The next block, of what waits."""
        height = self.ledger.latest_height + 1
        parent = self.ledger.block(height - 1)
        earliest_ns = self.genesis_time_ns if parent is None else parent.header.time_ns
        time_ns = max(self._clock_ns(), earliest_ns + _LEAST_STEP_NS)
        app_hash = self.genesis_app_hash if parent is None else parent.app_hash
        reaped = self.mempool.reap(BLOCK_MAX_BYTES, BLOCK_MAX_GAS)
        self._application.begin(height, time_ns)
        return Making(
            self._application, self.validator, self.settings.chain_id, parent, app_hash, height, time_ns, reaped
        )

    def close_block(self, making: Making) -> None:
        """Finish a block: it comes into view, and what waits is looked at again."""
        block = making.close()
        self.ledger.append(block)
        for executed in block.executed:
            self.mempool.remove(executed.hash)
        self.mempool.recheck(self._is_good)

    # What tests do to it.

    def advance_time(self, seconds: int) -> None:
        """Blocks from now on are so much later."""
        self._offset_ns += seconds * _NANOSECONDS

    def bound_crossvm_pass(self, messages: int) -> None:
        """Let each pass carry out so many calls between VMs at most."""
        if self._keeper.crossvm is not None:
            self._keeper.crossvm.messages_per_pass = messages

    def forge(self, heights: range) -> None:
        """Show other blocks at these heights."""
        self._forged = {}
        self.faults.forged = heights

    def _forged_block(self, height: int) -> Block | None:
        """The block as it is shown; those of the range below it are forged first, since it is linked to them."""
        for place in range(max(self.faults.forged.start, self.lowest_height), height + 1):
            block, parent = self.ledger.block(place), self._forged.get(place - 1)
            if place in self._forged or block is None:
                continue
            app_hash = hashlib.sha256(b"another " + block.header.app_hash).digest()
            header = replace(block.header, app_hash=app_hash)
            last_commit = block.last_commit
            if parent is not None:
                last_commit = parent.commit
                header = replace(header, last_block_id=parent.block_id, last_commit_hash=last_commit.root())
            self._forged[place] = sealed(
                header, last_commit, block.executed, block.events, block.app_hash, self.validator
            )
        return self._forged.get(height)

    def _is_good(self, transaction: Transaction) -> bool:
        try:
            self._application.check(transaction, self.mempool.ahead_of(transaction.signer))
        except TxError:
            return False
        return True

    def _clock_ns(self) -> int:
        return int(self._now() * _NANOSECONDS) + self._offset_ns
