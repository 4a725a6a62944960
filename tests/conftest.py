"""Lets every test import `tests.factories`, whichever way pytest is started."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parent.parent)

# With importlib import mode pytest puts no folder of tests on the path.
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)
