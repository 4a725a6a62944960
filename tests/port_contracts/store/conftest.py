"""Every store that ships, and every guard, each fresh for each test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayer.ports.signer import Guard
from relayer.ports.store import Store
from relayer.store.engine import open_engine
from relayer.store.guard_store import SqlGuard
from relayer.store.memory import MemoryGuard, MemoryStore
from relayer.store.migrate import Schema, upgrade
from relayer.store.sql_store import SqlStore


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty, current `store.db` and `guard.db`, to copy: quicker than migrating for each test."""
    folder = tmp_path_factory.mktemp("migrated")
    for schema in Schema:
        asyncio.run(upgrade(f"sqlite:///{folder}/{schema}.db", schema))
    return folder


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    engine = open_engine(f"sqlite:///{shutil.copy(migrated / 'store.db', tmp_path)}")
    yield SqlStore(engine)
    await engine.dispose()


@pytest.fixture(params=["memory", "sqlite"])
async def guard(request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> AsyncIterator[Guard]:
    if request.param == "memory":
        yield MemoryGuard()
        return
    engine = open_engine(f"sqlite:///{shutil.copy(migrated / 'guard.db', tmp_path)}")
    yield SqlGuard(engine)
    await engine.dispose()
