"""The ledger that a test starts from."""

from __future__ import annotations

import pytest

from tests.cosmwasm.contract.ledger import Ledger
from tests.cosmwasm.contract.source_side import SourceLedger


@pytest.fixture
def ledger() -> Ledger:
    """A gateway that believes a remote one."""
    return Ledger().open()


@pytest.fixture
def source() -> SourceLedger:
    """A gateway that also asks the remote one."""
    return SourceLedger().open()
