"""Who may change, stop and migrate a gateway, and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.address import evm_account
from attestation.request import request_id
from tests.cosmwasm.contract.ledger import HEIGHT, REMOTE_CHAIN, REMOTE_GATEWAY, Refused, b64, code, hexed, set_json
from tests.cosmwasm.contract.source_side import CHAIN, PRICE, ROUTE, SourceLedger, cancelling

BELIEVED = {"source_gateway": hexed(REMOTE_GATEWAY)}
REQUESTS, EXECUTIONS, CALLBACKS = 0, 1, 2


def owners_messages(source: SourceLedger) -> dict[str, Any]:
    """What the owner alone may send."""
    return {
        "set_outbound": {"chain": CHAIN, "route": ROUTE},
        "remove_outbound": {"chain": CHAIN},
        "set_price": {"chain": CHAIN, "price": PRICE},
        "set_inbound": {**BELIEVED, "registered": False},
        "set_offices": {"guardian": source.asker, "treasury": source.asker},
        "set_sender_limit": {"window_blocks": 1, "max_requests": 1},
        "transfer_ownership": {"to": source.asker},
        "migrate": {"code_id": "2", "msg": b64(b"{}")},
        "unpause": {"direction": 0},
        "unpause_outbound": {"chain": CHAIN},
        "unpause_inbound": BELIEVED,
        "install": {"set": set_json(source.set)},
    }


def guardians_messages() -> dict[str, Any]:
    """What the guardian may send as well."""
    return {
        "pause": {"direction": 0, "blocks": 10},
        "pause_outbound": {"chain": CHAIN, "blocks": 10},
        "pause_inbound": {**BELIEVED, "blocks": 10},
    }


def test_security_the_owners_messages_are_refused_from_anybody_else(source: SourceLedger) -> None:
    """SECURITY: routes, prices, offices and code are the owner's."""
    for stranger in (source.guardian, source.treasury, source.asker, source.relayer):
        for name, body in owners_messages(source).items():
            with pytest.raises(Refused, match=f"NotOwner: {stranger}"):
                source.act(stranger, name, body)
    for name, body in owners_messages(source).items():
        with pytest.raises(Refused, match="failed to execute message"):
            source.probe_sends(source.probe, source.gateway_call(name, body))


def test_security_only_owner_and_guardian_pause(source: SourceLedger) -> None:
    """SECURITY: who may stop a gateway may censor it."""
    for stranger in (source.treasury, source.asker, source.relayer):
        for name, body in guardians_messages().items():
            with pytest.raises(Refused, match="NotGuardian"):
                source.act(stranger, name, body)
    for name, body in guardians_messages().items():
        source.act(source.guardian, name, body)
        source.act(source.owner, name, body)


@pytest.mark.parametrize("name", ["pause", "pause_outbound", "pause_inbound"])
def test_security_a_guardian_pauses_for_a_while_and_then_rests(source: SourceLedger, name: str) -> None:
    """SECURITY: a stolen guardian's key stops nothing for ever; the owner lifts any pause."""
    body = guardians_messages()[name]
    for blocks in (0, 501, 2**32 - 1):
        with pytest.raises(Refused, match=f"PauseTooLong: {blocks}, 500"):
            source.act(source.guardian, name, {**body, "blocks": blocks})
    event = source.act(source.guardian, name, body).events[0][1]
    assert (event["until_block"], event["by"]) == (str(HEIGHT + 10), source.guardian)
    source.keeper.advance(1, 509)
    with pytest.raises(Refused, match=f"PauseTooSoon: {HEIGHT + 510}"):
        source.act(source.guardian, name, body)
    source.act(source.owner, name, body)
    source.keeper.advance(1)
    source.act(source.guardian, name, {**body, "blocks": 500})
    body.pop("blocks")
    event = source.act(source.owner, f"un{name}", body).events[0][1]
    assert (event["until_block"], event["by"]) == ("0", source.owner)


def test_security_an_owner_hands_over_in_two_steps(source: SourceLedger) -> None:
    """SECURITY: only who was named takes over, once."""
    with pytest.raises(Refused, match="NotPendingOwner"):
        source.act(source.owner, "accept_ownership", {})
    source.act(source.owner, "transfer_ownership", {"to": source.guardian})
    source.act(source.owner, "transfer_ownership", {"to": source.asker})
    assert source.tell("config")["pending_owner"] == source.asker
    with pytest.raises(Refused, match="NotPendingOwner"):
        source.act(source.guardian, "accept_ownership", {})
    source.act(source.owner, "set_sender_limit", {"window_blocks": 0, "max_requests": 0})
    sent = source.act(source.asker, "accept_ownership", {})
    assert sent.events == [("OwnershipTransferred", {"previous_owner": source.owner, "new_owner": source.asker})]
    config = source.tell("config")
    assert (config["owner"], config["pending_owner"]) == (source.asker, None)
    with pytest.raises(Refused, match="NotPendingOwner"):
        source.act(source.asker, "accept_ownership", {})
    with pytest.raises(Refused, match="NotOwner"):
        source.act(source.owner, "transfer_ownership", {"to": source.owner})


def test_a_gateway_may_have_no_guardian(source: SourceLedger) -> None:
    source.act(source.owner, "set_offices", {"guardian": None, "treasury": source.relayer})
    assert source.tell("config")["guardian"] is None
    assert source.tell("config")["treasury"] == source.relayer
    with pytest.raises(Refused, match="NotGuardian"):
        source.act(source.guardian, "pause", {"direction": 0, "blocks": 1})
    source.act(source.owner, "pause", {"direction": 0, "blocks": 1})


def test_security_the_gateway_is_its_own_administrator(source: SourceLedger) -> None:
    """SECURITY: the chain migrates it for nobody but itself, and it itself for its owner, to a code with its layout."""
    for person in (source.owner, source.guardian, source.asker):
        assert source.keeper.migrate(person, source.gateway, source.gateway_code, {}).code != 0
    info = source.keeper.contract_info(source.gateway)
    assert info is not None
    before = source.tell("config")
    next_code = source.keeper.store_code(source.owner, code("xvm_gateway"))
    source.act(source.owner, "migrate", {"code_id": str(next_code), "msg": b64(b"{}")})
    migrated = source.keeper.contract_info(source.gateway)
    assert migrated is not None
    assert migrated.code_id == next_code
    assert source.tell("config") == before
    for wrong in (source.account_code, source.probe_code):
        with pytest.raises(Refused):
            source.act(source.owner, "migrate", {"code_id": str(wrong), "msg": b64(b"{}")})


def test_security_a_paused_direction_is_closed_and_the_others_are_open(source: SourceLedger) -> None:
    """SECURITY: a pause stops what it names; giving up, taking one's money and expiring go on."""
    requested, _ = source.ask_from(source.asker)
    given_up, _ = source.ask_from(source.asker)
    source.deliver(source.outcome(request_id(source.ask_from(source.asker)[0])))
    source.pass_deadline()
    until = source.keeper.block.height + 400
    for direction in (REQUESTS, CALLBACKS):
        source.act(source.guardian, "pause", {"direction": direction, "blocks": 400})
    assert source.tell("pausings") == {
        "requests_paused_until_block": str(until),
        "executions_paused_until_block": "0",
        "callbacks_paused_until_block": str(until),
    }
    with pytest.raises(Refused, match=f"Paused: {until}"):
        source.ask_from(source.asker)
    with pytest.raises(Refused, match="Paused"):
        source.deliver(source.outcome(request_id(requested)))
    source.run(source.request())
    source.act(source.asker, "cancel", cancelling(given_up))
    source.act(source.relayer, "withdraw", {})
    source.act(source.guardian, "pause", {"direction": EXECUTIONS, "blocks": 400})
    with pytest.raises(Refused, match="Paused"):
        source.run(source.request(1))
    source.run(source.request(1, expiry=source.now - 1), how="expire")
    source.keeper.advance(400, 400)
    source.ask_from(source.asker)
    source.deliver(source.outcome(request_id(requested)))


def test_security_deadlines_stand_still_while_callbacks_are_paused(source: SourceLedger) -> None:
    """SECURITY: a guardian cannot have requests run into their deadlines by stopping their outcomes."""
    requested, _ = source.ask_from(source.asker, mode=1)
    source.keeper.advance(1, 50)
    source.act(source.guardian, "pause", {"direction": CALLBACKS, "blocks": 300})
    source.keeper.advance(1, 100)
    assert source.pending(request_id(requested))["deadline"] == str(HEIGHT + 200)
    later, _ = source.ask_from(source.asker, mode=1)
    assert source.pending(request_id(later))["deadline"] == str(HEIGHT + 250)
    source.act(source.owner, "pause", {"direction": CALLBACKS, "blocks": 100})
    source.keeper.advance(1, 150)
    assert source.pending(request_id(requested))["deadline"] == str(HEIGHT + 300)
    with pytest.raises(Refused, match=f"DeadlineNotOver: {HEIGHT + 300}"):
        source.act(source.asker, "cancel", cancelling(requested))
    source.keeper.advance(1)
    source.act(source.asker, "cancel", cancelling(requested))


def test_security_an_unpause_counts_what_was_paused(source: SourceLedger) -> None:
    """SECURITY: lifted early, a pause has held deadlines up for as long as it lasted."""
    requested, _ = source.ask_from(source.asker, mode=1)
    source.act(source.guardian, "pause", {"direction": CALLBACKS, "blocks": 300})
    source.keeper.advance(1, 30)
    source.act(source.owner, "unpause", {"direction": CALLBACKS})
    source.keeper.advance(1, 40)
    assert source.pending(request_id(requested))["deadline"] == str(HEIGHT + 130)


def test_security_a_paused_route_is_closed_and_quotes(source: SourceLedger) -> None:
    """SECURITY: one route's trouble stops no other's, and a pause outlives a change of its route."""
    source.act(source.guardian, "pause_outbound", {"chain": CHAIN, "blocks": 10})
    source.tell("quote", target=source.asked()["target"], payload_length=0, options={})
    source.act(source.owner, "remove_outbound", {"chain": CHAIN})
    source.act(source.owner, "set_outbound", {"chain": CHAIN, "route": ROUTE})
    with pytest.raises(Refused, match=f"RoutePaused: {HEIGHT + 10}"):
        source.ask_from(source.asker)
    assert source.tell("outbound", chain=CHAIN) == {"route": ROUTE, "paused_until_block": str(HEIGHT + 10)}
    source.act(source.guardian, "pause_inbound", {**BELIEVED, "blocks": 10})
    assert source.tell("inbound", **BELIEVED) == {"registered": True, "paused_until_block": str(HEIGHT + 10)}
    assert source.run(source.request()).event("XVMCallSkipped")["reason"] == "InboundPaused"
    source.keeper.advance(10, 10)
    source.ask_from(source.asker)


OTHER_GATEWAY = hexed(evm_account(5, b"\x51" * 20).to_bytes())
BAD_ROUTES = [
    ("MalformedGateway", {"destination_gateway": OTHER_GATEWAY}),
    ("MalformedGateway", {"destination_gateway": hexed(REMOTE_CHAIN.to_bytes())}),
    ("BadRoute: queries", {"destination_gateway": "0x", "queries": False}),
    ("BadRoute: address_lengths", {"address_lengths": "0"}),
    ("BadRoute: max_payload_bytes", {"max_payload_bytes": 65_537}),
    ("BadRoute: max_return_bytes", {"max_return_bytes": 1_023}),
    ("BadRoute: max_return_bytes", {"max_return_bytes": 65_537}),
    ("BadRoute: max_execution_gas", {"max_execution_gas": 499_999}),
    ("BadRoute: max_execution_gas", {"max_execution_gas": 10_000_001}),
    ("BadRoute: max_callback_gas", {"max_callback_gas": 299_999}),
    ("BadRoute: max_callback_gas", {"max_callback_gas": 10_000_001}),
    ("BadRoute: default_expiry_seconds", {"min_expiry_seconds": 91}),
    ("BadRoute: default_expiry_seconds", {"max_expiry_seconds": 89}),
    ("BadRoute: default_expiry_seconds", {"default_expiry_seconds": 100}),
    ("BadRoute: deadline_blocks", {"deadline_blocks": 99}),
    ("BadRoute: deadline_blocks", {"max_deadline_blocks": 99}),
]


@pytest.mark.parametrize(("error", "changes"), BAD_ROUTES)
def test_a_route_keeps_the_protocols_bounds(source: SourceLedger, error: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=error):
        source.act(source.owner, "set_outbound", {"chain": CHAIN, "route": {**ROUTE, **changes}})


def test_what_is_no_chain_or_gateway_is_not_routed(source: SourceLedger) -> None:
    for chain in ("0x", CHAIN + "00", OTHER_GATEWAY):
        for name, body in (("set_outbound", {"route": ROUTE}), ("set_price", {"price": PRICE})):
            with pytest.raises(Refused, match="MalformedChain"):
                source.act(source.owner, name, {"chain": chain, **body})
    for gateway in ("0x", CHAIN):
        with pytest.raises(Refused, match="MalformedGateway"):
            source.act(source.owner, "set_inbound", {"source_gateway": gateway, "registered": True})
    for name, body in (
        ("pause_outbound", {"chain": OTHER_GATEWAY}),
        ("pause_inbound", {"source_gateway": OTHER_GATEWAY}),
    ):
        with pytest.raises(Refused, match="Unrouted"):
            source.act(source.guardian, name, {**body, "blocks": 1})


def test_only_accounts_of_this_chain_take_offices(source: SourceLedger) -> None:
    for wrong in ("", "cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu", source.owner.upper(), source.owner + "x"):
        with pytest.raises(Refused, match="InvalidAddress"):
            source.act(source.owner, "transfer_ownership", {"to": wrong})
        with pytest.raises(Refused, match="InvalidAddress"):
            source.act(source.owner, "set_offices", {"guardian": wrong, "treasury": source.owner})
