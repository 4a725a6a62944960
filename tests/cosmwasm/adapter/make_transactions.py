"""Writes transactions.json, next to it, with cosmpy: a client of others, whose bytes ours must equal.

It is no dependency of ours, for it brings a dozen packages and exact versions of some. In an environment of its own:

    pip install cosmpy==0.12.2 && python make_transactions.py > transactions.json
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from typing import Any

import bech32
from cosmpy.aerial.tx import SigningCfg, Transaction, TxFee
from cosmpy.aerial.wallet import LocalWallet
from cosmpy.crypto.keypairs import PrivateKey
from cosmpy.protos.cosmos.tx.v1beta1.tx_pb2 import TxRaw
from cosmpy.protos.cosmwasm.wasm.v1.tx_pb2 import MsgExecuteContract


def vector(
    name: str,
    prefix: str,
    chain_id: str,
    key: bytes,
    contract: bytes,
    message: bytes,
    account_number: int,
    sequence: int,
    gas_limit: int,
    amount: int,
    denom: str,
) -> dict[str, Any]:
    wallet = LocalWallet(PrivateKey(key), prefix=prefix)
    sender = str(wallet.address())
    to = bech32.bech32_encode(prefix, bech32.convertbits(contract, 8, 5))
    transaction = Transaction()
    transaction.add_message(MsgExecuteContract(sender=sender, contract=to, msg=message, funds=[]))
    fee = TxFee(amount=f"{amount}{denom}", gas_limit=gas_limit)
    transaction.seal(SigningCfg.direct(wallet.public_key(), sequence), fee)
    transaction.sign(wallet.signer(), chain_id, account_number, deterministic=True)
    transaction.complete()
    raw = TxRaw(
        body_bytes=transaction.tx.body.SerializeToString(),
        auth_info_bytes=transaction.tx.auth_info.SerializeToString(),
        signatures=list(transaction.tx.signatures),
    ).SerializeToString()
    return {
        "name": name,
        "prefix": prefix,
        "chain_id": chain_id,
        "key": key.hex(),
        "sender": sender,
        "contract": contract.hex(),
        "message": message.decode(),
        "account_number": str(account_number),
        "sequence": str(sequence),
        "gas_limit": str(gas_limit),
        "fee_amount": str(amount),
        "fee_denom": denom,
        "raw": raw.hex(),
        "hash": hashlib.sha256(raw).hexdigest(),
    }


def main() -> None:
    dice = random.Random(20)
    chain = "xvm-cosmwasm-1"
    long_message = json.dumps({"x": "y" * 3_000}).encode()
    vectors = [
        vector("the first of an account", "wasm", chain, b"\x07" * 32, b"\xc0" * 32, b"{}", 0, 0, 200_000, 500, "uxvm"),
        vector(
            "the widest numbers",
            "wasm",
            chain,
            b"\x08" * 32,
            b"\xc1" * 32,
            b"{}",
            2**64 - 1,
            2**64 - 1,
            2**63 - 1,
            2**127,
            "uxvm",
        ),
        vector(
            "another prefix, and a denomination of IBC",
            "osmo",
            "osmosis-1",
            b"\x09" * 32,
            b"\xc2" * 32,
            b"{}",
            7,
            127,
            128,
            1,
            "ibc/" + "AB" * 32,
        ),
        vector("a long message", "wasm", "c", b"\x0a" * 32, b"\xc3" * 32, long_message, 300, 128, 10**7, 1, "uxvm"),
    ]
    vectors += [
        vector(
            f"random {number}", "wasm", f"xvm-cosmwasm-{number}", dice.randbytes(32), dice.randbytes(32),
            json.dumps({"execute": {"number": dice.getrandbits(60)}}).encode(),
            dice.getrandbits(dice.choice([1, 8, 16, 40])), dice.getrandbits(dice.choice([1, 8, 16, 40])),
            dice.getrandbits(32) + 1, dice.getrandbits(50) + 1, "uxvm",
        )
        for number in range(12)
    ]  # fmt: skip
    json.dump(vectors, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
