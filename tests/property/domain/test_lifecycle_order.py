"""Two chains and the peers tell their facts independently: the order between them does not matter in the end.

Each of the three keeps its own order. What the destination tells before the request is final is told again at that
moment, as the watch stage does from its stored receipts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from attestation.request import Mode, request_id
from relayer.domain.events import (
    CallbackFinal,
    CallbackSubmitted,
    CancelFinal,
    CancelSettledFinal,
    Event,
    ExecuteCertified,
    ExecutionDispatched,
    FeeRaised,
    OutcomeCertified,
    ReceiptFinal,
    ReceiptOrphaned,
    ReceiptSeen,
    RequestFinal,
)
from relayer.domain.lifecycle import decide
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from tests.property.domain.test_lifecycle_machine import first_decision
from tests.unit.domain.examples import call, conclusion

_ID: Final = request_id(call())
_RECEIPT: Final = conclusion(_ID)
_STRAY: Final = conclusion(_ID, b"of a fork")
_FROM_THE_SOURCE: Final = (RequestFinal(b"\x01" * 32), ExecuteCertified(b"\x01" * 32), FeeRaised(2_000))
_FROM_THE_DESTINATION: Final = (
    ReceiptSeen(_STRAY),
    ReceiptOrphaned(),
    ReceiptSeen(_RECEIPT),
    ReceiptFinal(_RECEIPT, b"\x02" * 32),
    OutcomeCertified(b"\x02" * 32),
)
_CANCELLED: Final = (CancelFinal(400),)
_ENDINGS: Final = (
    (CallbackFinal(is_handler_failed=False),),
    (CallbackFinal(is_handler_failed=True),),
    (CallbackFinal(is_handler_failed=True), CallbackFinal(is_handler_failed=False)),
    (CancelFinal(400), CancelSettledFinal()),
)


def lived(order: Sequence[Event]) -> TrackedRequest:
    """The request after these facts, the early ones of the destination told again once it is final."""
    request = first_decision(Mode.CALL).request
    early: list[Event] = []
    for event in order:
        if request.status is Status.OBSERVED and event in _FROM_THE_DESTINATION:
            early.append(event)
        request = decide(request, event).request
        if isinstance(event, RequestFinal):
            for earlier in early:
                request = decide(request, earlier).request
    return request


def woven(data: st.DataObject, *strands: Sequence[Event]) -> list[Event]:
    """The strands as one, each in its own order."""
    left = [list(strand) for strand in strands if strand]
    order = []
    while left:
        strand = data.draw(st.sampled_from(left))
        order.append(strand.pop(0))
        left = [other for other in left if other]
    return order


@given(data=st.data(), ending=st.sampled_from([(), _CANCELLED, *_ENDINGS]))
def test_facts_of_the_two_chains_commute(data: st.DataObject, ending: tuple[Event, ...]) -> None:
    straight = lived([*_FROM_THE_SOURCE, *_FROM_THE_DESTINATION, *ending])
    crossed = lived(woven(data, [*_FROM_THE_SOURCE, *ending], _FROM_THE_DESTINATION))
    assert crossed == straight
    assert (crossed.status is Status.ATTESTED) is (ending in {(), _CANCELLED})


@given(data=st.data(), ending=st.sampled_from(_ENDINGS))
def test_our_own_transactions_change_no_end_and_no_fact(data: st.DataObject, ending: tuple[Event, ...]) -> None:
    ours: list[Event] = [ExecutionDispatched(b"\x05" * 32), CallbackSubmitted(b"\x06" * 32)]
    straight = lived([*_FROM_THE_SOURCE, *_FROM_THE_DESTINATION, *ending])
    crossed = lived(woven(data, [*_FROM_THE_SOURCE, *ending], _FROM_THE_DESTINATION, ours))
    assert replace(crossed, execute_tx_hash=b"", callback_tx_hash=b"") == straight
