"""A chain in memory: blocks made when the test says so, forks, a pool of transactions, finality by depth.

Its job: be a true chain to everyone who looks. It knows no node; how a node sees it is in `views`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from attestation.address import Chain as ChainAddress
from attestation.address import evm_account
from attestation.epochs import Epochs
from attestation.keccak import keccak256
from attestation.request import RequestId
from attestation.signer_set import SignerSet
from attestation.statement import OutcomeKind
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.observations import CallConcluded, CallRequested, Observation, ObservedBlock
from relayer.ports.wallet import SendResult, TransactionReceipt
from tests.simulation.gateway import Call, Consume, Deliver, GatewayState, Reverted

GAS_PER_TRANSACTION: Final = 21_000


@dataclass(frozen=True)
class Transaction:
    """One signed transaction. Equal content gives an equal hash."""

    sender: bytes
    nonce: int
    max_fee: int
    call: Call

    @cached_property
    def hash(self) -> bytes:
        """32 bytes."""
        return keccak256(repr(self).encode())


@dataclass(frozen=True, eq=False)
class SimBlock:
    """One block of one fork, with the state that it leaves."""

    observed: ObservedBlock
    transactions: tuple[Transaction, ...]
    receipts: dict[bytes, TransactionReceipt]
    state: GatewayState

    @property
    def ref(self) -> BlockRef:
        """Number and hash."""
        return self.observed.ref


class SimChain:
    """One chain with one gateway. `depth_blocks` is its finality rule; without history it is read as it is only."""

    def __init__(
        self, chain_id: int, depth_blocks: int, signer_set: SignerSet, now: int, *, has_history: bool = True
    ) -> None:
        self.has_history = has_history
        self.blocks_per_value = 0
        """Without history: how many blocks an account's data stands, 0 for ever."""
        self.caip2 = str(ChainAddress.evm(chain_id))
        self.gateway = evm_account(chain_id, bytes([0xA0, chain_id]) * 10).to_bytes()
        self.address = ChainAddress.evm(chain_id).to_bytes()
        self.depth_blocks = depth_blocks
        self.highest_final = 0
        self.pool: list[Transaction] = []
        self.is_sequenced = True
        self.proves_first = False
        """Whether certificates take a transaction of their own, as where transactions are small."""
        self.following: set[RequestId] = set()
        """Requests that the relayers' views call about to be run, and not yet."""
        self.failing = 0
        """How many of the relayers' next transactions run out of gas."""
        self._forks = 0
        state = GatewayState(self.gateway, Epochs(signer_set.scheme).apply(1, signer_set, now))
        genesis = ObservedBlock(BlockRef(0, keccak256(self.gateway)), bytes(32), now, ())
        self.blocks: list[SimBlock] = [SimBlock(genesis, (), {}, state)]
        self.abandoned: list[SimBlock] = []

    @property
    def tip(self) -> SimBlock:
        """The newest block of the fork that counts."""
        return self.blocks[-1]

    @property
    def final_number(self) -> int:
        """The highest final block."""
        return max(self.tip.ref.number - self.depth_blocks, 0)

    def send(self, transaction: Transaction) -> SendResult:
        """Into the pool, as a node does it."""
        if transaction in self.pool:
            return SendResult.KNOWN
        if transaction.nonce < self.tip.state.account_nonces.get(transaction.sender, 0):
            return SendResult.NONCE_TOO_LOW
        rivals = [t for t in self.pool if (t.sender, t.nonce) == (transaction.sender, transaction.nonce)]
        if any(rival.max_fee >= transaction.max_fee for rival in rivals):
            return SendResult.UNDERPRICED
        self.pool = [t for t in self.pool if t not in rivals]
        self.pool.append(transaction)
        return SendResult.ACCEPTED

    def mine(self, now: int) -> SimBlock:
        """One block on the tip, with all transactions of the pool whose turn it is."""
        parent = self.tip
        timestamp = max(now, parent.observed.timestamp + 1)
        taken = self._take(parent.state)
        self._forks += 1
        marks = (parent.ref.hash, self._forks, timestamp, [t.hash for t in taken])
        ref = BlockRef(parent.ref.number + 1, keccak256(repr(marks).encode()))
        state = parent.state.copy()
        receipts: dict[bytes, TransactionReceipt] = {}
        logs: list[Observation] = []
        for index, transaction in enumerate(taken):
            is_success, state, fresh = self._run(state, transaction, timestamp, ref, index)
            logs += fresh
            cost = GAS_PER_TRANSACTION * transaction.max_fee
            receipts[transaction.hash] = TransactionReceipt(
                transaction.hash, ref, is_success, GAS_PER_TRANSACTION, cost
            )
        block = SimBlock(ObservedBlock(ref, parent.ref.hash, timestamp, tuple(logs)), tuple(taken), receipts, state)
        self.blocks.append(block)
        self.highest_final = max(self.highest_final, self.final_number)
        return block

    def reorganise(self, depth: int, length: int, now: int, kept: Sequence[bool] = ()) -> bool:
        """Replace the newest `depth` blocks by `length` new ones; False if that would undo a final block.

        The dropped blocks' transactions return to the pool, but for those that `kept` (by position) says are lost.
        """
        fork_number = self.tip.ref.number - depth
        if depth < 1 or length < depth or fork_number < self.highest_final:
            return False
        self._drop_to(fork_number, kept)
        for _ in range(length):
            self.mine(now)
        return True

    def break_finality(self, depth: int, now: int) -> None:
        """What must never happen: final blocks are replaced."""
        self._drop_to(self.tip.ref.number - depth, ())
        for _ in range(depth + 1):
            self.mine(now)

    def return_to_abandoned(self, now: int) -> bool:
        """Back to the fork that the last reorg left, one block longer; False if that would undo a final block."""
        if not self.abandoned:
            return False
        fork_number = self.abandoned[0].ref.number - 1
        is_linked = fork_number <= self.tip.ref.number and (
            self.blocks[fork_number].ref.hash == self.abandoned[0].observed.parent_hash
        )
        if not is_linked or fork_number < self.highest_final:
            return False
        returning = self.abandoned
        self._drop_to(fork_number, ())
        self.blocks += returning
        included = {t for block in returning for t in block.transactions}
        self.pool = [t for t in self.pool if t not in included]
        self.mine(now)
        return True

    def logs(self) -> list[Observation]:
        """Everything that was logged on the fork that counts."""
        return [observation for block in self.blocks for observation in block.observed.observations]

    def requests(self) -> dict[RequestId, CallRequested]:
        """Every request that stands on the fork that counts."""
        return {log.request_id: log for log in self.logs() if isinstance(log, CallRequested)}

    def receipts(self) -> dict[RequestId, CallConcluded]:
        """Every receipt that stands on the fork that counts."""
        return {log.request_id: log for log in self.logs() if isinstance(log, CallConcluded)}

    def read(self, block: BlockRef, payload: bytes) -> tuple[OutcomeKind, bytes]:
        """What a QUERY reads: something else at every block of every fork, of a chain that is read at blocks."""
        if self.has_history:
            return OutcomeKind.EXECUTED, keccak256(block.hash + payload)[:6]
        value = block.number // self.blocks_per_value if self.blocks_per_value else 0
        return OutcomeKind.EXECUTED, keccak256(b"%d" % value + payload)[:6]

    def pin_of(self, after_timestamp: int, blocks: Sequence[SimBlock]) -> tuple[BlockRef, BlockRef] | None:
        """Parent and child around a moment, among these blocks."""
        for parent, child in pairwise(blocks):
            if child.observed.timestamp > after_timestamp:
                return parent.ref, child.ref
        return None

    def _drop_to(self, number: int, kept: Sequence[bool]) -> None:
        self.abandoned = self.blocks[number + 1 :]
        self.blocks = self.blocks[: number + 1]
        dropped = [t for block in self.abandoned for t in block.transactions]
        fates = [*kept, *[True] * len(dropped)]
        back = [t for t, is_kept in zip(dropped, fates, strict=False) if is_kept]
        self.pool = [*back, *(t for t in self.pool if t not in back)]

    def _take(self, state: GatewayState) -> list[Transaction]:
        """Those whose nonce is the next of their sender, in the order of the pool; the rest waits."""
        nonces = dict(state.account_nonces)
        taken: list[Transaction] = []
        while True:
            ready = next((t for t in self.pool if t.nonce == nonces.get(t.sender, 0)), None)
            if ready is None:
                break
            nonces[ready.sender] = ready.nonce + 1
            self.pool.remove(ready)
            taken.append(ready)
        self.pool = [t for t in self.pool if t.nonce >= nonces.get(t.sender, 0)]
        return taken

    def _run(
        self, state: GatewayState, transaction: Transaction, now: int, ref: BlockRef, index: int
    ) -> tuple[bool, GatewayState, list[Observation]]:
        trial = state.copy()
        trial.account_nonces[transaction.sender] = transaction.nonce + 1
        untouched = trial.copy()
        if self.failing and isinstance(transaction.call, Consume | Deliver):
            self.failing -= 1
            return False, untouched, []
        try:
            logs = trial.run(transaction.call, now, lambda log_index: Location(ref, index, log_index, transaction.hash))
        except Reverted:
            return False, untouched, []
        return True, trial, logs
