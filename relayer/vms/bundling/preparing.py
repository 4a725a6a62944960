"""From certified items to transactions that are known to run.

Its job: bundle, simulate, take out what the gateway would pass over, and find the culprit where a bundle reverts, so
that one bad item harms no other. It signs nothing and reads no request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from attestation.request import RequestId
from relayer.ports.source_chain import Preparation
from relayer.ports.wallet import PreparedCall
from relayer.vms.bundling.packing import Bundle, Capacity, Part, merge, pack
from relayer.vms.bundling.trials import SETTLED, Finding, Trial, Trier

OVERSIZE: Final = "ExceedsTransactionCap"
"""Why an item is refused that fits no transaction by the chain's gas cap or the pools' size cap."""

Encoder = Callable[[Sequence[Part]], bytes]
"""From batches to the call that takes them."""


class GasOffer(NamedTuple):
    """What a transaction offers, and what of it would be paid for, in the chain's gas unit."""

    limit: int
    expected: int


Offering = Callable[[int, int], GasOffer]
"""From the gas that suffices whatever a transaction's callees do, and what its simulation used."""


@dataclass(slots=True)
class _Progress:
    calls: list[PreparedCall] = field(default_factory=list)
    settled: list[RequestId] = field(default_factory=list)
    refused: list[tuple[RequestId, str]] = field(default_factory=list)

    def refuse(self, bundle: Bundle, reason: str) -> None:
        self.refused.extend((identifier, reason) for identifier in bundle.request_ids)

    def skip(self, bundle: Bundle, skipped: Mapping[RequestId, str]) -> None:
        for identifier in bundle.request_ids:
            reason = skipped.get(identifier)
            if reason == SETTLED:
                self.settled.append(identifier)
            elif reason is not None:
                self.refused.append((identifier, reason))


class Preparer:
    """Prepares calls of one gateway, in the chain's own address bytes."""

    def __init__(self, trier: Trier, gateway: bytes, capacity: Capacity, offer: Offering) -> None:
        self._trier = trier
        self._gateway = gateway
        self._capacity = capacity
        self._offer = offer

    async def prepare(self, parts: Sequence[Part], encode: Encoder) -> Preparation:
        """Calls for all items but those named `settled` or `refused`. Raises `RpcUnavailable`."""
        progress = _Progress()
        bundles, misfits = pack(parts, self._capacity)
        progress.refused.extend((item.request_id, OVERSIZE) for item in misfits)
        failed = await self._try(bundles, encode, progress)
        # Each item alone tells the culprits; what is left goes together again.
        sound: list[Bundle] = []
        singles = [single for bundle, _ in failed for single in bundle.singles()]
        for single, finding in zip(singles, await self._simulate(singles, encode), strict=True):
            if finding.error:
                progress.refuse(single, finding.error)
            else:
                sound.append(single)
        bundles, _ = pack(merge(sound), self._capacity)
        for bundle, error in await self._try(bundles, encode, progress):
            progress.refuse(bundle, error)
        return Preparation(tuple(progress.calls), tuple(progress.settled), tuple(progress.refused))

    async def _try(self, bundles: Sequence[Bundle], encode: Encoder, progress: _Progress) -> list[tuple[Bundle, str]]:
        """Take in the bundles that run; give back those that revert, each with the error's name."""
        failed: list[tuple[Bundle, str]] = []
        trials = _trials(bundles, encode)
        for bundle, trial, finding in zip(bundles, trials, await self._trier.run(trials), strict=True):
            if finding.error:
                failed.append((bundle, finding.error))
            elif not finding.skipped:
                progress.calls.append(self._call(bundle, trial.data, finding.gas_used))
            else:
                progress.skip(bundle, finding.skipped)
                kept = bundle.only(frozenset(bundle.request_ids) - finding.skipped.keys())
                if kept.parts:
                    progress.calls.append(self._call(kept, encode(kept.parts), finding.gas_used))
        return failed

    async def _simulate(self, bundles: Sequence[Bundle], encode: Encoder) -> list[Finding]:
        return await self._trier.run(_trials(bundles, encode))

    def _call(self, bundle: Bundle, data: bytes, used_gas: int) -> PreparedCall:
        limit, expected = self._offer(bundle.gas, used_gas)
        return PreparedCall(
            to=self._gateway,
            data=data,
            gas_limit=limit,
            expected_gas=expected,
            value=0,
            request_ids=bundle.request_ids,
        )


def _trials(bundles: Sequence[Bundle], encode: Encoder) -> list[Trial]:
    return [Trial(encode(bundle.parts), bundle.gas) for bundle in bundles]
