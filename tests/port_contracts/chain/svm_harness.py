"""Solana chains under the ports' contract: two of the devnet's with the committed program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from relayer.domain.observations import ObservedBlock
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import PreparedCall
from relayer.vms.svm import registration
from tests.integration.svm.network import MEMO, LocalChain, Network, call_payload, running_network

_QUERY_MODE = 1


class SvmHarness:
    def __init__(self, network: Network, source: OpenChain, destination: OpenChain) -> None:
        self.source = source
        self.destination = destination
        self._network = network

    def ask(self, count: int) -> None:
        for _ in range(count):
            self._network.source.ask(self._network.destination, MEMO, call_payload(b"hello"))
        self._network.source.close_slots()

    def ask_query(self) -> None:
        """Of all that an account holds."""
        config = self._network.destination.at.config
        self._network.source.ask(self._network.destination, config, b"", mode=_QUERY_MODE)
        self._network.source.close_slots()

    def advance(self, chain: OpenChain, blocks: int = 1, seconds: int = 1) -> None:
        local = self._local(chain)
        local.pass_seconds(seconds)
        local.close_slots(blocks)

    def reorganise(self, chain: OpenChain, depth: int) -> bool:
        """What is finalized stays."""
        del chain, depth
        return False

    def too_little_gas(self, call: PreparedCall) -> int:
        return call.expected_gas * 4 // 5

    def executions(self, block: ObservedBlock) -> Sequence[CertifiedBatch]:
        return self._network.executions(block)

    def deliveries(self, block: ObservedBlock, requests: Sequence[TrackedRequest]) -> Sequence[CertifiedBatch]:
        return self._network.deliveries(block, requests)

    def _local(self, chain: OpenChain) -> LocalChain:
        return self._network.source if chain is self.source else self._network.destination


@contextmanager
def start_svm(folder: Path) -> Iterator[None]:
    """Nothing: these chains begin with each test, in its own loop."""
    del folder
    yield None


@asynccontextmanager
async def open_svm(_: None) -> AsyncIterator[SvmHarness]:
    """Both chains as they were deployed."""
    async with running_network() as network:
        source = await registration.open_chain(network.settings(network.source))
        destination = await registration.open_chain(network.settings(network.destination))
        try:
            yield SvmHarness(network, source, destination)
        finally:
            await source.close()
            await destination.close()
