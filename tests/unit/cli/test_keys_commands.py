"""What `xvm keys` writes and shows, and what it never shows."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from solders.keypair import Keypair
from typer.testing import CliRunner

from attestation.schemes import BLS12381, SECP256K1
from attestation.signer_set import operator_id
from relayer.cli.app import app
from relayer.keys.keystore import load_secret

RUNNER = CliRunner()
PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _no_password_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XVM_PASSWORD", raising=False)


def test_a_new_bare_key_is_its_owners_alone_and_shows_its_public_key(tmp_path: Path) -> None:
    path = tmp_path / "test.key"
    answer = RUNNER.invoke(app, ["keys", "new", str(path), "--bare", "--json"])
    assert answer.exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = load_secret(path, None).reveal()
    shown = json.loads(answer.stdout)
    assert shown["signer"] == f"0x{SECP256K1.signing_key(secret).key.hex()}"
    assert shown["accounts"]["eip155"].lower() == shown["signer"]
    assert shown["accounts"]["solana"] == str(Keypair.from_seed(secret).pubkey())
    assert json.loads(RUNNER.invoke(app, ["keys", "show", str(path), "--json"]).stdout) == shown


def test_a_new_key_is_encrypted_with_the_password_of_the_file(tmp_path: Path) -> None:
    path, password = tmp_path / "signer.json", tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    password.chmod(0o600)
    made = RUNNER.invoke(app, ["keys", "new", str(path), "--password-file", str(password)])
    assert made.exit_code == 0
    assert json.loads(path.read_text())["version"] == 3
    shown = RUNNER.invoke(app, ["keys", "show", str(path)], env={"XVM_PASSWORD": PASSWORD})
    assert (shown.exit_code, shown.stdout) == (0, made.stdout)


def test_SECURITY_no_secret_is_printed(tmp_path: Path) -> None:  # noqa: N802
    path = tmp_path / "test.key"
    made = RUNNER.invoke(app, ["keys", "new", str(path), "--bare"])
    shown = RUNNER.invoke(app, ["keys", "show", str(path)])
    secret = load_secret(path, None).reveal().hex()
    assert secret not in made.output + shown.output


def test_SECURITY_a_key_is_never_overwritten(tmp_path: Path) -> None:  # noqa: N802
    path = tmp_path / "test.key"
    RUNNER.invoke(app, ["keys", "new", str(path), "--bare"])
    before = path.read_bytes()
    again = RUNNER.invoke(app, ["keys", "new", str(path), "--bare"])
    assert (again.exit_code, again.stderr) == (1, f"xvm: {path}: exists already; a key is never overwritten\n")
    assert path.read_bytes() == before


def test_a_key_of_another_scheme_is_shown_with_what_a_set_lists_for_its_operator(tmp_path: Path) -> None:
    path = tmp_path / "test.key"
    asked = ("--scheme", "bls12-381", "--operator", "alice", "--json")
    made = RUNNER.invoke(app, ["keys", "new", str(path), "--bare", *asked])
    shown = json.loads(made.stdout)
    key = BLS12381.signing_key(load_secret(path, None).reveal())
    assert (shown["scheme"], shown["signer"], shown["accounts"]) == ("bls12-381", f"0x{key.key.hex()}", {})
    listed = bytes.fromhex(shown["listed_key"][2:])
    assert BLS12381.is_proven_key(listed, operator_id("alice"))
    assert not BLS12381.is_proven_key(listed, operator_id("bob"))
    text = RUNNER.invoke(app, ["keys", "show", str(path), *asked[:-1]]).stdout
    assert text == f"signer key   0x{key.key.hex()}\nlisted key   0x{listed.hex()}\n"


def test_a_secret_of_another_program_becomes_a_key_file(tmp_path: Path) -> None:
    source, path = tmp_path / "exported.key", tmp_path / "signer.json"
    secret = b"\x11" * 32
    source.write_text(secret.hex())
    source.chmod(0o600)
    answer = RUNNER.invoke(
        app, ["keys", "import", str(path), "--from", str(source), "--json"], env={"XVM_PASSWORD": PASSWORD}
    )
    assert json.loads(answer.stdout)["signer"] == f"0x{SECP256K1.signing_key(secret).key.hex()}"
    assert load_secret(path, PASSWORD).reveal() == secret
    assert json.loads(path.read_text())["version"] == 3


def test_a_secret_beyond_the_schemes_order_is_not_imported(tmp_path: Path) -> None:
    source, path = tmp_path / "exported.key", tmp_path / "signer.key"
    source.write_text("88" * 32)
    source.chmod(0o600)
    command = ["keys", "import", str(path), "--from", str(source), "--bare"]
    answer = RUNNER.invoke(app, [*command, "--scheme", "bls12-381"])
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"xvm: {source}: a BLS12-381 secret is")
    assert not path.exists()
    assert RUNNER.invoke(app, command).exit_code == 0


def test_a_scheme_that_is_none_and_a_name_that_is_too_long_are_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "test.key"
    for option, value in (("--scheme", "rsa"), ("--operator", "x" * 33)):
        answer = RUNNER.invoke(app, ["keys", "new", str(path), "--bare", option, value])
        assert answer.exit_code == 2
        assert not path.exists()


def test_without_a_password_and_a_terminal_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "signer.json"
    answer = RUNNER.invoke(app, ["keys", "new", str(path)])
    assert answer.exit_code == 1
    assert answer.stderr == "xvm: a password is needed; name a --password-file or set XVM_PASSWORD\n"
    assert not path.exists()


def test_a_file_that_is_no_key_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("not a key")
    answer = RUNNER.invoke(app, ["keys", "show", str(path)], env={"XVM_PASSWORD": PASSWORD})
    assert answer.exit_code == 1
    assert answer.stderr == f"xvm: {path}: neither a JSON keystore nor 64 hex digits\n"


def test_a_secret_that_is_no_key_of_the_scheme_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "zero.key"
    path.write_text("00" * 32)
    path.chmod(0o600)
    answer = RUNNER.invoke(app, ["keys", "show", str(path)])
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
    assert answer.stderr.startswith(f"xvm: {path}: a secp256k1 secret is 32 bytes")
