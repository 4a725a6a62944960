"""How accounts look in JSON: as their chains write them.

Its job: text for people from the bytes that the protocol has. On some chains accounts' texts begin with a prefix of the
chain's own, which is in no bytes: it is taken from how the configuration names the chain's gateway.
"""

from __future__ import annotations

from collections.abc import Mapping

from attestation.address import (
    Chain,
    InteroperableAddress,
    bech32_prefix,
    parse_chain_text,
    parse_interoperable_address,
)
from attestation.errors import MalformedAddress


class AccountTexts:
    """Accounts of the chains of this node, and of any other. `gateways` are texts by CAIP-2."""

    def __init__(self, gateways: Mapping[str, str]) -> None:
        self._prefixes = {parse_chain_text(caip2): bech32_prefix(text) for caip2, text in gateways.items()}

    def caip10(self, data: bytes) -> str | None:
        """CAIP-10 of ERC-7930 bytes (CAIP-2 of a chain alone), hex if they do not parse, None if there are none."""
        if not data:
            return None
        try:
            address = parse_interoperable_address(data)
        except MalformedAddress:
            return f"0x{data.hex()}"
        return address.to_text(self._prefix(address.chain))

    def alone(self, data: bytes) -> str:
        """The account of ERC-7930 bytes without the chain; their hex if they do not parse."""
        try:
            address = parse_interoperable_address(data)
        except MalformedAddress:
            return f"0x{data.hex()}"
        return address.account_text(self._prefix(address.chain))

    def of_chain(self, caip2: str, address: bytes) -> str:
        """An account of this chain by its own bytes, hex if the chain has no such accounts."""
        try:
            account = InteroperableAddress(parse_chain_text(caip2), address)
        except MalformedAddress:
            return f"0x{address.hex()}"
        return account.account_text(self._prefix(account.chain))

    def _prefix(self, chain: Chain) -> str | None:
        return self._prefixes.get(chain)
