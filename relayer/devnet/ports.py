"""Free ports for a devnet's processes, so that two devnets live side by side."""

from __future__ import annotations

import random
import socket
from typing import Final

from relayer.errors import ConfigError

_FIRST: Final = 20_000
_LAST: Final = 32_000
"""Below every system's range of ports for outgoing connections, which would come and take one."""

_TRIES: Final = 2_000


def free_ports(count: int) -> list[int]:
    """So many different ports of the loopback address that nobody listens on now, drawn at random.

    Raises:
        ConfigError: there are not so many.
    """
    ports: set[int] = set()
    for _ in range(_TRIES):
        if len(ports) == count:
            return sorted(ports)
        port = random.randint(_FIRST, _LAST)  # noqa: S311 - spreads devnets, guards nothing
        if port not in ports and _is_free(port):
            ports.add(port)
    raise ConfigError([f"no {count} free ports between {_FIRST} and {_LAST} on this machine"])


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
