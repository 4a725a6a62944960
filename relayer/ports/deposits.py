"""What a relayer's account has lent to a chain, on chains that ask for deposits.

Its job: what is lent for which batch, and the transactions by which it comes back, or by which what is missing is
lent. Whether a batch still needs it is for the stages to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from relayer.ports.wallet import PreparedCall


@dataclass(frozen=True, slots=True)
class Deposit:
    """A deposit that keeps a batch certified: the batch of `root` (32 bytes), by a certificate of `epoch`.

    `key` names it in the chain's own bytes.
    """

    key: bytes
    root: bytes
    epoch: int


class Deposits(Protocol):
    """The deposits of one account. Methods raise `RpcUnavailable`."""

    async def fetch(self) -> Sequence[Deposit]:
        """What is lent now, as M endpoints know. It may leave some out: they are told another time."""
        ...

    async def prepare(self, idle: Sequence[Deposit]) -> Sequence[PreparedCall]:
        """Simulate taking these back, and making what the account cannot earn without. The calls carry no requests."""
        ...
