"""Values as TOML writes them, for the files that a devnet writes."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """A basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(text)
