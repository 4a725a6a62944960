"""Lets the tests of the gateway program import the tools that build it, which are no package."""

from __future__ import annotations

import sys
from pathlib import Path

_BUILD = str(Path(__file__).resolve().parents[2] / "contracts" / "svm" / "build")

if _BUILD not in sys.path:
    sys.path.insert(0, _BUILD)
