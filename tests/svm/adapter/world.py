"""The devnet's chain with a gateway on it, and endpoints that tell of it, lying where a test wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from relayer.devnet.svm.blocks import Landed
from relayer.devnet.svm.chain import Chain, ChainSettings
from relayer.devnet.svm.node import Node
from relayer.vms.jsonrpc.endpoints import EndpointPool
from tests.svm.program import idl
from tests.svm.program.ledger import NOW, PROBE, PROGRAM, Ledger, Sent, keypair, probe, signer_set, signing_keys
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve_pool

FINALIZED_AFTER = 3
RELAYER_SEED = b"\x52" * 32
RELAYER = Keypair.from_seed(RELAYER_SEED)


class Refused(Exception):  # noqa: N818 - what a test expects, not a fault of its own
    """A transaction that failed on the chain."""


class World(Ledger):
    """The ledger of the program's tests, on a chain that has slots, commitments and an RPC. Slots pass with `send`.

    `last` is what was sent last.
    """

    last: Landed

    def __init__(self, *, signers: int = 4, threshold: int = 3) -> None:
        self.now = NOW
        self.chain = Chain(ChainSettings(finalized_after_slots=FINALIZED_AFTER), lambda: self.now)
        self.node = Node(self.chain, has_control=True, drop_sockets=lambda: 0)
        self.svm = self.chain._svm
        self.svm.add_program(PROGRAM, (idl.FOLDER / "xvm_gateway.so").read_bytes())
        self.svm.add_program(PROBE, probe())
        self.owner, self.payer, self.sender = keypair("owner"), keypair("payer"), keypair("sender")
        self.guardian, self.treasury = keypair("guardian"), keypair("treasury")
        for key in (self.owner, self.payer, self.sender, self.guardian, self.treasury, RELAYER):
            self.svm.airdrop(key.pubkey(), 10**12)
        self.keys = signing_keys(signers)
        self.set = signer_set(self.keys, threshold)
        self._own_the_program()

    def advance(self, slots: int = 1) -> None:
        """Close so many slots: after one, what was sent is confirmed."""
        for _ in range(slots):
            self.node.advance()

    def set_time(self, now: int, slot: int) -> None:  # noqa: ARG002 - slots are the chain's own here
        self.now = now
        self.advance(2)

    def send(self, *instructions: Instruction, signers: Sequence[Keypair] = (), units: int | None = 1_400_000) -> Sent:
        steps = [*([set_compute_unit_limit(units)] if units else []), *instructions]
        blockhash, _ = self.chain.blockhash_at(self.chain.ledger.open)
        message = MessageV0.try_compile(self.payer.pubkey(), steps, [], blockhash)
        others = [key for key in signers if key.pubkey() != self.payer.pubkey()]
        landed = self.chain.send(VersionedTransaction(message, [self.payer, *others]))
        self.last = landed
        self.advance()
        if landed.error is not None:
            raise Refused(landed.error, landed.result.logs()[-4:])
        events = [
            idl.decode_event(bytes(one.instruction().data))
            for inner in landed.result.inner_instructions()
            for one in inner
            if message.account_keys[one.instruction().program_id_index] == PROGRAM
            and bytes(one.instruction().data)[:8] == idl.EVENT_TAG
        ]
        return Sent(landed.result.compute_units_consumed(), events, b"", landed.result.logs())

    def endpoint(self) -> ScriptedNode:
        """An endpoint that tells the truth."""
        return ScriptedNode(self.ask)

    def ask(self, method: str, params: list[Any]) -> Any:
        """What an honest endpoint answers."""
        body = self.node.answer(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        assert body is not None
        answer = orjson.loads(body)
        if "error" in answer:
            raise NodeFault(answer["error"]["code"], answer["error"]["message"], answer["error"].get("data"))
        return answer["result"]


@asynccontextmanager
async def pool_of(*nodes: ScriptedNode, quorum: int = 1) -> AsyncIterator[EndpointPool]:
    """A pool over endpoints, M of which must agree."""
    async with serve_pool(*nodes, quorum=quorum) as pool:
        yield pool
