"""Vectors of evidence: what convicts, and what must not."""

import json
from dataclasses import replace
from typing import Any

from attestation.batch import Batch, sign_batch
from attestation.errors import AttestationError
from attestation.evidence import Equivocation, SignedStatement, verify_equivocation
from attestation.evidence_file import encode_evidence
from attestation.merkle import merkle_root
from attestation.request import RequestId
from attestation.schemes import SECP256K1, SigningKey
from attestation.statement import EMPTY_DATA_HASH, Execute, Outcome, OutcomeKind, Prices, Rotate, Statement
from tests.vectors.examples import DESTINATION_GATEWAY, SOURCE_GATEWAY, example_keys, hash_of, text_of


def example_execute(label: str, *, block: str = "block") -> Execute:
    """An execute statement about a request with a name, in a block with a name."""
    return Execute(RequestId(hash_of(label)), 100, hash_of(block), 0, 0)


def example_outcome(label: str, kind: OutcomeKind, *, attempt: int = 0) -> Outcome:
    """An outcome of a request with a name."""
    return Outcome(
        request_id=RequestId(hash_of(label)),
        kind=kind,
        cut=False,
        return_data_hash=EMPTY_DATA_HASH,
        height=50,
        block_hash=hash_of("block"),
        tx_index=1,
        log_index=0,
        payee=bytes(32),
        round=attempt,
    )


def signed_statement(
    key: SigningKey,
    statement: Statement,
    *,
    gateway: bytes = DESTINATION_GATEWAY,
    epoch: int = 1,
    companions: int = 4,
    index: int = 2,
) -> SignedStatement:
    """`statement` in a signed batch, among arbitrary companions."""
    statements: list[Statement] = [example_execute(f"companion {place}") for place in range(companions)]
    statements.insert(index, statement)
    batch = Batch.of_leaves(gateway, [item.leaf for item in statements], epoch)
    return SignedStatement.in_batch(gateway, statements, index, epoch, sign_batch(batch, 0, key).signature)


def example_equivocation() -> Equivocation:
    """One request, final in two blocks, says the signer."""
    (key,) = example_keys("equivocator", 1)
    return Equivocation(
        scheme=SECP256K1.number,
        signer_key=key.key,
        first=signed_statement(key, example_execute("request")),
        second=signed_statement(key, example_execute("request", block="fork"), epoch=2, companions=0, index=0),
    )


def example_evidence() -> dict[str, Equivocation]:
    """Evidence by name: four that convict, then what must not."""
    key, other = example_keys("equivocator", 2)
    good = example_equivocation()

    def about(first: Statement, second: Statement, **where: Any) -> Equivocation:
        return replace(good, first=signed_statement(key, first), second=signed_statement(key, second, **where))

    executed = example_outcome("request", OutcomeKind.EXECUTED)
    rotate, prices = Rotate(hash_of("set"), 2), Prices(hash_of("table"), 7, 1_800_000_000)
    return {
        "two blocks for one request, in two epochs": good,
        "two outcomes of one request": about(executed, example_outcome("request", OutcomeKind.REVERTED)),
        "two sets for one epoch": about(rotate, Rotate(hash_of("another set"), 2)),
        "two tables for one sequence": about(prices, Prices(hash_of("another table"), 7, 1_800_000_000)),
        "the same leaf in two batches": about(good.first.statement, good.first.statement, epoch=2),
        "two requests": about(good.first.statement, example_execute("another request")),
        "another round": about(executed, example_outcome("request", OutcomeKind.REVERTED, attempt=1)),
        "execute and outcome": about(good.first.statement, executed),
        "one epoch, two gateways": about(rotate, Rotate(hash_of("another set"), 2), gateway=SOURCE_GATEWAY),
        "one batch is another's": replace(good, second=signed_statement(other, good.second.statement)),
        "signed in another epoch": replace(good, first=replace(good.first, batch=replace(good.first.batch, epoch=9))),
        "signed for another count": replace(
            good, second=replace(good.second, batch=replace(good.second.batch, count=2))
        ),
        "a path that leads elsewhere": replace(
            good, first=replace(good.first, path=(*good.first.path[:-1], hash_of("elsewhere")))
        ),
        "a path that is missing": replace(good, first=replace(good.first, path=())),
        "a path that is too long": replace(good, first=replace(good.first, path=(hash_of("step"),) * 9)),
        "a batch that lacks the statement": replace(
            good,
            second=replace(good.second, batch=replace(good.second.batch, root=merkle_root([hash_of("leaf 0")]))),
        ),
    }


def evidence() -> dict[str, Any]:
    """Evidence files, each with the error, if any, of verifying it against its signer key."""
    cases: list[dict[str, Any]] = []
    for name, item in example_evidence().items():
        try:
            verify_equivocation(item, item.signer_key)
        except AttestationError as error:
            fault = error.code
        else:
            fault = ""
        cases.append(
            {
                "name": name,
                "error": fault,
                "evidence": json.loads(encode_evidence(item)),
                "leaves": [text_of(item.first.statement.leaf), text_of(item.second.statement.leaf)],
                "digests": [text_of(item.first.batch.digest()), text_of(item.second.batch.digest())],
            }
        )
    return {"description": "evidence convicts its signerKey if error is empty", "cases": cases}
