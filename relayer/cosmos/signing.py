"""Transactions of one message, signed with one key.

Its job: from a message and fields to the raw bytes that nodes take. Deterministic: the same input gives the same bytes
(RFC 6979). It must not choose a field.

Source: the Cosmos SDK's ADR 020 and ADR 027, `SIGN_MODE_DIRECT`.
"""

from __future__ import annotations

import hashlib

import coincurve

from relayer.cosmos.base import AnyMessage, Coin
from relayer.cosmos.protobuf import Message
from relayer.cosmos.tx import (
    SIGN_MODE_DIRECT,
    AuthInfo,
    Fee,
    ModeInfo,
    Secp256k1PubKey,
    SignDoc,
    SignerInfo,
    Single,
    TxBody,
    TxRaw,
)


def encode_body(message: Message) -> bytes:
    """What a transaction of one message does. An `Any` stands for the message in it."""
    packed = message if isinstance(message, AnyMessage) else AnyMessage.of(message)
    return TxBody(messages=(packed,)).encode()


def encode_auth_info(public_key: bytes, sequence: int, gas_limit: int, fee_amount: int, fee_denom: str) -> bytes:
    """Who signs a transaction with the account's next `sequence`, and what it pays.

    `public_key` has 33 bytes, `fee_amount` is in the smallest unit of `fee_denom`; 0 is no coin at all.
    """
    signer = SignerInfo(AnyMessage.of(Secp256k1PubKey(public_key)), ModeInfo(Single(SIGN_MODE_DIRECT)), sequence)
    amount = (Coin(fee_denom, str(fee_amount)),) if fee_amount else ()
    return AuthInfo((signer,), Fee(amount, gas_limit)).encode()


def sign_direct(body: bytes, auth_info: bytes, chain_id: str, account_number: int, key: coincurve.PrivateKey) -> bytes:
    """The raw transaction of these parts, signed."""
    document = SignDoc(body, auth_info, chain_id, account_number).encode()
    # The library gives a low s. Cosmos has no use for the recovery id.
    signature = key.sign_recoverable(hashlib.sha256(document).digest(), hasher=None)[:64]
    return TxRaw(body, auth_info, (signature,)).encode()
