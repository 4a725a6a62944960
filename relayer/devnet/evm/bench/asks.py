"""The load's transactions of an EVM chain.

Its job: each request a user's own transaction, signed before the clock runs.

Source: EIP-1559, EIP-2718 (the transactions).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import coincurve
import rlp
from web3.contract import Contract

from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.sides import Aim
from relayer.devnet.evm.chain_session import ChainSession

_ASK_GAS: Final = 300_000
_CALLBACK_GAS: Final = 100_000
_EXPIRY_SECONDS: Final = 250
_MAX_FEE_WEI: Final = 100 * 10**9
_TIP_WEI: Final = 10**9

_REQUESTS_PER_SENDER: Final = 500
"""Of one asking contract: half of what the gateways of a devnet let one sender ask within a window of blocks."""


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Raw bytes as nodes take them, and their hash (32 bytes)."""

    hash: bytes
    raw: bytes


def sign_asks(
    session: ChainSession, load: Load, aim: Aim, accounts: Sequence[Mapping[str, Any]]
) -> list[SignedTransaction]:
    """All of the load, by turns of the devnet's `accounts` and of enough asking contracts, which this puts there."""
    pings = session.create("XvmPing", math.ceil(load.count / _REQUESTS_PER_SENDER))
    expiry = session.now() + _EXPIRY_SECONDS + math.ceil(load.seconds) if load.mode is Mode.CALL else 0
    options = session.options(
        mode=int(load.mode), executionGasLimit=aim.execution_gas, callbackGasLimit=_CALLBACK_GAS, expiry=expiry
    )
    fee = session.quote(aim.account, len(aim.payload), options)
    ask = _bytes(pings[0].encode_abi("ask", [aim.account, aim.payload, options]))
    senders = [
        (coincurve.PrivateKey(_bytes(str(account["private_key"]))), session.next_nonce(str(account["address"])))
        for account in accounts
    ]
    askers = [contract_address(ping) for ping in pings]
    return [
        _sign(*senders[number % len(senders)], number // len(senders), session.chain_id, asker, fee, ask)
        for number, asker in ((number, askers[number % len(askers)]) for number in range(load.count))
    ]


def contract_address(contract: Contract) -> bytes:
    """Its 20 bytes."""
    return _bytes(contract.address)


def _sign(
    key: coincurve.PrivateKey, nonce: int, earlier: int, chain_id: int, to: bytes, value: int, data: bytes
) -> SignedTransaction:
    """The transaction of the account whose next nonce is `nonce`, when it has sent so many `earlier` ones."""
    numbers = (chain_id, nonce + earlier, _TIP_WEI, _MAX_FEE_WEI, _ASK_GAS)
    fields = [*map(_number, numbers), to, _number(value), data, []]
    signature = key.sign_recoverable(keccak256(b"\x02" + rlp.encode(fields)), hasher=None)
    parts = (signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"))
    raw = b"\x02" + rlp.encode([*fields, *map(_number, parts)])
    return SignedTransaction(keccak256(raw), raw)


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
