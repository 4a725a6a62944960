"""SECURITY: whatever a contract answers, and whatever is stored as one: the host refuses it, and goes on."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any, Final

import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayer.devnet.cosmwasm.keeper import Keeper
from relayer.devnet.cosmwasm.vm.errors import CodeRefusedError
from relayer.devnet.cosmwasm.vm.gatekeeper import inspect
from tests.cosmwasm.contract.ledger import code
from tests.cosmwasm.host.conftest import ALLOCATOR, account, region
from tests.cosmwasm.junk import edge, spoil, torn, written

EXAMPLES: Final = int(os.environ.get("COSMWASM_FUZZ_EXAMPLES", "60"))
"""Of each kind; `make fuzz-cosmwasm` takes many more."""

SEEDS = st.integers(0, 2**64 - 1)
fuzzing = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

FINE: Final = b'{"ok":{}}'


@cache
def standing() -> tuple[Keeper, str, str]:
    """A chain, somebody with money, and a contract that answers a message with that message."""
    text = f"""(module (memory (export "memory") 2) (func (export "interface_version_8")) {ALLOCATOR}
      {region(FINE, 4096)}
      (func (export "instantiate") (param i32 i32 i32) (result i32) (i32.const 4096))
      (func (export "execute") (param i32 i32 i32) (result i32) (local.get 2))
      (func (export "migrate") (param i32 i32) (result i32) (local.get 1))
      (func (export "reply") (param i32 i32) (result i32) (i32.const 4096))
      (func (export "query") (param i32 i32) (result i32) (local.get 1)))"""
    chain = Keeper()
    owner = account(chain, "owner")
    chain.mint(owner, {"uxvm": 1_000_000})
    stored = chain.store_code(owner, bytes(wasmtime.wat2wasm(text)))
    echo = chain.instantiate(owner, stored, {}, funds={"uxvm": 1_000}, admin=owner)
    chain.migrate(owner, echo, stored, {"ok": {}})
    return chain, owner, echo


def answer(random: Random) -> Any:
    """A contract's response, with messages of all kinds."""
    _, owner, echo = standing()
    coins = random.choice([[], [{"denom": "uxvm", "amount": random.choice(["0", "1", "2000", str(2**128)])}]])
    call = {"contract_addr": random.choice([echo, owner]), "msg": random.choice(["e30=", "eyJvayI6e319"])}
    made = {"code_id": random.choice([0, 1, 2**64 - 1]), "msg": "e30=", "funds": coins, "label": "x", "admin": echo}
    messages: list[Any] = [
        {"wasm": {"execute": {**call, "funds": coins}}},
        {"wasm": {"instantiate": made}},
        {"wasm": {"instantiate2": {**made, "salt": random.choice(["", "AAAA", "A" * 200])}}},
        {"wasm": {"migrate": {**call, "new_code_id": 1}}},
        {"wasm": {"update_admin": {"contract_addr": echo, "admin": owner}}},
        {"wasm": {"clear_admin": {"contract_addr": echo}}},
        {"bank": {"send": {"to_address": owner, "amount": coins}}},
        {"bank": {"burn": {"amount": coins}}},
        *({"stargate": {"type_url": "/x", "value": ""}}, {"staking": {}}, {"ibc": {}}, {"gov": {}}, {"custom": {}}),
        {"any": {"type_url": "/cosmos.bank.v1beta1.MsgSend", "value": "AAAA"}},
    ]
    attribute = {"key": random.choice(["a", "", "_a"]), "value": random.choice(["1", "", "☃" * 99])}
    sent = [
        {
            "id": random.choice([0, 1, 2**64 - 1]),
            "msg": message,
            "gas_limit": random.choice([None, 0, 50_000, 2**64 - 1]),
            "reply_on": random.choice(["always", "error", "success", "never"]),
            "payload": random.choice(["", "AAAA"]),
        }
        for message in random.choices(messages, k=random.choice([0, 1, 1, 3]))
    ]
    event = {"type": random.choice(["thing", "", "x"]), "attributes": [attribute]}
    body = {"messages": sent, "attributes": [attribute], "events": [event], "data": random.choice([None, "", "AAAA"])}
    return random.choice([{"ok": body}, {"ok": body}, {"ok": body}, {"error": "no"}])


@fuzzing
@given(SEEDS)
def test_security_any_answer_of_a_contract_is_carried_out_or_refused(seed: int) -> None:
    """SECURITY: no answer ends the process, makes or loses money, or leaves a trace where it fails."""
    random = Random(seed)
    chain, owner, echo = standing()
    value = answer(random)
    for _ in range(random.choice([0, 1, 1, 2, 3])):
        value = spoil(value, random, [owner, echo]) if isinstance(value, dict) else edge(random, [owner, echo])
    data = torn(written(value), random) if random.random() < 0.2 else written(value)
    chain._state.open_layer()
    try:
        supply = chain.supply("uxvm")
        before = (chain.balance(owner, "uxvm"), chain.balance(echo, "uxvm"), chain.contract_info(echo))
        gas_limit = random.choice([50_000_000, 300_000])
        if random.random() < 0.8:
            funds = random.choice([{}, {}, {"uxvm": 1}, {"uxvm": 2**64}])
            result = chain.execute(owner, echo, data, funds=funds, gas_limit=gas_limit)
        else:
            result = chain.migrate(owner, echo, 1, data)
        assert chain.supply("uxvm") <= supply
        if result.code:
            assert before == (chain.balance(owner, "uxvm"), chain.balance(echo, "uxvm"), chain.contract_info(echo))
            assert not result.events
        assert result.gas_used <= gas_limit or result.code
    finally:
        chain._state.drop_layer()


@fuzzing
@given(SEEDS)
def test_security_any_module_is_taken_or_refused(seed: int) -> None:
    """SECURITY: no bytes end the gatekeeper otherwise than by its verdict."""
    random = Random(seed)
    wasm = code(random.choice(["counter", "xvm_account"]))
    for _ in range(random.choice([1, 2, 5])):
        # where a module says what it is made of, and anywhere
        end = random.choice([60, 600, len(wasm)])
        wasm = torn(wasm[:end], random) + wasm[end:]
    with suppress(CodeRefusedError):
        inspect(wasm)
