"""Two Solana chains of the devnet with gateways that know each other, and what a test needs to act on them.

They run in the test's own loop; slots close when a test says so, and a closed slot is final. What a relayer would do is
done by the package under test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction

from attestation.address import Chain as ChainName
from attestation.address import InteroperableAddress, Namespace
from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.devnet.ports import free_ports
from relayer.devnet.svm.chain import Chain
from relayer.devnet.svm.chain import ChainSettings as DevnetSettings
from relayer.devnet.svm.node import Node
from relayer.devnet.svm.programs import place_program
from relayer.devnet.svm.server import ServerSettings, serving
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import ObservedBlock
from relayer.domain.route import Route, RouteTable
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.vm import ChainSettings
from relayer.vms.svm.addresses import GatewayAddresses
from tests import certifying
from tests.factories import NOW, make_signer_set
from tests.svm.program import idl

RELAYER: Final = Keypair.from_seed(keccak256(b"relayer of the integration tests"))
MEMO: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
_LAMPORTS: Final = 10**13

TERMS: Final = {
    "address_lengths": 1 << 32,
    "max_execution_gas": 1_400_000,
    "max_callback_gas": 1_000_000,
    "min_expiry_seconds": 5,
    "default_expiry_seconds": 600,
    "max_expiry_seconds": 86_400,
    "deadline_slots": 2_000,
    "max_deadline_slots": 100_000,
    "execution_price": 1_000_000,
    "execution_overhead_gas": 100_000,
    "execution_gas_per_byte": 40,
    "callback_price": 50_000,
    "delivery_lamports": 20_000,
    "signers_lamports": 30_000,
    "max_payload_bytes": 8_192,
    "max_return_bytes": 1_024,
    "expire_bps": 1_000,
    "is_open": True,
    "takes_queries": True,
    "reserved": bytes(4),
}
OPTIONS: Final = {
    "mode": 0,
    "own_account": False,
    "execution_gas_limit": 200_000,
    "callback_gas_limit": 100_000,
    "return_limit": 0,
    "expiry": 0,
    "ordered": False,
    "code_hash": bytes(32),
    "dispute_blocks": 0,
    "deadline_slots": 0,
    "metadata": b"",
}


class LocalChain:
    """One chain with its gateway. `owner` set it up, `sender` asks, `payer` pays for whatever is sent from here."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._now = NOW
        self.chain = Chain(DevnetSettings(name=name, finalized_after_slots=1), lambda: self._now)
        self.identity = ChainName(Namespace.SOLANA, bytes(self.chain.genesis_hash))
        self.owner, self.payer, self.sender = (
            Keypair.from_seed(keccak256(f"{who} of {name}".encode())) for who in ("owner", "payer", "sender")
        )
        self.program = Pubkey(keccak256(f"gateway of {name}".encode()))
        self.at = GatewayAddresses(bytes(self.program))
        self.gateway = InteroperableAddress(self.identity, bytes(self.program)).to_bytes()
        self.url = self.websocket_url = ""
        self._node: Node | None = None
        self._salt = 0
        place_program(self.chain, self.program, (idl.FOLDER / "xvm_gateway.so").read_bytes(), self.owner.pubkey())
        for key in (self.owner, self.payer, self.sender, RELAYER):
            self.chain.place(key.pubkey(), Account(_LAMPORTS, b"", SYSTEM_PROGRAM))

    @property
    def now(self) -> int:
        """The time of the open slot, in seconds."""
        return self.chain.ledger.open.time

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Answers on loopback ports inside."""
        port, websocket_port = free_ports(2)
        settings = ServerSettings(port, websocket_port, slot_seconds=0, has_control=True)
        async with serving(self.chain, settings) as self._node:
            self.url, self.websocket_url = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{websocket_port}"
            yield

    def close_slots(self, count: int = 1) -> None:
        """So many blocks, final at once."""
        for _ in range(count):
            if self._node is None:
                self.chain.close_slot()
            else:
                self._node.advance()

    def pass_seconds(self, seconds: int) -> None:
        """Let the clock run ahead, that of the slot that is open included."""
        self._now += seconds
        block = self.chain.ledger.open
        block.time = max(block.time, int(self._now))
        clock = self.chain._svm.get_clock()
        clock.unix_timestamp = block.time
        self.chain._svm.set_clock(clock)

    def send(self, *instructions: Instruction, signers: Sequence[Keypair] = ()) -> None:
        """A transaction of the payer's, in the open slot."""
        blockhash, _ = self.chain.blockhash_at(self.chain.ledger.open)
        steps = [set_compute_unit_limit(1_400_000), *instructions]
        message = MessageV0.try_compile(self.payer.pubkey(), steps, [], blockhash)
        landed = self.chain.send(VersionedTransaction(message, [self.payer, *signers]))
        assert landed.error is None, (landed.error, landed.result.logs())

    def call(self, name: str, accounts: dict[str, Pubkey], args: dict[str, Any], *signers: Keypair) -> None:
        """One instruction of the gateway."""
        standing = {
            "payer": self.payer.pubkey(),
            "owner": self.owner.pubkey(),
            "config": self.at.config,
            "event_authority": self.at.event_authority,
            "program": self.program,
        }
        self.send(idl.instruction(self.program, name, {**standing, **accounts}, args), signers=signers)

    def open_to(self, remote: LocalChain) -> None:
        """Initialize the gateway, with the test signers and a route each way."""
        accounts = {"upgrade_authority": self.owner.pubkey(), "program_data": self.at.program_data}
        offices = {"guardian": self.owner.pubkey(), "treasury": self.owner.pubkey(), "max_pause_slots": 500}
        self.call("initialize", accounts, {"genesis_hash": self.identity.reference, **offices}, self.owner)
        self.call("install", {"next_epoch": self.at.epoch(1)}, {"signer_set": _set_args()}, self.owner)
        chain = remote.identity.to_bytes()
        route = {"chain": chain, "destination_gateway": remote.gateway, "terms": TERMS}
        self.call("set_outbound", {"outbound": self.at.outbound(chain)}, route, self.owner)
        believed = {"source_gateway": remote.gateway, "is_open": True}
        self.call("set_inbound", {"inbound": self.at.inbound(remote.gateway)}, believed, self.owner)
        self.close_slots()

    def ask(self, remote: LocalChain, target: Pubkey, payload: bytes, **options: Any) -> None:
        """A request in the open slot, of the sender's wallet: no program is called back."""
        self._salt += 1
        args = {
            "salt": self._salt,
            "max_fee": 10**9,
            "target": InteroperableAddress(remote.identity, bytes(target)).to_bytes(),
            "payload": payload,
            "options": {**OPTIONS, **options},
            "callback": None,
        }
        accounts = {
            "sender": self.sender.pubkey(),
            "outbound": self.at.outbound(remote.identity.to_bytes()),
            "sender_state": self.at.sender(self.sender.pubkey()),
            "pending": self.at.pending(self.sender.pubkey(), self._salt),
        }
        self.call("request", accounts, args, self.sender)


class Network:
    """Requests go from `source` to `destination`."""

    def __init__(self) -> None:
        self.source, self.destination = LocalChain("source"), LocalChain("destination")
        here, there = self.source.gateway, self.destination.gateway
        names = (str(self.source.identity), str(self.destination.identity))
        self.call_route = Route(here + there, Mode.CALL, *names, here, there)
        self.query_route = Route(here + self.destination.identity.to_bytes(), Mode.QUERY, *names, here, b"")
        self.routes = RouteTable((self.call_route, self.query_route))
        self.source.open_to(self.destination)
        self.destination.open_to(self.source)

    def settings(self, chain: LocalChain, **changes: Any) -> ChainSettings:
        settings = ChainSettings(
            name=chain.name,
            caip2=str(chain.identity),
            # Two names of one node: a quorum of two that always agrees.
            rpc_urls=(chain.url, chain.url + "/?endpoint=2"),
            rpc_quorum=2,
            ws_urls=(chain.websocket_url,),
            gateway=str(chain.program),
            verifier=str(chain.program),
            finality=FinalityRule(depth_blocks=0),
            block_time_seconds=0.4,
            max_blocks_per_fetch=64,
            transaction_gas_cap=1_400_000,
            max_fee_per_gas=10**7,
            request_timeout_seconds=10.0,
            wallet_key=bytes(RELAYER)[:32],
        )
        return replace(settings, **changes)

    def executions(self, *blocks: ObservedBlock) -> list[CertifiedBatch]:
        """The certified Execute batches of these source blocks, everything in them to be acted on."""
        return certifying.executions(self.routes, *blocks)

    def deliveries(self, block: ObservedBlock, requests: Sequence[TrackedRequest]) -> list[CertifiedBatch]:
        """The certified Outcome batches of a destination block, for these requests."""
        return certifying.deliveries(self.routes, self.destination.gateway, block, requests)


@asynccontextmanager
async def running_network() -> AsyncIterator[Network]:
    """Both chains, with gateways, answering on loopback ports."""
    network = Network()
    async with AsyncExitStack() as stack:
        for chain in (network.source, network.destination):
            await stack.enter_async_context(chain.served())
        yield network


def call_payload(data: bytes) -> bytes:
    """A call's payload that declares no accounts."""
    return (0).to_bytes(4, "little") + len(data).to_bytes(4, "little") + data


def _set_args() -> dict[str, Any]:
    chosen = make_signer_set()
    signers = [{"key": one.key, "weight": one.weight, "operator": one.operator} for one in chosen.signers]
    return {
        "scheme": chosen.scheme,
        "threshold": chosen.threshold,
        "valid_until": chosen.valid_until,
        "grace_seconds": chosen.grace_seconds,
        "signers": signers,
    }
