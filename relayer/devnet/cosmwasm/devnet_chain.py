"""A CosmWasm chain as a part of a devnet.

Its job: the command line of its process, its accounts, and its lines in the plan and in configurations. It starts
nothing, and needs the extra `cosmwasm` no more than to say that it is missing: only the process runs contracts.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from attestation.address import Chain, Namespace
from relayer.cosmos.accounts import account_of_secret, to_bech32
from relayer.cosmos.contract_address import classic_address
from relayer.devnet.accounts import dev_secrets
from relayer.devnet.kinds import ChainPlace, DevnetKind
from relayer.devnet.probe import ask
from relayer.devnet.toml_text import quoted
from relayer.errors import ConfigError

PREFIX: Final = "wasm"
"""Of accounts' texts."""

FEE_DENOM: Final = "uxvm"
"""The smallest unit of the coin that fees are paid in."""

_DECIMALS: Final = 6
_COIN: Final = 10**_DECIMALS
_EXAMPLES: Final = ("counter",)
_EXAMPLES_FOLDER: Final = Path(__file__).resolve().parents[3] / "contracts" / "cosmwasm" / "examples"

_ACCOUNT_UNITS: Final = 10**9 * _COIN
_WALLET_UNITS: Final = 10**5 * _COIN

_PRICE_PER_GIGAGAS: Final = 4 * 10**7
"""What requests pay: 0.04 of the smallest unit for a unit of gas, above the 0.025 that the chain asks for."""

_MAX_FEE_PER_GAS: Final = 1_000_000
"""Millionths of the smallest unit: one for a unit of gas."""

_TRANSACTION_GAS: Final = 60_000_000
"""As many as a block of the Cosmos Hub has."""


class CosmWasmChain:
    """Implements the port `DevChain`.

    Raises:
        ConfigError: the extra `cosmwasm` is not installed.
    """

    def __init__(self, place: ChainPlace) -> None:
        if find_spec("wasmtime") is None:
            raise ConfigError(["--vms cosmwasm: wasmtime is not installed: `make setup` brings it, as an extra"])
        self._place = place
        (self._port,) = place.ports
        self._examples = find_examples()

    @property
    def name(self) -> str:
        """As people call it."""
        return self._place.name

    @property
    def caip2(self) -> str:
        """CAIP-2 text."""
        return str(Chain(Namespace.COSMOS, self._chain_id.encode("ascii")))

    @property
    def rpc_url(self) -> str:
        """CometBFT's RPC over HTTP."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        """The same over WebSocket."""
        return f"ws://127.0.0.1:{self._port}/websocket"

    @property
    def block_time_seconds(self) -> float:
        """Between two blocks."""
        return self._place.block_time_seconds

    @property
    def command(self) -> Sequence[str]:
        """How the chain is started, with everybody's money in the genesis."""
        return [
            *(sys.executable, "-m", "relayer.devnet.cosmwasm"),
            *(f"--chain-id={self._chain_id}", f"--port={self._port}"),
            f"--block-time={self.block_time_seconds:g}",
            *([f"--kept-states={self._place.kept_states}"] if self._place.kept_states else []),
            *(f"--fund={self.account(secret)}={_ACCOUNT_UNITS}" for secret in dev_secrets()),
            *(f"--contract={self.account(self._place.owner_secret)}={code}" for code in self._examples.values()),
            # As anvil has it: a devnet is there to be broken.
            "--faults",
        ]

    @property
    def wallet_grant(self) -> int:
        """In the smallest unit."""
        return _WALLET_UNITS

    def account(self, secret: bytes) -> str:
        """The account of a secp256k1 secret, in bech32."""
        return to_bech32(PREFIX, account_of_secret(secret))

    def plan_lines(self) -> Sequence[str]:
        """As a plan has them."""
        return (
            *self._lines,
            f"price_per_gigagas = {quoted(str(_PRICE_PER_GIGAGAS))}",
            f"bech32_prefix = {quoted(PREFIX)}",
            f"fee_denom = {quoted(FEE_DENOM)}",
        )

    def config_lines(self) -> Sequence[str]:
        """As a configuration has them."""
        return (
            *self._lines,
            f"transaction_gas_cap = {_TRANSACTION_GAS}",
            f"max_fee_per_gas = {_MAX_FEE_PER_GAS}",
            f"native_decimals = {_DECIMALS}",
        )

    def described(self) -> Mapping[str, object]:
        """What its fees are paid in, and contracts to call."""
        # Contracts of the genesis are numbered in their order, and so are their codes.
        contracts = {
            name: to_bech32(PREFIX, classic_address(number, number)) for number, name in enumerate(self._examples, 1)
        }
        return {"fee_denom": FEE_DENOM, "contracts": contracts}

    @property
    def _chain_id(self) -> str:
        return f"xvm-cosmwasm-{self._place.number + 1}"

    @property
    def _lines(self) -> Sequence[str]:
        # What is in a block is final; a relayer may wait longer, and a devnet's do on each of its chains.
        finality = f"finality = {{ depth_blocks = {self._place.finality_depth} }}"
        return (finality, f"block_time_seconds = {self.block_time_seconds:g}")


def find_examples() -> Mapping[str, Path]:
    """The example contracts that need no gateway, by name; none outside of this project's tree."""
    return {name: path for name in _EXAMPLES if (path := _EXAMPLES_FOLDER / f"{name}.wasm").is_file()}


def fetch_height(rpc_url: str) -> int | None:
    """The newest block; None if the chain does not answer."""
    try:
        return int(ask(rpc_url, "status")["sync_info"]["latest_block_height"])
    except (TypeError, KeyError, ValueError):
        return None


KIND: Final = DevnetKind(namespace="cosmos", chains=1, ports=1, lay_out=CosmWasmChain, fetch_height=fetch_height)
"""What the entry point `xvm.devnets` names."""
