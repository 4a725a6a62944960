"""What every signing guard promises: one leaf per key, for ever."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

from attestation.request import RequestId
from attestation.statement import Execute, Prices, Rotate, Statement, guard_key
from attestation.statement_codec import parse_statements
from relayer.ports.signer import Guard, GuardConflict
from relayer.store.engine import open_engine
from relayer.store.guard_store import SqlGuard
from tests.factories import SOURCE_GATEWAY, make_outcome, word
from tests.port_contracts.store.racing import claims_of, race

CONTENDERS = 2
ROUNDS = 40

Claim = tuple[bytes, bytes, Statement]


def execute(number: int, fork: str = "") -> Execute:
    return Execute(RequestId(word("request", number)), 10, word("block", fork), 0, number)


def claim_of(statement: Statement) -> Claim:
    return (guard_key(statement, SOURCE_GATEWAY), statement.leaf, statement)


async def test_new_keys_are_granted(guard: Guard) -> None:
    outcome = make_outcome(RequestId(word("request", 1)))
    statements = (execute(1), outcome, replace(outcome, round=1), Rotate(word("set"), 2), Prices(word("table"), 1, 9))
    assert not await guard.claim([claim_of(statement) for statement in statements])


async def test_the_same_leaf_under_the_same_key_is_granted_again(guard: Guard) -> None:
    claims = [claim_of(execute(n)) for n in range(3)]
    assert not await guard.claim(claims[:2])
    assert not await guard.claim(claims)


async def test_another_leaf_under_a_claimed_key_is_refused(guard: Guard) -> None:
    """SECURITY: two signed leaves under one key cost the operator the stake."""
    held, asked = execute(1), execute(1, "fork")
    await guard.claim([claim_of(held)])
    assert list(await guard.claim([claim_of(asked)])) == [GuardConflict(claim_of(held)[0], held.leaf, asked.leaf)]
    assert not await guard.claim([claim_of(held)])


async def test_one_conflict_refuses_the_whole_claim(guard: Guard) -> None:
    """SECURITY: what was refused was not signed, so nothing of it may bar what is true."""
    await guard.claim([claim_of(execute(1))])
    assert (
        len(await guard.claim([claim_of(execute(0, "fork")), claim_of(execute(1, "fork")), claim_of(execute(2))])) == 1
    )
    assert not await guard.claim([claim_of(execute(0)), claim_of(execute(2))])


async def test_every_conflict_is_named_in_the_order_asked(guard: Guard) -> None:
    await guard.claim([claim_of(execute(n)) for n in range(3)])
    asked = [claim_of(execute(n, "fork")) for n in (2, 0, 1)]
    conflicts = await guard.claim(asked)
    assert [(conflict.guard_key, conflict.asked_leaf) for conflict in conflicts] == [claim[:2] for claim in asked]


async def test_a_claim_that_contradicts_itself_is_refused(guard: Guard) -> None:
    """SECURITY: one batch can hold two leaves under one key."""
    first, second = claim_of(execute(1)), claim_of(execute(1, "fork"))
    assert list(await guard.claim([first, second])) == [GuardConflict(first[0], first[1], second[1])]
    assert not await guard.claim([second])


async def test_a_leaf_twice_in_one_claim_is_no_conflict(guard: Guard) -> None:
    assert not await guard.claim([claim_of(execute(1)), claim_of(execute(1))])


async def test_claiming_nothing_is_granted(guard: Guard) -> None:
    assert not await guard.claim([])


async def test_of_claims_at_the_same_time_exactly_one_is_granted(guard: Guard) -> None:
    """SECURITY: stages of one process sign side by side."""
    results = await asyncio.gather(*(guard.claim([claim_of(execute(1, str(fork)))]) for fork in range(6)))
    assert sorted(map(len, results)) == [0, 1, 1, 1, 1, 1]


async def test_claims_outlive_the_process_that_made_them(migrated: Path, tmp_path: Path) -> None:
    """SECURITY: a restart must not forget what was signed."""
    url = f"sqlite:///{shutil.copy(migrated / 'guard.db', tmp_path)}"
    first = open_engine(url)
    await SqlGuard(first).claim([claim_of(execute(1))])
    await first.dispose()
    second = open_engine(url)
    assert await SqlGuard(second).claim([claim_of(execute(1, "fork"))])
    assert not await SqlGuard(second).claim([claim_of(execute(1))])
    await second.dispose()


def test_of_two_processes_that_race_for_the_same_keys_exactly_one_wins_every_time(
    migrated: Path, tmp_path: Path
) -> None:
    """SECURITY: an operator who runs a standby signs with two processes, and must never contradict itself."""
    path = Path(shutil.copy(migrated / "guard.db", tmp_path))
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(CONTENDERS)
    pipes = [context.Pipe(duplex=False) for _ in range(CONTENDERS)]
    racers = [
        context.Process(target=race, args=(f"sqlite:///{path}", contender, ROUNDS, start, pipes[contender][1]))
        for contender in range(CONTENDERS)
    ]
    for racer in racers:
        racer.start()
    granted = [receiver.recv() for receiver, _ in pipes]
    for racer, (receiver, sender) in zip(racers, pipes, strict=True):
        racer.join()
        receiver.close()
        sender.close()
    assert [sum(round_) for round_ in zip(*granted, strict=True)] == [1] * ROUNDS
    with sqlite3.connect(path) as database:
        held = {
            key: (leaf, parse_statements(data)) for key, leaf, data in database.execute("SELECT * FROM guard_claims")
        }
    database.close()
    for round_number in range(ROUNDS):
        winner = next(contender for contender in range(CONTENDERS) if granted[contender][round_number])
        for key, leaf, statement in claims_of(winner, round_number):
            assert held.pop(key) == (leaf, (statement,))
    assert not held
