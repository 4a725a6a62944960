"""The chain's entries against a dictionary that is copied at every turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayer.devnet.cosmwasm.state import State, View

_KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _KEYS, st.one_of(st.none(), st.binary(min_size=1, max_size=2))),
        st.tuples(st.sampled_from(["open", "keep", "drop", "block", "scan"])),
    ),
    max_size=60,
)
_BOUNDS = st.one_of(st.none(), _KEYS)


def _scanned(view: View, start: bytes | None, end: bytes | None, *, descending: bool) -> list[tuple[bytes, bytes]]:
    scan = view.scan("t", start, end, descending=descending)
    entries = []
    entry = scan.peek()
    while entry is not None:
        entries.append(entry)
        scan.step(entry[0])
        entry = scan.peek()
    return entries


@given(_STEPS, _BOUNDS, _BOUNDS)
def test_layers_blocks_and_scans_are_those_of_copied_dictionaries(
    steps: list[tuple[str, bytes, bytes | None]], start: bytes | None, end: bytes | None
) -> None:
    state = State(kept_heights=100)
    state.open_block(1)
    height = 1
    now: list[dict[bytes, bytes]] = [{}]
    closed: dict[int, dict[bytes, bytes]] = {0: {}}
    for step in steps:
        if step[0] == "put":
            _, key, value = step
            state.put("t", key, value)
            now[-1] = {name: kept for name, kept in {**now[-1], key: value}.items() if kept is not None}
        elif step[0] == "open":
            state.open_layer()
            now.append(dict(now[-1]))
        elif step[0] in ("keep", "drop") and len(now) > 1:
            top = now.pop()
            if step[0] == "keep":
                state.keep_layer()
                now[-1] = top
            else:
                state.drop_layer()
        elif step[0] == "block" and len(now) == 1:
            closed[height] = dict(now[0])
            height += 1
            state.open_block(height)
        for descending in (False, True):
            expected = sorted(
                (item for item in now[-1].items() if (start or b"") <= item[0] and (end is None or item[0] < end)),
                reverse=descending,
            )
            assert _scanned(state, start, end, descending=descending) == expected
        if len(now) == 1:
            for at, entries in closed.items():
                assert _scanned(state.at(at), None, None, descending=False) == sorted(entries.items())


def test_only_so_many_blocks_are_kept() -> None:
    state = State(kept_heights=3)
    for height in range(1, 11):
        state.open_block(height)
        state.put("t", b"k", bytes([height]))
    assert list(state.heights()) == [6, 7, 8, 9]
    assert [state.at(height).get("t", b"k") for height in (6, 9)] == [b"\x06", b"\x09"]
