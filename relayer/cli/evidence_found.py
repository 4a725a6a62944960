"""Where a node's evidence is read: its API, or its database.

Its job: the rows that a node recorded, newest first. It believes none of them: an API is another's word.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from relayer.api.operator_routes import MAX_PAGE
from relayer.cli.relayer_api import RelayerUnavailable, ask_first, relayers_of
from relayer.config import load_config
from relayer.domain.signers import shown_text
from relayer.errors import ConfigError
from relayer.store.engine import open_engine
from relayer.store.migrate import is_current
from relayer.store.sql_store import SqlStore


@dataclass(frozen=True, slots=True)
class FoundEvidence:
    """A row as a node recorded it: keys as hex text, `at` in seconds, `document` the evidence file's text."""

    offence: str
    signer: str
    guard_key: str
    at: float
    document: str

    @property
    def shown_signer(self) -> str:
        """The signer as lists show it: of a long key the beginning."""
        return shown_text(self.signer)


def find_evidence(config: Path | None, api: str | None, devnet: Path) -> list[FoundEvidence]:
    """All that the node has, newest first: from the database of the configuration, else from an API.

    Raises `typer.BadParameter` if both are named, else `ConfigError`, `RelayerUnavailable`, `RelayerRefused` or
    `StoreUnavailable`.
    """
    if config is None:
        return _from_api(api, devnet)
    if api is not None:
        raise typer.BadParameter(
            "reads the node's database, --api asks a node; name one of them", param_hint="--config"
        )
    return asyncio.run(_from_database(config))


def _from_api(api: str | None, devnet: Path) -> list[FoundEvidence]:
    found: list[FoundEvidence] = []
    while True:
        parameters = [("limit", str(MAX_PAGE)), ("skip", str(len(found)))]
        answer = ask_first(relayers_of(api, devnet), "/v1/evidence", parameters)
        try:
            page = [_parse_row(row) for row in answer["evidence"]]
            total = int(answer["total"])
        except (KeyError, TypeError, ValueError):
            raise RelayerUnavailable("the answer is no list of evidence; is it a relayer's API?") from None
        found += page
        if not page or len(found) >= total:
            return found


def _parse_row(row: Any) -> FoundEvidence:
    document = json.dumps(row["document"], indent=2)
    return FoundEvidence(str(row["offence"]), str(row["signer"]), str(row["guard_key"]), float(row["at"]), document)


async def _from_database(config: Path) -> list[FoundEvidence]:
    url = load_config(config).store_url
    if not await is_current(url):
        raise ConfigError([f"{config}: its database is not there, or of another version; `xvm run` makes it current"])
    engine = open_engine(url)
    try:
        rows = await SqlStore(engine).list_evidence()
    finally:
        await engine.dispose()
    return [
        FoundEvidence(row.offence, f"0x{row.signer.hex()}", f"0x{row.guard_key.hex()}", row.at, row.document)
        for row in reversed(rows)
    ]
