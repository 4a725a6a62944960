"""The ledger that a test starts from."""

from __future__ import annotations

import pytest

from tests.svm.examples.programs import open_with_examples
from tests.svm.program.ledger import Ledger


@pytest.fixture
def ledger() -> Ledger:
    """A gateway that takes requests both ways, and the example programs beside it."""
    return open_with_examples()
