"""The relayers of a devnet and what is written for each: keys, a configuration file, an entry in the plan.

Its job: text and key files. It starts nothing; the files are what an operator of a real network would write.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from attestation.address import checksum_address
from attestation.schemes import DEFAULT_SCHEME, SCHEMES_BY_NAME, SECP256K1, Scheme, SigningKey, draw_secret
from attestation.signer_set import operator_id
from relayer.devnet.kinds import DevChain
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from relayer.devnet.toml_text import quoted

NETWORK_NAME: Final = "devnet"
SIGNER_FILE: Final = "signer.key"
PEER_FILE: Final = "peer.key"
WALLET_FILE: Final = "wallet.key"
CONFIG_FILE: Final = "config.toml"

_YEAR_SECONDS: Final = 365 * 86_400
_GRACE_SECONDS: Final = 3_600
_EXPIRY_SECONDS: Final = 300
ADDRESS_LENGTH: Final = 20


@dataclass(frozen=True, slots=True)
class Member:
    """One relayer: its name, API port and keys.

    `signer` is its signer's public key, `listed_key` what the signer set lists of it; `peer_key` is a 20-byte address:
    the signer key itself where that is one. `wallet_secret` (32 bytes) is that of its account on every chain.
    """

    name: str
    port: int
    signer: bytes
    listed_key: bytes
    peer_key: bytes
    wallet_secret: bytes = field(repr=False)

    @property
    def payout(self) -> str:
        """Its account on EVM chains, which registries name."""
        return checksum_address(SECP256K1.signing_key(self.wallet_secret).key)

    @property
    def api_url(self) -> str:
        """Base URL of its API."""
        return f"http://127.0.0.1:{self.port}"


def make_member(folder: DevnetFolder, name: str, port: int, scheme_name: str = DEFAULT_SCHEME.name) -> Member:
    """Draw the keys of a new relayer, its signer's of this scheme, and write them, for its owner only."""
    home = folder.relayer(name)
    home.mkdir(parents=True)
    signer = _make_key(home / SIGNER_FILE, SCHEMES_BY_NAME[scheme_name])
    wallet_secret = draw_secret(SECP256K1, secrets.token_bytes)
    write_key(home / WALLET_FILE, wallet_secret)
    is_address = len(signer.key) == ADDRESS_LENGTH
    return Member(
        name=name,
        port=port,
        signer=signer.key,
        listed_key=signer.listed_key(operator_id(name)),
        peer_key=signer.key if is_address else _make_key(home / PEER_FILE, SECP256K1).key,
        wallet_secret=wallet_secret,
    )


def _make_key(path: Path, scheme: Scheme) -> SigningKey:
    secret = draw_secret(scheme, secrets.token_bytes)
    write_key(path, secret)
    return scheme.signing_key(secret)


def write_key(path: Path, secret: bytes) -> None:
    """A bare key file. SECURITY: its mode is given at creation, and only its owner may read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"0x{secret.hex()}\n")


def plan_text(spec: DevnetSpec, folder: DevnetFolder, chains: Sequence[DevChain], members: Sequence[Member]) -> str:
    """The deployment plan, as `xvm deploy` reads it."""
    lines = [
        "[owner]",
        f"key_file = {quoted(folder.owner_key.name)}",
        "",
        "[signers]",
        f"scheme = {quoted(spec.scheme)}",
        f"threshold = {spec.threshold}",
        f"valid_until = {int(time.time()) + _YEAR_SECONDS}",
        f"grace_seconds = {_GRACE_SECONDS}",
    ]
    for member in members:
        lines += [
            "",
            "[[signers.members]]",
            f"name = {quoted(member.name)}",
            f"key = {quoted(f'0x{member.listed_key.hex()}')}",
            f"endpoint = {quoted(member.api_url)}",
            f"payout = {quoted(member.payout)}",
        ]
    lines += ["", "[terms]", "min_expiry_seconds = 1", f"default_expiry_seconds = {_EXPIRY_SECONDS}"]
    for chain in chains:
        lines += [
            "",
            "[[chains]]",
            f"name = {quoted(chain.name)}",
            f"caip2 = {quoted(chain.caip2)}",
            f"rpc_url = {quoted(chain.rpc_url)}",
            *chain.plan_lines(),
            "grants = [",
            *(
                f"  {{ account = {quoted(chain.account(member.wallet_secret))}, "
                f"amount = {quoted(str(chain.wallet_grant))} }},"
                for member in members
            ),
            "]",
        ]
    return "\n".join(lines) + "\n"


def config_text(
    spec: DevnetSpec, member: Member, peers: Iterable[Member], chains: Sequence[tuple[DevChain, dict[str, Any]]]
) -> str:
    """A relayer's configuration. `chains` come with what the deployment said of each."""
    lines = [
        "[node]",
        f"name = {quoted(member.name)}",
        f"network = {quoted(NETWORK_NAME)}",
        'data_dir = "data"',
        f"api_port = {member.port}",
        'log_format = "json"',
        "",
        "[signer]",
        f"key_file = {quoted(SIGNER_FILE)}",
        f"scheme = {quoted(spec.scheme)}",
    ]
    if member.peer_key != member.signer:
        lines.append(f"peer_key_file = {quoted(PEER_FILE)}")
    for chain, deployed in chains:
        lines += [
            "",
            "[[chains]]",
            f"name = {quoted(chain.name)}",
            f"caip2 = {quoted(chain.caip2)}",
            f"rpc_urls = [{', '.join(map(quoted, rpc_urls(chain, spec.rpc_endpoints)))}]",
            f"ws_urls = [{quoted(chain.ws_url)}]",
            f"gateway = {quoted(deployed['gateway'])}",
            f"verifier = {quoted(deployed['verifier'])}",
            *([f"registry = {quoted(deployed['registry'])}"] if "registry" in deployed else []),
            f"start_block = {deployed['start_block']}",
            *chain.config_lines(),
            f"wallet_key_file = {quoted(WALLET_FILE)}",
        ]
    for peer in peers:
        lines += [
            "",
            "[[peers]]",
            f"name = {quoted(peer.name)}",
            f"url = {quoted(peer.api_url)}",
            f"signer = {quoted(f'0x{peer.signer.hex()}')}",
        ]
        if peer.peer_key != peer.signer:
            lines.append(f"peer_key = {quoted(f'0x{peer.peer_key.hex()}')}")
    return "\n".join(lines) + "\n"


def rpc_urls(chain: DevChain, count: int) -> list[str]:
    """So many endpoints of the chain: different in name, one process in truth. The first is the chain's own URL."""
    return [chain.rpc_url, *(f"{chain.rpc_url}/?endpoint={number}" for number in range(2, count + 1))]
