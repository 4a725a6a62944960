"""Former versions of accounts give the state of every slot that is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from relayer.devnet.svm.account_versions import AccountVersions

KEYS = [Pubkey(bytes([number] * 32)) for number in range(3)]

slots = st.lists(st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.integers(1, 9)), max_size=4), max_size=8)


def account(lamports: int | None) -> Account | None:
    return None if lamports is None else Account(lamports, b"", Pubkey.default())


@given(slots, st.integers(-1, 8))
def test_every_kept_slot_reads_as_it_was(changes: list[list[tuple[Pubkey, int | None]]], forgotten: int) -> None:
    versions, state = AccountVersions(), dict.fromkeys(KEYS, account(5))
    ends, touched = [], []
    for slot, writes in enumerate(changes):
        for key, lamports in writes:
            versions.record(slot, key, state[key])
            state[key] = account(lamports)
        ends.append(dict(state))
        touched.append({key for key, _ in writes})
    versions.forget_through(forgotten)
    for slot in range(max(forgotten, 0), len(ends)):
        assert {key: versions.at(key, slot, state[key]) for key in KEYS} == ends[slot]
        assert set(versions.changed_between(slot, len(ends))) == set().union(*touched[slot + 1 :])
