"""SECURITY: what a hostile target, caller or neighbour can do to executions: nothing but fail its own."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest

from attestation.address import InteroperableAddress, evm_account
from attestation.keccak import keccak256
from attestation.request import Request, request_id
from attestation.statement import OutcomeKind
from relayer.devnet.cosmwasm.chain_errors import ChainError
from relayer.devnet.cosmwasm.gas_meter import GasMeter
from relayer.devnet.cosmwasm.keeper import FailedError
from relayer.devnet.cosmwasm.messages import ExecuteContract
from relayer.vms.cosmwasm.gas import EXECUTE_GAS, call_limit
from tests.cosmwasm.contract.ledger import (
    PAYEE,
    REMOTE_SENDER,
    Ledger,
    Refused,
    b64,
    code,
    compact,
    hexed,
)
from tests.cosmwasm.node.contract import echo_wasm


def kinds(ledger: Ledger, *asked: Request) -> list[OutcomeKind]:
    """What became of requests that are executed together, in their order."""
    sent = ledger.run(*asked)
    told = {event["request_id"]: OutcomeKind(int(event["kind"])) for event in sent.all("XVMCallConcluded")}
    return [told[hexed(request_id(one))] for one in asked]


def execution_of(contract: str, message: Any) -> str:
    """A message of the probe's that executes a contract."""
    body = {"contract_addr": contract, "msg": b64(compact(message)), "funds": []}
    return b64(compact({"wasm": {"execute": body}}))


def sending(*messages: str, guarded: bool = False, **more: Any) -> dict[str, Any]:
    return {"send": {"guarded": guarded, "messages": list(messages), **more}}


def execute_message(ledger: Ledger, *asked: Request, how: str = "execute") -> dict[str, Any]:
    return {how: {"batches": [ledger.batch(asked, by_hash=how == "expire")], "payee": hexed(PAYEE)}}


def test_a_contract_cannot_have_requests_executed(ledger: Ledger) -> None:
    """SECURITY: it could hold the target's lock, or starve it, and the failure would be final."""
    asked = ledger.request()
    relayed = execution_of(ledger.gateway, execute_message(ledger, asked))
    with pytest.raises(Refused, match=f"ContractCaller: {ledger.probe}"):
        ledger.send(ledger.relayer, ledger.probe, sending(relayed))
    assert ledger.consumed(asked) == bytes(32)


def test_a_contract_can_have_them_expired(ledger: Ledger) -> None:
    asked = ledger.request()
    ledger.keeper.advance(601)
    ledger.send(
        ledger.relayer,
        ledger.probe,
        sending(execution_of(ledger.gateway, execute_message(ledger, asked, how="expire"))),
    )
    assert ledger.consumed(asked)[0] == OutcomeKind.EXPIRED


def test_a_target_cannot_have_itself_or_others_executed_from_within(ledger: Ledger) -> None:
    """SECURITY: consumed before the call; and a target is a contract."""
    victim = ledger.request(7)
    inner = execution_of(ledger.gateway, execute_message(ledger, victim))
    attack = ledger.request(0, call=sending(inner, guarded=True))
    assert kinds(ledger, attack) == [OutcomeKind.EXECUTED]
    assert ledger.consumed(victim) == bytes(32)


def test_a_target_that_expires_requests_from_within_disturbs_nothing(ledger: Ledger) -> None:
    """SECURITY: `expire` is open to contracts, and a flight is under way."""
    first = ledger.request(0)
    late = ledger.request(1, expiry=ledger.now - 1)
    last = ledger.request(4)
    inner = execution_of(ledger.gateway, execute_message(ledger, first, late, last, how="expire"))
    attack = ledger.request(3, call=sending(inner))
    sent = ledger.run(first, attack, last)
    reasons = [event["reason"] for event in sent.all("XVMCallSkipped")]
    assert reasons == ["AlreadyConsumed", "AlreadyConsumed"]
    told = [(event["request_id"], int(event["kind"])) for event in sent.all("XVMCallConcluded")]
    assert told == [
        (hexed(request_id(first)), OutcomeKind.EXECUTED),
        (hexed(request_id(late)), OutcomeKind.EXPIRED),
        (hexed(request_id(attack)), OutcomeKind.EXECUTED),
        (hexed(request_id(last)), OutcomeKind.EXECUTED),
    ]
    callers = ledger.ask(ledger.probe, {"callers": {}})
    assert [one["current"]["request_id"] for one in callers] == [
        hexed(request_id(one)) for one in (first, attack, last)
    ]


def test_a_target_s_own_replies_are_not_taken_for_ours(ledger: Ledger) -> None:
    """SECURITY: the probe's submessages have the very ids that the gateway's have; each contract gets its own alone."""
    failing = execution_of(ledger.probe, {"fail": {"text": "x"}})
    fine = execution_of(ledger.probe, {"answer": {"data": b64(b"inner")}})
    asked = ledger.request(0, call=sending(failing, fine, guarded=True))
    sent = ledger.run(asked)
    assert sent.names == ["XVMCallConcluded"]
    assert sent.event("XVMCallConcluded")["kind"] == "0"


def test_a_reply_is_no_message(ledger: Ledger) -> None:
    """SECURITY: outcomes are told by the chain alone."""
    reply = {"id": 1 << 32, "result": {"ok": {"events": [], "data": None}}}
    for name in ("reply", "sudo", "instantiate"):
        with pytest.raises(Refused, match="UnknownMessage"):
            ledger.act(ledger.asker, name, reply)
    with pytest.raises(Refused, match="NotOneMessage"):
        ledger.send(ledger.asker, ledger.gateway, reply)


def test_nobody_but_the_gateway_has_its_accounts_call(ledger: Ledger) -> None:
    """SECURITY: targets take their calls for the gateway's, or for a remote sender's."""
    ledger.run(ledger.request(0, own_account=True))
    call = {"call": {"target": ledger.probe, "msg": b64(b"{}"), "gas_limit": "100000", "return_limit": 9}}
    for contract in (ledger.tell("config")["executor"], ledger.tell("account_of", sender=hexed(REMOTE_SENDER))):
        for sender in (ledger.asker, ledger.owner):
            with pytest.raises(Refused, match=f"OnlyGateway: {sender}"):
                ledger.send(sender, contract, call)
        with pytest.raises(Refused, match=f"OnlyGateway: {ledger.probe}"):
            ledger.send(ledger.asker, ledger.probe, sending(execution_of(contract, call)))


def test_our_own_contracts_are_nobody_s_targets(ledger: Ledger) -> None:
    """SECURITY: or a request could speak as the gateway to those that believe it."""
    ledger.run(ledger.request(0, own_account=True))
    config = ledger.tell("config")
    own = ledger.tell("account_of", sender=hexed(REMOTE_SENDER))
    not_yet = ledger.tell("account_of", sender=hexed(ledger.address))
    call = {"call": {"target": ledger.probe, "msg": b64(b"{}"), "gas_limit": "100000", "return_limit": 9}}
    asked = [
        ledger.request(nonce, target=ledger.interoperable(target), call=call, own_account=own_account)
        for nonce, (target, own_account) in enumerate(
            [
                (ledger.gateway, False),
                (config["executor"], False),
                (config["executor"], True),
                (own, True),
                (not_yet, False),
            ],
            start=1,
        )
    ]
    assert kinds(ledger, *asked) == [OutcomeKind.UNREACHED] * len(asked)


def test_no_two_senders_share_an_account(ledger: Ledger) -> None:
    """SECURITY: the salt is the hash of the whole address, chain included."""
    address = b"\x5e" * 20
    senders = [
        evm_account(31337, address).to_bytes(),
        evm_account(31338, address).to_bytes(),
        InteroperableAddress(ledger.chain, address).to_bytes(),
        InteroperableAddress(ledger.chain, address + bytes(12)).to_bytes(),
        b"executor",
    ]
    accounts = {ledger.tell("account_of", sender=hexed(sender)) for sender in senders}
    assert len(accounts | {ledger.tell("config")["executor"]}) == len(senders) + 1


def test_nobody_else_can_stand_where_an_account_is_to_be(ledger: Ledger) -> None:
    """SECURITY: the address commits to its creator, which is the gateway."""
    own = ledger.tell("account_of", sender=hexed(REMOTE_SENDER))
    for creator in (ledger.asker, ledger.owner):
        squatter = ledger.keeper.instantiate(creator, ledger.account_code, {}, salt=keccak256(REMOTE_SENDER))
        assert squatter != own
    with pytest.raises(FailedError):
        ledger.keeper.instantiate(ledger.owner, ledger.gateway_code, {}, salt=b"gateway")
    assert ledger.keeper.contract_info(own) is None
    assert kinds(ledger, ledger.request(0, own_account=True)) == [OutcomeKind.EXECUTED]


def test_money_that_lies_where_an_account_is_to_be_stops_nothing(ledger: Ledger) -> None:
    """SECURITY: a coin sent ahead must not keep a sender from its account."""
    own = ledger.tell("account_of", sender=hexed(REMOTE_SENDER))
    ledger.keeper.mint(own, {"uxvm": 1})
    assert kinds(ledger, ledger.request(0, own_account=True)) == [OutcomeKind.EXECUTED]
    assert ledger.keeper.balance(own, "uxvm") == 1


@pytest.mark.parametrize("own_account", [False, True])
def test_too_little_gas_is_never_an_outcome(ledger: Ledger, *, own_account: bool) -> None:
    """SECURITY: a submitter who offers too little has the whole transaction fail, at whatever point it runs out."""
    call = {"answer": {"data": b64(b"0123456789" * 50)}}
    if own_account:
        ledger.run(ledger.request(99, own_account=True))
    asked = ledger.request(0, call=call, own_account=own_account)
    message = execute_message(ledger, asked)
    transaction = [ExecuteContract(ledger.relayer, ledger.gateway, compact(message))]
    needed = ledger.keeper.simulate(transaction).gas_used
    outcomes = set()
    for gas_limit in range(100_000, needed + 20_000, needed // 60):
        result = ledger.keeper.simulate(transaction, gas_limit=gas_limit)
        if result.code:
            assert (result.codespace, result.code) == ("sdk", 11)
            continue
        concluded = [event for event in result.events if event.type == "wasm-XVMCallConcluded"]
        outcomes.update(kind for event in concluded for kind in event.values("kind"))
    assert outcomes == {"0"}


def test_a_target_gets_the_gas_of_its_request_and_no_more(ledger: Ledger) -> None:
    """SECURITY: what it burns above is its own failure, not the submitter's."""
    poor = ledger.request(0, execution_gas_limit=50_000)
    greedy = ledger.request(1, call={"burn": {}}, execution_gas_limit=2_000_000)
    fine = ledger.request(2)
    sent = ledger.run(poor, greedy, fine)
    told = {event["request_id"]: event for event in sent.all("XVMCallConcluded")}
    for one in (poor, greedy):
        event = told[hexed(request_id(one))]
        assert (event["kind"], b64decode(event["return_data"])) == ("1", b"codespace: sdk, code: 11")
    assert told[hexed(request_id(fine))]["kind"] == "0"
    assert 2_000_000 < sent.result.gas_used < 3_500_000


WATER = {"flood": {"count": 2_000, "size": 300}}
DROPS = {"flood": {"count": 6_000, "size": 1}}
BOMB = {"answer": {"data": b64(bytes(1_000)), "size": 700}}


@pytest.mark.parametrize("hostile", [WATER, DROPS, BOMB], ids=["water", "drops", "bomb"])
@pytest.mark.parametrize("gas_limit", [700_000, 1_200_000, 2_500_000, 9_000_000])
def test_what_a_target_emits_and_answers_is_read_at_its_own_cost(
    ledger: Ledger, hostile: dict[str, Any], gas_limit: int
) -> None:
    """SECURITY: read at the submitter's, a target that is small in a simulation and large in a block fails them all."""
    asked = ledger.request(1, call=hostile, execution_gas_limit=gas_limit)
    around = [ledger.request(0), ledger.request(2)]
    alone = ledger.keeper.simulate(
        [ExecuteContract(ledger.relayer, ledger.gateway, compact(execute_message(ledger, *around)))]
    )
    sent = ledger.run(around[0], asked, around[1])
    told = {event["request_id"]: event for event in sent.all("XVMCallConcluded")}
    assert [told[hexed(request_id(one))]["kind"] for one in around] == ["0", "0"]
    event = told[hexed(request_id(asked))]
    assert event["kind"] in "01"
    assert len(b64decode(event["return_data"])) <= asked.return_limit
    assert sent.result.gas_used <= alone.gas_used + call_limit(asked) + EXECUTE_GAS


def test_a_target_s_events_are_no_matter_where_its_limit_has_room_for_them(ledger: Ledger) -> None:
    sent = ledger.run(ledger.request(0, call=WATER, execution_gas_limit=9_000_000), ledger.request(1))
    assert [event["kind"] for event in sent.all("XVMCallConcluded")] == ["0", "0"]


def test_a_long_answer_is_cut_where_its_limit_has_room_for_it(ledger: Ledger) -> None:
    """SECURITY: a target decides how much it answers, but not how much of it is told."""
    event = ledger.run(ledger.request(0, call=BOMB, execution_gas_limit=9_000_000)).event("XVMCallConcluded")
    assert (event["kind"], event["cut"]) == ("0", "true")
    assert b64decode(event["return_data"]) == bytes(1_024)


def test_a_target_may_use_all_its_gas_however_much_of_its_answer_is_kept(ledger: Ledger) -> None:
    """What telling the answer takes is not the target's."""
    call = {"answer": {"data": b64(b"x" * 1_000), "size": 20}}

    def succeeds(gas_limit: int, return_limit: int) -> bool:
        asked = ledger.request(0, call=call, execution_gas_limit=gas_limit, return_limit=return_limit)
        message = compact(execute_message(ledger, asked))
        tried = ledger.keeper.simulate([ExecuteContract(ledger.relayer, ledger.gateway, message)])
        (receipt,) = (event for event in tried.events if event.type == "wasm-XVMCallConcluded")
        return receipt.values("kind") == ["0"]

    low, high = 60_000, 2_000_000
    while high - low > 1_000:
        middle = (low + high) // 2
        low, high = (low, middle) if succeeds(middle, 0) else (middle, high)
    assert [succeeds(gas, kept) for kept in (1_024, 20_000, 65_536) for gas in (low - 1_000, high + 1_000)] == [
        False,
        True,
    ] * 3


def test_a_contract_with_our_code_is_not_ours(ledger: Ledger) -> None:
    """SECURITY: a forger's instance of the account code obeys the forger; as a target it is any contract."""
    forged = ledger.keeper.instantiate(ledger.asker, ledger.account_code, {})
    asked = ledger.request(0, target=ledger.interoperable(forged))
    assert kinds(ledger, asked) == [OutcomeKind.REVERTED]


def test_a_gateway_with_other_storage_is_not_migrated_to(ledger: Ledger) -> None:
    """SECURITY: what another layout wrote would be read as what it is not."""
    foreign = ledger.keeper.instantiate(ledger.owner, ledger.probe_code, {}, admin=ledger.owner)
    assert ledger.keeper.migrate(ledger.owner, foreign, ledger.gateway_code, {}).log.find("OtherLayout") >= 0


def test_nobody_migrates_executor_or_accounts(ledger: Ledger) -> None:
    """SECURITY: whoever could would speak as every remote sender."""
    ledger.run(ledger.request(0, own_account=True))
    for contract in (ledger.tell("config")["executor"], ledger.tell("account_of", sender=hexed(REMOTE_SENDER))):
        for sender in (ledger.owner, ledger.gateway):
            assert ledger.keeper.migrate(sender, contract, ledger.probe_code, {}).code


@pytest.mark.parametrize("number", [0, 1, 1 << 32, (1 << 32) + 1, (2 << 32) + 9, 3 << 32, 1 << 52])
@pytest.mark.parametrize("result", [{"ok": {"events": [], "data": None}}, {"error": "codespace: wasm, code: 5"}])
def test_a_reply_that_nobody_waits_for_is_refused(ledger: Ledger, number: int, result: dict[str, Any]) -> None:
    """SECURITY: what is not under way has no end, whatever the chain might say."""
    keeper = ledger.keeper
    context = keeper._context(keeper._state, GasMeter(10**8), None, set())
    target = keeper._contracts.target(context, keeper.addresses.parse(ledger.gateway))
    with pytest.raises(ChainError, match="UnknownReply"):
        keeper._queries.entry_points.reply(context, target, {"id": number, "gas_used": 0, "result": result})


def test_a_gateway_whose_storage_has_another_version_is_not_migrated(ledger: Ledger) -> None:
    """SECURITY: code of one layout would read the other's slots as what they are not."""
    keeper = ledger.keeper
    keeper._state.put(keeper.addresses.parse(ledger.gateway), b"layout", b"2")
    with pytest.raises(Refused, match="OtherLayout: 2"):
        ledger.act(ledger.owner, "migrate", {"code_id": str(ledger.gateway_code), "msg": b64(b"{}")})


def test_security_a_target_migrated_within_the_flight_is_not_the_code_that_was_asked_for(ledger: Ledger) -> None:
    """SECURITY: a request of somebody else's, earlier in the transaction, may have the target's code changed."""
    keeper, target = ledger.keeper, ledger.new_probe(admin=ledger.probe)
    other = keeper.store_code(ledger.asker, echo_wasm())
    migrate = {"wasm": {"migrate": {"contract_addr": target, "new_code_id": other, "msg": b64(b"{}")}}}
    pinned = {"target": ledger.interoperable(target), "code_hash": sha256(code("probe")).digest()}
    first = ledger.request(0, call=sending(b64(compact(migrate))))
    later = ledger.request(1, call=b'{"do":{}}', **pinned)
    own = ledger.request(2, call=b'{"do":{}}', own_account=True, **pinned)
    unpinned = ledger.request(3, call=b'{"do":{}}', target=ledger.interoperable(target))
    executed, unreached = OutcomeKind.EXECUTED, OutcomeKind.UNREACHED
    assert kinds(ledger, first, later, own, unpinned) == [executed, unreached, unreached, executed]
