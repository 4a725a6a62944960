"""The ledger that a test starts from."""

from __future__ import annotations

import pytest

from tests.svm.program.ledger import Ledger


@pytest.fixture
def ledger() -> Ledger:
    """A gateway that takes requests both ways."""
    return Ledger().open()
