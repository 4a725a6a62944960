"""What is read of accounts and programs on Solana, and by whom it is believed."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from attestation.address import Chain, InteroperableAddress, Namespace
from attestation.request import Request
from attestation.statement import OutcomeKind
from relayer.errors import RpcUnavailable
from relayer.ports.destination_vm import Answer
from relayer.vms.svm.answers import AnswerReader
from relayer.vms.svm.payloads import CallPayload
from tests.factories import make_query
from tests.svm.adapter.test_payloads import encoded
from tests.svm.adapter.watching import Spoil, down, endpoint_of, lagging
from tests.svm.adapter.world import FINALIZED_AFTER, RELAYER, World
from tests.svm.program.ledger import PROBE, SOLANA, probe
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve_pool

ANSWER, FAIL, TELL_FLAGS = b"\x02", b"\x03", b"\x05"
NOTE = Pubkey(b"\x4e" * 32)
CONTENT = bytes(range(100))
UNREACHED = Answer(OutcomeKind.UNREACHED, cut=False, return_data=b"")
REVERTED = Answer(OutcomeKind.REVERTED, cut=False, return_data=b"")


@pytest.fixture
def world() -> World:
    """A chain with a program, and an account that holds a hundred bytes."""
    world = World()
    world.svm.set_account(NOTE, Account(10**9, CONTENT, PROBE))
    world.advance(FINALIZED_AFTER)
    return world


def executed(data: bytes, *, cut: bool = False) -> Answer:
    """It was read."""
    return Answer(OutcomeKind.EXECUTED, cut=cut, return_data=data)


def query(target: Pubkey, payload: bytes = b"", **changes: Any) -> Request:
    """A question to this account."""
    return make_query(target=InteroperableAddress(SOLANA, bytes(target)).to_bytes(), payload=payload, **changes)


def called(data: bytes, *accounts: AccountMeta) -> bytes:
    """The payload of a call."""
    return encoded(CallPayload(accounts, data))


def meta(key: Pubkey, *, is_signer: bool = False, is_writable: bool = False) -> AccountMeta:
    """An account of a call."""
    return AccountMeta(key, is_signer, is_writable)


@asynccontextmanager
async def reading(*nodes: ScriptedNode, quorum: int = 1, payer: Pubkey | None = None) -> AsyncIterator[AnswerReader]:
    """A reader over these endpoints."""
    async with serve_pool(*nodes, quorum=quorum) as pool:
        yield AnswerReader(pool, SOLANA, payer or RELAYER.pubkey())


async def read(world: World, *requests: Request, payer: Pubkey | None = None) -> Sequence[Answer | None]:
    """What an honest endpoint lets us read."""
    async with reading(endpoint_of(world), payer=payer) as reader:
        return await reader.read(requests)


# accounts


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", executed(CONTENT)),
        (struct.pack("<II", 10, 20), executed(CONTENT[10:30])),
        (struct.pack("<II", 90, 20), executed(CONTENT[90:])),
        (struct.pack("<II", 100, 1), executed(b"")),
        (struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF), executed(b"")),
        (struct.pack("<II", 0, 0), executed(b"")),
        (b"\x00", REVERTED),
        (bytes(9), REVERTED),
    ],
    ids=["whole", "slice", "over the end", "behind it", "far behind it", "nothing", "no slice", "more than a slice"],
)
async def test_an_account_is_read_whole_or_as_the_slice_that_is_named(
    world: World, payload: bytes, expected: Answer
) -> None:
    assert await read(world, query(NOTE, payload)) == [expected]


@pytest.mark.parametrize("payload", [b"", struct.pack("<II", 0, 200), struct.pack("<II", 0, 41)])
async def test_what_is_longer_than_the_limit_is_cut_and_no_more_of_it_is_fetched(world: World, payload: bytes) -> None:
    node = endpoint_of(world)
    async with reading(node) as reader:
        assert await reader.read([query(NOTE, payload, return_limit=40)]) == [executed(CONTENT[:40], cut=True)]
    [options] = [call["params"][1] for calls in node.exchanges for call in calls if "Accounts" in call["method"]]
    assert options["dataSlice"] == {"offset": 0, "length": 41}


async def test_what_fits_the_limit_exactly_is_not_cut(world: World) -> None:
    assert await read(world, query(NOTE, return_limit=100)) == [executed(CONTENT)]


async def test_what_is_not_there_or_not_of_this_chain_is_unreached(world: World) -> None:
    elsewhere = InteroperableAddress(Chain(Namespace.SOLANA, b"\x09" * 32), bytes(NOTE)).to_bytes()
    short = InteroperableAddress(SOLANA, b"").to_bytes()
    requests = [
        query(Pubkey(b"\x01" * 32)),
        make_query(target=elsewhere),
        make_query(target=short),
        make_query(target=b"\xff"),
        make_query(),
        query(PROBE, called(ANSWER), code_hash=b"\x01" * 32),
    ]
    assert await read(world, *requests) == [UNREACHED] * len(requests)


async def test_a_change_is_seen_when_it_is_final_and_not_before(world: World) -> None:
    new = Pubkey(b"\x77" * 32)
    assert await read(world, query(new)) == [UNREACHED]
    world.send(transfer_to(world, new))
    assert await read(world, query(new)) == [UNREACHED]
    world.advance(FINALIZED_AFTER)
    assert await read(world, query(new)) == [executed(b"")]


def transfer_to(world: World, key: Pubkey) -> Instruction:
    """Lamports that make an account."""
    return transfer(TransferParams(from_pubkey=world.payer.pubkey(), to_pubkey=key, lamports=10**9))


# programs


async def test_a_program_is_asked_by_trying_its_call(world: World) -> None:
    requests = [query(PROBE, called(ANSWER + b"forty-two")), query(PROBE, called(ANSWER))]
    assert await read(world, *requests) == [executed(b"forty-two"), executed(b"")]


async def test_what_it_returns_is_cut_at_the_limit(world: World) -> None:
    assert await read(world, query(PROBE, called(ANSWER + b"forty-two"), return_limit=5)) == [
        executed(b"forty", cut=True)
    ]


async def test_an_abort_is_reverted_without_data(world: World) -> None:
    assert await read(world, query(PROBE, called(FAIL))) == [REVERTED]


async def test_too_little_compute_is_reverted(world: World) -> None:
    assert await read(world, query(PROBE, called(ANSWER + b"x"), execution_gas_limit=10)) == [REVERTED]


async def test_what_another_program_returned_on_the_way_is_not_the_targets_answer(world: World) -> None:
    other = world_copy_of_the_probe(world)
    passed_on = called(b"\x04" + ANSWER + b"of another", meta(other))
    assert await read(world, query(PROBE, passed_on)) == [executed(b"")]


def world_copy_of_the_probe(world: World) -> Pubkey:
    """The same program at another address."""
    other = Pubkey(b"\x50" * 32)
    world.svm.add_program(other, probe())
    world.advance(FINALIZED_AFTER + 1)
    return other


async def test_the_call_gets_the_accounts_that_it_declares(world: World) -> None:
    requests = [query(PROBE, called(TELL_FLAGS, meta(NOTE, is_writable=is_writable))) for is_writable in (False, True)]
    assert await read(world, *requests) == [executed(b"\x00\x00"), executed(b"\x00\x01")]


@pytest.mark.parametrize("signer", [NOTE, RELAYER.pubkey()])
async def test_security_nobody_is_made_to_sign_for_an_answer(world: World, signer: Pubkey) -> None:
    """SECURITY: a simulation would lend any signature, and answer what the program tells that account alone."""
    assert await read(world, query(PROBE, called(TELL_FLAGS, meta(signer, is_signer=True)))) == [REVERTED]


async def test_security_the_account_that_tries_is_not_shown_to_the_call(world: World) -> None:
    """SECURITY: it signs and pays; what another node reads would be something else."""
    assert await read(world, query(PROBE, called(TELL_FLAGS, meta(RELAYER.pubkey())))) == [None]


async def test_a_payload_that_holds_no_call_or_too_long_a_one_is_reverted(world: World) -> None:
    too_long = called(ANSWER + bytes(1_200))
    assert await read(world, query(PROBE), query(PROBE, b"\x01"), query(PROBE, too_long)) == [REVERTED] * 3


async def test_a_trial_that_our_own_account_fails_is_no_answer(world: World) -> None:
    poor = Pubkey(b"\x99" * 32)
    assert await read(world, query(PROBE, called(ANSWER)), query(NOTE), payer=poor) == [None, executed(CONTENT)]


# endpoints


def lying(world: World) -> ScriptedNode:
    """An endpoint that makes values up."""

    def spoil(method: str, _: list[Any], answer: Any) -> Any:
        if method == "getMultipleAccounts":
            [account] = answer["value"]
            return {**answer, "value": [account and {**account, "data": ["bGll", "base64"]}]}
        if method == "simulateTransaction":
            return {**answer, "value": {**answer["value"], "err": None, "returnData": None}}
        return answer

    return endpoint_of(world, spoil)


async def test_security_a_value_that_one_endpoint_makes_up_is_outvoted_or_none(world: World) -> None:
    """SECURITY: what is signed was told alike by M endpoints."""
    requests = [query(NOTE), query(PROBE, called(FAIL))]
    async with reading(lying(world), endpoint_of(world), endpoint_of(world), quorum=2) as reader:
        assert await reader.read(requests) == [executed(CONTENT), REVERTED]
    async with reading(lying(world), endpoint_of(world), quorum=2) as reader:
        assert await reader.read(requests) == [None, None]


async def test_security_a_state_older_than_what_m_endpoints_have_reached_is_no_answer(world: World) -> None:
    """SECURITY: it may be from before the question was asked."""
    world.advance(10)
    async with reading(lagging(world, 5), endpoint_of(world), endpoint_of(world), quorum=2) as reader:
        assert await reader.read([query(NOTE)]) == [executed(CONTENT)]
    async with reading(lagging(world, 5), endpoint_of(world), quorum=1) as reader:
        assert await reader.read([query(NOTE)]) == [executed(CONTENT)]

    def stale(method: str, params: list[Any], answer: Any) -> Any:
        if method == "getMultipleAccounts" and params[1]["minContextSlot"] > 1:
            raise NodeFault(-32016, "Minimum context slot has not been reached", {"contextSlot": 1})
        return answer

    async with reading(endpoint_of(world, stale)) as reader:
        assert await reader.read([query(NOTE)]) == [None]


async def test_endpoints_that_are_down_are_too_few(world: World) -> None:
    async with reading(down(), endpoint_of(world), quorum=2) as reader:
        with pytest.raises(RpcUnavailable):
            await reader.read([query(NOTE)])


def _value(**members: Any) -> Spoil:
    return lambda method, _, answer: (
        {**answer, "value": {**answer["value"], **members}} if method == "simulateTransaction" else answer
    )


@pytest.mark.parametrize(
    "error",
    [
        {"InstructionError": [1, "InvalidInstructionData"]},
        {"InstructionError": [3, {"Custom": 1}]},
        {"InstructionError": "2"},
        {"InsufficientFundsForRent": {"account_index": 0}},
        "AccountNotFound",
        "BlockhashNotFound",
    ],
)
async def test_what_fails_and_is_not_the_call_is_no_answer(world: World, error: Any) -> None:
    async with reading(endpoint_of(world, _value(err=error))) as reader:
        assert await reader.read([query(PROBE, called(ANSWER))]) == [None]


@pytest.mark.parametrize(
    "members",
    [
        {"returnData": "x"},
        {"returnData": {"programId": 7, "data": ["", "base64"]}},
        {"returnData": {"programId": str(PROBE), "data": ["?", "base64"]}},
        {"returnData": {"programId": str(PROBE), "data": ["", "base58"]}},
    ],
)
async def test_security_a_malformed_simulation_is_an_endpoint_that_does_not_answer(
    world: World, members: dict[str, Any]
) -> None:
    """SECURITY: what no node writes leads to nothing."""
    async with reading(endpoint_of(world, _value(err=None, **members))) as reader:
        with pytest.raises(RpcUnavailable):
            await reader.read([query(PROBE, called(ANSWER + b"x"))])


async def test_security_a_call_that_no_endpoint_finishes_spoils_no_other(world: World) -> None:
    """SECURITY: whoever asks decides what is run."""
    node = endpoint_of(world)
    heavy = called(ANSWER + b"heavy")
    node.is_too_much = lambda calls: len(calls) > 1 and calls[0]["method"] == "simulateTransaction"
    async with reading(node) as reader:
        answers = await reader.read([query(PROBE, heavy), query(PROBE, called(ANSWER + b"light")), query(NOTE)])
    assert answers == [executed(b"heavy"), executed(b"light"), executed(CONTENT)]


async def test_nothing_is_asked_for_no_questions(world: World) -> None:
    node = endpoint_of(world)
    async with reading(node) as reader:
        assert await reader.read([]) == []
    assert node.exchanges == []
