"""An account that signs by itself, for whoever deploys, and whoever asks from outside.

Its job: transactions of any one message, from a node's word on the account. It fetches nothing.
"""

from __future__ import annotations

from typing import Final

import coincurve

from attestation.address import Chain
from relayer.cosmos.accounts import BaseAccount, account_of_secret, to_bech32
from relayer.cosmos.protobuf import Message
from relayer.cosmos.signing import encode_auth_info, encode_body, sign_direct
from relayer.vms.cosmwasm.fees import MICRO

_GAS_MARGIN_PERCENT: Final = 140
"""Of a simulation, which does not count all that a transaction pays for."""


class SigningAccount:
    """The account of a 32-byte secret, which is a key, on a chain that pays fees in `fee_denom`."""

    def __init__(self, secret: bytes, chain: Chain, prefix: str, fee_denom: str) -> None:
        self._key = coincurve.PrivateKey(secret)
        self._public_key = self._key.public_key.format(compressed=True)
        self._chain_id = chain.reference_text
        self._fee_denom = fee_denom
        self.account: Final = account_of_secret(secret)
        self.text: Final = to_bech32(prefix, self.account)

    def draft(self, message: Message, told: BaseAccount) -> bytes:
        """A transaction that is good for a simulation."""
        return self._sign(message, told, told.sequence, 0, 0)

    def sign(self, message: Message, told: BaseAccount, sequence: int, used: int, gas_price: int) -> bytes:
        """The raw transaction, with some more gas than the simulation `used`, a unit of it at so many millionths."""
        gas = used * _GAS_MARGIN_PERCENT // 100
        return self._sign(message, told, sequence, gas, -(-gas * gas_price // MICRO))

    def _sign(self, message: Message, told: BaseAccount, sequence: int, gas: int, fee: int) -> bytes:
        auth_info = encode_auth_info(self._public_key, sequence, gas, fee, self._fee_denom)
        return sign_direct(encode_body(message), auth_info, self._chain_id, told.account_number, self._key)
