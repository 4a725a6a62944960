"""An anvil chain as a part of a devnet.

Its job: its command line, its accounts, and its lines in the plan and in configurations. It starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attestation.address import checksum_address
from attestation.schemes import SECP256K1
from relayer.devnet.evm.anvil import anvil_command, find_anvil
from relayer.devnet.kinds import ChainPlace, DevnetKind
from relayer.devnet.probe import ask

FIRST_CHAIN_ID: Final = 31337
"""Each further chain has the next one."""

_WALLET_WEI: Final = 100 * 10**18
_GAS_PRICE_GWEI: Final = 5
"""What requests pay per gas: above what relayers bid on chains whose base fee starts at 1 gwei and falls."""


class AnvilChain:
    """Implements the port `DevChain`."""

    def __init__(self, place: ChainPlace) -> None:
        self._place = place
        self._chain_id = FIRST_CHAIN_ID + place.number
        (self._port,) = place.ports
        self._binary = find_anvil()

    @property
    def name(self) -> str:
        """As people call it."""
        return self._place.name

    @property
    def caip2(self) -> str:
        """CAIP-2 text."""
        return f"eip155:{self._chain_id}"

    @property
    def rpc_url(self) -> str:
        """JSON-RPC over HTTP."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        """JSON-RPC over WebSocket."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def block_time_seconds(self) -> float:
        """Between two blocks."""
        return self._place.block_time_seconds

    @property
    def command(self) -> Sequence[str]:
        """How anvil is started."""
        place = self._place
        return anvil_command(
            self._binary,
            port=self._port,
            chain_id=self._chain_id,
            block_time_seconds=place.block_time_seconds,
            folder=place.folder,
            block_gas_limit=place.block_gas_limit,
            kept_states=place.kept_states,
        )

    @property
    def wallet_grant(self) -> int:
        """Wei."""
        return _WALLET_WEI

    def account(self, secret: bytes) -> str:
        """The address of a secp256k1 secret, with its checksum."""
        return checksum_address(SECP256K1.signing_key(secret).key)

    def plan_lines(self) -> Sequence[str]:
        """As a plan has them."""
        return (self._finality, self._block_time, f"gas_price_gwei = {_GAS_PRICE_GWEI}")

    def config_lines(self) -> Sequence[str]:
        """As a configuration has them."""
        return (self._finality, self._block_time)

    def described(self) -> Mapping[str, object]:
        """Nothing more than any chain."""
        return {}

    @property
    def _finality(self) -> str:
        return f"finality = {{ depth_blocks = {self._place.finality_depth} }}"

    @property
    def _block_time(self) -> str:
        return f"block_time_seconds = {self._place.block_time_seconds:g}"


def fetch_height(rpc_url: str) -> int | None:
    """The latest block number; None if the chain does not answer."""
    try:
        return int(ask(rpc_url, "eth_blockNumber"), 16)
    except (TypeError, ValueError):
        return None


KIND: Final = DevnetKind(namespace="eip155", chains=2, ports=1, lay_out=AnvilChain, fetch_height=fetch_height)
"""What the entry point `xvm.devnets` names. Two chains: most requests of a devnet go from the one to the other."""
