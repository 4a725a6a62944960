"""EVM chains under the ports' contract: two anvils with the committed contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from relayer.domain.observations import ObservedBlock
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import PreparedCall
from relayer.vms.evm import registration
from tests.integration.evm.network import LocalChain, Network, calldata

_QUERY_MODE = 1


class EvmHarness:
    def __init__(self, network: Network, source: OpenChain, destination: OpenChain) -> None:
        self.source = source
        self.destination = destination
        self._network = network

    def ask(self, count: int) -> None:
        for _ in range(count):
            self._network.ask(calldata(self._network.destination.counter, "increment", 1))
        self._network.source.mine()

    def ask_query(self) -> None:
        self._network.ask(calldata(self._network.destination.counter, "count"), mode=_QUERY_MODE)
        self._network.source.mine()

    def advance(self, chain: OpenChain, blocks: int = 1, seconds: int = 1) -> None:
        local = self._local(chain)
        local.pass_seconds(seconds)
        local.mine(blocks - 1)

    def reorganise(self, chain: OpenChain, depth: int) -> bool:
        self._local(chain).rpc("anvil_reorg", depth, [])
        return True

    def too_little_gas(self, call: PreparedCall) -> int:
        return call.expected_gas * 4 // 5

    def executions(self, block: ObservedBlock) -> Sequence[CertifiedBatch]:
        return self._network.executions(block)

    def deliveries(self, block: ObservedBlock, requests: Sequence[TrackedRequest]) -> Sequence[CertifiedBatch]:
        return self._network.deliveries(block, requests)

    def _local(self, chain: OpenChain) -> LocalChain:
        return self._network.source if chain is self.source else self._network.destination


@asynccontextmanager
async def open_evm(network: Network) -> AsyncIterator[EvmHarness]:
    """Both chains as they were deployed, opened anew."""
    network.source.restore()
    network.destination.restore()
    source = await registration.open_chain(network.settings(network.source))
    destination = await registration.open_chain(network.settings(network.destination))
    try:
        yield EvmHarness(network, source, destination)
    finally:
        await source.close()
        await destination.close()
