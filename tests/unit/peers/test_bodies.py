"""What peer messages say, in bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.merkle import merkle_root
from attestation.request import RequestId
from attestation.statement import Execute
from attestation.statement_codec import MAXIMUM_ENCODED_LENGTH
from relayer.errors import PeerMessageInvalid
from relayer.peers import bodies
from relayer.peers.wire import MAX_BODY_BYTES, MessageKind
from relayer.ports.node_status import PeerHead
from relayer.ports.peers import AttestationPage
from relayer.ports.signer import Attestation

SIGNER = b"\x05" * 20
ATTESTATION = Attestation(b"\x06" * 31, b"\x07" * 32, 3, 2, SIGNER, b"\x08" * 64)
STATEMENTS = [Execute(RequestId(bytes([number]) * 32), 9, b"\x01" * 32, 0, 0) for number in range(3)]
ROOT = merkle_root([statement.leaf for statement in STATEMENTS])

ATTESTATIONS = st.builds(
    Attestation,
    gateway=st.binary(max_size=bodies.MAX_GATEWAY_BYTES),
    root=st.binary(min_size=32, max_size=32),
    count=st.integers(1, 256),
    epoch=st.integers(0, 2**64 - 1),
    signer=st.just(SIGNER),
    signature=st.binary(max_size=bodies.MAX_SIGNATURE_BYTES),
)
CURSORS = st.text(max_size=64).filter(lambda text: len(text.encode("utf-8", "ignore")) <= 64 and text.isprintable())
PEER_HEADS = st.builds(
    PeerHead,
    chain=st.from_regex(r"[a-z0-9]{3,8}:[-a-zA-Z0-9]{1,32}", fullmatch=True),
    tip_number=st.integers(0, 2**64 - 1),
    final_number=st.integers(-1, 2**63 - 1),
)


@given(attestations=st.lists(ATTESTATIONS, max_size=20).map(tuple))
def test_attestations_come_back_as_the_senders_own(attestations: tuple[Attestation, ...]) -> None:
    assert bodies.parse_attestations(bodies.encode_attestations(attestations), SIGNER) == attestations


def test_security_a_list_can_speak_for_nobody_but_its_sender() -> None:
    """SECURITY: the signer is not in the bytes, so that no other can be claimed."""
    encoded = bodies.encode_attestations([ATTESTATION])
    assert SIGNER not in encoded
    assert bodies.parse_attestations(encoded, b"\x09" * 20)[0].signer == b"\x09" * 20


def test_the_fullest_message_fits_the_body_limit() -> None:
    widest = Attestation(bytes(bodies.MAX_GATEWAY_BYTES), bytes(32), 256, 1, SIGNER, bytes(bodies.MAX_SIGNATURE_BYTES))
    page = AttestationPage((widest,) * bodies.MAX_ATTESTATIONS, "x" * 64, is_end=False)
    assert len(bodies.encode_page(page)) <= MAX_BODY_BYTES
    assert bodies.parse_page(bodies.encode_page(page), SIGNER, "") == page


@given(cursor=CURSORS, attestations=st.lists(ATTESTATIONS, max_size=5).map(tuple))
def test_pages_and_cursors_come_back(cursor: str, attestations: tuple[Attestation, ...]) -> None:
    page = AttestationPage(attestations, cursor, is_end=True)
    assert bodies.parse_page(bodies.encode_page(page), SIGNER, cursor) == page
    assert bodies.parse_cursor(bodies.encode_cursor(cursor)) == cursor


@given(heads=st.lists(PEER_HEADS, max_size=bodies.MAX_HEADS).map(tuple))
def test_heads_come_back(heads: tuple[PeerHead, ...]) -> None:
    encoded = bodies.encode_heads(heads)
    assert bodies.parse_heads(encoded) == heads
    assert len(encoded) <= bodies.MAX_ANSWER_BODY_BYTES[MessageKind.PING]


def test_statements_come_back_under_their_root() -> None:
    encoded = bodies.encode_statements_answer(STATEMENTS)
    assert bodies.parse_statements_answer(encoded, ROOT) == tuple(STATEMENTS)
    assert len(encoded) <= MAXIMUM_ENCODED_LENGTH
    assert bodies.parse_statements_answer(bodies.encode_statements_answer(None), ROOT) is None


def test_security_statements_of_another_root_are_refused() -> None:
    """SECURITY: else an honest peer could be convicted by leaves that somebody made up."""
    with pytest.raises(PeerMessageInvalid, match="do not hash"):
        bodies.parse_statements_answer(bodies.encode_statements_answer(STATEMENTS[:2]), ROOT)
    with pytest.raises(PeerMessageInvalid, match="do not parse"):
        bodies.parse_statements_answer(b"\x01\x00\x00", ROOT)


@pytest.mark.parametrize(
    "page", [AttestationPage((), "8", is_end=False), AttestationPage((ATTESTATION,), "7", is_end=False)]
)
def test_security_a_page_that_leads_nowhere_is_refused(page: AttestationPage) -> None:
    """SECURITY: whoever catches up would ask for ever."""
    with pytest.raises(PeerMessageInvalid, match="nowhere"):
        bodies.parse_page(bodies.encode_page(page), SIGNER, "7")


ONE = bodies.encode_attestations([ATTESTATION])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "cut"),
        (ONE[:-1], "cut"),
        (ONE + b"\0", "follow"),
        (struct.pack(">H", bodies.MAX_ATTESTATIONS + 1) + ONE[2:], "more than"),
        (ONE[:2] + bytes([bodies.MAX_GATEWAY_BYTES + 1]) + bytes(300), "limit"),
        (ONE[:2] + b"\0" + bytes(32) + b"\0\0" + bytes(9), "leaves"),
        (ONE[:2] + b"\0" + bytes(32) + b"\x01\x01" + bytes(9), "leaves"),
        (ONE[:2] + b"\0" + bytes(32) + b"\0\x01" + bytes(8) + bytes([bodies.MAX_SIGNATURE_BYTES + 1]), "limit"),
    ],
)
def test_security_lists_beyond_a_limit_or_cut_are_refused(body: bytes, fault: str) -> None:
    """SECURITY: every length in a peer's message is bounded before it is used."""
    with pytest.raises(PeerMessageInvalid, match=fault):
        bodies.parse_attestations(body, SIGNER)


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (bodies.parse_cursor, b"\x41" + bytes(65)),
        (bodies.parse_cursor, b"\x01\xff"),
        (bodies.parse_cursor, b"\x00\x00"),
        (bodies.parse_heads, bytes([bodies.MAX_HEADS + 1])),
        (bodies.parse_heads, b"\x01\x41" + bytes(200)),
        (bodies.parse_heads, b"\x01\x02\x1b[" + bytes(16)),
        (bodies.parse_heads, b"\x01\x02\xc3\xa9" + bytes(16)),
        (bodies.parse_heads, b"\x00\x00"),
        (lambda body: bodies.parse_page(body, SIGNER, ""), b"\x00\x02\x00\x00"),
    ],
)
def test_other_bodies_are_as_strict(parse: Callable[[bytes], object], body: bytes) -> None:
    with pytest.raises(PeerMessageInvalid):
        parse(body)


@given(body=st.binary(max_size=300))
def test_junk_is_refused_and_nothing_else_happens(body: bytes) -> None:
    parsers: list[Callable[[bytes], object]] = [
        bodies.parse_cursor,
        bodies.parse_heads,
        lambda junk: bodies.parse_attestations(junk, SIGNER),
        lambda junk: bodies.parse_page(junk, SIGNER, ""),
        lambda junk: bodies.parse_statements_answer(junk or b"\0", ROOT),
    ]
    for parse in parsers:
        try:
            parse(body)
        except PeerMessageInvalid:
            continue


def test_what_is_beyond_a_limit_is_never_sent() -> None:
    with pytest.raises(ValueError, match="more than"):
        bodies.encode_attestations([ATTESTATION] * (bodies.MAX_ATTESTATIONS + 1))
    with pytest.raises(ValueError, match="more than"):
        bodies.encode_heads([PeerHead("eip155:1", 1, 1)] * (bodies.MAX_HEADS + 1))
    with pytest.raises(ValueError, match="limit"):
        bodies.encode_cursor("x" * 65)
