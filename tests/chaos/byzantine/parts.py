"""The parts of the byzantine node that lie. Each takes the place of the honest part that it is made from.

Its job: a signer that equivocates, peers that are told lies, garbage, giants and replays, an inbox that serves wrong
leaves, and a stage that repeats others' transactions. They hold the keys of one operator and no more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import aiohttp

from attestation.domain import batch_digest
from attestation.statement import Statement
from relayer.devnet.evm.anvil import dev_accounts
from relayer.domain.batch import Batch
from relayer.errors import ConflictingAttestation, PeerMessageInvalid, PeerUnavailable, RpcUnavailable
from relayer.keys.local_signer import LocalSigner
from relayer.peers.bodies import encode_attestations
from relayer.peers.client import HttpPeers
from relayer.peers.wire import MAX_BODY_BYTES, MessageKind
from relayer.ports.peer_door import PEER_PATH
from relayer.ports.signer import Attestation
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import FeeBid, PreparedCall
from relayer.stages.desk import Bell
from relayer.stages.inbox import Inbox
from relayer.vms.evm.wallet import EvmWallet
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint
from tests.chaos.byzantine.lies import Lies

PESTER_SECONDS = 0.5
"""Between two useless messages to a peer: some are within its limits and some are not."""

REPEAT_SECONDS = 0.7
"""Between two looks for a transaction to repeat."""

_FEE = FeeBid(max_fee=50 * 10**9, priority_fee=5 * 10**9, expected_fee=10**9)
_REPEATED_AT_ONCE = 4


class LyingSigner(LocalSigner):
    """Signs the truth, a lie beside it, the lie alone, or nothing."""

    lies: ClassVar[Lies]

    async def sign_batch(self, batch: Batch, epoch: int) -> Attestation:
        """As the port says, but for the truth of it."""
        chance = self.lies.rng.random()
        if chance < 0.6:
            twin = self.lies.twin(batch)
            digest = batch_digest(twin.verifying_gateway, twin.root, twin.count, epoch)
            signature = self._signing_key.sign(digest)
            lie = Attestation(twin.verifying_gateway, twin.root, twin.count, epoch, self.key, signature)
            self.lies.tell(lie, twin.statements)
        if chance < 0.2:
            raise ConflictingAttestation("withheld")
        return await super().sign_batch(batch, epoch)

    async def sign_batches(
        self, batches: Sequence[tuple[Batch, int]]
    ) -> Sequence[Attestation | ConflictingAttestation]:
        """One by one."""
        return [await self._sign_or_refuse(batch, epoch) for batch, epoch in batches]


class LyingPeers(HttpPeers):
    """Tells every peer the truth and the lies, and pesters it."""

    lies: ClassVar[Lies]

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._sent: deque[bytes] = deque(maxlen=64)

    async def push(self, attestations: Sequence[Attestation], first: Collection[bytes] | None = None) -> None:
        """What was signed, true and false, to all at once."""
        del first
        await super().push([*attestations, *self.lies.take_fresh()])

    async def run(self) -> None:
        """As an honest node, and pester beside."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run())
            for key in self.keys:
                tasks.create_task(self._pester(self._peers[key]))

    async def _post(self, peer: Any, kind: MessageKind, message: bytes) -> bytes:
        if len(message) < MAX_BODY_BYTES:
            self._sent.append(message)
        return await super()._post(peer, kind, message)

    async def _pester(self, peer: Any) -> None:
        while True:
            # What is useless is refused, as it should be.
            with suppress(PeerUnavailable, PeerMessageInvalid, aiohttp.ClientError, TimeoutError, OSError):
                await self._send_useless(peer)
            await asyncio.sleep(PESTER_SECONDS)

    async def _send_useless(self, peer: Any) -> None:
        rng = self.lies.rng
        match rng.choice(("garbage", "giant", "oversize", "replay", "raw", "again", "again", "probe")):
            case "garbage":
                await self._ask(peer, MessageKind.ATTESTATIONS, rng.randbytes(rng.randrange(1, 4096)))
            case "giant":
                await self._ask(peer, MessageKind.ATTESTATIONS, bytes(MAX_BODY_BYTES))
            case "oversize":
                await self._ask(peer, MessageKind.FETCH_STATEMENTS, bytes(MAX_BODY_BYTES))
            case "replay" if self._sent:
                await super()._post(peer, MessageKind.ATTESTATIONS, rng.choice(self._sent))
            case "raw":
                await self._send_raw(peer, rng.randbytes(rng.choice((10, 300, 3 * MAX_BODY_BYTES))))
            case "again" if self.lies.told:
                lies = rng.sample(self.lies.told, min(len(self.lies.told), 256))
                await self._ask(peer, MessageKind.ATTESTATIONS, encode_attestations(lies))
            case _:
                await self._ask(peer, MessageKind.FETCH_STATEMENTS, rng.randbytes(32))

    async def _send_raw(self, peer: Any, data: bytes) -> None:
        assert self._session is not None
        url = f"{peer.address.url.rstrip('/')}{PEER_PATH}"
        async with self._session.post(url, data=data, timeout=aiohttp.ClientTimeout(total=2)):
            pass


class LyingInbox(Inbox):
    """Serves the leaves of its lies, and now and then wrong ones of true batches."""

    lies: ClassVar[Lies]

    async def load_statements(self, root: bytes) -> Sequence[Statement] | None:
        """Whatever."""
        statements = self.lies.statements.get(root) or await super().load_statements(root)
        if self.lies.rng.random() < 0.2 and self.lies.statements:
            return self.lies.rng.choice(list(self.lies.statements.values()))
        return statements


class RepeatStage:
    """Repeats transactions that others sent to the gateway, as they are or spoilt, from an account of its own."""

    name = "repeat"

    def __init__(self, chain: OpenChain, chain_id: int, lies: Lies) -> None:
        self._chain = chain
        self._lies = lies
        self._pool: EndpointPool = chain.wallet._pool  # type: ignore[attr-defined]
        *_, account = dev_accounts()
        self._wallet = EvmWallet(self._pool, chain_id, account.secret, _FEE.max_fee)
        self._gateway = chain.source.gateway[-20:]
        self._bell = Bell()

    @property
    def chain(self) -> str:
        """CAIP-2."""
        return self._chain.source.caip2

    async def wait(self) -> None:
        """A moment."""
        await self._bell.wait(REPEAT_SECONDS)

    async def run_once(self) -> bool:
        """Repeat some of the latest block."""
        # Its endpoints fail like anybody's.
        with suppress(RpcUnavailable):
            await self._repeat()
        return False

    async def _repeat(self) -> None:
        async def ask(endpoint: RpcEndpoint) -> Any:
            (answer,) = await endpoint.call([RpcCall("eth_getBlockByNumber", ["latest", True])])
            return answer

        block = await self._pool.first(ask)
        if not isinstance(block, dict):
            return
        calls = [
            PreparedCall(self._gateway, self._spoilt(bytes.fromhex(sent["input"][2:])), int(sent["gas"], 16), 0, 0, ())
            for sent in block["transactions"]
            if sent["to"] == f"0x{self._gateway.hex()}" and sent["value"] == "0x0"
            if sent["from"] != f"0x{self._wallet.address.hex()}"
        ][:_REPEATED_AT_ONCE]
        nonce = await self._wallet.fetch_next_nonce() if calls else 0
        await self._wallet.send([self._wallet.sign(call, nonce + place, _FEE).raw for place, call in enumerate(calls)])

    def _spoilt(self, data: bytes) -> bytes:
        rng = self._lies.rng
        if rng.random() < 0.7:
            return data
        place = rng.randrange(4, len(data))
        return data[:place] + bytes((data[place] ^ (1 << rng.randrange(8)),)) + data[place + 1 :]
