"""Secrets on disk: encrypted keystores, and for tests and machines with their own protection a bare hex file.

Its job: read and write 32-byte secrets so that no other user of the machine can, and so that nothing of a secret
appears in an error, a log or a repr. It knows no signature scheme and asks nobody for a password.

Source: Web3 Secret Storage version 3 (scrypt or PBKDF2, AES-128-CTR), as eth-account implements it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import orjson

from relayer.errors import ConfigError

SECRET_LENGTH: Final = 32
"""Bytes of a secret: of a secp256k1 key, and of every key we derive from one."""

MAX_KEY_FILE_BYTES: Final = 16_384
"""A version 3 keystore has some 500 bytes. What is much longer is another file, named by mistake."""

MAX_PASSWORD_BYTES: Final = 4_096
"""The same for a password file."""

_OWNER_ONLY: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_BARE_HEX: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})\s*")


class PasswordMissing(ConfigError):  # noqa: N818 - named as relayer.errors names its own
    """An encrypted key file, and no password for it."""


class Secret:
    """32 secret bytes that show in no repr, no text form and no pickle. `reveal` hands them out."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if len(value) != SECRET_LENGTH:
            raise ValueError(f"a secret has {SECRET_LENGTH} bytes")
        self._value = value

    def reveal(self) -> bytes:
        """The bytes. Only a signing key's constructor has a use for them."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not to be serialized")


def load_secret(path: Path, password: str | None) -> Secret:
    """The secret in a key file: a version 3 keystore (JSON), for which `password` is needed, or bare hex.

    Raises:
        PasswordMissing: there is none, and it is needed.
        ConfigError: the file cannot be read, is neither form, is bare and readable by others, or the password is wrong.
            Its text names the file and never what is in it.
    """
    content, mode = _read(path, MAX_KEY_FILE_BYTES)
    bare = _BARE_HEX.fullmatch(content)
    if bare is not None:
        # SECURITY: a bare secret is protected by the file's mode alone.
        if mode & _OTHERS:
            raise ConfigError([f"{path}: a bare key must be readable by its owner only; run: chmod 600 {path}"])
        return Secret(bytes.fromhex(bare[1]))
    if password is None:
        raise PasswordMissing([f"{path}: a password is needed; name a password file or set the environment variable"])
    return _decrypt(path, content, password)


def save_keystore(path: Path, secret: Secret, password: str) -> None:
    """Write a new version 3 keystore, encrypted with scrypt: whole or not at all, readable by its owner only.

    Raises:
        ConfigError: the password is empty, something is at `path` already, or the folder cannot be written.
    """
    if not password:
        raise ConfigError([f"{path}: an empty password protects nothing"])
    _write_new(path, json.dumps(_codec().encrypt(secret.reveal(), password, kdf="scrypt"), indent=2) + "\n")


def save_bare_secret(path: Path, secret: Secret) -> None:
    """Write a new bare hex file, mode 0600, whole or not at all. Raises `ConfigError` as `save_keystore`."""
    _write_new(path, f"0x{secret.reveal().hex()}\n")


def load_password(variable: str, path: Path | None) -> str | None:
    """A password from the file at `path`, else from the environment variable named `variable`, else None.

    One newline at the file's end is not part of it. Raises `ConfigError` if the file cannot be read or others can.
    """
    if path is None:
        return os.environ.get(variable)
    content, mode = _read(path, MAX_PASSWORD_BYTES)
    # SECURITY: who can read the password needs only the keystore, and those are often backed up together.
    if mode & _OTHERS:
        raise ConfigError([f"{path}: a password file must be readable by its owner only; run: chmod 600 {path}"])
    return content.removesuffix("\n").removesuffix("\r")


def _decrypt(path: Path, content: str, password: str) -> Secret:
    # SECURITY: no `from` here: the library's errors can carry what they choked on.
    try:
        keystore = orjson.loads(content)
    except ValueError:
        raise ConfigError([f"{path}: neither a JSON keystore nor 64 hex digits"]) from None
    try:
        return Secret(bytes(_codec().decrypt(keystore, password)))
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
        raise ConfigError([f"{path}: no version 3 keystore, or the password is wrong"]) from None


def _codec() -> Any:
    """eth-account's. It takes a third of a node's start to load, and most keys of a devnet need none."""
    return import_module("eth_account").Account


def _read(path: Path, limit: int) -> tuple[str, int]:
    """The text and the mode of one regular file, looked at through one descriptor: nobody can swap it in between."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError([f"{path}: not a regular file"])
            content = file.read(limit + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    if len(content) > limit:
        raise ConfigError([f"{path}: longer than {limit} bytes"])
    try:
        # Windows has no such mode bits; there the folder's access list protects the file.
        return content.decode("utf-8"), 0 if sys.platform == "win32" else status.st_mode
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: not a text file"]) from None


def _write_new(path: Path, content: str) -> None:
    """Create `path` with mode 0600: a temporary file beside it, synced, then linked, which fails if `path` exists."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        # SECURITY: the mode is given at creation; a chmod afterwards would leave a moment for others.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # SECURITY: a rename would silently replace another key; a link does not.
            os.link(draft, path)
        finally:
            draft.unlink()
    except FileExistsError as error:
        raise ConfigError([f"{path}: exists already; a key is never overwritten"]) from error
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error
