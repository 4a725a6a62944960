"""A deployed pair of chains for a module's tests, put back to its beginning before each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from relayer.vms.evm import registration
from relayer.vms.evm.connect import EvmOpenChain
from tests.integration.evm.network import Network, start_network


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with start_network(tmp_path_factory.mktemp("anvil")) as network:
        yield network


@pytest.fixture
def network(deployed: Network) -> Network:
    deployed.source.restore()
    deployed.destination.restore()
    return deployed


@pytest_asyncio.fixture
async def source(network: Network) -> AsyncIterator[EvmOpenChain]:
    """The source chain, opened by the relayer."""
    chain = await registration.open_chain(network.settings(network.source))
    yield chain
    await chain.close()


@pytest_asyncio.fixture
async def destination(network: Network) -> AsyncIterator[EvmOpenChain]:
    """The destination chain, opened by the relayer."""
    chain = await registration.open_chain(network.settings(network.destination))
    yield chain
    await chain.close()
