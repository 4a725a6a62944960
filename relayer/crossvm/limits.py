"""The limits of messages, under the names which that chain's parameters have."""

from __future__ import annotations

from typing import Final

MAX_MESSAGE_SIZE: Final = 65_536
"""Bytes of a payload, on any route. A route may take less."""

MAX_QUEUE_SIZE: Final = 1_000
"""Requests in flight on a route: by default, `policy.window_requests`."""

QUEUE_TIMEOUT_BLOCKS: Final = 100
"""Source blocks until a request may be cancelled, on any route at least."""
