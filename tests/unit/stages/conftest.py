"""Simulated nodes say a lot; nobody reads it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Drop every log event."""

    def drop(_logger: object, _name: str, _event: object) -> dict[str, object]:
        raise structlog.DropEvent

    structlog.configure(processors=[drop])
    yield
    structlog.reset_defaults()
