"""The ledger that a test starts from."""

from __future__ import annotations

import pytest

from tests.cosmwasm.contract.ledger import Ledger


@pytest.fixture
def ledger() -> Ledger:
    """A gateway that believes a remote one."""
    return Ledger().open()
