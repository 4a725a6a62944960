"""What is said of keys that do not load, before anything else of a node begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from relayer.cli.app import app
from relayer.cli.config_example import example_config
from relayer.config import Settings, load_config
from relayer.errors import ConfigError
from relayer.keys.keystore import Secret, save_keystore

SIGNER, WALLET = b"\x11" * 32, b"\x22" * 32


def settings(folder: Path, signer: str = SIGNER.hex(), wallet: str = WALLET.hex()) -> Settings:
    for name, content in (("signer.json", signer), ("wallet.json", wallet)):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    (folder / "relayer.toml").write_text(example_config())
    return load_config(folder / "relayer.toml")


def faults(found: Settings) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        found.require_loadable_keys()
    return refusal.value.faults


def test_two_keys_that_load_are_well(tmp_path: Path) -> None:
    settings(tmp_path).require_loadable_keys()


def test_the_faults_of_all_keys_are_told_at_once_each_by_its_place(tmp_path: Path) -> None:
    told = faults(settings(tmp_path, "no key", "none either"))
    assert [fault.partition(":")[0] for fault in told] == [
        "signer.key_file",
        "chains[0].wallet_key_file",
        "chains[1].wallet_key_file",
    ]


def test_a_missing_password_is_told_with_the_variable_that_would_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settings(tmp_path)
    (tmp_path / "signer.json").unlink()
    save_keystore(tmp_path / "signer.json", Secret(SIGNER), "password")
    monkeypatch.delenv(found.signer.password_env, raising=False)
    (told,) = faults(found)
    assert told.startswith("signer.key_file: ")
    assert f"set {found.signer.password_env}, or signer.password_file" in told


def test_security_one_key_does_not_sign_and_pay(tmp_path: Path) -> None:
    """SECURITY: the wallet's key is at work in each transaction; who gets hold of it must not speak for the network."""
    told = faults(settings(tmp_path, SIGNER.hex(), f"0x{SIGNER.hex()}\n"))
    assert [fault.partition(":")[0] for fault in told] == ["chains[0].wallet_key_file", "chains[1].wallet_key_file"]
    assert SIGNER.hex() not in "".join(told)


def test_security_one_key_does_not_speak_to_peers_and_pay(tmp_path: Path) -> None:
    """SECURITY: who gets hold of the wallet's key must not be heard by peers as this node."""
    (tmp_path / "peer.json").write_text(WALLET.hex())
    (tmp_path / "peer.json").chmod(0o600)
    settings(tmp_path)
    text = (tmp_path / "relayer.toml").read_text().replace("#peer_key_file", "peer_key_file")
    (tmp_path / "relayer.toml").write_text(text)
    told = faults(load_config(tmp_path / "relayer.toml"))
    assert [fault.partition(", ")[0] for fault in told] == [
        f"chains[{index}].wallet_key_file: holds the peer key; make another one: xvm keys new" for index in (0, 1)
    ]


def test_a_node_looks_at_its_keys_before_it_makes_anything(tmp_path: Path) -> None:
    settings(tmp_path, "no key")
    result = CliRunner().invoke(app, ["run", "--config", str(tmp_path / "relayer.toml")])
    assert result.exit_code == 1
    assert result.output.startswith("xvm: signer.key_file: ")
    assert not (tmp_path / "data").exists()
