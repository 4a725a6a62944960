"""What a relayer's account has lent to a chain, on chains that ask for deposits.

Its job: what is lent for which batch, and the transactions by which it comes back. Whether a batch still needs it is
for the stages to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from relayer.ports.wallet import PreparedCall


@dataclass(frozen=True, slots=True)
class Loan:
    """A deposit that keeps a batch certified: the batch of `root` (32 bytes), by a certificate of `epoch`.

    `key` names it in the chain's own bytes.
    """

    key: bytes
    root: bytes
    epoch: int


class Loans(Protocol):
    """The deposits of one account. Methods raise `RpcUnavailable`."""

    async def fetch(self) -> Sequence[Loan]:
        """What is lent now, as M endpoints know. It may leave some out: they are told another time."""
        ...

    async def prepare_return(self, loans: Sequence[Loan]) -> Sequence[PreparedCall]:
        """Simulate taking these back, and what else of the account's serves no purpose. The calls carry no requests."""
        ...
