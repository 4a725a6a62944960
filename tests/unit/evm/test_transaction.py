from __future__ import annotations

import coincurve
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from attestation.address import checksum_address
from attestation.keccak import keccak256
from relayer.vms.evm.transaction import Transaction

transactions = st.builds(
    Transaction,
    chain_id=st.integers(1, 2**62),
    nonce=st.integers(0, 2**64 - 2),
    max_priority_fee=st.integers(0, 2**100),
    max_fee=st.integers(0, 2**100),
    gas_limit=st.integers(0, 2**63),
    to=st.binary(min_size=20, max_size=20),
    value=st.integers(0, 2**200),
    data=st.binary(max_size=80) | st.sampled_from([bytes(55), bytes(56), bytes(70_000), b"\x7f", b"\x80", b"\x00"]),
)
secrets = st.integers(1, 2**255).map(lambda number: number.to_bytes(32, "big"))


@given(transactions, secrets)
def test_transactions_are_signed_as_by_eth_account(transaction: Transaction, secret: bytes) -> None:
    oracle = Account.sign_transaction(
        {
            "type": 2,
            "chainId": transaction.chain_id,
            "nonce": transaction.nonce,
            "maxPriorityFeePerGas": transaction.max_priority_fee,
            "maxFeePerGas": transaction.max_fee,
            "gas": transaction.gas_limit,
            "to": checksum_address(transaction.to),
            "value": transaction.value,
            "data": "0x" + transaction.data.hex(),
        },
        secret,
    )
    raw = transaction.sign(coincurve.PrivateKey(secret))
    assert raw == bytes(oracle.raw_transaction)
    assert keccak256(raw) == bytes(oracle.hash)
    assert raw == transaction.sign(coincurve.PrivateKey(secret))
