"""Asking from a CosmWasm chain as an account, on the devnet's chain, with the real contracts."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.batch import Batch
from attestation.certificate import build_certificate
from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.schemes import SECP256K1
from attestation.statement import Outcome, OutcomeKind
from relayer.cli.asking import Ask, Asked, Ending, tools_for
from relayer.cli.asking import Place as Mined
from relayer.cosmos.accounts import account_of_secret, to_bech32
from relayer.cosmos.wasm import MsgExecuteContract
from relayer.errors import CallReverted, ConfigError, RejectedError
from relayer.keys.keystore import Secret
from relayer.vms.cosmwasm.messages import ItemList, encode_batch, encode_delivery, encode_outcome_item
from relayer.vms.cosmwasm.one_node import FoundTx
from relayer.vms.cosmwasm.signing_account import SigningAccount
from relayer.vms.cosmwasm.transactions import hash_of
from tests.cosmwasm.asking.conftest import ASKER_SECRET, COSMWASM, GAMMA, OWNER_SECRET, Place, running
from tests.e2e.devnets import until
from tests.factories import SIGNING_KEYS

ASK = Ask(Mode.CALL, evm_account(31337, b"\x7a" * 20), b"\x12\x34\x56\x78")
TOOLS = tools_for("cosmos")


def test_a_call_is_asked_for_at_the_price_that_was_told(place: Place, gateway: bytes) -> None:
    source = TOOLS.open_source(place.endpoint(gateway), Secret(ASKER_SECRET))
    asking = replace(ASK, execution_gas_limit=200_000, expires_in_seconds=900, metadata=b"memo", return_limit=64)
    fee = source.quote(asking)
    assert fee < source.quote(replace(asking, execution_gas_limit=400_000))
    first, second = source.send(asking, fee), source.send(asking, fee)
    assert (first.fee, second.fee) == (fee, fee)
    assert first.request_id != second.request_id
    assert first.sender == InteroperableAddress(COSMWASM, account_of_secret(ASKER_SECRET))
    found = place.node.find_tx(bytes.fromhex(first.place.tx))
    assert found is not None
    assert (found.height, found.tx_hash) == (first.place.block, hashlib.sha256(found.raw).digest())
    pending = place.query(gateway, "pending_request", request_id=f"0x{first.request_id.hex()}")
    assert (pending["state"], pending["is_eoa"], pending["fee"]) == (1, True, str(fee))
    assert source.fetch_ending(first) is None
    assert TOOLS.open_destination(place.endpoint(gateway)).fetch_receipt(first) is None


def deliver(
    place: Place, gateway: bytes, asked: Asked, kind: OutcomeKind, data: bytes, *, cut: bool = False
) -> FoundTx:
    """As relayers do, with a certificate of three of the four signers."""
    outcome = Outcome(
        request_id=asked.request_id,
        kind=kind,
        cut=cut,
        return_data_hash=keccak256(data),
        height=7,
        block_hash=b"\x0b" * 32,
        tx_index=0,
        log_index=0,
        payee=bytes(32),
        round=0,
    )
    batch = Batch.of_leaves(GAMMA.account(gateway), [outcome.leaf], 1)
    signatures = {index: SIGNING_KEYS[index].sign(batch.digest()) for index in range(3)}
    certificate = build_certificate(batch, SECP256K1.number, signatures).to_bytes()
    item = encode_outcome_item(outcome, data)
    message = encode_delivery([encode_batch(1, [], ItemList.OUTCOMES, [item], certificate)])
    account = SigningAccount(OWNER_SECRET, COSMWASM, "wasm", "uxvm")
    call = MsgExecuteContract(account.text, to_bech32("wasm", gateway), message)
    told = place.node.fetch_account(account.text)
    used = place.node.simulate(account.draft(call, told))
    raw = account.sign(call, told, told.sequence, used, place.node.fetch_gas_price("uxvm"))
    place.node.broadcast(raw)
    until(lambda: place.node.find_tx(hash_of(raw)) is not None, "the delivery is in no block")
    found = place.node.find_tx(hash_of(raw))
    assert found is not None
    return found


def test_a_request_is_followed_to_its_callback_with_the_data_that_the_delivery_brought(
    place: Place, gateway: bytes
) -> None:
    source = TOOLS.open_source(place.endpoint(gateway), Secret(ASKER_SECRET))
    first, second = (source.send(ASK, source.quote(ASK)) for _ in range(2))
    delivered = deliver(place, gateway, first, OutcomeKind.EXECUTED, b"forty-two", cut=True)
    deliver(place, gateway, second, OutcomeKind.REVERTED, b"")
    ending = source.fetch_ending(first)
    assert ending == Ending(
        kind=OutcomeKind.EXECUTED,
        success=True,
        is_handler_failed=False,
        cut=True,
        return_data=b"forty-two",
        place=Mined(delivered.height, delivered.tx_hash.hex().upper()),
    )
    other = source.fetch_ending(second)
    assert isinstance(other, Ending)
    assert (other.kind, other.success, other.return_data) == (OutcomeKind.REVERTED, False, b"")


def test_what_the_gateway_refuses_is_named_with_what_to_do(place: Place, gateway: bytes) -> None:
    source = TOOLS.open_source(place.endpoint(gateway), Secret(ASKER_SECRET))
    unrouted = replace(ASK, target=evm_account(1, b"\x7a" * 20))
    with pytest.raises(CallReverted, match=r"Unrouted.*no route leads from this gateway"):
        source.quote(unrouted)
    with pytest.raises(CallReverted, match="ExpiryOutOfBounds"):
        source.quote(replace(ASK, expires_in_seconds=10**9))
    with pytest.raises(CallReverted, match="Fee"):
        source.send(ASK, source.quote(ASK) - 1)


def test_an_account_that_nobody_has_sent_anything_is_told_to_be_fed(place: Place, gateway: bytes) -> None:
    source = TOOLS.open_source(place.endpoint(gateway), Secret(b"\x33" * 32))
    account = to_bech32("wasm", account_of_secret(b"\x33" * 32))
    with pytest.raises(RejectedError, match=f"{account} does not exist yet: send it coins first"):
        source.send(ASK, source.quote(ASK))


def test_a_gateway_that_is_none_and_a_chain_that_is_another_are_told(place: Place, gateway: bytes) -> None:
    at = place.endpoint(gateway)
    for endpoint, fault in (
        (
            replace(at, chain=Chain(Namespace.COSMOS, b"osmosis-1")),
            "serves cosmos:xvm-cosmwasm-1, not cosmos:osmosis-1",
        ),
        (replace(at, gateway="wasm1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lhwh5f"), "--gateway: "),
        (replace(at, gateway=f"0x{gateway.hex()}"), "write it in bech32"),
        (replace(at, gateway="0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"), "a gateway there is written in bech32"),
    ):
        with pytest.raises(ConfigError, match=fault):
            TOOLS.open_destination(endpoint)
    with pytest.raises(ConfigError, match="--key-file"):
        TOOLS.open_source(at, Secret(bytes(32)))


def test_an_account_is_that_of_the_key_in_hex_for_the_prefix_is_each_chains() -> None:
    assert TOOLS.account_text(Secret(ASKER_SECRET)) == f"0x{account_of_secret(ASKER_SECRET).hex()}"


def test_a_node_that_writes_attributes_in_base64_is_read_as_well() -> None:
    from relayer.devnet.cosmwasm.block_json import Dialect  # noqa: PLC0415

    with running(dialect=Dialect.V034) as url:
        old = Place(url)
        source = TOOLS.open_source(old.endpoint(old.deploy()), Secret(ASKER_SECRET))
        fee = source.quote(ASK)
        assert source.send(ASK, fee).fee == fee
