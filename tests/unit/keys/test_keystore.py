"""Secrets on disk."""

from __future__ import annotations

import json
import os
import pickle
import stat
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayer.errors import ConfigError
from relayer.keys.keystore import Secret, load_password, load_secret, save_bare_secret, save_keystore

SECRET = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
PASSWORD = "testpassword"

# The two test vectors of the Web3 Secret Storage definition; both hold SECRET under PASSWORD.
SCRYPT = {
    "cipher": "aes-128-ctr",
    "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
    "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
    "kdf": "scrypt",
    "kdfparams": {
        "dklen": 32,
        "n": 262144,
        "p": 8,
        "r": 1,
        "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
    },
    "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
}
PBKDF2 = {
    "cipher": "aes-128-ctr",
    "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
    "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    "kdf": "pbkdf2",
    "kdfparams": {
        "c": 262144,
        "dklen": 32,
        "prf": "hmac-sha256",
        "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
    },
    "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
}


def _write(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return path


def _keystore(crypto: Mapping[str, object]) -> str:
    return json.dumps({"crypto": crypto, "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3})


@pytest.mark.parametrize("crypto", [SCRYPT, PBKDF2], ids=["scrypt", "pbkdf2"])
def test_a_keystore_of_the_standard_opens_with_its_password(tmp_path: Path, crypto: dict[str, object]) -> None:
    assert load_secret(_write(tmp_path / "key.json", _keystore(crypto)), PASSWORD).reveal() == SECRET


def test_what_was_saved_is_loaded_again_and_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    save_keystore(path, Secret(SECRET), PASSWORD)
    assert load_secret(path, PASSWORD).reveal() == SECRET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET.hex() not in path.read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.json"]


@pytest.mark.parametrize("form", ["0x{}\n", "{}", "{}\n"])
def test_a_bare_key_of_its_owner_alone_is_read(tmp_path: Path, form: str) -> None:
    assert load_secret(_write(tmp_path / "key", form.format(SECRET.hex())), None).reveal() == SECRET


def test_a_bare_key_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    save_bare_secret(path, Secret(SECRET))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(path, None).reveal() == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_security_a_bare_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """SECURITY: its mode is all that protects a bare key."""
    with pytest.raises(ConfigError, match="chmod 600"):
        load_secret(_write(tmp_path / "key", SECRET.hex(), mode), None)


def test_security_a_password_file_that_others_can_reach_is_refused(tmp_path: Path) -> None:
    """SECURITY: the password opens every copy of the keystore."""
    with pytest.raises(ConfigError, match="chmod 600"):
        load_password("UNUSED", _write(tmp_path / "password", PASSWORD, 0o644))


def test_security_a_key_file_never_replaces_another(tmp_path: Path) -> None:
    """SECURITY: an overwritten signer key is a lost one."""
    path = _write(tmp_path / "key", "precious")
    with pytest.raises(ConfigError, match="never overwritten"):
        save_bare_secret(path, Secret(SECRET))
    with pytest.raises(ConfigError, match="never overwritten"):
        save_keystore(path, Secret(SECRET), PASSWORD)
    assert path.read_text() == "precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_security_a_new_key_file_is_never_wider_than_its_owner_even_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SECURITY: the mode is given at creation, whatever the umask."""
    modes: list[int] = []
    link = os.link

    def watched_link(source: Path, target: Path) -> None:
        modes.append(stat.S_IMODE(source.stat().st_mode))
        link(source, target)

    monkeypatch.setattr(os, "link", watched_link)
    former = os.umask(0)
    try:
        save_bare_secret(tmp_path / "key", Secret(SECRET))
    finally:
        os.umask(former)
    assert modes == [0o600]


def test_a_folder_that_cannot_be_written_is_a_config_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        save_bare_secret(tmp_path / "missing" / "key", Secret(SECRET))


def test_an_empty_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="empty password"):
        save_keystore(tmp_path / "key", Secret(SECRET), "")


def test_a_keystore_without_a_password_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="password is needed"):
        load_secret(_write(tmp_path / "key.json", _keystore(PBKDF2)), None)


def test_a_password_comes_from_its_file_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XVM_TEST_PASSWORD", "from the environment")
    path = _write(tmp_path / "password", "from a file\n")
    assert load_password("XVM_TEST_PASSWORD", path) == "from a file"
    assert load_password("XVM_TEST_PASSWORD", None) == "from the environment"
    assert load_password("XVM_TEST_NOT_SET", None) is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (SECRET.hex()[:-2], "neither"),
        ("", "neither"),
        ("[" * 10_000, "neither"),
        ("{}", "version 3"),
        ("[]", "version 3"),
        ("3", "version 3"),
        (json.dumps({"version": 3, "crypto": []}), "version 3"),
        (json.dumps({"version": 4, "crypto": {}}), "version 3"),
        (_keystore({**PBKDF2, "mac": "00" * 32}), "password is wrong"),
        (_keystore({**PBKDF2, "kdf": "none"}), "version 3"),
        (_keystore({**PBKDF2, "ciphertext": "zz"}), "version 3"),
        ("x" * 20_000, "longer than"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, content: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        load_secret(_write(tmp_path / "key", content), PASSWORD)


def test_what_is_no_readable_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, fault in (("missing", "cannot be read"), (".", "cannot be read"), ("binary", "not a text file")):
        with pytest.raises(ConfigError, match=fault):
            load_secret(tmp_path / name, PASSWORD)
    with pytest.raises(ConfigError, match="not a regular file"):
        load_secret(Path("/dev/null"), PASSWORD)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    junk=st.one_of(st.text(max_size=200), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
)
def test_junk_is_a_config_error_and_nothing_else(tmp_path: Path, junk: str) -> None:
    with pytest.raises(ConfigError):
        load_secret(_write(tmp_path / "key", junk), PASSWORD)


def test_security_neither_secret_nor_password_shows_in_an_error(tmp_path: Path) -> None:
    """SECURITY: errors are logged and pasted into issues."""
    nearly = SECRET.hex() + "g"
    for content, password in (
        (nearly, None),
        (nearly, "hunter2"),
        (_keystore({**PBKDF2, "mac": "11" * 32}), "hunter2"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_secret(_write(tmp_path / "key", content), password)
        shown = "".join(traceback.format_exception(caught.value))
        assert nearly[:16] not in shown
        assert "hunter2" not in shown


def test_security_a_secret_shows_in_no_text_form() -> None:
    """SECURITY: a settings object with a secret in it gets printed sooner or later."""
    secret = Secret(SECRET)
    for text in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert SECRET.hex() not in text
        assert repr(SECRET) not in text
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Secret(SECRET[1:])
