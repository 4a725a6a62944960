"""Whether what lies on disk is there and fits: keys, the data folder, both databases.

SECURITY: the guard is the one thing that must not be new where the node is not. `relayer.service` refuses to start
then; this says so before.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from attestation.schemes import SigningKey
from relayer.cli.checks.finding import Finding, fault, good, warning
from relayer.config import Settings
from relayer.domain.signers import signer_text
from relayer.errors import ConfigError, StoreUnavailable
from relayer.ports.vm import ChainSettings
from relayer.store.engine import database_file, open_engine
from relayer.store.migrate import Schema, is_current
from relayer.store.sql_store import SqlStore


def examine_signer_key(settings: Settings) -> tuple[SigningKey | None, Finding]:
    """The signer's key, if it loads."""
    try:
        key = settings.load_signing_key()
    except ConfigError as error:
        return None, fault("keys", "signer", "; ".join(error.faults), "`xvm keys show FILE` tries a key file")
    return key, good("keys", "signer", f"{signer_text(key.key)} ({settings.scheme.name})")


def examine_peer_key(settings: Settings) -> tuple[SigningKey | None, list[Finding]]:
    """The key that signs messages to peers, if it is not the signer's and loads."""
    try:
        key = settings.load_peer_key()
    except ConfigError as error:
        return None, [fault("keys", "peer", "; ".join(error.faults), "`xvm keys show FILE` tries a key file")]
    return key, [] if key is None else [good("keys", "peer", f"0x{key.key.hex()}")]


def examine_wallet_keys(settings: Settings) -> tuple[tuple[ChainSettings, ...], list[Finding]]:
    """What each chain's adapter is told, if all wallet keys load."""
    try:
        return settings.load_chain_settings(), [good("keys", "wallets", f"{len(settings.chains)} load")]
    except ConfigError as error:
        advice = "`xvm keys show FILE` tries a key file; chains are not looked at without their keys"
        return (), [fault("keys", "wallets", item, advice) for item in error.faults]


def examine_data_dir(settings: Settings) -> Finding:
    """Whether databases can be made there."""
    folder = settings.node.data_dir
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return fault("disk", "data_dir", f"{existing} cannot be written", "give its user the right, or name another")
    return good("disk", "data_dir", str(folder) if folder == existing else f"{folder}, made at the first start")


async def examine_databases(settings: Settings, key: SigningKey | None) -> list[Finding]:
    """Whether both schemas are this program's."""
    try:
        is_store_current = await is_current(settings.store_url)
        is_guard_current = await is_current(settings.guard_url, Schema.GUARD)
        has_signed = key is not None and is_store_current and await _has_signed(settings, key)
    except ConfigError as error:
        return [fault("disk", "databases", "; ".join(error.faults), "correct database_url or guard_database_url")]
    except (SQLAlchemyError, StoreUnavailable, OSError) as error:
        # SECURITY: the libraries' texts may hold the URL, and so a password.
        advice = "see whether its server runs and takes this user"
        return [fault("disk", "databases", f"no connection ({type(error).__name__})", advice)]
    findings = [_store_finding(settings, is_store_current), _guard_finding(settings, is_guard_current, has_signed)]
    return [*findings, *(await _halt_findings(settings) if is_store_current else ())]


async def _halt_findings(settings: Settings) -> list[Finding]:
    """Chains on which the node does nothing until its operator has looked."""
    names = {chain.caip2: chain.name for chain in settings.chains}
    engine = open_engine(settings.store_url)
    try:
        halts = await SqlStore(engine).load_halts()
    finally:
        await engine.dispose()
    return [
        fault(
            names[halt.chain],
            "halted",
            f"{halt.code}: {halt.reason}",
            f"compare explorers; then stop the relayer and `xvm chain resume {names[halt.chain]} --dry-run`",
        )
        for halt in halts
        if halt.resumed_at is None and halt.chain in names
    ]


def _store_finding(settings: Settings, is_store_current: bool) -> Finding:
    check = "database schema"
    if is_store_current:
        return good("disk", check, "current")
    if _is_new(settings.store_url):
        return good("disk", check, "not there yet, made at the first start")
    return warning("disk", check, "not this version's", "back it up; `xvm run` brings it up to date")


def _guard_finding(settings: Settings, is_guard_current: bool, has_signed: bool) -> Finding:
    check = "guard schema"
    if is_guard_current:
        return good("disk", check, "current")
    if has_signed:
        advice = "bring the guard's database back as it was last used; else a new signer key and a new data_dir"
        return fault("disk", check, "missing or of another version, but this node has signed before", advice)
    if _is_new(settings.guard_url):
        return good("disk", check, "not there yet, made at the first start")
    return warning("disk", check, "not this version's", "back it up; `xvm run` brings it up to date")


async def _has_signed(settings: Settings, key: SigningKey) -> bool:
    engine = open_engine(settings.store_url)
    try:
        return bool(await SqlStore(engine).load_own_attestations(key.key, 0, 1))
    finally:
        await engine.dispose()


def _is_new(url: str) -> bool:
    path = database_file(url)
    return path is not None and not path.exists()
