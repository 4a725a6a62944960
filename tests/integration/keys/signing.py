"""What each of two processes with one signer key does that races to sign. Imported by name in each."""

from __future__ import annotations

import asyncio
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from attestation.request import RequestId
from attestation.statement import Execute, Outcome, OutcomeKind
from relayer.domain.batch import Batch, BatchKind
from relayer.errors import ConflictingAttestation
from relayer.keys.local_signer import LocalSigner
from relayer.store.engine import open_engine
from relayer.store.guard_store import SqlGuard
from tests.factories import PAYEE, SIGNING_KEYS, make_batch, word

SHARED = 3
"""Requests about which both processes say something else."""


def batch_of(contender: int, round_number: int) -> Batch:
    """Leaves that only this contender signs, with contradictions of the other's among them."""
    other_fork = word("fork", contender)
    ids = [RequestId(word("raced", round_number, n)) for n in range(SHARED)]
    if round_number % 2:
        executes = [Execute(identifier, round_number, other_fork, 0, n) for n, identifier in enumerate(ids)]
        own = Execute(RequestId(word("own", contender, round_number)), round_number, other_fork, 0, SHARED)
        return make_batch(BatchKind.EXECUTE, [own, *executes])
    kind = OutcomeKind.EXECUTED if contender else OutcomeKind.REVERTED
    place = (round_number, word("block"), 0)
    return make_batch(
        BatchKind.OUTCOME,
        [Outcome(identifier, kind, False, word("data"), *place, n, PAYEE, 0) for n, identifier in enumerate(ids)],  # noqa: FBT003
    )


def sign(url: str, contender: int, rounds: int, start: Barrier, results: Connection) -> None:
    """Sign in every round as soon as both are there; send the signatures."""
    results.send(asyncio.run(sign_all(url, contender, rounds, start)))


async def sign_all(url: str, contender: int, rounds: int, start: Barrier) -> list[bytes]:
    """One signature a round, empty where the signer refused."""
    engine = open_engine(url)
    signer = LocalSigner(SIGNING_KEYS[0], SqlGuard(engine))
    signatures = []
    for round_number in range(rounds):
        batch = batch_of(contender, round_number)
        start.wait(timeout=60)
        try:
            signatures.append((await signer.sign_batch(batch, 1)).signature)
        except ConflictingAttestation:
            signatures.append(b"")
    await engine.dispose()
    return signatures
