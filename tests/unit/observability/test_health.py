"""When a node is ready, when it is alive, and why not."""

from __future__ import annotations

import pytest

from attestation.signer_set import Signer, SignerSet
from relayer.domain.blocks import BlockRef
from relayer.domain.halt import Halt
from relayer.observability.health import (
    check_beat,
    check_chain,
    check_quorum,
    check_store,
    liveness,
    readiness,
)
from relayer.ports.node_status import ChainStatus

KEYS = [bytes([number]) * 20 for number in range(1, 5)]
SIGNERS = SignerSet(1, 3, 2_000_000_000, 60, tuple(Signer(key, 1, key.ljust(32, b"\0")) for key in KEYS))


TIP = BlockRef(110, b"\x01" * 32)


def _chain(taken_in: int, halt: Halt | None = None, tip: BlockRef | None = TIP) -> ChainStatus:
    return ChainStatus("eip155:1", "one", b"\x00", tip, 100, taken_in, halt)


@pytest.mark.parametrize(("taken_in", "is_ok"), [(100, True), (95, True), (94, False), (101, True)])
def test_a_chain_may_lag_by_the_blocks_allowed(taken_in: int, *, is_ok: bool) -> None:
    assert check_chain(_chain(taken_in), max_lag_blocks=5).is_ok is is_ok


def test_a_halted_chain_is_not_ready_and_says_why() -> None:
    check = check_chain(_chain(100, Halt("eip155:1", "reorg_below_finality", "block 7", None, b"", 1.0)))
    assert not check.is_ok
    assert "reorg_below_finality: block 7" in check.reason
    assert "xvm chain halts" in check.reason


def test_a_chain_whose_head_was_never_read_is_not_ready() -> None:
    assert not check_chain(_chain(100, tip=None)).is_ok


def test_a_quorum_is_within_reach_when_the_weight_of_those_up_reaches_the_threshold() -> None:
    assert check_quorum("gateway", SIGNERS, frozenset(KEYS[:3])).is_ok
    assert not check_quorum("gateway", SIGNERS, frozenset(KEYS[:2])).is_ok
    assert not check_quorum("gateway", SIGNERS, frozenset({*KEYS[:2], b"\x09" * 20})).is_ok
    assert not check_quorum("gateway", None, frozenset(KEYS)).is_ok


def test_readiness_needs_every_check_and_keeps_all_reasons() -> None:
    good, bad = check_chain(_chain(100)), check_store("disk is full")
    health = readiness([good], bad, [check_quorum("gateway", SIGNERS, frozenset(KEYS))])
    assert not health.is_ok
    assert [check.reason for check in health.checks if not check.is_ok] == ["disk is full"]
    assert readiness([good], check_store(""), []).is_ok


def test_a_loop_that_stands_still_is_not_alive() -> None:
    assert liveness(check_beat(1_000.0, 1_030.0)).is_ok
    assert not liveness(check_beat(1_000.0, 1_030.1)).is_ok
    assert liveness(check_beat(1_000.0, 999.0)).is_ok
