from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.devnet.svm.cluster import Cluster, running_cluster


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        await running.finalize()
        yield running
