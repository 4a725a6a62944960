"""Ends a devnet's processes when its supervisor is gone. Run as `python -m relayer.devnet.watchdog BOOK`.

Its job: wait for the end of its standard input, which the supervisor holds open as long as it lives, then end what the
book names. It starts nothing and decides nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from relayer.devnet.processes import ProcessBook


def main() -> None:
    """Wait, then end all."""
    sys.stdin.buffer.read()
    ProcessBook(Path(sys.argv[1])).end_all()


if __name__ == "__main__":
    main()
