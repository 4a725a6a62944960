"""What the doctor says of keys, folders and databases. Files and databases are real."""

from __future__ import annotations

from pathlib import Path

import pytest

from attestation.schemes import SECP256K1
from relayer.cli.checks.disk import (
    examine_data_dir,
    examine_databases,
    examine_signer_key,
    examine_wallet_keys,
)
from relayer.cli.checks.finding import State
from relayer.cli.config_example import example_config
from relayer.config import Settings, load_config
from relayer.ports.store import Commit
from relayer.store.engine import open_engine
from relayer.store.migrate import Schema, upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import attest, execute_batch, track

KEY = SECP256K1.signing_key(b"\x11" * 32)


def settings(folder: Path, secret: str = "11" * 32, extra: str = "") -> Settings:
    for name in ("signer.json", "wallet.json"):
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    path = folder / "relayer.toml"
    path.write_text(extra + example_config())
    return load_config(path)


async def states(found: Settings) -> list[tuple[State, str]]:
    return [(finding.state, finding.detail) for finding in await examine_databases(found, KEY)]


def test_keys_that_load_are_shown_by_their_public_part(tmp_path: Path) -> None:
    key, finding = examine_signer_key(settings(tmp_path))
    assert (key is not None, finding.detail) == (True, f"0x{KEY.key.hex()} (ecdsa-secp256k1)")
    chains, (wallets,) = examine_wallet_keys(settings(tmp_path))
    assert ([chain.name for chain in chains], wallets.state) == (["alpha", "beta"], State.OK)


@pytest.mark.parametrize("secret", ["no key at all", "00" * 32, '{"version": 3}'])
def test_a_key_that_does_not_load_is_a_fault_that_does_not_show_it(
    tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XVM_PASSWORD", "guess")
    key, finding = examine_signer_key(settings(tmp_path, secret))
    assert (key, finding.state) == (None, State.FAULT)
    assert secret not in finding.detail
    assert "guess" not in finding.detail


def test_each_wallet_key_that_does_not_load_is_a_fault(tmp_path: Path) -> None:
    chains, findings = examine_wallet_keys(settings(tmp_path, "no key at all"))
    assert (chains, [finding.state for finding in findings]) == ((), [State.FAULT, State.FAULT])


def test_a_data_dir_is_there_can_be_made_or_is_a_fault(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert examine_data_dir(found).detail == f"{tmp_path}/data, made at the first start"
    found.node.data_dir.write_text("a file")
    assert examine_data_dir(found).state is State.FAULT
    found.node.data_dir.unlink()
    found.node.data_dir.mkdir()
    assert examine_data_dir(found).detail == f"{tmp_path}/data"


async def test_a_new_node_has_no_databases_and_the_doctor_makes_none(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert await states(found) == [(State.OK, "not there yet, made at the first start")] * 2
    assert not found.node.data_dir.exists()


async def test_current_databases_are_found_current(tmp_path: Path) -> None:
    found = settings(tmp_path)
    found.node.data_dir.mkdir()
    await upgrade(found.store_url)
    assert await states(found) == [
        (State.OK, "current"),
        (State.OK, "not there yet, made at the first start"),
    ]
    await upgrade(found.guard_url, Schema.GUARD)
    assert await states(found) == [(State.OK, "current")] * 2


async def test_SECURITY_a_guard_that_is_missing_where_the_node_has_signed_is_a_fault(tmp_path: Path) -> None:  # noqa: N802
    found = settings(tmp_path)
    found.node.data_dir.mkdir()
    await upgrade(found.store_url)
    engine = open_engine(found.store_url)
    batch = execute_batch(track())
    await SqlStore(engine).commit(Commit(batches=(batch,), attestations=(attest(batch, KEY),)))
    await engine.dispose()
    (_, guard) = await examine_databases(found, KEY)
    assert (guard.state, guard.detail) == (
        State.FAULT,
        "missing or of another version, but this node has signed before",
    )


async def test_a_database_of_another_schema_is_a_warning(tmp_path: Path) -> None:
    found = settings(tmp_path)
    found.node.data_dir.mkdir()
    for name in ("relayer", "guard"):
        (found.node.data_dir / f"{name}.sqlite3").touch()
    assert await states(found) == [(State.WARNING, "not this version's")] * 2


async def test_a_database_that_is_none_is_a_fault_with_its_file_and_without_its_url(tmp_path: Path) -> None:
    folder = tmp_path / "hunter2"
    folder.mkdir()
    found = settings(tmp_path, extra=f'database_url = "sqlite:///{folder}/db"\n')
    (folder / "db").write_text("this is no database, and longer than one page's header would be " * 20)
    ((state, told),) = await states(found)
    assert state is State.FAULT
    assert told.startswith(f"{folder}/db: not a SQLite database")
    assert "sqlite://" not in told
