"""SECURITY: whatever is sent, by whomever, with whatever money: the gateway refuses by name or does what it should."""

from __future__ import annotations

import os
from random import Random
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attestation.request import request_id
from relayer.devnet.cosmwasm.chain_errors import WASM_EXECUTE_FAILED, WASM_QUERY_FAILED, ChainError
from relayer.devnet.cosmwasm.gas_meter import GasMeter
from relayer.devnet.cosmwasm.responses import Response, parse_response
from tests.cosmwasm.contract import schema
from tests.cosmwasm.contract.fuzz_world import World, world
from tests.cosmwasm.contract.ledger import PAYEE, compact, hexed
from tests.cosmwasm.junk import edge, spoil, torn, written

EXAMPLES: Final = int(os.environ.get("COSMWASM_FUZZ_EXAMPLES", "60"))
"""Cases, each of several messages; `make fuzz-cosmwasm` takes many more."""

SEEDS = st.integers(0, 2**64 - 1)
EXECUTIONS = 1 << 32
CALLBACKS = 2 << 32

fuzzing = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@fuzzing
@given(SEEDS)
def test_security_any_messages_keep_what_the_gateway_promises(seed: int) -> None:
    """SECURITY: no panic, no trace of a failure, no coin that is missing, nothing believed that nobody signed."""
    random = Random(seed)
    with world().case() as case:
        for _ in range(random.choice([1, 2, 4, 8])):
            sender, message, funds = case.message(random)
            contract = random.choice([case.gateway] * 30 + case.contracts)
            gas_limit = random.choice([50_000_000] * 12 + [60_000, 200_000, 400_000, 1_000_000])
            case.step(sender, contract, message, funds, gas_limit)
            if random.random() < 0.1:
                case.pass_time(random)
            if random.random() < 0.1:
                case.arm(random)


@fuzzing
@given(SEEDS)
def test_security_any_question_is_answered_or_refused_by_name(seed: int) -> None:
    """SECURITY: a query takes no process down, whatever it holds."""
    random = Random(seed)
    case = world()
    questions: list[Any] = [
        {"quote": {**case.source.asked(), "payload_length": random.choice([0, 8_192, 2**32 - 1]), "options": {}}},
        {"pending_request": {"request_id": case.failed["request_id"]}},
        {"account_of": {"sender": hexed(random.randbytes(random.randrange(90)))}},
        {"signer_set": {"epoch": random.choice(["0", "1", str(2**64 - 1)])}},
        {"credits": {"account": random.choice(case.accounts)}},
    ]
    questions[0]["quote"].pop("payload")
    questions += [{name: {}} for name in ("config", "pausings", "current_epoch", "current_request", "sender_limit")]
    value = random.choice(questions)
    for _ in range(random.choice([0, 1, 2, 3])):
        value = spoil(value, random, case.accounts) if isinstance(value, dict) else edge(random, case.accounts)
    data = torn(written(value), random) if random.random() < 0.2 else written(value)
    refusal = None
    try:
        case.keeper.query_smart(case.gateway, data)
    except ChainError as error:
        refusal = error
    assert refusal is None or refusal.kind == WASM_QUERY_FAILED or "Region length too big" in str(refusal), refusal


def replied(case: World, message: bytes) -> Response | None:
    """What the gateway makes of a reply with these bytes; nothing where it refuses it."""
    keeper = case.keeper
    context = keeper._context(keeper._state, GasMeter(10**9), None, set())
    target = keeper._contracts.target(context, keeper.addresses.parse(case.gateway))
    entries = keeper._queries.entry_points
    arguments = [entries._env(context, target), message]
    refusal = None
    keeper._machine.begin()
    keeper._state.open_layer()
    try:
        response = entries._call(context, target, "reply", arguments, parse_response)
    except ChainError as error:
        refusal = error
        keeper._state.drop_layer()
    else:
        keeper._state.keep_layer()
        return response
    assert refusal.kind == WASM_EXECUTE_FAILED, refusal
    return None


def reply_of(case: World, random: Random) -> Any:
    """As chains make them, of all ages; the number and what became of the call are anybody's guess."""
    number = random.choice([EXECUTIONS, CALLBACKS, 0, 3 << 32]) + random.choice([0, 0, 1, 2, 2**32 - 1])
    attribute = {"key": "_contract_address", "value": case.gateway}
    event = {"type": "wasm-XVMCallConcluded", "attributes": [attribute] * random.choice([0, 1, 9])}
    data = random.choice([None, "", "AAAA", "CgRkb25l", "CgA=", "CgT/", edge(random, case.accounts)])
    answered = {"type_url": "/cosmwasm.wasm.v1.MsgExecuteContractResponse", "value": data}
    ok = {"events": [event] * random.choice([0, 1, 30]), "data": data, "msg_responses": [answered]}
    errors = ["codespace: wasm, code: 5", "", "☃" * 2_000, "\0", edge(random, case.accounts)]
    result = random.choice([{"ok": ok}, {"error": random.choice(errors)}])
    return {"gas_used": 0, "id": number, "payload": "AAAA", "result": result}


@fuzzing
@given(SEEDS)
def test_security_any_reply_ends_the_call_it_is_of_or_is_refused(seed: int) -> None:
    """SECURITY: with and without calls in the air, whatever a reply says of whichever."""
    random = Random(seed)
    with world().case() as case:
        keeper, source = case.keeper, case.source
        count = random.choice([0, 1, 3])
        asked = [source.request(nonce) for nonce in range(count)]
        if count:
            body = {"batches": [source.batch(asked)], "payee": hexed(PAYEE)}
            context = keeper._context(keeper._state, GasMeter(10**9), None, set())
            target = keeper._contracts.target(context, keeper.addresses.parse(case.gateway))
            keeper._machine.begin()
            keeper._queries.entry_points.execute(context, target, source.relayer, (), compact({"execute": body}))
        ended = 0
        for _ in range(6):
            value: Any = reply_of(case, random)
            for _ in range(random.choice([0, 0, 1, 2])):
                value = spoil(value, random, case.accounts) if isinstance(value, dict) else edge(random, case.accounts)
            before = case.entries()
            response = replied(case, written(value))
            if response is None:
                assert case.entries() == before
                continue
            number = value.get("id") if isinstance(value, dict) else None
            assert number == EXECUTIONS + ended or type(number) is not int
            (event,) = response.events
            assert dict(event.attributes)["request_id"] == hexed(request_id(asked[ended]))
            ended += 1
        flying = [key for key in case.entries() if key.startswith(b"flight/")]
        assert len(flying) == count - ended


@fuzzing
@given(SEEDS)
def test_what_the_fuzzer_sends_unspoiled_conforms_to_the_schema(seed: int) -> None:
    random = Random(seed)
    root = schema.load("execute")
    case = world()
    for make in (case.plain, case.batches, case.delivery, case.rotation):
        name, body = make(random)
        assert not schema.fault(root, {name: body}, root)
