"""One signer's key in two processes at once: a standby that woke too early, a unit that was started twice."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path

from attestation.domain import batch_digest
from attestation.schemes.secp256k1 import recover
from relayer.store.migrate import Schema, upgrade
from tests.factories import SIGNING_KEYS
from tests.integration.keys.signing import batch_of, sign, sign_all

CONTENDERS = 2
ROUNDS = 40


def test_security_two_processes_of_one_identity_that_race_on_other_leaves_give_one_signature_ever(
    tmp_path: Path,
) -> None:
    """SECURITY: two signatures would be evidence against an honest operator, and a contradiction that chains act on."""
    url = f"sqlite:///{tmp_path}/guard.db"
    asyncio.run(upgrade(url, Schema.GUARD))
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(CONTENDERS)
    pipes = [context.Pipe(duplex=False) for _ in range(CONTENDERS)]
    racers = [
        context.Process(target=sign, args=(url, contender, ROUNDS, start, pipes[contender][1]))
        for contender in range(CONTENDERS)
    ]
    for racer in racers:
        racer.start()
    signatures = [receiver.recv() for receiver, _ in pipes]
    for racer, (receiver, sender) in zip(racers, pipes, strict=True):
        racer.join()
        receiver.close()
        sender.close()
    for round_number, given in enumerate(zip(*signatures, strict=True)):
        (winner,) = [contender for contender in range(CONTENDERS) if given[contender]]
        batch = batch_of(winner, round_number)
        digest = batch_digest(batch.verifying_gateway, batch.root, batch.count, 1)
        assert recover(digest, given[winner]) == SIGNING_KEYS[0].key
    # Nor ever after: the loser is refused, the winner gives the same again.
    again = [asyncio.run(sign_all(url, contender, ROUNDS, context.Barrier(1))) for contender in range(CONTENDERS)]
    assert again == signatures
