"""Asking from a CosmWasm chain as an account, on the devnet's chain, with the real contracts."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.request import Mode
from relayer.cli.asking import Ask, tools_for
from relayer.cosmos.accounts import account_of_secret
from relayer.errors import CallReverted, ConfigError
from relayer.keys.keystore import Secret
from tests.cosmwasm.asking.conftest import ASKER_SECRET, COSMWASM, Place, running

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


def test_what_the_gateway_refuses_is_named_with_what_to_do(place: Place, gateway: bytes) -> None:
    source = TOOLS.open_source(place.endpoint(gateway), Secret(ASKER_SECRET))
    unrouted = replace(ASK, target=evm_account(1, b"\x7a" * 20))
    with pytest.raises(CallReverted, match=r"Unrouted.*no route leads from this gateway"):
        source.quote(unrouted)
    with pytest.raises(CallReverted, match="ExpiryOutOfBounds"):
        source.quote(replace(ASK, expires_in_seconds=10**9))
    with pytest.raises(CallReverted, match="Fee"):
        source.send(ASK, source.quote(ASK) - 1)


def test_a_gateway_that_is_none_and_a_chain_that_is_another_are_told(place: Place, gateway: bytes) -> None:
    at = place.endpoint(gateway)
    for endpoint, fault in (
        (
            replace(at, chain=Chain(Namespace.COSMOS, b"osmosis-1")),
            "serves cosmos:xvm-cosmwasm-1, not cosmos:osmosis-1",
        ),
        (replace(at, gateway="wasm1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lhwh5f"), "--gateway: "),
        (replace(at, gateway=f"0x{gateway.hex()}"), "write it in bech32"),
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
