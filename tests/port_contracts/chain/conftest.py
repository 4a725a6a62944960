"""The adapters that are held to the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.evm.network import start_network
from tests.port_contracts.chain.cosmwasm_harness import open_cosmwasm, start_cosmwasm
from tests.port_contracts.chain.evm_harness import open_evm
from tests.port_contracts.chain.harness import ChainHarness
from tests.port_contracts.chain.svm_harness import open_svm, start_svm

HARNESSES: dict[str, tuple[Any, Any]] = {
    "cosmwasm": (start_cosmwasm, open_cosmwasm),
    "evm": (start_network, open_evm),
    "svm": (start_svm, open_svm),
}
"""By name: what starts the chains of a whole module in a folder, and what opens them for one test."""

MARKS: dict[str, tuple[pytest.MarkDecorator, ...]] = {"evm": (pytest.mark.anvil,)}


@pytest.fixture(scope="module", params=[pytest.param(name, marks=MARKS.get(name, ())) for name in HARNESSES])
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    start, _ = HARNESSES[request.param]
    with start(tmp_path_factory.mktemp(request.param)) as network:
        yield request.param, network


@pytest_asyncio.fixture
async def chains(started: tuple[str, Any]) -> AsyncIterator[ChainHarness]:
    name, network = started
    _, open_harness = HARNESSES[name]
    opened: AbstractAsyncContextManager[ChainHarness] = open_harness(network)
    async with opened as harness:
        yield harness
