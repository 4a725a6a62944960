"""What every store promises about results, signatures, the outbox, own transactions and evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.request import RequestId
from attestation.statement import Execute, OutcomeKind, Rotate
from relayer.domain.blocks import BlockRef
from relayer.domain.effects import EffectKind
from relayer.domain.status import Status
from relayer.ports.destination_vm import Pin
from relayer.ports.store import (
    Certificate,
    Change,
    Commit,
    Deferral,
    EvidenceRow,
    ForeignStatements,
    OutboxRow,
    PinnedAnswer,
    Receipt,
    RequestFilter,
    Store,
    TransactionPurpose,
    TransactionStatus,
)
from tests.factories import (
    DESTINATION_CHAIN,
    DESTINATION_GATEWAY,
    NOW,
    SENDER,
    SIGNING_KEYS,
    SOURCE_CHAIN,
    attest,
    block_ref,
    execute_batch,
    make_attempt,
    make_conclusion,
    make_execute,
    make_location,
    make_outcome,
    make_query,
    make_request,
    make_transaction,
    outcome_batch,
    track,
    word,
)

BIGGEST_UINT64 = 2**64 - 1
BIGGEST_UINT256 = 2**256 - 1
ALL_KINDS = frozenset(EffectKind)
EXECUTES = frozenset({EffectKind.SUBMIT_EXECUTE})
CALLBACKS = frozenset({EffectKind.SUBMIT_CALLBACK})


def identifier(number: int) -> RequestId:
    return RequestId(word("request", number))


def receipt(number: int, height: int = 20, tx_index: int = 0, log_index: int = 0, fork: str = "") -> Receipt:
    location = make_location(height, tx_index, log_index, DESTINATION_CHAIN, fork)
    return Receipt(identifier(number), DESTINATION_CHAIN, make_conclusion(identifier(number), location))


def answer(number: int, child: int, chain: str = DESTINATION_CHAIN) -> PinnedAnswer:
    pin = Pin(block_ref(child - 1, chain), block_ref(child, chain))
    conclusion = replace(make_conclusion(identifier(number)), tx_hash=b"")
    return PinnedAnswer(identifier(number), chain, pin, conclusion)


def asked(number: int, status: Status) -> Change:
    """A query that is observed in this status."""
    request = replace(track(make_query(number)), request_id=identifier(number), status=status)
    return Change(status, request, "CallRequested", NOW)


def wish(
    number: int,
    due_at: float = NOW,
    kind: EffectKind = EffectKind.SUBMIT_EXECUTE,
    chain: str = DESTINATION_CHAIN,
    attempts: int = 0,
) -> OutboxRow:
    return OutboxRow(kind, identifier(number), chain, due_at, attempts)


# Receipts and answers


async def test_receipts_come_back_by_request_in_the_order_asked_for(store: Store) -> None:
    receipts = {n: receipt(n) for n in range(3)}
    await store.commit(Commit(receipts=tuple(receipts.values())))
    found = await store.load_receipts([identifier(2), identifier(9), identifier(0)])
    assert list(found.items()) == [(identifier(2), receipts[2]), (identifier(0), receipts[0])]


async def test_a_receipt_that_is_seen_again_replaces_the_earlier_one(store: Store) -> None:
    first = receipt(1)
    data = b"\x00" * 70_000
    final = Receipt(
        identifier(1),
        DESTINATION_CHAIN,
        make_conclusion(identifier(1), make_location(21, 1, 2, DESTINATION_CHAIN), OutcomeKind.REVERTED, data),
        word("outcome root"),
    )
    await store.commit(Commit(receipts=(first,)))
    await store.commit(Commit(receipts=(final,)))
    assert await store.load_receipts([identifier(1)]) == {identifier(1): final}
    assert await store.load_receipts_at(DESTINATION_CHAIN, [block_ref(20, DESTINATION_CHAIN)]) == []


async def test_receipts_of_blocks_come_in_log_order_from_those_blocks_and_that_chain_only(store: Store) -> None:
    here = [receipt(1, 21), receipt(2, 20, 1, 0), receipt(3, 20, 0, 1), receipt(4, 20, 0, 0)]
    fork, elsewhere = receipt(5, 20, fork="b"), replace(receipt(6, 20), chain=SOURCE_CHAIN)
    await store.commit(Commit(receipts=(*here, fork, elsewhere, receipt(7, 22))))
    blocks = [block_ref(21, DESTINATION_CHAIN), block_ref(20, DESTINATION_CHAIN)]
    assert await store.load_receipts_at(DESTINATION_CHAIN, blocks) == here[::-1]
    misnumbered = BlockRef(19, block_ref(20, DESTINATION_CHAIN).hash)
    assert await store.load_receipts_at(DESTINATION_CHAIN, [misnumbered]) == []
    assert await store.load_receipts_at(DESTINATION_CHAIN, []) == []


async def test_a_receipt_dropped_and_seen_elsewhere_in_one_commit_is_the_new_one(store: Store) -> None:
    await store.commit(Commit(receipts=(receipt(1), receipt(2))))
    moved = receipt(1, 25)
    await store.commit(Commit(dropped_receipts=(identifier(1), identifier(2), identifier(3)), receipts=(moved,)))
    assert await store.load_receipts([identifier(1), identifier(2)]) == {identifier(1): moved}


async def test_answers_come_lowest_child_first_up_to_a_height_or_above_it(store: Store) -> None:
    answers = {n: answer(n, child) for n, child in enumerate((12, 10, 11, BIGGEST_UINT64))}
    elsewhere = answer(9, 10, SOURCE_CHAIN)
    asking = tuple(asked(n, Status.FINAL) for n in answers)
    await store.commit(Commit(observed=asking, answers=(*answers.values(), elsewhere)))
    assert list(await store.load_answers(DESTINATION_CHAIN, 11, 10)) == [answers[1], answers[2]]
    assert list(await store.load_answers(DESTINATION_CHAIN, 11, 1)) == [answers[1]]
    assert list(await store.load_answers(DESTINATION_CHAIN, -1, 10)) == []
    assert list(await store.load_answers_above(DESTINATION_CHAIN, 11)) == [answers[0], answers[3]]
    assert list(await store.load_answers_above(DESTINATION_CHAIN, BIGGEST_UINT64)) == []


async def test_security_answers_to_requests_that_are_not_final_take_no_place_among_the_first(store: Store) -> None:
    """SECURITY: as many as a source that stands still has would keep all others' from concluding."""
    waiting = (Status.OBSERVED, Status.ORPHANED, Status.REJECTED)
    served = (Status.FINAL, Status.CANCELLED, Status.DELIVERED)
    asking = tuple(asked(n, status) for n, status in enumerate((*waiting, *served)))
    answers = [answer(n, 10 + n) for n in range(7)]  # nobody asked for the last
    await store.commit(Commit(observed=asking, answers=tuple(answers)))
    assert list(await store.load_answers(DESTINATION_CHAIN, 20, 2)) == answers[3:5]
    assert list(await store.load_answers(DESTINATION_CHAIN, 20, 9)) == answers[3:6]

    final = replace(asking[0].request, status=Status.FINAL)
    await store.commit(Commit(changes=(Change(Status.OBSERVED, final, "RequestFinal", NOW),)))
    assert list(await store.load_answers(DESTINATION_CHAIN, 20, 2)) == [answers[0], answers[3]]


async def test_whether_there_are_answers_at_all_is_said_by_chain(store: Store) -> None:
    assert not await store.has_answers(DESTINATION_CHAIN)
    await store.commit(Commit(answers=(answer(1, BIGGEST_UINT64),)))
    assert await store.has_answers(DESTINATION_CHAIN)
    assert not await store.has_answers(SOURCE_CHAIN)
    await store.commit(Commit(dropped_answers=(identifier(1),)))
    assert not await store.has_answers(DESTINATION_CHAIN)


async def test_answers_come_by_request_are_replaced_and_dropped(store: Store) -> None:
    await store.commit(Commit(answers=(answer(1, 10), answer(2, 10))))
    again = answer(1, 12)
    await store.commit(Commit(answers=(again,), dropped_answers=(identifier(2),)))
    assert await store.load_answers_of([identifier(2), identifier(1)]) == {identifier(1): again}
    await store.commit(Commit(answers=(answer(1, 14),), dropped_answers=(identifier(1),)))
    assert await store.load_answers_of([identifier(1)]) == {identifier(1): answer(1, 14)}


# Batches, attestations, certificates


async def test_batches_come_back_by_root_and_a_repeated_one_is_left_as_it_is(store: Store) -> None:
    requests = [track(make_request(n)) for n in range(256)]
    execute, outcome = execute_batch(*requests), outcome_batch(make_outcome(identifier(1)))
    await store.commit(Commit(batches=(execute, outcome)))
    await store.commit(Commit(batches=(replace(execute, first_height=99),)))
    found = await store.load_batches([outcome.root, word("unknown"), execute.root])
    assert list(found.items()) == [(outcome.root, outcome), (execute.root, execute)]


async def test_attestations_are_one_per_root_gateway_epoch_and_signer(store: Store) -> None:
    batch = execute_batch(track())
    first = attest(batch)
    others = [attest(batch, SIGNING_KEYS[1]), attest(batch, epoch=2), replace(first, gateway=b"another")]
    await store.commit(Commit(attestations=(first, *others)))
    await store.commit(Commit(attestations=(replace(first, signature=b"again"), others[0])))
    another = attest(execute_batch(track(make_request(7))))
    await store.commit(Commit(attestations=(another,)))
    found = await store.load_attestations([another.root, word("unknown"), batch.root])
    assert list(found.items()) == [(another.root, [another]), (batch.root, [first, *others])]


async def test_a_signer_s_own_attestations_page_on_by_row_and_rows_never_change(store: Store) -> None:
    batches = [execute_batch(track(make_request(n))) for n in range(5)]
    for batch in batches:
        await store.commit(Commit(attestations=(attest(batch, SIGNING_KEYS[1]), attest(batch))))
    await store.commit(Commit(attestations=(attest(batches[0]),)))
    own = [attest(batch) for batch in batches]
    rows: list[tuple[int, object]] = []
    while page := await store.load_own_attestations(SIGNING_KEYS[0].key, rows[-1][0] if rows else 0, 2):
        assert len(page) <= 2
        rows += page
    assert [attestation for _, attestation in rows] == own
    assert [row for row, _ in rows] == sorted({row for row, _ in rows})


async def test_any_number_may_be_asked_for_as_a_cursor(store: Store) -> None:
    """SECURITY: cursors come from peers and people; a number that no row can have must not end the process."""
    request = track()
    batch = execute_batch(request)
    observed = Change(request.status, request, "CallRequested", NOW)
    await store.commit(Commit(observed=(observed,), attestations=(attest(batch),)))
    for number in (2**63 - 1, 2**63, 10**30):
        assert not await store.load_own_attestations(SIGNING_KEYS[0].key, number, 2)
        assert len(await store.list_requests(RequestFilter(before_row=number), 2)) == 1
        assert len(await store.list_requests(RequestFilter(before_row=number, sender=SENDER), 2)) == 1
    assert len(await store.load_own_attestations(SIGNING_KEYS[0].key, -1, 2)) == 1
    assert not await store.list_requests(RequestFilter(before_row=-1), 2)


async def test_the_certificate_of_the_newest_epoch_counts_and_a_repeated_one_is_left_as_it_is(store: Store) -> None:
    root, other = word("root"), word("other")
    newest = Certificate(root, DESTINATION_GATEWAY, BIGGEST_UINT64, b"newest", NOW)
    older = Certificate(root, DESTINATION_GATEWAY, 7, b"older", NOW + 1)
    another = Certificate(other, DESTINATION_GATEWAY, 1, b"other", NOW)
    await store.commit(Commit(certificates=(newest, older, another)))
    await store.commit(Commit(certificates=(replace(newest, encoded=b"again"),)))
    found = await store.load_certificates([other, word("unknown"), root])
    assert list(found.items()) == [(other, another), (root, newest)]


# The outbox


async def test_due_effects_come_oldest_due_first_then_in_the_order_of_writing(store: Store) -> None:
    rows = [wish(1, NOW + 1), wish(2), wish(3, NOW + 5), wish(4), wish(5, NOW - 1)]
    await store.commit(Commit(effects=tuple(rows)))
    found = await store.load_due_effects(EXECUTES, DESTINATION_CHAIN, NOW + 1, 10)
    assert list(found) == [rows[4], rows[1], rows[3], rows[0]]
    assert list(await store.load_due_effects(EXECUTES, DESTINATION_CHAIN, NOW + 1, 2)) == [rows[4], rows[1]]


async def test_due_effects_are_of_the_kinds_and_the_chain_asked_for(store: Store) -> None:
    execute, callback = wish(1, NOW + 2), wish(1, NOW + 1, EffectKind.SUBMIT_CALLBACK, SOURCE_CHAIN)
    signing = wish(2, NOW, EffectKind.SIGN_BATCH, SOURCE_CHAIN)
    await store.commit(Commit(effects=(execute, callback, signing)))
    assert list(await store.load_due_effects(ALL_KINDS, None, NOW + 9, 9)) == [signing, callback, execute]
    assert list(await store.load_due_effects(ALL_KINDS, SOURCE_CHAIN, NOW + 9, 9)) == [signing, callback]
    assert list(await store.load_due_effects(CALLBACKS | EXECUTES, None, NOW + 9, 9)) == [callback, execute]
    assert list(await store.load_due_effects(CALLBACKS, DESTINATION_CHAIN, NOW + 9, 9)) == []
    assert list(await store.load_due_effects(frozenset(), None, NOW + 9, 9)) == []


async def test_the_next_due_time_is_the_earliest_of_the_kinds_and_the_chain(store: Store) -> None:
    assert await store.load_next_due(ALL_KINDS, None) is None
    await store.commit(Commit(effects=(wish(1, NOW + 2), wish(1, NOW + 1.5, EffectKind.SUBMIT_CALLBACK, SOURCE_CHAIN))))
    assert await store.load_next_due(ALL_KINDS, None) == NOW + 1.5
    assert await store.load_next_due(ALL_KINDS, DESTINATION_CHAIN) == NOW + 2
    assert await store.load_next_due(EXECUTES, SOURCE_CHAIN) is None
    assert await store.load_next_due(frozenset(), None) is None


async def test_an_effect_written_again_stays_one_row_and_keeps_the_earlier_due_time(store: Store) -> None:
    await store.commit(Commit(effects=(wish(1, NOW + 5, attempts=3), wish(2, NOW))))
    await store.commit(Commit(effects=(wish(1, NOW + 9), wish(2, NOW + 9))))
    assert list(await store.load_due_effects(EXECUTES, None, NOW + 99, 9)) == [
        wish(2, NOW),
        wish(1, NOW + 5, attempts=3),
    ]
    await store.commit(Commit(effects=(wish(1, NOW - 5, chain=SOURCE_CHAIN), wish(1, NOW - 1))))
    assert list(await store.load_due_effects(EXECUTES, None, NOW, 9)) == [wish(1, NOW - 5, attempts=3), wish(2, NOW)]


async def test_done_effects_are_gone_of_that_kind_only(store: Store) -> None:
    await store.commit(Commit(effects=(wish(1), wish(2), wish(1, kind=EffectKind.SUBMIT_EXPIRE))))
    done = (EffectKind.SUBMIT_EXECUTE, identifier(1))
    await store.commit(Commit(done=(done, (EffectKind.SUBMIT_CALLBACK, identifier(2)))))
    await store.commit(Commit(done=(done,)))
    assert list(await store.load_due_effects(ALL_KINDS, None, NOW, 9)) == [
        wish(2),
        wish(1, kind=EffectKind.SUBMIT_EXPIRE),
    ]


async def test_an_effect_done_and_wished_for_again_in_one_commit_is_a_new_one(store: Store) -> None:
    await store.commit(Commit(effects=(wish(1, NOW, attempts=4), wish(2, NOW + 5))))
    again = wish(1, NOW + 5)
    await store.commit(Commit(done=((EffectKind.SUBMIT_EXECUTE, identifier(1)),), effects=(again,)))
    assert list(await store.load_due_effects(EXECUTES, None, NOW + 9, 9)) == [wish(2, NOW + 5), again]


async def test_a_deferral_moves_the_due_time_later_and_counts_the_attempts(store: Store) -> None:
    await store.commit(Commit(effects=(wish(1), wish(2))))
    await store.commit(Commit(deferred=(Deferral(EffectKind.SUBMIT_EXECUTE, identifier(1), NOW + 30, 1),)))
    assert list(await store.load_due_effects(EXECUTES, None, NOW, 9)) == [wish(2)]
    assert list(await store.load_due_effects(EXECUTES, None, NOW + 30, 9)) == [wish(2), wish(1, NOW + 30, attempts=1)]


async def test_deferring_what_is_not_in_the_outbox_puts_nothing_there(store: Store) -> None:
    late = Deferral(EffectKind.SUBMIT_EXECUTE, identifier(1), NOW, 1)
    await store.commit(Commit(deferred=(late,)))
    await store.commit(Commit(effects=(wish(1),)))
    await store.commit(Commit(done=((EffectKind.SUBMIT_EXECUTE, identifier(1)),), deferred=(late,)))
    assert not await store.load_due_effects(ALL_KINDS, None, NOW + 99, 9)


async def test_a_wish_in_the_commit_that_defers_the_effect_brings_it_forward_again(store: Store) -> None:
    await store.commit(Commit(effects=(wish(1),)))
    later = Deferral(EffectKind.SUBMIT_EXECUTE, identifier(1), NOW + 30, 2)
    await store.commit(Commit(deferred=(later,), effects=(wish(1, NOW + 10),)))
    assert list(await store.load_due_effects(EXECUTES, None, NOW + 99, 9)) == [wish(1, NOW + 10, attempts=2)]


async def test_open_effects_are_counted_by_chain_and_kind(store: Store) -> None:
    assert await store.count_effects() == {}
    await store.commit(Commit(effects=(wish(1), wish(2), wish(3, kind=EffectKind.SIGN_BATCH, chain=SOURCE_CHAIN))))
    assert await store.count_effects() == {
        (DESTINATION_CHAIN, EffectKind.SUBMIT_EXECUTE): 2,
        (SOURCE_CHAIN, EffectKind.SIGN_BATCH): 1,
    }


# Our own transactions


async def test_open_transactions_of_a_chain_come_by_nonce(store: Store) -> None:
    statuses = (TransactionStatus.MINED, TransactionStatus.CONFIRMED, TransactionStatus.SIGNED, TransactionStatus.LOST)
    transactions = {n: make_transaction(n, [identifier(n)], status) for n, status in enumerate(statuses)}
    far = make_transaction(BIGGEST_UINT64)
    elsewhere = make_transaction(0, chain=SOURCE_CHAIN)
    await store.commit(Commit(transactions=(far, *reversed(transactions.values()), elsewhere)))
    assert list(await store.load_open_transactions(DESTINATION_CHAIN)) == [transactions[0], transactions[2], far]


async def test_every_field_of_a_transaction_comes_back(store: Store) -> None:
    transaction = make_transaction(
        BIGGEST_UINT64,
        [identifier(n) for n in range(300)],
        TransactionStatus.MINED,
        purpose=TransactionPurpose.DELIVER,
        gas_limit=BIGGEST_UINT64,
        value=BIGGEST_UINT256,
        gas_used=BIGGEST_UINT64,
        cost=BIGGEST_UINT256,
        mined=block_ref(BIGGEST_UINT64),
        attempts=(make_attempt("a", BIGGEST_UINT256), make_attempt("b", sent_at=NOW + 0.25)),
    )
    await store.commit(Commit(transactions=(transaction,)))
    assert list(await store.load_transactions_of(identifier(299))) == [transaction]


async def test_a_transaction_written_again_is_replaced_and_new_attempts_are_appended(store: Store) -> None:
    first = make_transaction(3, [identifier(1), identifier(2)])
    await store.commit(Commit(transactions=(first,)))
    resent = replace(first.attempts[0], sent_at=NOW + 60)
    mined = replace(
        first,
        status=TransactionStatus.MINED,
        mined=block_ref(30, DESTINATION_CHAIN),
        gas_used=21_000,
        cost=10**18,
        created_at=NOW + 60,
        attempts=(resent, make_attempt("second")),
    )
    await store.commit(Commit(transactions=(mined,)))
    written = replace(mined, created_at=NOW, attempts=(first.attempts[0], make_attempt("second")))
    assert list(await store.load_transactions_of(identifier(1))) == [written]
    await store.commit(Commit(transactions=(replace(first, attempts=(make_attempt("third"),)),)))
    appended = replace(first, attempts=(*written.attempts, make_attempt("third")))
    assert list(await store.load_open_transactions(DESTINATION_CHAIN)) == [appended]


async def test_transactions_of_a_request_come_oldest_first_and_only_while_they_carry_it(store: Store) -> None:
    later_nonce, earlier_nonce = (
        make_transaction(9, [identifier(1)]),
        make_transaction(2, [identifier(1), identifier(2)]),
    )
    await store.commit(Commit(transactions=(later_nonce,)))
    await store.commit(Commit(transactions=(earlier_nonce, make_transaction(5, [identifier(3)]))))
    assert list(await store.load_transactions_of(identifier(1))) == [later_nonce, earlier_nonce]
    emptied = replace(later_nonce, purpose=TransactionPurpose.CANCEL_NONCE, request_ids=())
    await store.commit(Commit(transactions=(emptied,)))
    assert list(await store.load_transactions_of(identifier(1))) == [earlier_nonce]
    assert not await store.load_transactions_of(identifier(8))


async def test_held_nonces_are_per_chain_and_sender_and_leave_out_the_lost(store: Store) -> None:
    transactions = (
        make_transaction(2, status=TransactionStatus.LOST),
        make_transaction(1),
        make_transaction(4, status=TransactionStatus.CONFIRMED),
        make_transaction(7, sender=b"\x0f" * 20),
        make_transaction(8, chain=SOURCE_CHAIN),
    )
    await store.commit(Commit(transactions=transactions))
    sender = transactions[0].sender
    assert await store.load_held_nonces(DESTINATION_CHAIN, sender, 0) == {1, 4}
    assert await store.load_held_nonces(DESTINATION_CHAIN, sender, 2) == {4}
    assert await store.load_held_nonces(SOURCE_CHAIN, sender, 0) == {8}
    assert not await store.load_held_nonces("eip155:1", sender, 0)
    await store.commit(Commit(transactions=(make_transaction(BIGGEST_UINT64),)))
    assert await store.load_held_nonces(DESTINATION_CHAIN, sender, 5) == {BIGGEST_UINT64}


# What peers signed elsewhere


async def test_foreign_statements_are_found_by_signer_and_request_each_root_once(store: Store) -> None:
    requests = [track(make_request(n)) for n in range(4)]
    ids = [request.request_id for request in requests]
    signer, other = SIGNING_KEYS[0].key, SIGNING_KEYS[1].key

    def foreign(label: str, of: bytes, *statements: Execute | Rotate) -> ForeignStatements:
        return ForeignStatements(word(label), of, statements)

    both = foreign("both", signer, make_execute(requests[0]), make_execute(requests[1]))
    third = foreign("third", signer, make_execute(requests[2]), Rotate(word("set"), 2))
    others = foreign("both", other, make_execute(requests[0]))
    rotation = foreign("rotation", signer, Rotate(word("set"), 3))
    await store.commit(Commit(foreign=(both, others, rotation)))
    await store.commit(Commit(foreign=(third, replace(both, statements=third.statements))))
    assert list(await store.load_foreign_statements(signer, [ids[2], ids[1], ids[0]])) == [both, third]
    assert list(await store.load_foreign_statements(signer, [ids[0]])) == [both]
    assert list(await store.load_foreign_statements(other, ids)) == [others]
    assert not await store.load_foreign_statements(signer, [ids[3]])
    assert not await store.load_foreign_statements(signer, [])


async def test_evidence_is_one_per_offence_signer_and_guard_key_oldest_first(store: Store) -> None:
    first = EvidenceRow("EQUIVOCATION", SIGNING_KEYS[1].key, b"key", '{"text": "ünïcödé"}', NOW)
    second = replace(first, signer=SIGNING_KEYS[0].key)
    third = replace(first, guard_key=b"another")
    await store.commit(Commit(evidence=(first, second)))
    await store.commit(Commit(evidence=(replace(first, document="{}"), third)))
    assert list(await store.list_evidence()) == [first, second, third]


@pytest.mark.parametrize("kind", list(OutcomeKind))
async def test_every_kind_of_outcome_comes_back(store: Store, kind: OutcomeKind) -> None:
    outcome = replace(make_outcome(identifier(1), kind=kind, return_data=b""), cut=True, round=2**32 - 1)
    conclusion = replace(make_conclusion(identifier(1), return_data=b""), outcome=outcome, tx_hash=b"")
    kept = Receipt(identifier(1), DESTINATION_CHAIN, conclusion)
    await store.commit(Commit(receipts=(kept,)))
    assert await store.load_receipts([identifier(1)]) == {identifier(1): kept}
