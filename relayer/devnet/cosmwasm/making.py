"""A block in the making: its transactions delivered one by one, then its header, sealed to the chain of those before.

Its job: what a proposer, a validator and the store of a CometBFT node do with a block, by themselves. Which
transactions it holds is settled when it is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from relayer.cosmos.abci import Event
from relayer.devnet.cosmwasm.application import Application
from relayer.devnet.cosmwasm.blocks import Block, Executed
from relayer.devnet.cosmwasm.headers import (
    NO_BLOCK,
    NO_COMMIT,
    BlockId,
    Commit,
    Header,
    block_id_of,
    data_root,
    params_hash,
)
from relayer.devnet.cosmwasm.limits import BLOCK_MAX_BYTES, BLOCK_MAX_GAS
from relayer.devnet.cosmwasm.merkle import merkle_root
from relayer.devnet.cosmwasm.transactions import Transaction
from relayer.devnet.cosmwasm.validator import Validator


@dataclass(slots=True)
class Making:
    """The open block."""

    application: Application
    validator: Validator
    chain_id: str
    parent: Block | None
    parent_app_hash: bytes
    height: int
    time_ns: int
    transactions: Sequence[Transaction]
    _executed: list[Executed] = field(default_factory=list)

    def deliver(self, transaction: Transaction) -> None:
        """Run the next transaction."""
        index = len(self._executed)
        result = self.application.deliver(transaction)
        self._executed.append(Executed(transaction.raw, transaction.hash, self.height, index, self.time_ns, result))

    def close(self) -> Block:
        """The finished block; the state behind it is the newest."""
        txs = [executed.tx for executed in self._executed]
        parent = self.parent
        header = Header(
            chain_id=self.chain_id,
            height=self.height,
            time_ns=self.time_ns,
            last_block_id=NO_BLOCK if parent is None else parent.block_id,
            last_commit_hash=(NO_COMMIT if parent is None else parent.commit).root(),
            data_hash=data_root(txs),
            validators_hash=self.validator.set_hash,
            consensus_hash=params_hash(BLOCK_MAX_BYTES, BLOCK_MAX_GAS),
            app_hash=self.parent_app_hash,
            last_results_hash=merkle_root(()) if parent is None else parent.results_root(),
            proposer_address=self.validator.address,
        )
        events = self.application.end()
        results = [executed.result for executed in self._executed]
        app_hash = self.application.commit(self.parent_app_hash, results)
        last_commit = NO_COMMIT if parent is None else parent.commit
        return sealed(header, last_commit, tuple(self._executed), events, app_hash, self.validator)


def sealed(
    header: Header,
    last_commit: Commit,
    executed: tuple[Executed, ...],
    events: tuple[Event, ...],
    app_hash: bytes,
    validator: Validator,
) -> Block:
    """A block of this header, with the validator's commit."""
    content = header.block_bytes([one.tx for one in executed], last_commit)
    block_id: BlockId = block_id_of(header, content)
    commit = validator.commit(header.height, block_id, header.time_ns)
    return Block(header, block_id, commit, last_commit, len(content), executed, events, app_hash)
