"""What is true on the chains, told by nobody but the chains: the measure of everything that is signed.

Its job: refuse any signature over something that is not final, not there, or not what stands there; and any second leaf
under a guard key, by whichever node and under whichever root.
"""

from __future__ import annotations

from collections import defaultdict

from attestation.keccak import keccak256
from attestation.request import Mode, RequestId
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import Execute, Outcome, Rotate, Statement, guard_key
from relayer.domain.batch import MAX_BATCH_LEAVES, Batch, BatchKind, request_ids
from relayer.domain.blocks import BlockRef
from relayer.domain.observations import CallConcluded, CallRequested, Observation
from relayer.domain.splitting import subset_positions
from tests.simulation.chain import SimChain


class Truth:
    """The witness of all signatures."""

    def __init__(self, chains: dict[str, SimChain]) -> None:
        self._chains = chains
        self.leaves: dict[bytes, bytes] = {}
        self.signed: defaultdict[bytes, list[Batch]] = defaultdict(list)
        self.accepted: defaultdict[bytes, set[tuple[bytes, bytes]]] = defaultdict(set)
        """The rotations that each signer's operator accepted: the hash of the set before, and the leaf."""
        self.misled: set[tuple[bytes, RequestId]] = set()
        """Signers whose endpoints tell them something else about a request than all others': no fault of theirs."""

    def witness(self, signer: bytes, batch: Batch, epoch: int) -> None:
        """One signature. Raises AssertionError if it should not be."""
        gateway = self._chain_of(batch.verifying_gateway)
        assert 1 <= epoch <= gateway.blocks[gateway.highest_final].state.epochs.current, "no such epoch is final"
        members = gateway.blocks[gateway.highest_final].state.epochs.applied[epoch].signer_set
        assert members.index_of(signer) is not None, "signed for an epoch that it is no member of"
        self.signed[signer].append(batch)
        if batch.kind is not BatchKind.ROTATE:
            self._require_born(batch)
        for statement in batch.statements:
            if isinstance(statement, Outcome) and (signer, statement.request_id) in self.misled:
                continue
            key = guard_key(statement, batch.verifying_gateway)
            # What stands on the chains is one thing to all; which set comes next is each operator's to accept.
            # And who proposes two answers in one round may find one signer for each.
            is_own_word = isinstance(statement, Rotate) or (isinstance(statement, Outcome) and statement.round > 0)
            key = signer + key if is_own_word else key
            assert self.leaves.setdefault(key, statement.leaf) == statement.leaf, "two leaves under one guard key"
            if isinstance(statement, Rotate):
                self._check_rotate(signer, members, epoch, statement)
            else:
                self._check(batch, statement)

    def _require_born(self, batch: Batch) -> None:
        """A batch is all that one block gave rise to for its route, cut at 256, or a subset that all cut alike."""
        ids = self._ids_of_the_block(batch)
        parts = [ids[start : start + MAX_BATCH_LEAVES] for start in range(0, len(ids), MAX_BATCH_LEAVES)]
        lawful = {tuple(part) for part in parts} | {
            tuple(part[position] for position in positions) for part in parts for positions in subset_positions(part)
        }
        assert request_ids(batch) in lawful, "signed a batch that no block gave birth to"

    def _ids_of_the_block(self, batch: Batch) -> list[RequestId]:
        """What stands in the batch's block for its route, in log order."""
        return [
            log.request_id
            for chain in self._chains.values()
            for log in chain.blocks[min(batch.first_height, len(chain.blocks) - 1)].observed.observations
            if (
                isinstance(log, CallRequested)
                and log.route == batch.route
                and (batch.kind is BatchKind.EXECUTE or log.request.mode is Mode.QUERY)
            )
            or (
                isinstance(log, CallConcluded)
                and batch.kind is BatchKind.OUTCOME
                and log.source_gateway + chain.gateway == batch.route
            )
        ]

    def _check_rotate(self, signer: bytes, members: SignerSet, epoch: int, statement: Rotate) -> None:
        following = (signer_set_hash(members), statement.leaf)
        assert following in self.accepted[signer], "signed a set that its operator did not accept there"
        assert statement.new_epoch == epoch + 1, "signed a rotation that is not the epoch's own"

    def _check(self, batch: Batch, statement: Statement) -> None:
        match statement:
            case Execute():
                self._check_execute(batch, statement)
            case Outcome():
                self._check_outcome(batch, statement)
            case _:
                raise AssertionError("nobody asked for this statement")

    def _check_execute(self, batch: Batch, statement: Execute) -> None:
        asked = self._find_request(statement.request_id)
        assert asked is not None, "signed the execution of a request that is not on its chain"
        assert asked.request.mode is Mode.CALL
        assert asked.request.destination_gateway == batch.verifying_gateway
        location = asked.location
        assert (statement.height, statement.block_hash) == (location.block.number, location.block.hash)
        assert (statement.tx_index, statement.log_index) == (location.tx_index, location.log_index)
        self._require_final(self._chain_of(asked.request.source_gateway), location.block)

    def _check_outcome(self, batch: Batch, statement: Outcome) -> None:
        asked = self._find_request(statement.request_id)
        if asked is not None and asked.request.mode is Mode.QUERY:
            self._check_answer(batch, asked, statement)
            return
        found = [
            (chain, log)
            for chain in self._chains.values()
            for log in chain.logs()
            if isinstance(log, CallConcluded) and log.request_id == statement.request_id
        ]
        assert len(found) == 1, "signed an outcome without a receipt, or a request was consumed twice"
        chain, receipt = found[0]
        assert receipt.source_gateway == batch.verifying_gateway
        location = receipt.location
        assert (statement.height, statement.block_hash) == (location.block.number, location.block.hash)
        assert (statement.kind, statement.return_data_hash) == (receipt.kind, keccak256(receipt.return_data))
        self._require_final(chain, location.block)

    def _check_answer(self, batch: Batch, asked: CallRequested, statement: Outcome) -> None:
        assert asked.request.source_gateway == batch.verifying_gateway
        source = self._chain_of(asked.request.source_gateway)
        self._require_final(source, asked.location.block)
        read = next(c for c in self._chains.values() if asked.route.endswith(c.address))
        if not read.has_history:
            self._check_round(read, asked, statement)
            return
        timestamp = source.blocks[asked.location.block.number].observed.timestamp
        pin = read.pin_of(timestamp, read.blocks)
        assert pin is not None
        block, child = pin
        assert (statement.height, statement.block_hash) == (block.number, block.hash), "read at another block"
        self._require_final(read, child)
        kind, data = read.read(block, asked.request.payload)
        assert (statement.kind, statement.return_data_hash) == (kind, keccak256(data))

    def _check_round(self, read: SimChain, asked: CallRequested, statement: Outcome) -> None:
        assert statement.round > 0
        assert (statement.height, statement.block_hash, statement.payee) == (0, bytes(32), bytes(32))
        final = read.blocks[: read.highest_final + 1]
        values = {read.read(block.ref, asked.request.payload) for block in final}
        said = {(kind, keccak256(data)) for kind, data in values}
        assert (statement.kind, statement.return_data_hash) in said, "signed what was never read"

    def _find_request(self, identifier: RequestId) -> CallRequested | None:
        return next((c.requests()[identifier] for c in self._chains.values() if identifier in c.requests()), None)

    def _chain_of(self, gateway: bytes) -> SimChain:
        return next(chain for chain in self._chains.values() if chain.gateway == gateway)

    def _require_final(self, chain: SimChain, block: BlockRef) -> None:
        assert block.number <= chain.highest_final, "signed what is not final"
        assert chain.blocks[block.number].ref == block, "signed what is not on the chain"


def count_of(logs: list[Observation], kind: type[Observation], identifier: RequestId) -> int:
    """How often a chain logged this about a request."""
    return sum(1 for log in logs if type(log) is kind and getattr(log, "request_id", None) == identifier)
