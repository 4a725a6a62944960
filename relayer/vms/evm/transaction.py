"""EIP-1559 transactions, signed.

Its job: from fields to the raw bytes that nodes take. Deterministic: the same input gives the same bytes (RFC 6979). It
must not choose a field.

Source: EIP-1559, EIP-2718; Ethereum yellow paper, appendix B (RLP).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import coincurve

from attestation.keccak import keccak256

_TYPE: Final = b"\x02"
_SHORT: Final = 55  # the longest payload whose length fits RLP's first byte
_BYTES_OFFSET: Final = 0x80
_LIST_OFFSET: Final = 0xC0
_EMPTY_ACCESS_LIST: Final = bytes((_LIST_OFFSET,))


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is signed. `to` is a 20-byte address, fees are wei per gas, `value` is wei."""

    chain_id: int
    nonce: int
    max_priority_fee: int
    max_fee: int
    gas_limit: int
    to: bytes
    value: int
    data: bytes

    def sign(self, key: coincurve.PrivateKey) -> bytes:
        """The raw transaction. Its hash is its keccak256."""
        fields = b"".join(
            (
                _rlp_number(self.chain_id),
                _rlp_number(self.nonce),
                _rlp_number(self.max_priority_fee),
                _rlp_number(self.max_fee),
                _rlp_number(self.gas_limit),
                _rlp_bytes(self.to),
                _rlp_number(self.value),
                _rlp_bytes(self.data),
                _EMPTY_ACCESS_LIST,
            )
        )
        signature = key.sign_recoverable(keccak256(_TYPE + _rlp_list(fields)), hasher=None)
        r, s, parity = signature[:32], signature[32:64], signature[64]
        return _TYPE + _rlp_list(
            fields + _rlp_number(parity) + _rlp_number(int.from_bytes(r, "big")) + _rlp_number(int.from_bytes(s, "big"))
        )


def _rlp_number(value: int) -> bytes:
    return _rlp_bytes(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _rlp_bytes(value: bytes) -> bytes:
    if len(value) == 1 and value[0] < _BYTES_OFFSET:
        return value
    return _rlp_length(len(value), _BYTES_OFFSET) + value


def _rlp_list(payload: bytes) -> bytes:
    return _rlp_length(len(payload), _LIST_OFFSET) + payload


def _rlp_length(length: int, offset: int) -> bytes:
    if length <= _SHORT:
        return bytes((offset + length,))
    encoded = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((offset + _SHORT + len(encoded),)) + encoded
