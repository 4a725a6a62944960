"""The bench on a Solana chain: what it sends is taken, and all that the gateway tells is counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from solders.instruction import AccountMeta

from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.records import Outcome
from relayer.devnet.bench.sides import Aim
from relayer.devnet.svm.bench.asks import SvmAsks
from relayer.devnet.svm.bench.events import BlockTold, read_block
from relayer.devnet.svm.bench.target import SvmTarget
from tests.svm.adapter.world import FINALIZED_AFTER, World
from tests.svm.examples.programs import COUNT, COUNTER
from tests.svm.program import idl
from tests.svm.program.ledger import PROGRAM, REMOTE_TARGET, inbound_request, pending_address

BLOCK = {"encoding": "json", "maxSupportedTransactionVersion": 0, "rewards": False}
CODE = (idl.FOLDER / "examples" / "counter.so").read_bytes()
RETURNED = b"told"


@pytest.fixture
def world() -> World:
    opened = World()
    opened.open()
    return opened


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    """Slots pass as a transaction's status is asked for."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        if b"getSignatureStatuses" in body:
            world.advance()
        return web.Response(body=world.node.answer(body))

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def read(world: World, first: int) -> BlockTold:
    """What was told from this slot on."""
    everything = BlockTold()
    world.advance(FINALIZED_AFTER + 1)
    for slot in range(first, world.ask("getSlot", [{"commitment": "finalized"}]) + 1):
        told = read_block(world.ask("getBlock", [slot, BLOCK]), slot, str(PROGRAM))
        everything.asked += told.asked
        everything.concluded += told.concluded
        everything.delivered += told.delivered
        everything.relayed_units += told.relayed_units
    return everything


def slot_now(world: World) -> int:
    slot: int = world.ask("getSlot", [{"commitment": "processed"}])
    return slot


async def test_every_request_of_a_load_is_taken_whoever_asks_it(
    world: World, url: str, http: aiohttp.ClientSession
) -> None:
    first = slot_now(world)
    aim = Aim(REMOTE_TARGET, b"\x12\x34\x56\x78", 100_000, b"")
    asks = SvmAsks(PROGRAM, [world.payer, world.sender], Load(Mode.CALL, burst=600), aim)
    hashes = [*await asks.ask(http, url, 0, 3), *await asks.ask(http, url, 3, 4)]
    told = read(world, first)
    assert [sighting.transaction for sighting in told.asked] == hashes
    assert len({sighting.request_id for sighting in told.asked}) == 7
    assert told.relayed_units == 0


async def test_the_target_counts_what_is_executed(world: World, url: str, http: aiohttp.ClientSession) -> None:
    world.svm.add_program(COUNTER.address, CODE)
    target = SvmTarget(COUNTER.address)
    await target.bring(http, url, world.payer)
    first = slot_now(world)
    request = inbound_request(COUNTER.address, target.payload(Mode.CALL))
    nobody = AccountMeta(COUNTER.address, is_signer=False, is_writable=False)
    named = [AccountMeta(COUNT, is_signer=False, is_writable=True), nobody]
    sent = world.execute(request, more=named)
    told = read(world, first)
    (concluded,) = told.concluded
    assert concluded.outcome == Outcome(
        OutcomeKind.EXECUTED, is_success=True, return_data_hash=keccak256((1).to_bytes(8, "little"))
    )
    assert await target.fetch_count(http, url) == 1
    # The certificate's transaction is paid for as well.
    assert told.relayed_units > sent.units
    assert told.asked == []


def test_a_callback_is_seen_with_what_it_told(world: World) -> None:
    _, request = world.request()
    pending = pending_address(world.sender.pubkey(), 0)
    first = slot_now(world)
    world.deliver(world.outcome(request, data=RETURNED), pending)
    world.callback(pending, RETURNED, refund=world.payer.pubkey())
    (delivered,) = read(world, first).delivered
    assert delivered.outcome == Outcome(OutcomeKind.EXECUTED, is_success=True, return_data_hash=keccak256(RETURNED))


def test_what_failed_told_nothing_and_cost_all_the_same(world: World) -> None:
    first = slot_now(world)
    with pytest.raises(Exception, match="Custom"):
        world.set_outbound(max_payload_bytes=2**31)
    told = read(world, first)
    assert (told.asked, told.concluded, told.delivered) == ([], [], [])
    assert told.relayed_units > 0


def test_what_others_do_is_not_counted(world: World) -> None:
    first = slot_now(world)
    world.svm.airdrop(world.owner.pubkey(), 1)
    told: Any = read(world, first)
    assert told == BlockTold()
