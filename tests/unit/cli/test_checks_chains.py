"""What the doctor says of chains, sound and sick. The chains are in memory, behind the port that adapters implement."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from attestation.address import parse_interoperable_address
from attestation.request import Request
from attestation.signer_set import SignerSet
from attestation.statement import OutcomeKind
from relayer.cli.checks.chains import Node, examine_chain
from relayer.cli.checks.finding import State
from relayer.domain.blocks import BlockRef, Head, Location
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import EpochApplied, ObservedBlock
from relayer.errors import ConfigError, RpcDisagreement, RpcUnavailable
from relayer.ports.destination_vm import Answer, Pin
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.ports.vm import ChainSettings, VmRegistration
from relayer.ports.wallet import FeeBid, PreparedCall, SendResult, SignedTransaction, TransactionReceipt
from tests.factories import SIGNING_KEYS, SOURCE_CHAIN, SOURCE_GATEWAY, make_signer_set, word

KEYS = [key.key for key in SIGNING_KEYS]
NODE = Node(KEYS[0], KEYS[1:])
GATEWAY = str(parse_interoperable_address(SOURCE_GATEWAY)).rpartition(":")[2]
VERIFIER = "0x" + "7e" * 20
DAY = 86_400


@dataclass
class World:
    """A chain and what its endpoints say. Those that are not in `tips` do not answer; `foreign` serve another chain."""

    tips: dict[str, int] = field(default_factory=lambda: {"http://a/secret": 100, "http://b/secret": 100})
    foreign: frozenset[str] = frozenset()
    quorum: int = 2
    age: float = 1.0
    has_code: dict[bytes, bool | None] = field(default_factory=dict)
    signer_set: SignerSet | None = field(default_factory=make_signer_set)
    valid_for: float = 90 * DAY
    balance: int = 10**18
    fee: int = 10**9
    is_pruned: bool = False
    has_history: bool = True
    verifier_fault: str = ""
    opened: int = 0
    closed: int = 0

    def settings(self) -> ChainSettings:
        return ChainSettings(
            name="alpha",
            caip2=SOURCE_CHAIN,
            rpc_urls=("http://a/secret", "http://b/secret"),
            rpc_quorum=self.quorum,
            ws_urls=(),
            gateway=GATEWAY,
            verifier=VERIFIER,
            finality=FinalityRule(depth_blocks=2),
            block_time_seconds=2.0,
            max_blocks_per_fetch=64,
            transaction_gas_cap=16_777_216,
            max_fee_per_gas=10**11,
            request_timeout_seconds=1.0,
            wallet_key=b"\x01" * 32,
        )

    async def open_chain(self, settings: ChainSettings) -> WorldChain:
        wrong = [url for url in settings.rpc_urls if url in self.foreign]
        if wrong:
            raise ConfigError([f"alpha: endpoint {number} serves another chain" for number, _ in enumerate(wrong)])
        self.opened += 1
        return WorldChain(self, settings)


class WorldChain:
    """All sides of the chain, as seen by the endpoints of these settings."""

    name = "alpha"
    caip2 = SOURCE_CHAIN
    gateway = SOURCE_GATEWAY
    address = b"\xaa" * 20
    payee = bytes(32)
    max_fee_cap = 10**11

    def __init__(self, world: World, settings: ChainSettings) -> None:
        self._world = world
        self._settings = settings

    @property
    def source(self) -> WorldChain:
        return self

    @property
    def destination(self) -> WorldChain:
        return self

    @property
    def wallet(self) -> WorldChain:
        return self

    async def close(self) -> None:
        self._world.closed += 1

    async def fetch_head(self) -> Head:
        tips = [self._world.tips[url] for url in self._settings.rpc_urls if url in self._world.tips]
        if len(tips) < self._settings.rpc_quorum:
            raise RpcUnavailable("no answer from http://b#1")
        number = sorted(tips, reverse=True)[self._settings.rpc_quorum - 1]
        return Head(BlockRef(number, word(number)), number - 2)

    async def fetch_blocks(self, first: int, last: int) -> tuple[ObservedBlock, ...]:
        timestamp = int(time.time() - self._world.age)
        return tuple(
            ObservedBlock(BlockRef(number, word(number)), word(number - 1), timestamp, ())
            for number in range(first, last + 1)
        )

    @property
    def reads_history(self) -> bool:
        return self._world.has_history

    async def fetch_present_answers(self, requests: Sequence[Request]) -> Sequence[Answer | None]:
        assert not self._world.has_history
        return self._answers(requests)

    async def fetch_answers(self, pin: BlockRef, requests: Sequence[Request]) -> Sequence[Answer | None]:
        if self._world.is_pruned:
            raise RpcDisagreement(f"no state at {pin.number}")
        return self._answers(requests)

    def _answers(self, requests: Sequence[Request]) -> Sequence[Answer | None]:
        found = [
            self._world.has_code.get(parse_interoperable_address(request.target).address, True) for request in requests
        ]
        kinds = {True: OutcomeKind.REVERTED, False: OutcomeKind.UNREACHED}
        return [None if is_there is None else Answer(kinds[is_there], cut=False, return_data=b"") for is_there in found]

    async def fetch_epochs(self, block: BlockRef) -> Sequence[EpochApplied]:
        if self._world.signer_set is None:
            return []
        until = int(time.time() + self._world.valid_for)
        return [EpochApplied(epoch, self._world.signer_set, until, Location(block, 0, 0, b"")) for epoch in (6, 7)]

    async def fetch_verifier_fault(self) -> str:
        return self._world.verifier_fault

    @property
    def fee_divisor(self) -> int:
        return 1

    async def fetch_balance(self) -> int:
        return self._world.balance

    async def fetch_fee_bid(self) -> FeeBid:
        return FeeBid(2 * self._world.fee, 1, self._world.fee)

    # The doctor has no use for the rest of the ports.

    def wake_ups(self) -> AsyncIterator[None]:
        raise AssertionError

    async def fetch_block_ref(self, number: int) -> BlockRef | None:
        raise AssertionError(number)

    async def fetch_pin(self, after_timestamp: int) -> Pin | None:
        raise AssertionError(after_timestamp)

    async def prepare_deliver(self, batches: Sequence[CertifiedBatch]) -> Preparation:
        raise AssertionError(batches)

    async def prepare_execute(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        raise AssertionError(batches, payee)

    async def prepare_expire(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        raise AssertionError(batches, payee)

    async def fetch_next_nonce(self) -> int:
        raise AssertionError

    def sign(self, call: PreparedCall, nonce: int, bid: FeeBid) -> SignedTransaction:
        raise AssertionError(call, nonce, bid)

    async def send(self, transactions: Sequence[bytes]) -> Sequence[SendResult]:
        raise AssertionError(transactions)

    async def fetch_receipts(self, hashes: Sequence[bytes]) -> Sequence[TransactionReceipt | None]:
        raise AssertionError(hashes)


async def told(world: World, node: Node = NODE) -> dict[str, tuple[State, str]]:
    """Check → (state, detail) of everything that is not ok, or of all if all is."""
    findings = await examine_chain(world.settings(), VmRegistration("eip155", world.open_chain), node, 18)
    assert world.opened == world.closed, "a chain stays open"
    assert all("secret" not in finding.detail + finding.advice for finding in findings)
    assert all(finding.advice for finding in findings if finding.state is not State.OK)
    bad = {f.check: (f.state, f.detail) for f in findings if f.state is not State.OK}
    return bad or {f.check: (f.state, f.detail) for f in findings}


async def test_a_sound_chain_is_found_sound() -> None:
    found = await told(World())
    assert list(found) == [
        "rpc_urls[0]",
        "rpc_urls[1]",
        "endpoints agree",
        "clock",
        "gateway",
        "verifier",
        "signer set",
        "quorum",
        "wallet",
    ]
    assert {state for state, _ in found.values()} == {State.OK}
    assert found["endpoints agree"][1] == "2 of 2 needed, block 100, final 98"
    assert found["signer set"][1] == "in epoch 7, valid for another 90.0 days"
    assert found["quorum"][1] == "3 of 4 needed"
    assert found["wallet"][1].endswith(" holds 1 coins")


async def test_a_chain_without_a_vm_is_named() -> None:
    (finding,) = await examine_chain(World().settings(), None, NODE, 18)
    assert (finding.state, finding.detail) == (State.FAULT, f"no installed VM serves {SOURCE_CHAIN}")


async def test_an_endpoint_that_does_not_answer_is_named_and_so_is_the_missing_quorum() -> None:
    found = await told(World(tips={"http://a/secret": 100}))
    assert list(found) == ["rpc_urls[1]", "endpoints agree"]
    assert found["endpoints agree"][1].startswith("2 of 2 needed: ")
    assert list(await told(World(tips={"http://a/secret": 100}, quorum=1))) == ["rpc_urls[1]"]


async def test_an_endpoint_of_another_chain_is_named() -> None:
    found = await told(World(foreign=frozenset({"http://b/secret"})))
    assert found["rpc_urls[1]"] == (State.FAULT, "alpha: endpoint 0 serves another chain")
    assert found["endpoints agree"][0] is State.FAULT


@pytest.mark.parametrize(("behind", "is_named"), [(30, False), (31, True)])
async def test_an_endpoint_may_be_a_minute_behind(behind: int, *, is_named: bool) -> None:
    found = await told(World(tips={"http://a/secret": 100, "http://b/secret": 100 - behind}, quorum=1))
    assert ("rpc_urls[1] lag" in found) is is_named


@pytest.mark.parametrize(
    ("age", "words"), [(-30.0, "ahead of this machine's clock"), (70.0, "s old by this machine's clock")]
)
async def test_a_clock_that_is_wrong_is_a_fault(age: float, words: str) -> None:
    found = await told(World(age=age))
    assert list(found) == ["clock"]
    assert words in found["clock"][1]


@pytest.mark.parametrize("has_history", [True, False])
@pytest.mark.parametrize("name", ["gateway", "verifier"])
async def test_an_address_without_code_is_a_fault(name: str, *, has_history: bool) -> None:
    account = {"gateway": GATEWAY, "verifier": VERIFIER}[name]
    address = bytes.fromhex(account[2:])
    absent = World(has_code={address: False}, has_history=has_history)
    assert (await told(absent))[name] == (State.FAULT, f"{account} has no code")
    disputed = World(has_code={address: None}, has_history=has_history)
    assert "do not agree" in (await told(disputed))[name][1]


async def test_a_verifier_that_is_not_the_gateways_is_a_fault() -> None:
    fault = "the gateway's verifier is 0xaa, and 0xbb is configured"
    assert await told(World(verifier_fault=fault)) == {"gateway's verifier": (State.FAULT, fault)}


async def test_endpoints_without_state_are_a_fault_and_the_rest_is_looked_at_all_the_same() -> None:
    found = await told(World(is_pruned=True, balance=0))
    assert list(found) == ["contracts", "wallet"]


async def test_a_node_that_is_no_signer_is_told() -> None:
    found = await told(World(), Node(b"\x99" * 20, KEYS))
    assert found == {"signer set": (State.FAULT, f"0x{'99' * 20} is not in epoch 7")}


async def test_a_gateway_without_signers_is_a_fault() -> None:
    assert list(await told(World(signer_set=None))) == ["signer set"]


async def test_a_signer_set_that_ends_within_a_day_is_a_warning() -> None:
    assert (await told(World(valid_for=DAY - 60)))["signer set"][0] is State.WARNING


async def test_peers_that_make_no_quorum_are_a_fault_and_a_missing_one_a_warning() -> None:
    assert (await told(World(), replace(NODE, peer_keys=KEYS[1:3])))["quorum"] == (
        State.WARNING,
        "1 signers are no peers",
    )
    assert (await told(World(), replace(NODE, peer_keys=KEYS[1:2])))["quorum"] == (
        State.FAULT,
        "this node and its peers weigh 2 of the 3 needed",
    )


async def test_an_empty_wallet_is_a_fault_a_poor_one_and_dear_gas_are_warnings() -> None:
    assert (await told(World(balance=0)))["wallet"][0] is State.FAULT
    assert (await told(World(balance=10**15)))["wallet"][0] is State.WARNING
    assert list(await told(World(fee=2 * 10**11))) == ["gas price"]
