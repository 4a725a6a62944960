"""The chain: LiteSVM, and what it lacks of slots, blockhashes that expire, commitments and state of older slots.

Its job: execute and simulate transactions, close slots, and say what is so at a commitment. A transaction is executed
when it arrives, in the slot that is open. It speaks no JSON, reads no clock and opens no sockets. Not for several
threads.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from solders.account import Account
from solders.clock import Clock
from solders.epoch_schedule import EpochSchedule
from solders.hash import Hash
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer
from solders.sysvar import CLOCK
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo, TransactionMetadata

from relayer.devnet.svm.account_versions import AccountVersions
from relayer.devnet.svm.apart import run_apart
from relayer.devnet.svm.blocks import MIN_KEPT_SLOTS, Block, Landed, Ledger
from relayer.devnet.svm.faults import MAX_LAG_SLOTS, MAX_SKIPPED_SLOTS, Faults
from relayer.devnet.svm.genesis import genesis_hash
from relayer.devnet.svm.messages import MessageKeys, TransactionRefusedError, is_signed, resolve_keys
from relayer.devnet.svm.tokens import TokenBalance, balances_of
from relayer.devnet.svm.transaction_errors import (
    ALREADY_PROCESSED,
    BLOCKHASH_NOT_FOUND,
    SIGNATURE_FAILURE,
    UNSUPPORTED_VERSION,
    ErrorJson,
    error_json,
)

BLOCKHASH_AGE_BLOCKS: Final = 150
"""A transaction lands at most so many blocks after the block whose hash it carries; Source: MAX_PROCESSING_AGE."""

SLOTS_PER_EPOCH: Final = 432_000

LAMPORTS_PER_SIGNATURE: Final = 5_000

_SLOT_HASHES: Final = 512
"""Entries of the sysvar that lookup tables are created by; Source: MAX_ENTRIES of solana-slot-hashes."""

_FAUCET_LAMPORTS: Final = 500_000_000 * 10**9


class Commitment(StrEnum):
    """How sure a state is to stay."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """What a chain is started with. Its name gives its genesis hash, which clients know a cluster by."""

    name: str = "devnet"
    confirmed_after_slots: int = 1
    finalized_after_slots: int = 32
    kept_slots: int = 20_000
    kept_transactions: int = 100_000

    def __post_init__(self) -> None:
        if not 1 <= self.confirmed_after_slots <= self.finalized_after_slots <= MAX_LAG_SLOTS:
            raise ValueError(f"1 <= confirmed_after <= finalized_after <= {MAX_LAG_SLOTS} slots")
        if self.kept_slots < MIN_KEPT_SLOTS:
            raise ValueError(f"at least {MIN_KEPT_SLOTS} slots are kept")


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a transaction would do: its error, the runtime's record if it ran, accounts afterwards if it succeeded."""

    error: ErrorJson | None
    keys: MessageKeys | None = None
    result: TransactionMetadata | None = None
    accounts: tuple[tuple[Pubkey, Account], ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    """A transaction's accounts at one moment, their lamports and their tokens."""

    accounts: list[Account | None]
    balances: list[int]
    tokens: list[TokenBalance]


class Chain:
    """One chain from its genesis on."""

    def __init__(self, settings: ChainSettings, now: Callable[[], float]) -> None:
        """`now` gives Unix seconds."""
        self._settings = settings
        self._now = now
        # Blockhashes, signatures and repetitions are checked here: LiteSVM knows only its last hash.
        self._svm = LiteSVM().with_blockhash_check(False).with_transaction_history(0).with_sigverify(False)  # noqa: FBT003
        self._svm.set_epoch_schedule(EpochSchedule.without_warmup())
        self._versions = AccountVersions()
        self.genesis_hash = Hash(genesis_hash(settings.name))
        genesis = Block(0, 0, 0, self.genesis_hash, int(now()), 0, self.genesis_hash)
        self.ledger = Ledger(genesis, settings.kept_slots, settings.kept_transactions)
        self._heights: dict[Hash, int] = {self.genesis_hash: 0}
        self._recent: deque[tuple[int, Hash]] = deque([(0, self.genesis_hash)], _SLOT_HASHES)
        self._landed_messages: dict[Hash, dict[Hash, int]] = {}
        """By blockhash, then by the message's own hash: the slot that it landed in."""
        self.identity = Keypair.from_seed(hashlib.sha256(f"identity of {settings.name}".encode()).digest()).pubkey()
        self._faucet = Keypair.from_seed(hashlib.sha256(f"faucet of {settings.name}".encode()).digest())
        self._airdrops = 0
        self.faults = Faults()
        self._open(1, genesis, self.genesis_hash)
        self.place(self._faucet.pubkey(), Account(_FAUCET_LAMPORTS, b"", SYSTEM_PROGRAM))

    # What is so at a commitment.

    def block_at(self, commitment: Commitment) -> Block:
        """The newest block of a commitment, as clients see it: the open one, while nothing lags, is `processed`."""
        depth = {
            Commitment.PROCESSED: 0,
            Commitment.CONFIRMED: self._settings.confirmed_after_slots,
            Commitment.FINALIZED: self._settings.finalized_after_slots,
        }[commitment]
        return self.ledger.block_at_or_below(self.ledger.open.slot - self.faults.lag_slots - depth)

    def slot_at(self, commitment: Commitment) -> int:
        """The slot of `block_at`."""
        return self.block_at(commitment).slot

    def commitment_of(self, slot: int) -> Commitment | None:
        """What a slot has reached; None if clients do not see it yet."""
        order = (Commitment.FINALIZED, Commitment.CONFIRMED, Commitment.PROCESSED)
        return next((reached for reached in order if slot <= self.slot_at(reached)), None)

    def account(self, key: Pubkey, slot: int) -> Account | None:
        """An account at the end of a slot that a commitment stands at."""
        return self._versions.at(key, slot, self._svm.get_account(key))

    def program_accounts(self, program: Pubkey, slot: int) -> Iterator[tuple[Pubkey, Account]]:
        """All accounts that a program owned at the end of such a slot."""
        changed = set(self._versions.changed_between(slot, self.ledger.open.slot))
        for key, account in self._svm.get_program_accounts(program):
            if key not in changed:
                yield key, account
        for key in changed:
            former = self.account(key, slot)
            if former is not None and former.owner == program:
                yield key, former

    def blockhash_at(self, block: Block) -> tuple[Hash, int]:
        """The newest blockhash that a block knows, and the last block height at which it is good."""
        blockhash = block.previous_blockhash if block.blockhash is None else block.blockhash
        height = block.height - 1 if block.blockhash is None else block.height
        return blockhash, height + BLOCKHASH_AGE_BLOCKS

    def is_blockhash_valid(self, blockhash: Hash, block: Block) -> bool:
        """Whether a transaction that carries it could follow in or upon this block."""
        height = self._heights.get(blockhash)
        return height is not None and height <= block.height <= height + BLOCKHASH_AGE_BLOCKS

    def rent_exempt_minimum(self, size: int) -> int:
        """Lamports that an account of so many bytes must hold."""
        lamports: int = self._svm.minimum_balance_for_rent_exemption(size)
        return lamports

    # What changes it.

    def send(self, transaction: VersionedTransaction) -> Landed:
        """Execute in the open slot.

        Raises:
            TransactionRefusedError: it cannot land: nothing happened.
        """
        message = _message_of(transaction)
        if not is_signed(transaction):
            raise TransactionRefusedError(SIGNATURE_FAILURE)
        self._require_fresh(message, self.ledger.open)
        keys = resolve_keys(message, self._svm.get_account)
        called = {message.account_keys[instruction.program_id_index] for instruction in message.instructions}
        before = self._read(keys, called)
        sent = run_apart(lambda: self._svm.send_transaction(transaction))
        after = self._read(keys, called)
        error, result = _verdict(sent)
        if error is not None and before.accounts[0] == after.accounts[0]:
            # Not even the fee was taken: no block would hold it.
            raise TransactionRefusedError(error)
        block = self.ledger.open
        pairs = zip(keys.all, before.accounts, after.accounts, strict=True)
        changed = {key: old for key, old, new in pairs if old != new}
        for key, old in changed.items():
            self._versions.record(block.slot, key, old)
        landed = Landed(
            signature=transaction.signatures[0],
            transaction=transaction,
            keys=keys,
            slot=block.slot,
            index=len(block.landed),
            time=block.time,
            error=error,
            result=result,
            balances_before=before.balances,
            balances_after=after.balances,
            tokens_before=before.tokens,
            tokens_after=after.tokens,
            changed=tuple(changed),
        )
        self._landed_messages.setdefault(message.recent_blockhash, {})[message.hash()] = block.slot
        self.ledger.land(landed)
        return landed

    def airdrop(self, to: Pubkey, lamports: int, blockhash: Hash) -> Landed:
        """Send from the faucet. Raises `TransactionRefusedError`."""
        self._airdrops += 1
        ask = TransferParams(from_pubkey=self._faucet.pubkey(), to_pubkey=to, lamports=lamports)
        # The number makes two equal gifts two transactions.
        mark = TransferParams(
            from_pubkey=self._faucet.pubkey(), to_pubkey=self._faucet.pubkey(), lamports=self._airdrops
        )
        message = MessageV0.try_compile(self._faucet.pubkey(), [transfer(ask), transfer(mark)], [], blockhash)
        return self.send(VersionedTransaction(message, [self._faucet]))

    def place(self, key: Pubkey, account: Account) -> None:
        """Put an account there, as a genesis does."""
        self._svm.set_account(key, account)

    def close_slot(self) -> None:
        """Close the open block and open the next, later by the slots that are to be skipped."""
        closed = self.ledger.open
        content = b"".join(bytes(landed.signature) for landed in closed.landed)
        ground = bytes(closed.previous_blockhash) + closed.slot.to_bytes(8, "little") + content
        blockhash = closed.blockhash = Hash(hashlib.sha256(ground).digest())
        self._heights[blockhash] = closed.height
        self._recent.appendleft((closed.slot, blockhash))
        slot = closed.slot + 1 + self.faults.slots_to_skip
        self.faults.slots_to_skip = 0
        self._open(slot, closed, blockhash)
        # The oldest view lags, stands at what is finalized, and has a gap of skipped slots above it.
        oldest_view = slot - self._settings.finalized_after_slots - MAX_LAG_SLOTS - MAX_SKIPPED_SLOTS - 1
        self._versions.forget_through(oldest_view)

    # What might change it.

    def simulate(self, transaction: VersionedTransaction, block: Block, *, is_blockhash_replaced: bool) -> Simulated:
        """What a transaction would do upon the state of `block`, whoever signed it. Programs run as they are now."""
        message = _message_of(transaction)
        try:
            if not is_blockhash_replaced:
                self._require_fresh(message, block)
            keys = resolve_keys(message, lambda key: self.account(key, block.slot))
        except TransactionRefusedError as refused:
            return Simulated(refused.error)
        with self._state_of(block, keys.all):
            simulated = run_apart(lambda: self._svm.simulate_transaction(transaction))
        error, result = _verdict(simulated)
        accounts = tuple(simulated.post_accounts()) if isinstance(simulated, SimulatedTransactionInfo) else ()
        return Simulated(error, keys, result, accounts)

    @contextmanager
    def _state_of(self, block: Block, keys: Iterable[Pubkey]) -> Iterator[None]:
        """Inside it the machine holds these accounts, and its clock, as they were at the end of an older block."""
        current: dict[Pubkey, Account | None] = {}
        for key in keys:
            now = self._svm.get_account(key)
            then = self._versions.at(key, block.slot, now)
            if then != now and not any(account is not None and account.executable for account in (now, then)):
                current[key] = now
                self._svm.set_account(key, then or _nothing())
        clock = self._svm.get_clock()
        if block is not self.ledger.open:
            self._svm.set_clock(_clock_of(block))
        try:
            yield
        finally:
            if block is not self.ledger.open:
                self._svm.set_clock(clock)
            for key, account in current.items():
                self._svm.set_account(key, account or _nothing())

    def _read(self, keys: MessageKeys, called: Collection[Pubkey]) -> _Reading:
        """A transaction's accounts; of the programs that it calls, large and not changed by that, only the balance."""
        every = keys.all
        accounts = [None if key in called else self._svm.get_account(key) for key in every]
        balances = [
            account.lamports if account is not None else self._svm.get_balance(key) or 0
            for key, account in zip(every, accounts, strict=True)
        ]
        return _Reading(accounts, balances, balances_of(every, accounts, self._svm.get_account))

    def _require_fresh(self, message: Message | MessageV0, block: Block) -> None:
        if not self.is_blockhash_valid(message.recent_blockhash, block):
            raise TransactionRefusedError(BLOCKHASH_NOT_FOUND)
        # SECURITY: the same message lands once, whatever its signatures are.
        landed_in = self._landed_messages.get(message.recent_blockhash, {}).get(message.hash())
        if landed_in is not None and landed_in <= block.slot:
            raise TransactionRefusedError(ALREADY_PROCESSED)

    def _open(self, slot: int, parent: Block, parent_hash: Hash) -> None:
        block = Block(
            slot=slot,
            parent_slot=parent.slot,
            height=parent.height + 1,
            previous_blockhash=parent_hash,
            time=max(parent.time, int(self._now()) + self.faults.seconds_ahead),
            transactions_before=parent.transactions_before + len(parent.landed),
        )
        self.ledger.append(block)
        self._versions.record(slot, CLOCK, self._svm.get_account(CLOCK))
        self._svm.expire_blockhash()
        self._svm.set_clock(_clock_of(block))
        self._svm.set_slot_hashes(list(self._recent))
        # A lagging view still looks at hashes that are no longer good.
        oldest = block.height - BLOCKHASH_AGE_BLOCKS - MAX_LAG_SLOTS * 2
        for old in [known for known, height in self._heights.items() if height < oldest]:
            del self._heights[old]
            self._landed_messages.pop(old, None)


def _message_of(transaction: VersionedTransaction) -> Message | MessageV0:
    message = transaction.message
    if not isinstance(message, Message | MessageV0):
        raise TransactionRefusedError(UNSUPPORTED_VERSION)
    return message


def _verdict(
    outcome: TransactionMetadata | FailedTransactionMetadata | SimulatedTransactionInfo,
) -> tuple[ErrorJson | None, TransactionMetadata]:
    if isinstance(outcome, TransactionMetadata):
        return None, outcome
    if isinstance(outcome, SimulatedTransactionInfo):
        return None, outcome.meta()
    return error_json(outcome.err()), outcome.meta()


def _clock_of(block: Block) -> Clock:
    epoch = block.slot // SLOTS_PER_EPOCH
    return Clock(block.slot, block.time, epoch, epoch + 1, block.time)


def _nothing() -> Account:
    return Account(0, b"", SYSTEM_PROGRAM)
