"""Files that people hand one another: read within a bound, written once.

Its job: the text of a file, and what is wrong with one in a line. What the text says is for others. Key files are read
by `relayer.keys.keystore`, which asks more of them.
"""

from __future__ import annotations

import os
from pathlib import Path

from relayer.errors import ConfigError


def read_text(path: Path, limit: int) -> str:
    """The text of a file of at most `limit` characters. Raises `ConfigError`.

    SECURITY: whoever sent the file chose its length: no more than `limit` is read of it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(limit + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: not a text file"]) from None
    if len(text) > limit:
        raise ConfigError([f"{path}: longer than {limit} characters"])
    return text


def write_new_text(path: Path, text: str) -> None:
    """Write a file that does not exist yet, with a newline at its end, on disk on return. Raises `ConfigError`."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigError([f"{path}: exists already; name another file"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from None
