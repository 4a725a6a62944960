"""A transaction, what is signed of it, and the service that simulates and finds it.

`TxRaw` is what is sent: its body and auth info are bytes, since what was signed is what must be hashed again.

Source: cosmos/tx/v1beta1/{tx,service}.proto, cosmos/crypto/secp256k1/keys.proto, cosmos/base/abci/v1beta1/abci.proto
of the Cosmos SDK 0.50.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.cosmos.abci import Event
from relayer.cosmos.base import AnyMessage, Coin, Timestamp
from relayer.cosmos.protobuf import Message, blob, blobs, flag, i64, many, one, text, u32, u64

SIGN_MODE_DIRECT: Final = 1

SIMULATE: Final = "/cosmos.tx.v1beta1.Service/Simulate"
GET_TX: Final = "/cosmos.tx.v1beta1.Service/GetTx"


@dataclass(frozen=True, slots=True)
class Secp256k1PubKey(Message):
    """`cosmos.crypto.secp256k1.PubKey`: 33 bytes, compressed."""

    TYPE_URL = "/cosmos.crypto.secp256k1.PubKey"
    key: bytes = blob(1)


@dataclass(frozen=True, slots=True)
class TxBody(Message):
    """`TxBody`: what the transaction does."""

    messages: tuple[AnyMessage, ...] = many(1, AnyMessage)
    memo: str = text(2)
    timeout_height: int = u64(3)
    unordered: bool = flag(4)
    timeout_timestamp: Timestamp | None = one(5, Timestamp)
    extension_options: tuple[AnyMessage, ...] = many(1023, AnyMessage)
    non_critical_extension_options: tuple[AnyMessage, ...] = many(2047, AnyMessage)


@dataclass(frozen=True, slots=True)
class Single(Message):
    """`ModeInfo.Single`: one key signs, in this mode."""

    mode: int = u32(1)


@dataclass(frozen=True, slots=True)
class ModeInfo(Message):
    """`ModeInfo`. Multi-signatures are not declared: such a transaction is malformed here."""

    single: Single | None = one(1, Single)


@dataclass(frozen=True, slots=True)
class SignerInfo(Message):
    """`SignerInfo`: who signs, how, and which of its transactions this is."""

    public_key: AnyMessage | None = one(1, AnyMessage)
    mode_info: ModeInfo | None = one(2, ModeInfo)
    sequence: int = u64(3)


@dataclass(frozen=True, slots=True)
class Fee(Message):
    """`Fee`: what is paid, whatever the transaction uses of its gas."""

    amount: tuple[Coin, ...] = many(1, Coin)
    gas_limit: int = u64(2)
    payer: str = text(3)
    granter: str = text(4)


@dataclass(frozen=True, slots=True)
class AuthInfo(Message):
    """`AuthInfo`: signers and fee."""

    signer_infos: tuple[SignerInfo, ...] = many(1, SignerInfo)
    fee: Fee | None = one(2, Fee)


@dataclass(frozen=True, slots=True)
class TxRaw(Message):
    """`TxRaw`: what is sent. Its hash is the SHA-256 of its bytes."""

    body_bytes: bytes = blob(1)
    auth_info_bytes: bytes = blob(2)
    signatures: tuple[bytes, ...] = blobs(3)


@dataclass(frozen=True, slots=True)
class Tx(Message):
    """`Tx`: the same, taken apart."""

    TYPE_URL = "/cosmos.tx.v1beta1.Tx"
    body: TxBody | None = one(1, TxBody)
    auth_info: AuthInfo | None = one(2, AuthInfo)
    signatures: tuple[bytes, ...] = blobs(3)


@dataclass(frozen=True, slots=True)
class SignDoc(Message):
    """`SignDoc`: the SHA-256 of its bytes is signed in `SIGN_MODE_DIRECT`."""

    body_bytes: bytes = blob(1)
    auth_info_bytes: bytes = blob(2)
    chain_id: str = text(3)
    account_number: int = u64(4)


@dataclass(frozen=True, slots=True)
class TxMsgData(Message):
    """`TxMsgData`: what a transaction's result carries as data, one response a message."""

    msg_responses: tuple[AnyMessage, ...] = many(2, AnyMessage)


@dataclass(frozen=True, slots=True)
class SimulateRequest(Message):
    """`SimulateRequest`. Signatures are not looked at, their number is."""

    tx: Tx | None = one(1, Tx)
    tx_bytes: bytes = blob(2)


@dataclass(frozen=True, slots=True)
class GasInfo(Message):
    """`GasInfo`."""

    gas_wanted: int = u64(1)
    gas_used: int = u64(2)


@dataclass(frozen=True, slots=True)
class SimulationResult(Message):
    """`cosmos.base.abci.v1beta1.Result`."""

    data: bytes = blob(1)
    log: str = text(2)
    events: tuple[Event, ...] = many(3, Event)
    msg_responses: tuple[AnyMessage, ...] = many(4, AnyMessage)


@dataclass(frozen=True, slots=True)
class SimulateResponse(Message):
    """`SimulateResponse`; a transaction that would fail has none: the query itself fails."""

    gas_info: GasInfo | None = one(1, GasInfo)
    result: SimulationResult | None = one(2, SimulationResult)


@dataclass(frozen=True, slots=True)
class GetTxRequest(Message):
    """`GetTxRequest`: 64 hexadecimal digits."""

    hash: str = text(1)


@dataclass(frozen=True, slots=True)
class TxResponse(Message):
    """`cosmos.base.abci.v1beta1.TxResponse`; `timestamp` as RFC 3339, `data` in hexadecimal."""

    height: int = i64(1)
    txhash: str = text(2)
    codespace: str = text(3)
    code: int = u32(4)
    data: str = text(5)
    raw_log: str = text(6)
    info: str = text(8)
    gas_wanted: int = i64(9)
    gas_used: int = i64(10)
    tx: AnyMessage | None = one(11, AnyMessage)
    timestamp: str = text(12)
    events: tuple[Event, ...] = many(13, Event)


@dataclass(frozen=True, slots=True)
class GetTxResponse(Message):
    """`GetTxResponse`."""

    tx: Tx | None = one(1, Tx)
    tx_response: TxResponse | None = one(2, TxResponse)
