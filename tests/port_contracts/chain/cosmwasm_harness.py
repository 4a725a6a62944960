"""CosmWasm chains under the ports' contract: two of the devnet's with the committed contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from relayer.domain.observations import ObservedBlock
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import PreparedCall
from relayer.vms.cosmwasm import registration
from tests.integration.cosmwasm.network import LocalChain, Network, running_network

_QUERY_MODE = 1


class CosmwasmHarness:
    def __init__(self, network: Network, source: OpenChain, destination: OpenChain) -> None:
        self.source = source
        self.destination = destination
        self._network = network

    def ask(self, count: int) -> None:
        for _ in range(count):
            self._network.source.ask(
                self._network.destination, self._network.destination.probe, {"answer": {"data": "aGVsbG8="}}
            )
        self._network.source.close_blocks()

    def ask_query(self) -> None:
        """Of who called a contract."""
        destination = self._network.destination
        self._network.source.ask(destination, destination.probe, {"callers": {}}, mode=_QUERY_MODE)
        self._network.source.close_blocks()

    def advance(self, chain: OpenChain, blocks: int = 1, seconds: int = 1) -> None:
        local = self._local(chain)
        local.pass_seconds(seconds)
        local.close_blocks(blocks)

    def reorganise(self, chain: OpenChain, depth: int) -> bool:
        """What is in a block stays."""
        del chain, depth
        return False

    def too_little_gas(self, call: PreparedCall) -> int:
        """All the gas that is offered is paid for, and is therefore what is expected, whatever is used of it."""
        return self._network.destination.gas_used(call) * 4 // 5

    def executions(self, block: ObservedBlock) -> Sequence[CertifiedBatch]:
        return self._network.executions(block)

    def deliveries(self, block: ObservedBlock, requests: Sequence[TrackedRequest]) -> Sequence[CertifiedBatch]:
        return self._network.deliveries(block, requests)

    def _local(self, chain: OpenChain) -> LocalChain:
        return self._network.source if chain is self.source else self._network.destination


@contextmanager
def start_cosmwasm(folder: Path) -> Iterator[Path]:
    """A folder for what is compiled: the chains begin with each test, in its own loop."""
    yield folder


@asynccontextmanager
async def open_cosmwasm(code_cache: Path) -> AsyncIterator[CosmwasmHarness]:
    """Both chains as they were deployed."""
    async with running_network(code_cache) as network:
        source = await registration.open_chain(network.settings(network.source))
        destination = await registration.open_chain(network.settings(network.destination))
        try:
            yield CosmwasmHarness(network, source, destination)
        finally:
            await source.close()
            await destination.close()
