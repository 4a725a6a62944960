"""A transaction's bytes taken apart: what can be said of them without a state.

Its job: from untrusted bytes to messages, signer and fee, or the error that the Cosmos SDK has for it.

Source: x/auth/tx/decoder.go, types/tx and types/errors of the Cosmos SDK 0.50.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from relayer.cosmos.protobuf import MalformedProtobuf
from relayer.cosmos.tx import SIGN_MODE_DIRECT, AuthInfo, Fee, Secp256k1PubKey, SignDoc, Tx, TxBody, TxRaw
from relayer.devnet.cosmwasm.amounts import amounts_of
from relayer.devnet.cosmwasm.calls import ChainMessage, call_of, signer_of
from relayer.devnet.cosmwasm.messages import TransactionMessage
from relayer.devnet.cosmwasm.tx_errors import SDK, TxError

_MAX_MEMO: Final = 256
_MAX_MESSAGES: Final = 100
"""Of one transaction; more than a client of ours sends, and each is work."""

_COMPACT_KEY_BYTES: Final = 33
_MAX_GAS: Final = 2**63 - 1

_KINDS: Final[Mapping[str, type[ChainMessage]]] = {kind.TYPE_URL: kind for kind in get_args(ChainMessage)}


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a transaction says. `public_key` has 33 bytes, or none where the chain is to know it already."""

    raw: bytes
    hash: bytes
    body: TxBody
    auth_info: AuthInfo
    calls: tuple[TransactionMessage, ...]
    signer: str
    public_key: bytes
    sequence: int
    fee: Fee
    paid: Mapping[str, int]
    """The fee by denomination."""

    signed: TxRaw

    @property
    def signatures(self) -> tuple[bytes, ...]:
        """Exactly one."""
        return self.signed.signatures

    def sign_bytes(self, chain_id: str, account_number: int) -> bytes:
        """What its signature is of."""
        return SignDoc(self.signed.body_bytes, self.signed.auth_info_bytes, chain_id, account_number).encode()

    def whole(self) -> Tx:
        """The same as one message."""
        return Tx(self.body, self.auth_info, self.signatures)


def parse_transaction(raw: bytes) -> Transaction:
    """Take a transaction apart.

    Raises:
        TxError: it is none that this chain knows.
    """
    try:
        signed = TxRaw.decode(raw)
        body = TxBody.decode(signed.body_bytes)
        auth_info = AuthInfo.decode(signed.auth_info_bytes)
        messages = tuple(_message(packed.type_url, packed.value) for packed in body.messages)
    except MalformedProtobuf as error:
        raise TxError(SDK, 2, f"{error}: tx parse error") from None
    _require_plain(body)
    if not 1 <= len(messages) <= _MAX_MESSAGES:
        raise TxError(SDK, 18, f"must contain 1 to {_MAX_MESSAGES} messages: invalid request")
    # SECURITY: one signature speaks for one account, and every message must be that account's.
    signers = {signer_of(message) for message in messages}
    if len(signers) != 1 or len(auth_info.signer_infos) != 1 or len(signed.signatures) != 1:
        text = f"wrong number of signers; expected {len(signers)}, got {len(signed.signatures)}: unauthorized"
        raise TxError(SDK, 4, text)
    (signer,), (info,) = signers, auth_info.signer_infos
    mode = None if info.mode_info is None else info.mode_info.single
    if mode is None or mode.mode != SIGN_MODE_DIRECT:
        raise TxError(SDK, 4, "this chain verifies SIGN_MODE_DIRECT of one key: unauthorized")
    key = b"" if info.public_key is None else _public_key(info.public_key.type_url, info.public_key.value)
    fee = auth_info.fee or Fee()
    _require_own(fee, signer)
    paid = amounts_of(fee.amount)
    calls = tuple(call_of(message) for message in messages)
    digest = hashlib.sha256(raw).digest()
    return Transaction(raw, digest, body, auth_info, calls, signer, key, info.sequence, fee, paid, signed)


def _message(type_url: str, value: bytes) -> ChainMessage:
    kind = _KINDS.get(type_url)
    if kind is None:
        raise MalformedProtobuf(f"unable to resolve type URL {type_url[:100]}")
    return kind.decode(value)


def _public_key(type_url: str, value: bytes) -> bytes:
    try:
        key = Secp256k1PubKey.decode(value).key
    except MalformedProtobuf as error:
        raise TxError(SDK, 2, f"{error}: tx parse error") from None
    if type_url != Secp256k1PubKey.TYPE_URL or len(key) != _COMPACT_KEY_BYTES:
        raise TxError(SDK, 8, f"{type_url[:100]} of {len(key)} bytes: invalid pubkey")
    return key


def _require_own(fee: Fee, signer: str) -> None:
    if fee.gas_limit > _MAX_GAS:
        raise TxError(SDK, 18, f"invalid gas supplied; {fee.gas_limit} > {_MAX_GAS}: invalid request")
    if fee.granter or fee.payer not in ("", signer):
        raise TxError(SDK, 37, "fees of another account: feature not supported")


def _require_plain(body: TxBody) -> None:
    if body.extension_options:
        raise TxError(SDK, 31, "unknown extension options")
    if len(body.memo) > _MAX_MEMO:
        text = f"maximum number of characters is {_MAX_MEMO} but received {len(body.memo)} characters: memo too large"
        raise TxError(SDK, 12, text)
    if body.unordered or body.timeout_timestamp is not None:
        raise TxError(SDK, 37, "unordered transactions: feature not supported")
