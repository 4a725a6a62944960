"""Deploying to a CosmWasm chain over its RPC: once, again, interrupted, and on the wrong chain."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from attestation.address import Chain, Namespace
from relayer.cosmos.accounts import BaseAccount, account_of_secret, to_bech32
from relayer.cosmos.bank import MsgSend
from relayer.cosmos.base import Coin
from relayer.errors import RejectedError, RpcUnavailable
from relayer.ports.deployment import DeploymentFailed, RecordedStep
from relayer.vms.cosmwasm.signing_account import SigningAccount
from relayer.vms.cosmwasm.transactions import hash_of
from relayer.vms.deployment_record import DeploymentRecord
from tests.cosmwasm.asking.conftest import (
    ALPHA,
    COSMWASM,
    EVM_GATEWAY,
    FRIEND,
    GAMMA,
    OWNER_SECRET,
    PLAN,
    Place,
    running,
)

OWNER = to_bech32("wasm", account_of_secret(OWNER_SECRET))
DESTINATION = f"0x{ALPHA.chain.to_bytes().hex()}"
SOURCE = f"0x{ALPHA.account(EVM_GATEWAY).hex()}"


class Cut(Exception):  # noqa: N818 - the process is gone
    pass


class FragileRecord(DeploymentRecord):
    """Ends the run when so many steps are recorded, before the last one is sent."""

    def __init__(self, kept: DeploymentRecord, steps: int) -> None:
        super().__init__()
        self._kept, self._steps = kept, steps

    def get(self, chain: str, step: str) -> RecordedStep | None:
        return self._kept.get(chain, step)

    def next_nonce(self, chain: str) -> int:
        return self._kept.next_nonce(chain)

    def put(self, chain: str, step: str, signed: RecordedStep) -> None:
        self._kept.put(chain, step, signed)
        self._steps -= 1
        if not self._steps:
            raise Cut


def test_a_gateway_is_made_and_set_as_the_plan_has_it(place: Place, gateway: bytes) -> None:
    config = place.query(gateway, "config")
    assert (config["owner"], config["treasury"], config["guardian"]) == (OWNER, OWNER, None)
    assert (config["fee_denom"], config["quote_validity_blocks"]) == ("uxvm", GAMMA.quote_validity_blocks)
    assert place.query(gateway, "sender_limit") == {"window_blocks": 100, "max_requests": 1_000}
    assert place.query(gateway, "outbound", chain=DESTINATION)["route"]["destination_gateway"] == SOURCE
    assert place.query(gateway, "inbound", source_gateway=SOURCE)["registered"] is True
    assert place.query(gateway, "price", chain=DESTINATION)["price"]["callback_price"] == "40000000"
    assert "gamma: 7 settings made" in place.said


def test_the_same_again_changes_nothing_and_a_changed_plan_is_caught_up_with(place: Place, gateway: bytes) -> None:
    nonce = place.record.next_nonce(GAMMA.caip2)
    assert place.deploy() == gateway
    assert place.record.next_nonce(GAMMA.caip2) == nonce
    guarded = replace(PLAN, chains=(ALPHA, replace(GAMMA, guardian=FRIEND)))
    assert place.deploy(guarded) == gateway
    assert place.record.next_nonce(GAMMA.caip2) == nonce + 1
    assert place.query(gateway, "config")["guardian"] == to_bech32("wasm", FRIEND)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10])
def test_a_run_that_is_cut_off_goes_on_where_it_stood(place: Place, gateway: bytes, steps: int) -> None:
    kept = DeploymentRecord()
    with pytest.raises(Cut):
        place.deploy(record=FragileRecord(kept, steps))
    made = place.deploy(record=kept)
    assert made != gateway
    assert place.query(made, "inbound", source_gateway=SOURCE)["registered"] is True
    assert kept.next_nonce(GAMMA.caip2) <= place.node.fetch_account(OWNER).sequence


def test_the_owner_in_the_end_must_accept(place: Place) -> None:
    plan = replace(PLAN, chains=(ALPHA, replace(GAMMA, owner=FRIEND)))
    made = place.deploy(plan, DeploymentRecord())
    config = place.query(made, "config")
    assert (config["owner"], config["pending_owner"]) == (OWNER, to_bech32("wasm", FRIEND))
    assert place.said[-1] == "gamma: handed over; its owner must accept_ownership"


def test_security_nothing_is_sent_to_another_chain(place: Place) -> None:
    """SECURITY: a plan's keys and prices are for one chain."""
    other = Chain(Namespace.COSMOS, b"osmosis-1")
    plan = replace(PLAN, chains=(ALPHA, replace(GAMMA, chain=other)))
    deployer = type(place.deployer())(plan, {str(other): place.url}, OWNER_SECRET, DeploymentRecord())
    with pytest.raises(DeploymentFailed, match="the RPC serves cosmos:xvm-cosmwasm-1, the plan says cosmos:osmosis-1"):
        deployer.require_chains()


def test_a_price_of_gas_above_the_plans_is_refused(place: Place) -> None:
    plan = replace(PLAN, chains=(ALPHA, replace(GAMMA, max_fee_per_gas=24_999)))
    with pytest.raises(
        DeploymentFailed, match="25000 millionths of uxvm for a unit of gas, above max_fee_per_gas 24999"
    ):
        place.deploy(plan, DeploymentRecord())


def test_what_the_gateway_refuses_is_named_before_it_is_sent(place: Place) -> None:
    plan = replace(PLAN, terms=replace(PLAN.terms, min_expiry_seconds=90_000))
    with pytest.raises(DeploymentFailed, match=r"set_outbound \w+ would fail with BadRoute"):
        place.deploy(plan, DeploymentRecord())


def test_an_account_without_coins_is_told_so(place: Place) -> None:
    poor = type(place.deployer())(PLAN, {str(COSMWASM): place.url}, b"\x33" * 32, DeploymentRecord())
    with pytest.raises(RejectedError, match="wasm1"):
        poor.create(place.tell)


def test_a_node_that_is_gone_is_worth_another_run() -> None:
    with running() as url:
        gone = Place(url)
    with pytest.raises(RpcUnavailable) as told:
        gone.deploy()
    assert url not in str(told.value)


def test_a_simulation_is_asked_for_again_where_a_block_of_the_account_came_in_between(place: Place) -> None:
    account = SigningAccount(OWNER_SECRET, COSMWASM, "wasm", "uxvm")
    message = MsgSend(account.text, to_bech32("wasm", FRIEND), (Coin("uxvm", "1"),))
    drafts: list[int] = []

    def draft(told: BaseAccount) -> bytes:
        if not drafts:
            raw = account.sign(message, told, told.sequence, 100_000, place.node.fetch_gas_price("uxvm"))
            place.node.broadcast(raw)
            while place.node.find_tx(hash_of(raw)) is None:
                time.sleep(0.02)
        drafts.append(told.sequence)
        return account.draft(message, told)

    assert place.node.simulate_next(account.text, draft) > 0
    assert drafts == [drafts[0], drafts[0] + 1]
