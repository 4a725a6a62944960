"""Asking from Solana as a wallet, and looking at receipts there: on the devnet's chain, with the real program."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from attestation.address import Chain, InteroperableAddress, parse_interoperable_address
from attestation.request import Mode, Request, request_id
from attestation.statement import OutcomeKind
from attestation.textcodecs import base58_decode
from relayer.cli.asking import Ask, Asked, Cancelled, tools_for
from relayer.cli.asking import Place as Mined
from relayer.cli.svm.requesting import quote_lamports
from relayer.errors import CallReverted, ConfigError, RejectedError, RpcUnavailable
from relayer.keys.keystore import Secret
from relayer.vms.svm.accounts import Terms
from relayer.vms.svm.borsh import Borsh
from tests.svm.asking.conftest import ASKER_SEED, Place
from tests.svm.program import idl
from tests.svm.program.ledger import (
    BASE,
    PROBE,
    PROGRAM,
    REMOTE_TARGET,
    SOLANA,
    TERMS,
    inbound_request,
    keypair,
    request_of,
)

ASKER = Keypair.from_seed(ASKER_SEED)
ASK = Ask(Mode.CALL, parse_interoperable_address(REMOTE_TARGET), b"\x12\x34\x56\x78")


@pytest.fixture(autouse=True)
def _paid(place: Place) -> None:
    place.world.svm.airdrop(ASKER.pubkey(), 10**12)
    place.world.advance(2)


async def ask(place: Place, asking: Ask = ASK) -> tuple[Asked, Request]:
    """Ask, and what the gateway told of it."""
    source = await place.source()
    fee = await place.run(lambda: source.quote(asking))
    asked = await place.run(lambda: source.send(asking, fee))
    assert asked.fee == fee
    return asked, await told(place, asked)


async def told(place: Place, asked: Asked) -> Request:
    """The request of the transaction that made it."""
    answer = place.world.ask(
        "getTransaction", [asked.place.tx, {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}]
    )
    (event,) = [
        idl.decode_event(data)
        for group in answer["meta"]["innerInstructions"]
        for one in group["instructions"]
        if (data := base58_decode(one["data"], 4_000)).startswith(idl.EVENT_TAG)
    ]
    request = request_of(event[1]["request"])
    assert request_id(request) == asked.request_id == event[1]["request_id"]
    assert str(event[1]["pending"]) == asked.kept_at
    return request


async def test_a_call_is_asked_for_as_it_was_meant_at_the_price_that_was_told(place: Place) -> None:
    options = {"execution_gas_limit": 200_000, "callback_gas_limit": 50_000, "return_limit": 64}
    asking = replace(
        ASK,
        **options,
        expires_in_seconds=900,
        deadline_blocks=3_000,
        code_hash=b"\7" * 32,
        own_account=True,
        metadata=b"hi",
    )
    asked, request = await ask(place, asking)
    assert asked.sender == InteroperableAddress(SOLANA, bytes(ASKER.pubkey()))
    assert (request.target, request.payload, request.mode) == (REMOTE_TARGET, ASK.payload, Mode.CALL)
    assert {name: getattr(request, name) for name in options} == options
    assert (request.code_hash, request.own_account, request.metadata) == (b"\7" * 32, True, b"hi")
    assert request.expiry == place.world.now + 900
    assert request.sender == asked.sender.to_bytes()


async def test_a_query_has_no_expiry(place: Place) -> None:
    _, request = await ask(place, replace(ASK, mode=Mode.QUERY))
    assert (request.mode, request.expiry, request.destination_gateway) == (Mode.QUERY, 0, b"")


async def test_a_payload_too_long_for_a_transaction_is_brought_in_pieces_and_its_rent_comes_back(place: Place) -> None:
    before = place.world.balance(ASKER.pubkey())
    payload = bytes(range(256)) * 8
    asked, request = await ask(place, replace(ASK, payload=payload))
    assert request.payload == payload
    kept = place.world.balance(Pubkey.from_string(asked.kept_at))
    sender_state = place.world.balance(Pubkey.find_program_address([b"sender", bytes(ASKER.pubkey())], PROGRAM)[0])
    fees = before - place.world.balance(ASKER.pubkey()) - kept - sender_state
    assert 0 < fees < 100_000


@pytest.mark.parametrize("data", [b"", b"\x2a" * 40, bytes(range(256)) * 4], ids=["none", "short", "staged"])
async def test_the_callback_ends_it_with_the_data_that_it_was_told(place: Place, data: bytes) -> None:
    asked, request = await ask(place)
    source = await place.source()
    assert await place.run(lambda: source.fetch_ending(asked)) is None
    pending, refund = Pubkey.from_string(asked.kept_at), ASKER.pubkey()
    place.world.deliver(place.world.outcome(request, OutcomeKind.EXECUTED, data), pending)
    assert await place.run(lambda: source.fetch_ending(asked)) is None
    accounts = {"payer": place.world.payer.pubkey(), "pending": pending, "refund": refund, **BASE}
    accounts["callback_authority"] = PROGRAM
    step = idl.instruction(PROGRAM, "callback", accounts, {"return_data": data})
    if len(data) > 900:
        place.world.send_staged(step)
    else:
        place.world.send(step)
    place.world.advance()
    ending = await place.run(lambda: source.fetch_ending(asked))
    assert ending is not None
    assert not isinstance(ending, Cancelled)
    assert (ending.kind, ending.success, ending.return_data) == (OutcomeKind.EXECUTED, True, data)
    assert (ending.cut, ending.is_handler_failed) == (False, False)


async def test_a_session_of_another_day_finds_the_request_by_its_transaction(place: Place) -> None:
    asked, request = await ask(place)
    bare = Asked(asked.request_id, asked.sender, asked.fee, asked.place)
    pending = Pubkey.from_string(asked.kept_at)
    place.world.deliver(place.world.outcome(request, OutcomeKind.EXPIRED), pending)
    place.world.callback(pending, refund=ASKER.pubkey(), callback_authority=PROGRAM)
    place.world.advance()
    source = await place.source()
    ending = await place.run(lambda: source.fetch_ending(bare))
    assert ending is not None
    assert not isinstance(ending, Cancelled)
    assert (ending.kind, ending.success) == (OutcomeKind.EXPIRED, False)
    other = Asked(type(asked.request_id)(bytes(32)), asked.sender, asked.fee, asked.place)
    with pytest.raises(RejectedError, match="does not make this request"):
        await place.run(lambda: source.fetch_ending(other))


async def test_a_cancel_is_told_with_what_came_back(place: Place) -> None:
    asking = replace(ASK, mode=Mode.QUERY, deadline_blocks=0)
    place.world.set_outbound(deadline_slots=100)
    place.world.advance()
    asked, _ = await ask(place, asking)
    place.world.advance(101)
    pending = Pubkey.from_string(asked.kept_at)
    accounts = {"sender": ASKER.pubkey(), "pending": pending, "refund": ASKER.pubkey()}
    place.world.call("cancel", accounts, signers=[ASKER])
    place.world.advance()
    source = await place.source()
    ending = await place.run(lambda: source.fetch_ending(asked))
    assert isinstance(ending, Cancelled)
    assert 0 < ending.returned <= asked.fee


async def test_a_receipt_is_found_by_the_requests_slot(place: Place) -> None:
    request = inbound_request(PROBE, b"")
    asked = Asked(request_id(request), parse_interoperable_address(request.sender), 0, Mined(1, "0x"))
    destination = await place.destination()
    assert await place.run(lambda: destination.fetch_receipt(asked)) is None
    place.world.execute(request)
    place.world.advance()
    receipt = await place.run(lambda: destination.fetch_receipt(asked))
    # What is no payload reaches no program.
    assert receipt is not None
    assert receipt.kind is OutcomeKind.UNREACHED
    (newest, *_) = place.world.ask("getSignaturesForAddress", [str(PROGRAM), {"commitment": "confirmed"}])
    assert receipt.place == Mined(newest["slot"], newest["signature"])


async def test_what_the_gateway_refuses_is_named(place: Place) -> None:
    source = await place.source()
    with pytest.raises(CallReverted, match=r"OutOfBounds: .*--expires-in"):
        await place.run(lambda: source.send(replace(ASK, expires_in_seconds=1), 10**9))
    with pytest.raises(CallReverted, match="FeeTooHigh"):
        await place.run(lambda: source.send(ASK, 1))
    elsewhere = InteroperableAddress(Chain.evm(5), bytes(20))
    with pytest.raises(CallReverted, match="Unrouted"):
        await place.run(lambda: source.quote(replace(ASK, target=elsewhere)))


async def test_an_account_without_money_is_told_so(place: Place) -> None:
    source = await place.source(b"\x42" * 32)
    with pytest.raises((CallReverted, RejectedError), match="found no record of a prior credit"):
        await place.run(lambda: source.send(ASK, 10**9))


async def test_another_chain_and_what_is_no_program_are_refused(place: Place) -> None:
    tools = tools_for("solana")
    nobody = replace(place.endpoint, gateway=str(keypair("nobody").pubkey()))
    with pytest.raises(ConfigError, match=r"--gateway: .* is no program on solana:"):
        await place.run(lambda: tools.open_destination(nobody))
    with pytest.raises(ConfigError, match="--gateway: "):
        await place.run(lambda: tools.open_destination(replace(place.endpoint, gateway="0x12")))
    place.overrides["getGenesisHash"] = str(keypair("other").pubkey())
    with pytest.raises(ConfigError, match="--rpc: the endpoint serves solana:"):
        await place.destination()


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b"<html>", b'{"result": {}}'])
async def test_SECURITY_an_endpoint_that_answers_nonsense_is_unavailable_and_its_url_is_not_shown(  # noqa: N802
    place: Place, answer: bytes
) -> None:
    place.body = answer
    with pytest.raises(RpcUnavailable) as caught:
        await place.destination()
    assert "apikey" not in str(caught.value)


@pytest.mark.parametrize("method", ["getSignaturesForAddress", "getTransaction", "getMultipleAccounts"])
@pytest.mark.parametrize("answer", [7, "no", [7], [{}], {"slot": 1}, {"context": {"slot": 1}, "value": [{}]}])
async def test_what_an_endpoint_writes_otherwise_than_the_rpc_is_no_answer(
    place: Place, method: str, answer: object
) -> None:
    asked, _ = await ask(place)
    source = await place.source()
    place.overrides[method] = answer
    with pytest.raises(RpcUnavailable):
        await place.run(lambda: (source.quote(ASK), source.fetch_ending(replace(asked, kept_at=""))))


async def test_a_limit_that_fits_no_field_is_wrong_usage(place: Place) -> None:
    source = await place.source()
    with pytest.raises(ConfigError, match="larger than any that the gateway takes"):
        await place.run(lambda: source.send(replace(ASK, execution_gas_limit=2**64), 10**9))


def test_an_account_is_the_public_key_of_an_ed25519_seed() -> None:
    assert tools_for("solana").account_text(Secret(ASKER_SEED)) == str(ASKER.pubkey())


@given(
    execution=st.integers(0, 10_000_000),
    callback=st.integers(0, 1_000_000),
    payload=st.integers(0, 8_192),
    price=st.integers(0, 10**9),
)
def test_the_price_rounds_each_share_up(execution: int, callback: int, payload: int, price: int) -> None:
    terms = Terms.read(Borsh(idl.encode({"defined": {"name": "Terms"}}, {**TERMS, "execution_price": price})))
    asking = replace(ASK, execution_gas_limit=execution, callback_gas_limit=callback, payload=bytes(payload))
    gas = (execution or 500_000) + 100_000 + 40 * payload
    expected = -(-gas * price // 10**6) + 20_000 + -(-(callback or 300_000) * 50_000 // 10**6) + 30_000
    assert quote_lamports(asking, terms) == expected
