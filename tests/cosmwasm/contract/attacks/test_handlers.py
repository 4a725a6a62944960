"""Handlers that fail, burn, flood and come back, and those who would have them fail."""

from __future__ import annotations

from typing import Any

import pytest
from wasmtime import Engine, FuncType, Module

from attestation.request import RequestId, request_id
from tests.cosmwasm.contract.ledger import Refused, b64, code, compact, hexed
from tests.cosmwasm.contract.source_side import SourceLedger, cancelling

MEGABYTE = 1_000_000


def misbehave(source: SourceLedger, probe: str, act: Any) -> None:
    """Has a probe do this whenever it is called back."""
    source.send(source.owner, probe, {"when_called_back": {"act": b64(compact(act))}})


def sending(*messages: Any, guarded: bool = True) -> dict[str, Any]:
    """What has a probe send messages."""
    return {"send": {"guarded": guarded, "messages": [b64(compact(message)) for message in messages]}}


def asked_by(source: SourceLedger, probe: str, gas: int = 10_000_000) -> RequestId:
    """The id of a request of a probe's."""
    return request_id(source.ask_by_contract(probe, callback_gas_limit=str(gas)))


@pytest.mark.parametrize(
    "act",
    [
        {"fail": {"text": "no"}},
        {"fail": {"text": "x" * 100_000}},
        {"panic": {}},
        {"burn": {}},
        {"unknown": {}},
        {"answer": {"data": b64(b"\xff" * 1_000), "size": 8_000}},
        {"answer": {"data": b64(b"\xff" * 1_000), "size": 12_000}},
        {"flood": {"count": 40, "size": 100_000}},
        {"flood": {"count": 9, "size": MEGABYTE}},
        {"flood": {"count": 200_000, "size": 0}},
    ],
    ids=lambda act: next(iter(act)),
)
def test_security_one_handler_harms_no_other(source: SourceLedger, act: Any) -> None:
    """SECURITY: whatever a handler does with all the gas it may have, its neighbours are told and everybody is paid."""
    hostile, neighbour = source.new_probe(), source.probe
    misbehave(source, hostile, act)
    ids = [asked_by(source, hostile), asked_by(source, neighbour), asked_by(source, hostile)]
    sent = source.deliver(*(source.outcome(one) for one in ids), gas_limit=60_000_000)
    told = [fields["request_id"] for fields in sent.all("XVMCallbackDelivered")]
    failed = [fields["request_id"] for fields in sent.all("XVMHandlerFailed")]
    assert sorted(told + failed) == sorted(map(hexed, ids))
    assert hexed(ids[1]) in told
    assert [one["request_id"] for one in source.callbacks_of(neighbour)] == [hexed(ids[1])]
    assert source.credit_of(source.payee_account()) == 3 * 1_200_128


def test_security_a_handler_gets_the_gas_that_was_paid_for_and_no_more(source: SourceLedger) -> None:
    """SECURITY: it cannot burn what the delivery has for others."""
    misbehave(source, source.probe, {"burn": {}})
    used = [
        source.deliver(source.outcome(asked_by(source, source.probe, gas)), gas_limit=60_000_000).result.gas_used
        for gas in (1_000_000, 5_000_000)
    ]
    assert 3_900_000 < used[1] - used[0] < 4_100_000


def test_security_a_delivery_cannot_starve_a_handler(source: SourceLedger) -> None:
    """SECURITY: with too little gas the transaction fails as a whole; a failure is never recorded for it."""
    requested = asked_by(source, source.probe, 300_000)
    misbehave(source, source.probe, {"flood": {"count": 1, "size": 20_000}})
    outcome, told = source.outcome(requested), []
    for gas_limit in range(100_000, 300_000, 5_000):
        if told:
            break
        try:
            told = source.deliver(outcome, gas_limit=gas_limit).names
        except Refused as refused:
            told = [] if "out of gas" in refused.log else [refused.name]
    assert told == ["XVMCallbackDelivered"]


def test_security_only_accounts_that_are_no_contracts_deliver_and_replay(source: SourceLedger) -> None:
    """SECURITY: a contract could hold its handler's lock, and the failure would be recorded."""
    requested = asked_by(source, source.probe)
    batch = {"batches": [source.delivery(source.outcome(requested))]}
    with pytest.raises(Refused, match="failed to execute message"):
        source.probe_sends(source.probe, source.gateway_call("deliver", batch))
    assert source.pending(requested)["state"] == 1
    source.close(source.probe)
    outcome = source.outcome(requested)
    source.deliver(outcome)
    source.close(source.probe, closed=False)
    replay = {"outcome": outcome, "gas_limit": "10000000"}
    with pytest.raises(Refused, match="failed to execute message"):
        source.probe_sends(source.probe, source.gateway_call("retry_callback", replay))
    assert source.pending(requested)["state"] == 2
    source.act(source.relayer, "retry_callback", replay)


def test_security_a_handler_that_comes_back_finds_everything_done(source: SourceLedger) -> None:
    """SECURITY: during its callback a request is over: it is not delivered, replayed, cancelled or topped up again."""
    asked = source.ask_by_contract(source.probe, callback_gas_limit="10000000")
    outcome = source.outcome(request_id(asked))
    source.pass_deadline()
    attempts = [
        source.gateway_call("deliver", {"batches": [source.delivery(outcome)]}),
        source.gateway_call("retry_callback", {"outcome": outcome, "gas_limit": "10000000"}),
        source.gateway_call("cancel", cancelling(asked)),
        source.gateway_call("reclaim", {"request_id": hexed(request_id(asked))}),
        source.gateway_call("call_back", {"number": 0, "return_data": ""}),
        source.gateway_call("withdraw", {}),
    ]
    misbehave(source, source.probe, sending(*attempts))
    sent = source.deliver(outcome, gas_limit=60_000_000)
    assert sent.names == ["XVMCallbackDelivered"]
    failures = [event.values("failed") for event in sent.result.events if event.type == "wasm-probed"]
    assert failures == [["true"]] * len(attempts)
    assert len(source.callbacks_of(source.probe)) == 1


def test_security_nobody_else_has_a_handler_told_anything(source: SourceLedger) -> None:
    """SECURITY: only the gateway sends itself callbacks, also while one of them runs."""
    other = source.new_probe()
    source.close(other)
    call = source.gateway_call("call_back", {"number": 1, "return_data": b64(b"lies")})
    misbehave(source, source.probe, sending(call))
    ids = [asked_by(source, source.probe), asked_by(source, other)]
    sent = source.deliver(*(source.outcome(one) for one in ids), gas_limit=60_000_000)
    assert sent.event("XVMHandlerFailed")["request_id"] == hexed(ids[1])
    for person in (source.relayer, source.owner, source.guardian):
        with pytest.raises(Refused, match="OnlyGateway"):
            source.act(person, "call_back", {"number": 0, "return_data": ""})
    with pytest.raises(Refused, match="failed to execute message"):
        source.probe_sends(source.probe, call)


def test_security_replies_come_from_the_chain_alone(source: SourceLedger) -> None:
    """SECURITY: there is no message that passes for a reply, and none that the chain's governance could send."""
    for name in ("reply", "sudo", "ibc_channel_open", "ibc_packet_receive"):
        with pytest.raises(Refused, match=f"UnknownMessage: {name}"):
            source.act(source.owner, name, {"id": "8589934592", "result": {"ok": {}}})
    exports = Module(Engine(), code("xvm_gateway")).exports
    assert {exported.name for exported in exports if isinstance(exported.type, FuncType)} == {
        "allocate",
        "deallocate",
        "execute",
        "instantiate",
        "interface_version_8",
        "migrate",
        "query",
        "reply",
        "requires_cosmwasm_1_2",
    }
