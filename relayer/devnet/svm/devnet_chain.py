"""A Solana chain as a part of a devnet.

Its job: the command line of its process, its accounts, and its lines in the plan and in configurations. It starts
nothing, and needs the extra `svm` no more than to say that it is missing: only the process has LiteSVM in it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from Crypto.PublicKey import ECC

from attestation.address import Chain, Namespace
from attestation.keccak import keccak256
from attestation.textcodecs import base58_encode
from relayer.devnet.accounts import dev_secrets
from relayer.devnet.kinds import ChainPlace, DevnetKind
from relayer.devnet.probe import ask
from relayer.devnet.svm.genesis import genesis_hash
from relayer.devnet.toml_text import quoted
from relayer.errors import ConfigError

PROGRAM: Final = base58_encode(keccak256(b"XVM gateway of the devnet"))
"""Where the gateway program is on every Solana chain of a devnet. Nobody has its key: it is there from the genesis."""

SLOT_PART: Final = 0.4
"""Of the devnet's block time: a slot of 0.4 s, as clusters have it, where EVM blocks take one second."""

DEMO_PROGRAMS: Final = {
    "token": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "associated_token": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    "memo": "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
}
"""Programs that every Solana chain has, to call."""

_ACCOUNT_LAMPORTS: Final = 10**6 * 10**9
_WALLET_LAMPORTS: Final = 1_000 * 10**9
_PRICE_PER_GIGAGAS: Final = 2 * 10**8
"""Lamports: 0.2 for a compute unit, above what relayers bid. Rent is priced as so many compute units at this price."""

_MAX_FEE_PER_GAS: Final = 1_000_000
"""Micro-lamports for a compute unit: a lamport."""

_COMPUTE_UNITS: Final = 1_400_000
"""Of one transaction at most; Source: MAX_COMPUTE_UNIT_LIMIT of solana-compute-budget."""

_PROGRAMS: Final = Path("contracts/svm")
_GATEWAY_CODE: Final = "xvm_gateway.so"
_EXAMPLES_FOLDER: Final = "examples"
_ADDRESSES: Final = "addresses.json"
"""What the example programs are called, and where they are."""


class SolanaChain:
    """Implements the port `DevChain`.

    Raises:
        ConfigError: the extra `svm` is not installed, or the gateway program is not there.
    """

    def __init__(self, place: ChainPlace) -> None:
        if find_spec("solders") is None:
            raise ConfigError(["--vms svm: solders is not installed: `make setup` brings it, as the extra svm"])
        self._place = place
        self._port, self._ws_port = place.ports
        self._folder = find_programs()
        self._examples = json.loads((self._folder / _EXAMPLES_FOLDER / _ADDRESSES).read_text("utf-8"))

    @property
    def name(self) -> str:
        """As people call it."""
        return self._place.name

    @property
    def caip2(self) -> str:
        """CAIP-2 text, with the whole genesis hash."""
        return str(Chain(Namespace.SOLANA, genesis_hash(self._cluster)))

    @property
    def rpc_url(self) -> str:
        """JSON-RPC over HTTP."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        """Subscriptions."""
        return f"ws://127.0.0.1:{self._ws_port}"

    @property
    def block_time_seconds(self) -> float:
        """A slot's."""
        return self._place.block_time_seconds * SLOT_PART

    @property
    def command(self) -> Sequence[str]:
        """How the chain is started: with the program, its upgrade authority and everybody's money in the genesis."""
        owner = self.account(self._place.owner_secret)
        return [
            *(sys.executable, "-m", "relayer.devnet.svm"),
            *(f"--name={self._cluster}", f"--port={self._port}", f"--ws-port={self._ws_port}"),
            f"--slot-seconds={self.block_time_seconds:g}",
            # What is confirmed is final as soon as the devnet's depth allows.
            f"--finalized-after={max(1, self._place.finality_depth)}",
            *(f"--program={PROGRAM}={self._folder / _GATEWAY_CODE}", f"--upgrade-authority={owner}"),
            *(
                f"--program={example['program']}={self._folder / _EXAMPLES_FOLDER / example['code']}"
                for example in self._examples.values()
            ),
            *(f"--fund={self.account(secret)}={_ACCOUNT_LAMPORTS}" for secret in dev_secrets()),
            # As anvil has it: a devnet is there to be broken.
            "--faults",
        ]

    @property
    def wallet_grant(self) -> int:
        """Lamports."""
        return _WALLET_LAMPORTS

    def account(self, secret: bytes) -> str:
        """The public key of an ed25519 seed, in base58."""
        key = ECC.construct(curve="Ed25519", seed=secret).public_key()  # type: ignore[arg-type]  # bytes, as documented
        return base58_encode(key.export_key(format="raw"))

    def plan_lines(self) -> Sequence[str]:
        """As a plan has them."""
        return (
            f"gateway = {quoted(PROGRAM)}",
            *self._lines,
            f"price_per_gigagas = {quoted(str(_PRICE_PER_GIGAGAS))}",
        )

    def config_lines(self) -> Sequence[str]:
        """As a configuration has them."""
        return (
            *self._lines,
            f"transaction_gas_cap = {_COMPUTE_UNITS}",
            f"max_fee_per_gas = {_MAX_FEE_PER_GAS}",
            "native_decimals = 9",
        )

    def described(self) -> Mapping[str, object]:
        """Programs to call."""
        examples = {name: example["program"] for name, example in self._examples.items()}
        return {"programs": {**DEMO_PROGRAMS, **examples}}

    @property
    def _cluster(self) -> str:
        """The chain's name gives its genesis hash: two chains of a devnet have two."""
        return f"xvm-devnet-{self._place.name}"

    @property
    def _lines(self) -> Sequence[str]:
        return ('finality = { tag = "finalized" }', f"block_time_seconds = {self.block_time_seconds:g}")


def find_programs() -> Path:
    """The folder of the programs, in this project's tree or the working folder's. Raises `ConfigError` without one."""
    for folder in (Path(__file__).resolve().parents[3], Path.cwd()):
        if (folder / _PROGRAMS / _GATEWAY_CODE).is_file():
            return folder / _PROGRAMS
    raise ConfigError([f"{_PROGRAMS / _GATEWAY_CODE} is not here: run it in the project's folder"])


def fetch_height(rpc_url: str) -> int | None:
    """The newest slot; None if the chain does not answer."""
    height = ask(rpc_url, "getSlot")
    return height if isinstance(height, int) else None


KIND: Final = DevnetKind(namespace="solana", chains=1, ports=2, lay_out=SolanaChain, fetch_height=fetch_height)
"""What the entry point `xvm.devnets` names."""
