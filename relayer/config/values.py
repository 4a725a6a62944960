"""Values of the configuration: texts that must mean something, and where URLs lead.

Its job: check one value at a time. SECURITY: what a fault says never holds the value, which may be a secret.
"""

from __future__ import annotations

import ipaddress
import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from attestation.address import parse_account_text, parse_chain_text
from attestation.errors import AttestationError
from attestation.schemes import SCHEMES, SCHEMES_BY_NAME
from relayer.peers.wire import PEER_SCHEME

SCHEME_NAMES: Final = " or ".join(SCHEMES_BY_NAME)
"""Of signature schemes, for people."""

_PEER_KEY_LENGTH: Final = PEER_SCHEME.public_key_length
_SIGNER_KEY_LENGTHS: Final = frozenset(scheme.public_key_length for scheme in SCHEMES.values())


def chain_text(text: str) -> str:
    """A chain as CAIP-2, in its one spelling."""
    try:
        return str(parse_chain_text(text))
    except AttestationError as error:
        raise ValueError(f"{error}; a chain is written as namespace:reference, such as eip155:31337") from None


def signer_text(text: str) -> str:
    """A signer key: 0x and lower-case hex digits, as many as keys of some scheme have."""
    key = _key_bytes(text)
    if len(key) not in _SIGNER_KEY_LENGTHS:
        raise ValueError("write the peer's signer key as 0x and its hex digits; `xvm keys show` prints it")
    return f"0x{key.hex()}"


def peer_key_text(text: str) -> str:
    """A peer key: 0x and 40 lower-case hex digits."""
    key = _key_bytes(text)
    if len(key) != _PEER_KEY_LENGTH:
        raise ValueError("write the peer key as 0x and 40 hex digits; `xvm keys show` prints it as the account")
    return f"0x{key.hex()}"


def scheme_text(text: str) -> str:
    """The name of a signature scheme."""
    if text not in SCHEMES_BY_NAME:
        raise ValueError(f"no scheme of this version; write {SCHEME_NAMES}")
    return text


def _key_bytes(text: str) -> bytes:
    """The bytes of 0x and hex digits; none for any other text."""
    try:
        return bytes.fromhex(text[2:]) if text.startswith("0x") else b""
    except ValueError:
        return b""


def secret_url(value: SecretStr) -> SecretStr:
    """Resolve `env:NAME` and `file:PATH`; the text of a fault never holds the URL."""
    text = value.get_secret_value()
    kind, _, place = text.partition(":")
    if kind == "env":
        found = os.environ.get(place)
        if not found:
            raise ValueError(f"the environment variable {place} is not set")
        return SecretStr(found.strip())
    if kind == "file":
        try:
            return SecretStr(Path(place).read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"the file {place} cannot be read") from None
    return value


def url_text(text: str) -> str:
    """An HTTP URL."""
    if not is_url(text, ("http", "https")):
        raise ValueError("not a URL that starts with http:// or https://")
    return text


def path_text(path: Path) -> Path:
    """A path that a file system takes, whether or not something is there."""
    if "\0" in str(path):
        raise ValueError("a path cannot hold a NUL byte; correct it")
    try:
        path.exists()
    except OSError as error:
        # What is as long as that need not be a path: it is not repeated.
        raise ValueError(f"not a path that can be looked at: {error.strerror}; correct it") from None
    return path


def folder_path(path: Path) -> Path:
    """A folder, or a place where one can be made."""
    path_text(path)
    existing = next((part for part in (path, *path.parents) if part.exists()), path)
    if existing.exists() and not existing.is_dir():
        raise ValueError(f"{existing} is not a folder; name another, or move it away")
    return path


def key_file_path(path: Path) -> Path:
    """A file that is there; what is in it is read when it is needed."""
    path_text(path)
    if not path.is_file():
        raise ValueError(f"{path} is not a file; `xvm keys new` makes a key file")
    return path


ChainText = Annotated[str, AfterValidator(chain_text)]
SecretUrl = Annotated[SecretStr, AfterValidator(secret_url)]
KeyFile = Annotated[Path, AfterValidator(key_file_path)]
PlainPath = Annotated[Path, AfterValidator(path_text)]
Folder = Annotated[Path, AfterValidator(folder_path)]

MAX_BLOCK: Final = 2**53
"""The largest block number that every JSON reader keeps exact; chains are far below."""

MAX_PAUSE_SECONDS: Final = 3_600.0
"""One hour: what waits longer than that for a block, an answer or a turn does not work."""

Seconds = Annotated[float, Field(gt=0, le=MAX_PAUSE_SECONDS, allow_inf_nan=False)]
Price = Annotated[Decimal, Field(ge=Decimal("1e-36"), le=Decimal("1e36"))]
"""Bounded, because an exponent of a million is quickly written and never computed."""


def is_account(caip2: str, text: str, bech32_prefix: str | None = None) -> bool:
    """Whether `text` is an account of this chain, in the chain's own form, and of this prefix if one is given."""
    try:
        parse_account_text(f"{caip2}:{text}", bech32_prefix)
    except AttestationError:
        return False
    return True


def is_url(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether the URL has one of these schemes, and a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_in_the_clear(url: str) -> bool:
    """Whether the URL is unencrypted and its host is not this machine's loopback."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "ws"}:
        return False
    host = parts.hostname or ""
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True
