"""Judges what the chains hold: what was lost, what happened twice, what is not the truth.

Its job: the rules of the protocol and of the examples' contracts, worked out anew from the chains' own words. It asks
no node, and knows nothing of the faults that were played.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.statement import OutcomeKind
from tests.chaos.cases import Case
from tests.chaos.ledger import Ledger, Life, ordered_lines
from tests.chaos.sides import Asked, Side
from tests.chaos.sightings import Concluded, Delivered, Truth


@dataclass(slots=True)
class Verdict:
    """What is amiss, in words; `ends` counts (kind of request, end), `seconds` are times from asking to callback."""

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: list[int] = field(default_factory=list)
    asked: set[bytes] = field(default_factory=set)


def judge(ledger: Ledger, sides: Mapping[str, Side]) -> Verdict:
    """Everything, on the chains as they were last read."""
    judge_ = _Judge(ledger, sides)
    verdict = Verdict()
    lives = ledger.lives()
    for life in lives.values():
        name = f"0x{life.request_id.hex()} ({life.asked.case.name if life.asked else 'unknown'})"
        if not life.requested or life.asked is None:
            verdict.wrong.append(f"{name}: somebody acted upon it, but nobody asked it on the final chain")
            continue
        verdict.asked.add(life.request_id)
        verdict.double += [f"{name}: {fault}" for fault in _doubles(life)]
        if not life.delivered and not life.cancelled:
            verdict.lost.append(f"{name}: neither callback nor anything else ended it")
            continue
        if life.delivered:
            last = life.delivered[0]
            end = "HANDLER_FAILED" if last.is_handler_failed else "DELIVERED"
            verdict.ends[life.asked.case.name, f"{OutcomeKind(last.kind).name}, {end}"] += 1
            verdict.seconds.append(last.place.timestamp - life.requested[0].place.timestamp)
            verdict.wrong += [f"{name}: {fault}" for fault in judge_.wrongs(life, life.asked)]
    for line in ordered_lines(lives.values()):
        verdict.wrong += list(_disorder(line))
    return verdict


def _doubles(life: Life) -> Iterator[str]:
    for what, times in (
        ("asked", len(life.requested)),
        ("concluded at its destination", len(life.concluded)),
        ("delivered at its source", len(life.delivered)),
        ("run by its target", len(life.ran)),
        ("told to its asker", len(life.called)),
    ):
        if times > 1:
            yield f"{what} {times} times"


def _disorder(line: list[Life]) -> Iterator[str]:
    """An ordered request runs after the one before it, unless that one expired."""
    last = (0, 0)
    for life in line:
        for receipt in life.concluded:
            if receipt.kind == OutcomeKind.EXPIRED:
                continue
            if receipt.place[:2] < last:
                yield f"0x{life.request_id.hex()}: ran before the request that it is ordered after"
            last = receipt.place[:2]


class _Judge:
    def __init__(self, ledger: Ledger, sides: Mapping[str, Side]) -> None:
        self._chains = ledger.chains
        self._sides = sides

    def wrongs(self, life: Life, asked: Asked) -> Iterator[str]:
        """What a request was told or done that is not so."""
        requested, delivered = life.requested[0], life.delivered[0]
        if requested.sender != asked.sender:
            yield "it names another sender than the account that asked"
        if asked.case.mode is Mode.CALL:
            if not life.concluded:
                yield "it was called back without a receipt at its destination"
                return
            yield from self._wrong_call(life, asked, life.concluded[0])
            receipt = life.concluded[0]
            truth = Truth(OutcomeKind(receipt.kind), receipt.cut, receipt.return_data)
        else:
            if life.concluded or life.ran:
                yield "a query was executed"
            truth = self._answer(life, asked)
        yield from _wrong_callback(life, asked.case, delivered, truth)

    def _wrong_call(self, life: Life, asked: Asked, receipt: Concluded) -> Iterator[str]:
        is_late = receipt.place.timestamp > life.requested[0].expiry
        if is_late != (receipt.kind == OutcomeKind.EXPIRED):
            yield f"its receipt says {OutcomeKind(receipt.kind).name}, {'after' if is_late else 'before'} its expiry"
        does_run = receipt.kind == OutcomeKind.EXECUTED and asked.case.function == "increment"
        if does_run != bool(life.ran):
            did = "ran" if life.ran else "did not run"
            yield f"its receipt says {OutcomeKind(receipt.kind).name}, its target {did}"
        if any(ran.sender not in {asked.sender, None} for ran in life.ran):
            yield "its target was told another sender"
        expected = self._result(asked, life.ran[0].count if life.ran else 0)
        if is_late:
            expected = Truth(OutcomeKind.EXPIRED, cut=False, return_data=b"")
        if (receipt.kind, receipt.cut, receipt.return_data) != (expected.kind, expected.cut, expected.return_data):
            yield f"its receipt is {receipt}, the truth {expected}"

    def _answer(self, life: Life, asked: Asked) -> Truth:
        """What a query reads over there; where several truths are possible, the one that was told is as good as any."""
        requested, delivered = life.requested[0], life.delivered[0]
        counts = self._chains[asked.destination].counts_between(requested.place, delivered.place)
        truths = [self._result(asked, count) for count in counts]
        told = {called.return_data for called in life.called}
        return next((truth for truth in truths if truth.return_data in told), truths[0])

    def _result(self, asked: Asked, count: int) -> Truth:
        return self._sides[asked.destination].result(asked.case, asked.number, count)


def _wrong_callback(life: Life, case: Case, delivered: Delivered, truth: Truth) -> Iterator[str]:
    is_success = truth.kind is OutcomeKind.EXECUTED
    if (delivered.kind, delivered.success) != (truth.kind, is_success):
        yield f"its callback says {OutcomeKind(delivered.kind).name}, the truth is {truth.kind.name}"
    if delivered.is_handler_failed != (case.is_starving and not case.is_eoa):
        yield f"its handler {'failed' if delivered.is_handler_failed else 'did not fail'}"
    if delivered.is_handler_failed or case.is_eoa:
        if life.called:
            yield "its asker took a callback that is said to have failed, or that nobody should have made"
        if delivered.is_handler_failed:
            return
    elif [(called.success, called.return_data) for called in life.called] != [(is_success, truth.return_data)]:
        yield f"its asker was told {life.called}, the truth is {truth}"
    if delivered.word != keccak256(truth.return_data):
        yield "its callback carries other data than the truth"
