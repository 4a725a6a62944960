"""Transactions of one message to a contract, signed.

Its job: from fields to the raw bytes that nodes take, and from our own raw bytes to what they offer. Deterministic: the
same input gives the same bytes (RFC 6979). It must not choose a field.

Source: the Cosmos SDK's ADR 020 and ADR 027, `SIGN_MODE_DIRECT`; wasmd's `MsgExecuteContract`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import coincurve

from relayer.cosmos.protobuf import MalformedProtobuf
from relayer.cosmos.signing import encode_auth_info, encode_body, sign_direct
from relayer.cosmos.tx import AuthInfo, TxRaw
from relayer.cosmos.wasm import MsgExecuteContract
from relayer.errors import RpcUnavailable


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is signed. `sender` and `contract` are bech32, `message` is JSON, `public_key` the sender's, 33 bytes.

    The fee of `fee_amount` smallest units of `fee_denom` is paid whatever is used of the gas; 0 is no coin at all.
    """

    chain_id: str
    account_number: int
    sequence: int
    public_key: bytes
    sender: str
    contract: str
    message: bytes
    gas_limit: int
    fee_amount: int
    fee_denom: str

    def sign(self, key: coincurve.PrivateKey) -> bytes:
        """The raw transaction. Its hash is its SHA-256."""
        return sign_direct(self._body(), self._auth_info(), self.chain_id, self.account_number, key)

    def unsigned(self) -> bytes:
        """The raw transaction as simulations take it: with an empty signature."""
        return TxRaw(self._body(), self._auth_info(), (b"",)).encode()

    def _body(self) -> bytes:
        return encode_body(MsgExecuteContract(self.sender, self.contract, self.message))

    def _auth_info(self) -> bytes:
        return encode_auth_info(self.public_key, self.sequence, self.gas_limit, self.fee_amount, self.fee_denom)


def hash_of(raw: bytes) -> bytes:
    """A transaction's hash, 32 bytes."""
    return hashlib.sha256(raw).digest()


def offered_fee(raw: bytes) -> int:
    """What a transaction of ours pays, in the smallest unit. Raises `RpcUnavailable` for what is none of ours."""
    try:
        fee = AuthInfo.decode(TxRaw.decode(raw).auth_info_bytes).fee
        return sum(int(coin.amount) for coin in fee.amount) if fee is not None else 0
    except (MalformedProtobuf, ValueError):
        raise RpcUnavailable("an endpoint answered with a malformed transaction") from None
