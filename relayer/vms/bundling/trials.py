"""What a transaction would do now, in the words that all VMs have for it.

Its job: the terms in which preparing speaks with what simulates. It must not know how a chain is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from attestation.request import RequestId

SETTLED: Final = "AlreadyConsumed"
"""The reason of a skip that only says that somebody else was first."""

NO_ANSWER: Final = "no_answer"
"""The error of a trial that endpoints which are up did not finish: it is too heavy for them."""


class Trial(NamedTuple):
    """A transaction to be tried."""

    data: bytes
    gas_limit: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a trial did: `error` says why it failed, empty if it ran; `skipped` says why requests were passed over."""

    error: str
    gas_used: int
    skipped: Mapping[RequestId, str] = field(default_factory=dict)


class Trier(Protocol):
    """Tries calls to one contract, from the account that would send them."""

    async def run(self, trials: Sequence[Trial]) -> list[Finding]:
        """The findings in order, each as if its trial alone were next. Raises `RpcUnavailable`.

        What is up and does not finish a trial makes it a finding with the error `NO_ANSWER`.
        """
        ...
