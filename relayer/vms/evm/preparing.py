"""From certified items to transactions that are known to run.

Its job: bundle, simulate, take out what the gateway would pass over, and find the culprit where a bundle reverts, so
that one bad item harms no other. It signs nothing and reads no request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from attestation.request import RequestId
from relayer.ports.source_chain import Preparation
from relayer.ports.wallet import PreparedCall
from relayer.vms.evm.bundling import Bundle, Part, merge, pack
from relayer.vms.evm.simulation import SETTLED, Finding, Simulator, Trial

OVERSIZE = "ExceedsTransactionCap"
"""Why an item is refused that fits no transaction by the chain's gas cap or the pools' size cap."""

Encoder = Callable[[Sequence[bytes]], bytes]
"""From encoded batches to calldata."""


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
    """Prepares calls of one gateway (20-byte address) under a gas cap."""

    def __init__(self, simulator: Simulator, gateway: bytes, gas_cap: int) -> None:
        self._simulator = simulator
        self._gateway = gateway
        self._gas_cap = gas_cap

    @property
    def is_blind(self) -> bool:
        """Whether a simulation may not tell what the gateway would pass over."""
        return self._simulator.is_blind

    async def prepare(self, parts: Sequence[Part], encode: Encoder) -> Preparation:
        """Calls for all items but those named `settled` or `refused`. Raises `RpcUnavailable`."""
        progress = _Progress()
        bundles, misfits = pack(parts, self._gas_cap)
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
        bundles, _ = pack(merge(sound), self._gas_cap)
        for bundle, error in await self._try(bundles, encode, progress):
            progress.refuse(bundle, error)
        return Preparation(tuple(progress.calls), tuple(progress.settled), tuple(progress.refused))

    async def _try(self, bundles: Sequence[Bundle], encode: Encoder, progress: _Progress) -> list[tuple[Bundle, str]]:
        """Take in the bundles that run; give back those that revert, each with the error's name."""
        failed: list[tuple[Bundle, str]] = []
        trials = _trials(bundles, encode)
        for bundle, trial, finding in zip(bundles, trials, await self._simulator.run(trials), strict=True):
            if finding.error:
                failed.append((bundle, finding.error))
            elif not finding.skipped:
                progress.calls.append(self._call(bundle, trial.data, finding.gas_used))
            else:
                progress.skip(bundle, finding.skipped)
                kept = bundle.only(frozenset(bundle.request_ids) - finding.skipped.keys())
                if kept.parts:
                    progress.calls.append(self._call(kept, _calldata(kept, encode), finding.gas_used))
        return failed

    async def _simulate(self, bundles: Sequence[Bundle], encode: Encoder) -> list[Finding]:
        return await self._simulator.run(_trials(bundles, encode))

    def _call(self, bundle: Bundle, data: bytes, expected_gas: int) -> PreparedCall:
        gas_limit = bundle.gas
        return PreparedCall(
            to=self._gateway,
            data=data,
            gas_limit=gas_limit,
            expected_gas=min(expected_gas, gas_limit),
            value=0,
            request_ids=bundle.request_ids,
        )


def _trials(bundles: Sequence[Bundle], encode: Encoder) -> list[Trial]:
    return [Trial(_calldata(bundle, encode), bundle.gas) for bundle in bundles]


def _calldata(bundle: Bundle, encode: Encoder) -> bytes:
    return encode([part.encode() for part in bundle.parts])
