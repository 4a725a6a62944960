"""What accounts were before recent slots changed them, so that the state of an older slot can be read.

Its job: keep an account as it was before each slot that changed it, and drop what no commitment looks at any more. It
knows no current state: whoever asks has that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from solders.account import Account
from solders.pubkey import Pubkey


class AccountVersions:
    """Former versions by account, oldest first."""

    def __init__(self) -> None:
        self._former: dict[Pubkey, list[tuple[int, Account | None]]] = {}
        self._changed: defaultdict[int, set[Pubkey]] = defaultdict(set)

    def record(self, slot: int, key: Pubkey, before: Account | None) -> None:
        """The account changes in `slot`, not below any recorded one; the first change of a slot is what counts."""
        if key in self._changed[slot]:
            return
        self._changed[slot].add(key)
        self._former.setdefault(key, []).append((slot, before))

    def at(self, key: Pubkey, slot: int, current: Account | None) -> Account | None:
        """The account at the end of `slot`, given what it is now; None if there was none."""
        for changed_in, before in self._former.get(key, ()):
            if changed_in > slot:
                return before
        return current

    def changed_between(self, after: int, through: int) -> Iterator[Pubkey]:
        """Accounts that changed in slots above `after` and up to `through`, each once."""
        seen: set[Pubkey] = set()
        for slot in sorted(slot for slot in self._changed if after < slot <= through):
            yield from self._changed[slot] - seen
            seen |= self._changed[slot]

    def forget_through(self, slot: int) -> None:
        """Drop what only the state below `slot` needs."""
        for old in [known for known in self._changed if known <= slot]:
            for key in self._changed.pop(old):
                former = [version for version in self._former.pop(key, ()) if version[0] > slot]
                if former:
                    self._former[key] = former
