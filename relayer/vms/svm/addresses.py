"""Where the gateway program keeps what it knows: addresses derived from its own.

Its job: the seeds of each account and of each address that only signs. It asks nobody whether an account exists.

Source: contracts/svm/README.md, Addresses; contracts/svm/src/layouts.h.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

from attestation.keccak import keccak256

SYSTEM_PROGRAM: Final = Pubkey.default()
"""Owns what nobody has given to a program, and what is not there."""

UPGRADEABLE_LOADER: Final = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")

_REMEMBERED: Final = 16_384
"""Derivations, of some 300 bytes: a request's are asked for a few times within seconds."""


class GatewayAddresses:
    """The addresses of one gateway, whose program id is 32 bytes. Numbers in seeds are little-endian."""

    def __init__(self, program: bytes) -> None:
        self.program: Final = Pubkey(program)
        self.config: Final = self._derive(b"config")
        self.event_authority: Final = self._derive(b"__event_authority")

    def epoch(self, number: int) -> Pubkey:
        """A signer set."""
        return self._derive(b"epoch", number.to_bytes(8, "little"))

    def root(self, root: bytes, epoch: int, count: int) -> Pubkey:
        """A batch whose certificate is, or is being, verified."""
        return self._derive(b"root", root, epoch.to_bytes(8, "little"), count.to_bytes(4, "little"))

    def outbound(self, chain: bytes) -> Pubkey:
        """What the gateway knows of a destination, a chain-only ERC-7930 address."""
        return self._derive(b"outbound", keccak256(chain))

    def inbound(self, source_gateway: bytes) -> Pubkey:
        """Whether a source gateway (ERC-7930) is believed."""
        return self._derive(b"inbound", keccak256(source_gateway))

    def sender(self, sender: Pubkey) -> Pubkey:
        """A sender's next nonce."""
        return self._derive(b"sender", bytes(sender))

    def pending(self, sender: Pubkey, salt: int) -> Pubkey:
        """A request from here, until its callback has run."""
        return self._derive(b"pending", bytes(sender), salt.to_bytes(8, "little"))

    def ordered(self, sender: Pubkey, route: bytes) -> Pubkey:
        """A sender's last ordered request on a route."""
        return self._derive(b"ordered", bytes(sender), keccak256(route))

    def credit(self, beneficiary: bytes) -> Pubkey:
        """What a payee (32 bytes) has earned."""
        return self._derive(b"credit", beneficiary)

    def slot(self, request_id: bytes) -> Pubkey:
        """The slot word of a consumed request."""
        return self._derive(b"slot", request_id)

    def own_account(self, sender: bytes) -> Pubkey:
        """What signs for a remote sender (ERC-7930)."""
        return self._derive(b"account", keccak256(sender))

    def callback_authority(self, handler: Pubkey) -> Pubkey:
        """What signs callbacks to one program."""
        return self._derive(b"callback", bytes(handler))

    @property
    def program_data(self) -> Pubkey:
        """Where the upgradeable loader keeps the program's code and upgrade authority."""
        return program_data_address(self.program)

    def _derive(self, *seeds: bytes) -> Pubkey:
        return _find_address(self.program, seeds)


def program_data_address(program: Pubkey) -> Pubkey:
    """Where the upgradeable loader keeps a program's code."""
    return _find_address(UPGRADEABLE_LOADER, (bytes(program),))


@lru_cache(maxsize=_REMEMBERED)
def _find_address(program: Pubkey, seeds: tuple[bytes, ...]) -> Pubkey:
    return Pubkey.find_program_address(seeds, program)[0]
