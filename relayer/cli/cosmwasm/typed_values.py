"""Values as people type them in a shell: JSON where it is JSON, text where it is none."""

from __future__ import annotations

import json
from typing import Any

import orjson


def typed_value(text: str) -> Any:
    """JSON as it is; what is none is a text."""
    try:
        return parse_json(text)
    except ValueError:
        return text


def parse_json(text: str | bytes) -> Any:
    """The value, integers of any size whole. Raises `ValueError`."""
    # SECURITY: Python's parser ends the process on what is nested deep enough; this one refuses it.
    orjson.loads(text)
    return json.loads(text)
