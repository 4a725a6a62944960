"""The relayers of a devnet and what is written for each: keys, a configuration file, an entry in the plan.

Its job: text and key files. It starts nothing; the files are what an operator of a real network would write.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from attestation.address import checksum_address
from attestation.schemes import DEFAULT_SCHEME, SCHEMES_BY_NAME, SECP256K1, Scheme, SigningKey, draw_secret
from attestation.signer_set import operator_id
from relayer.devnet.spec import DevnetFolder, DevnetSpec

NETWORK_NAME: Final = "devnet"
SIGNER_FILE: Final = "signer.key"
PEER_FILE: Final = "peer.key"
WALLET_FILE: Final = "wallet.key"
CONFIG_FILE: Final = "config.toml"

_WALLET_WEI: Final = 100 * 10**18
_GAS_PRICE_GWEI: Final = 5
"""What requests pay per gas: above what relayers bid on chains whose base fee starts at 1 gwei and falls."""

_YEAR_SECONDS: Final = 365 * 86_400
_GRACE_SECONDS: Final = 3_600
_EXPIRY_SECONDS: Final = 300
ADDRESS_LENGTH: Final = 20


@dataclass(frozen=True, slots=True)
class Member:
    """One relayer: its name, API port and keys.

    `signer` is its signer's public key, `listed_key` what the signer set lists of it; `wallet` is a 20-byte address,
    and so is `peer_key`, which is the signer key itself where that is an address.
    """

    name: str
    port: int
    signer: bytes
    listed_key: bytes
    peer_key: bytes
    wallet: bytes

    @property
    def api_url(self) -> str:
        """Base URL of its API."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class DevChain:
    """One running chain."""

    name: str
    chain_id: int
    port: int

    @property
    def caip2(self) -> str:
        """CAIP-2 text."""
        return f"eip155:{self.chain_id}"

    @property
    def rpc_url(self) -> str:
        """JSON-RPC over HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """JSON-RPC over WebSocket."""
        return f"ws://127.0.0.1:{self.port}"


def make_member(folder: DevnetFolder, name: str, port: int, scheme_name: str = DEFAULT_SCHEME.name) -> Member:
    """Draw the keys of a new relayer, its signer's of this scheme, and write them, for its owner only."""
    home = folder.relayer(name)
    home.mkdir(parents=True)
    signer = _make_key(home / SIGNER_FILE, SCHEMES_BY_NAME[scheme_name])
    is_address = len(signer.key) == ADDRESS_LENGTH
    return Member(
        name=name,
        port=port,
        signer=signer.key,
        listed_key=signer.listed_key(operator_id(name)),
        peer_key=signer.key if is_address else _make_key(home / PEER_FILE, SECP256K1).key,
        wallet=_make_key(home / WALLET_FILE, SECP256K1).key,
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
        f"key_file = {_quoted(folder.owner_key.name)}",
        "",
        "[signers]",
        f"scheme = {_quoted(spec.scheme)}",
        f"threshold = {spec.threshold}",
        f"valid_until = {int(time.time()) + _YEAR_SECONDS}",
        f"grace_seconds = {_GRACE_SECONDS}",
    ]
    for member in members:
        lines += [
            "",
            "[[signers.members]]",
            f"name = {_quoted(member.name)}",
            f"key = {_quoted(f'0x{member.listed_key.hex()}')}",
            f"endpoint = {_quoted(member.api_url)}",
            f"payout = {_quoted(checksum_address(member.wallet))}",
        ]
    lines += ["", "[terms]", "min_expiry_seconds = 1", f"default_expiry_seconds = {_EXPIRY_SECONDS}"]
    for chain in chains:
        lines += [
            "",
            "[[chains]]",
            f"name = {_quoted(chain.name)}",
            f"caip2 = {_quoted(chain.caip2)}",
            f"rpc_url = {_quoted(chain.rpc_url)}",
            f"finality = {{ depth_blocks = {spec.finality_depth} }}",
            f"block_time_seconds = {spec.block_time_seconds:g}",
            f"gas_price_gwei = {_GAS_PRICE_GWEI}",
            "grants = [",
            *(
                f"  {{ account = {_quoted(checksum_address(member.wallet))}, wei = {_quoted(str(_WALLET_WEI))} }},"
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
        f"name = {_quoted(member.name)}",
        f"network = {_quoted(NETWORK_NAME)}",
        'data_dir = "data"',
        f"api_port = {member.port}",
        'log_format = "json"',
        "",
        "[signer]",
        f"key_file = {_quoted(SIGNER_FILE)}",
        f"scheme = {_quoted(spec.scheme)}",
    ]
    if member.peer_key != member.signer:
        lines.append(f"peer_key_file = {_quoted(PEER_FILE)}")
    for chain, deployed in chains:
        lines += [
            "",
            "[[chains]]",
            f"name = {_quoted(chain.name)}",
            f"caip2 = {_quoted(chain.caip2)}",
            f"rpc_urls = [{', '.join(map(_quoted, rpc_urls(chain, spec.rpc_endpoints)))}]",
            f"ws_urls = [{_quoted(chain.ws_url)}]",
            f"gateway = {_quoted(deployed['gateway'])}",
            f"verifier = {_quoted(deployed['verifier'])}",
            f"registry = {_quoted(deployed['registry'])}",
            f"start_block = {deployed['start_block']}",
            f"finality = {{ depth_blocks = {spec.finality_depth} }}",
            f"block_time_seconds = {spec.block_time_seconds:g}",
            f"wallet_key_file = {_quoted(WALLET_FILE)}",
        ]
    for peer in peers:
        lines += [
            "",
            "[[peers]]",
            f"name = {_quoted(peer.name)}",
            f"url = {_quoted(peer.api_url)}",
            f"signer = {_quoted(f'0x{peer.signer.hex()}')}",
        ]
        if peer.peer_key != peer.signer:
            lines.append(f"peer_key = {_quoted(f'0x{peer.peer_key.hex()}')}")
    return "\n".join(lines) + "\n"


def rpc_urls(chain: DevChain, count: int) -> list[str]:
    """So many endpoints of the chain: different in name, one process in truth. The first is the chain's own URL."""
    return [chain.rpc_url, *(f"{chain.rpc_url}/?endpoint={number}" for number in range(2, count + 1))]


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(text)
