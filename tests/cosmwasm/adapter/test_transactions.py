"""Signed bytes are those of another client; transactions.json holds its own (see make_transactions.py)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import coincurve
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.schemes.secp256k1 import ORDER
from relayer.cosmos.accounts import account_of_key, to_bech32
from relayer.cosmos.tx import AuthInfo, SignDoc, TxRaw
from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.transactions import Transaction, hash_of, offered_fee

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "transactions.json").read_text())
KEY = coincurve.PrivateKey(b"\x07" * 32)
PUBLIC_KEY = KEY.public_key.format(compressed=True)


def transaction_of(vector: dict[str, Any]) -> tuple[Transaction, coincurve.PrivateKey]:
    key = coincurve.PrivateKey(bytes.fromhex(vector["key"]))
    public_key = key.public_key.format(compressed=True)
    transaction = Transaction(
        chain_id=vector["chain_id"],
        account_number=int(vector["account_number"]),
        sequence=int(vector["sequence"]),
        public_key=public_key,
        sender=to_bech32(vector["prefix"], account_of_key(public_key)),
        contract=to_bech32(vector["prefix"], bytes.fromhex(vector["contract"])),
        message=vector["message"].encode(),
        gas_limit=int(vector["gas_limit"]),
        fee_amount=int(vector["fee_amount"]),
        fee_denom=vector["fee_denom"],
    )
    return transaction, key


def make_transaction(**changes: Any) -> Transaction:
    transaction = Transaction(
        chain_id="xvm-cosmwasm-1",
        account_number=3,
        sequence=5,
        public_key=PUBLIC_KEY,
        sender=to_bech32("wasm", account_of_key(PUBLIC_KEY)),
        contract=to_bech32("wasm", b"\xc0" * 32),
        message=b'{"deliver":{"batches":[]}}',
        gas_limit=200_000,
        fee_amount=500,
        fee_denom="uxvm",
    )
    return replace(transaction, **changes)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_transaction_is_byte_for_byte_that_of_another_client(vector: dict[str, Any]) -> None:
    transaction, key = transaction_of(vector)
    raw = transaction.sign(key)
    assert transaction.sender == vector["sender"]
    assert raw.hex() == vector["raw"]
    assert hash_of(raw).hex() == vector["hash"]
    assert offered_fee(raw) == int(vector["fee_amount"])


@given(st.binary(min_size=1, max_size=200), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_signature_is_the_senders_low_and_about_the_whole_transaction(
    message: bytes, sequence: int, account_number: int
) -> None:
    raw = make_transaction(message=message, sequence=sequence, account_number=account_number).sign(KEY)
    parsed = TxRaw.decode(raw)
    (signature,) = parsed.signatures
    assert int.from_bytes(signature[32:]) <= ORDER // 2
    document = SignDoc(parsed.body_bytes, parsed.auth_info_bytes, "xvm-cosmwasm-1", account_number).encode()
    der = coincurve.ecdsa.cdata_to_der(coincurve.ecdsa.deserialize_compact(signature))
    assert KEY.public_key.verify(der, hashlib.sha256(document).digest(), hasher=None)
    assert raw == make_transaction(message=message, sequence=sequence, account_number=account_number).sign(KEY)


def test_what_is_simulated_has_one_empty_signature_and_says_the_same() -> None:
    signed, unsigned = TxRaw.decode(make_transaction().sign(KEY)), TxRaw.decode(make_transaction().unsigned())
    assert unsigned.signatures == (b"",)
    assert (unsigned.body_bytes, unsigned.auth_info_bytes) == (signed.body_bytes, signed.auth_info_bytes)


def test_no_fee_is_no_coin() -> None:
    fee = AuthInfo.decode(TxRaw.decode(make_transaction(fee_amount=0).sign(KEY)).auth_info_bytes).fee
    assert fee is not None
    assert fee.amount == ()
    assert offered_fee(make_transaction(fee_amount=0).sign(KEY)) == 0


@pytest.mark.parametrize(
    "raw", [b"\xff", make_transaction(fee_denom="uxvm").sign(KEY)[:-1], TxRaw(b"", b"\x01").encode()]
)
def test_what_is_no_transaction_is_no_answer(raw: bytes) -> None:
    with pytest.raises(RpcUnavailable):
        offered_fee(raw)
