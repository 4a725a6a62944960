"""The cursor takes a chain in without gaps, and gives back exactly what a reorg takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.observations import ObservedBlock
from relayer.domain.reorg import ChainCursor, SeenBlock
from tests.unit.domain.examples import block, block_ref


def seen(number: int) -> SeenBlock:
    return SeenBlock(block_ref(number), block_ref(number - 1).hash, 1_000 + number)


START = ChainCursor("eip155:1", block_ref(4))
FOLLOWED = ChainCursor("eip155:1", block_ref(4), (seen(5), seen(6), seen(7)))


def test_the_tip_is_the_newest_block_seen_or_the_last_final_one() -> None:
    assert START.tip == block_ref(4)
    assert FOLLOWED.tip == block_ref(7)


def test_only_the_next_block_on_our_tip_extends_the_cursor() -> None:
    next_one = block(8)
    assert FOLLOWED.is_extended_by([next_one, block(9)])
    assert not FOLLOWED.is_extended_by([block(9)])
    assert not FOLLOWED.is_extended_by([block(7)])
    of_another_fork = ObservedBlock(next_one.ref, block_ref(7, "fork").hash, next_one.timestamp, ())
    assert not FOLLOWED.is_extended_by([of_another_fork])
    is_as_high = ObservedBlock(block_ref(7, "fork"), block_ref(7).hash, next_one.timestamp, ())
    assert not FOLLOWED.is_extended_by([is_as_high])


def test_a_chain_may_skip_numbers_for_parents_are_named_by_their_hash() -> None:
    skips_a_number = ObservedBlock(block_ref(9), block_ref(7).hash, block(8).timestamp, ())
    assert FOLLOWED.is_extended_by([skips_a_number])


def test_a_fresh_cursor_is_extended_by_the_block_after_its_start() -> None:
    assert START.is_extended_by([block(5)])
    assert START.extend([block(5), block(6), block(7)]) == FOLLOWED


def test_blocks_become_final_from_below_and_up_to_the_height() -> None:
    assert FOLLOWED.newly_final(4) == ()
    assert FOLLOWED.newly_final(6) == (seen(5), seen(6))
    assert FOLLOWED.finalise(4) is FOLLOWED
    assert FOLLOWED.finalise(6) == ChainCursor("eip155:1", block_ref(6), (seen(7),))
    assert FOLLOWED.finalise(100) == ChainCursor("eip155:1", block_ref(7))


def test_a_rewind_drops_what_stands_above_the_height_and_nothing_else() -> None:
    assert FOLLOWED.above(5) == (seen(6), seen(7))
    assert FOLLOWED.rewind(5) == ChainCursor("eip155:1", block_ref(4), (seen(5),))
    assert FOLLOWED.above(7) == ()
    assert FOLLOWED.rewind(7) == FOLLOWED
    assert FOLLOWED.rewind(4) == START


@given(data=st.data())
def test_whatever_is_extended_finalised_and_rewound_stays_linked(data: st.DataObject) -> None:
    cursor, fork = START, 0
    for _ in range(data.draw(st.integers(0, 12))):
        match data.draw(st.sampled_from(["extend", "finalise", "rewind"])):
            case "extend":
                fork += 1
                number = cursor.tip.number + 1
                fresh = ObservedBlock(block_ref(number, str(fork)), cursor.tip.hash, 1_000 + number, ())
                assert cursor.is_extended_by([fresh])
                cursor = cursor.extend([fresh])
            case "finalise":
                height = data.draw(st.integers(0, 30))
                before = cursor
                cursor = cursor.finalise(height)
                assert cursor.tip == before.tip
                assert all(left.ref.number > height for left in cursor.seen)
            case _:
                height = data.draw(st.integers(cursor.final.number, 30))
                before = cursor
                cursor = cursor.rewind(height)
                assert cursor.final == before.final
                assert (*cursor.seen, *before.above(height)) == before.seen
        parents = [cursor.final, *(link.ref for link in cursor.seen)]
        assert [link.parent_hash for link in cursor.seen] == [parent.hash for parent in parents[:-1]]
        assert [link.ref.number for link in cursor.seen] == [parent.number + 1 for parent in parents[:-1]]
