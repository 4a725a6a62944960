"""The gateway's instructions that its owner sends.

Its job: data and accounts, in the program's order. What relayers send is in `instructions`. It fetches nothing and
knows no transaction.

Source: contracts/svm/xvm_gateway.idl.json.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from attestation.signer_set import SignerSet
from relayer.vms.svm.accounts import Terms
from relayer.vms.svm.addresses import SYSTEM_PROGRAM, GatewayAddresses
from relayer.vms.svm.instructions import encode_signer_set

_INITIALIZE: Final = b"\x01"
_SET_OUTBOUND: Final = b"\x02"
_SET_INBOUND: Final = b"\x03"
_SET_OFFICES: Final = b"\x04"
_TRANSFER_OWNERSHIP: Final = b"\x05"
_INSTALL: Final = b"\x09"
_SET_SENDER_LIMIT: Final = b"\x1e"

_LENGTH: Final = struct.Struct("<I")
_SLOTS: Final = struct.Struct("<Q")
_LIMIT: Final = struct.Struct("<II")
_TERMS: Final = struct.Struct("<14QIIHBB4x")


class OwnerInstructions:
    """Instructions of the gateway at `addresses`, signed and paid for by `owner`."""

    def __init__(self, addresses: GatewayAddresses, owner: Pubkey) -> None:
        self._at = addresses
        self._payer = AccountMeta(owner, is_signer=True, is_writable=True)
        self._signer = AccountMeta(owner, is_signer=True, is_writable=False)

    def initialize(self, genesis_hash: bytes, guardian: Pubkey, treasury: Pubkey, max_pause_slots: int) -> Instruction:
        """Make the config. The owner is the program's upgrade authority; `genesis_hash` (32 bytes) is the chain's."""
        accounts = [
            self._payer,
            _writable(self._at.config),
            self._signer,
            _readable(self._at.program_data),
            _readable(SYSTEM_PROGRAM),
        ]
        data = _INITIALIZE + genesis_hash + bytes(guardian) + bytes(treasury) + _SLOTS.pack(max_pause_slots)
        return self._call(data, accounts)

    def set_outbound(self, chain: bytes, destination_gateway: bytes, terms: Terms) -> Instruction:
        """Say what a destination (chain-only ERC-7930) takes and costs, and its gateway, empty for no calls."""
        data = _SET_OUTBOUND + _encode_bytes(chain) + _encode_bytes(destination_gateway) + encode_terms(terms)
        return self._call(data, self._route(self._at.outbound(chain)))

    def set_inbound(self, source_gateway: bytes, *, is_open: bool) -> Instruction:
        """Say whether a source gateway (ERC-7930) is believed."""
        data = _SET_INBOUND + _encode_bytes(source_gateway) + bytes([is_open])
        return self._call(data, self._route(self._at.inbound(source_gateway)))

    def set_offices(self, guardian: Pubkey, treasury: Pubkey) -> Instruction:
        """Name guardian (the system program's address: nobody) and treasury."""
        return self._call(_SET_OFFICES + bytes(guardian) + bytes(treasury), self._control)

    def transfer_ownership(self, new_owner: Pubkey) -> Instruction:
        """Offer the gateway to a new owner, who has to accept it."""
        return self._call(_TRANSFER_OWNERSHIP + bytes(new_owner), self._control)

    def set_sender_limit(self, slots: int, requests: int) -> Instruction:
        """Say how often a sender may ask in how many slots; a zero: no limit."""
        return self._call(_SET_SENDER_LIMIT + _LIMIT.pack(slots, requests), self._control)

    def install(self, signer_set: SignerSet, former_epoch: int) -> Instruction:
        """Bring in the set that follows `former_epoch`'s, 0 before the first."""
        former = _readable(self._at.epoch(former_epoch) if former_epoch else self._at.program)
        accounts = [
            self._payer,
            _writable(self._at.config),
            _readable(self._at.event_authority),
            _readable(self._at.program),
            former,
            _writable(self._at.epoch(former_epoch + 1)),
            _readable(SYSTEM_PROGRAM),
        ]
        return self._call(_INSTALL + encode_signer_set(signer_set), accounts)

    @property
    def _control(self) -> list[AccountMeta]:
        return [self._signer, _writable(self._at.config)]

    def _route(self, state: Pubkey) -> list[AccountMeta]:
        return [self._payer, _readable(self._at.config), _writable(state), _readable(SYSTEM_PROGRAM)]

    def _call(self, data: bytes, accounts: Sequence[AccountMeta]) -> Instruction:
        return Instruction(self._at.program, data, accounts)


def encode_terms(terms: Terms) -> bytes:
    """Terms as instructions and accounts have them, 128 bytes."""
    return _TERMS.pack(
        terms.address_lengths,
        terms.max_execution_gas,
        terms.max_callback_gas,
        terms.min_expiry_seconds,
        terms.default_expiry_seconds,
        terms.max_expiry_seconds,
        terms.deadline_slots,
        terms.max_deadline_slots,
        terms.execution_price,
        terms.execution_overhead_gas,
        terms.execution_gas_per_byte,
        terms.callback_price,
        terms.delivery_lamports,
        terms.signers_lamports,
        terms.max_payload_bytes,
        terms.max_return_bytes,
        terms.expire_bps,
        terms.is_open,
        terms.takes_queries,
    )


def _encode_bytes(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _readable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)
