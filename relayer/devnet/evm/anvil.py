"""anvil as a chain of the devnet.

Its job: find the binary of this platform, say how to start it, and name the accounts that it funds. It starts nothing.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attestation.schemes import SECP256K1
from relayer.devnet.accounts import ACCOUNTS, MNEMONIC, dev_secrets
from relayer.devnet.spec import MAIN_NETWORK_GAS_LIMIT
from relayer.errors import ConfigError

_HARDFORK: Final = "prague"
_OVERRIDE: Final = "XVM_ANVIL"
_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class DevAccount:
    """An account with money on the chain: 20-byte address and 32-byte secret."""

    address: bytes
    secret: bytes


def find_anvil() -> Path:
    """The binary: what `XVM_ANVIL` names, else that of the npm package in this project's tree or the working folder.

    Raises:
        ConfigError: there is none.
    """
    override = os.environ.get(_OVERRIDE)
    if override:
        return _require(Path(override))
    machine = _MACHINES.get(platform.machine().lower(), platform.machine())
    package = f"node_modules/@foundry-rs/anvil-{sys.platform}-{machine}/bin/anvil"
    for folder in (Path(__file__).resolve().parents[3], Path.cwd()):
        if (folder / package).is_file():
            return folder / package
    raise ConfigError([f"anvil is not installed for {sys.platform}-{machine}: run make setup, or set {_OVERRIDE}"])


def anvil_command(
    binary: Path,
    *,
    port: int,
    chain_id: int,
    block_time_seconds: float,
    folder: Path,
    block_gas_limit: int = MAIN_NETWORK_GAS_LIMIT,
    kept_states: int = 0,
) -> list[str]:
    """How to start one chain. Everything that it writes lies in `folder`.

    `kept_states` is of how many last blocks it can be read; 0 for what anvil keeps by itself. Where blocks are less
    than three seconds apart anvil does not listen to it, and keeps 1,500.
    """
    return [
        str(binary),
        "--host=127.0.0.1",
        f"--port={port}",
        f"--chain-id={chain_id}",
        f"--hardfork={_HARDFORK}",
        # Never automine: under concurrent load anvil then leaves transactions pending for ever.
        f"--block-time={block_time_seconds:g}",
        f"--gas-limit={block_gas_limit}",
        "--enable-tx-gas-limit",
        f"--accounts={ACCOUNTS}",
        f"--mnemonic={MNEMONIC}",
        # Without this anvil leaves its states in the home folder.
        f"--cache-path={folder}",
        *([f"--prune-history={kept_states}"] if kept_states else []),
    ]


def dev_accounts() -> Iterator[DevAccount]:
    """The funded accounts, the owner first."""
    for secret in dev_secrets():
        yield DevAccount(SECP256K1.signing_key(secret).key, secret)


def _require(path: Path) -> Path:
    if not path.is_file():
        raise ConfigError([f"{_OVERRIDE}: {path} is not a file"])
    return path
