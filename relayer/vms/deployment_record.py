"""What of a deployment was signed already: a JSON file beside the plan.

Its job: keep each signed transaction before it is sent, so that an interrupted run can go on. It holds no secret: what
it holds was made to be published. It asks no chain what became of them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import orjson

from relayer.errors import ConfigError
from relayer.ports.deployment import RecordedStep

_SCHEMA_VERSION: Final = 1


class DeploymentRecord:
    """Implements the port `StepRecord`. `path` None keeps the steps in memory alone."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what is at `path`, if anything. Raises `ConfigError` if it is no record."""
        self._path = path
        self._chains: dict[str, dict[str, RecordedStep]] = {}
        if path is not None and path.exists():
            self._chains = _parse(path)

    def get(self, chain: str, step: str) -> RecordedStep | None:
        """The step as it was signed, or None."""
        return self._chains.get(chain, {}).get(step)

    def next_nonce(self, chain: str) -> int:
        """One above the highest nonce that was signed, 0 if none was."""
        return max((step.nonce + 1 for step in self._chains.get(chain, {}).values()), default=0)

    def put(self, chain: str, step: str, signed: RecordedStep) -> None:
        """Remember a step; on disk when this returns."""
        self._chains.setdefault(chain, {})[step] = signed
        if self._path is not None:
            self._write(self._path)

    def _write(self, path: Path) -> None:
        document: dict[str, Any] = {
            "schema_version": _SCHEMA_VERSION,
            "chains": {
                chain: {
                    name: {"nonce": step.nonce, "tx_hash": f"0x{step.tx_hash.hex()}", "raw": f"0x{step.raw.hex()}"}
                    for name, step in steps.items()
                }
                for chain, steps in self._chains.items()
            },
        }
        draft = path.with_name(f"{path.name}.draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


def _parse(path: Path) -> dict[str, dict[str, RecordedStep]]:
    try:
        document = orjson.loads(path.read_text("utf-8"))
        if document["schema_version"] != _SCHEMA_VERSION:
            raise ConfigError([f"{path}: a record of another version; name another file with --record"])
        return {
            chain: {
                name: RecordedStep(step["nonce"], bytes.fromhex(step["tx_hash"][2:]), bytes.fromhex(step["raw"][2:]))
                for name, step in steps.items()
            }
            for chain, steps in document["chains"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError([f"{path}: not a deployment record; name another file with --record"]) from error
