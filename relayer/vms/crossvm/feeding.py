"""Calls between VMs, sent to a chain that has them.

Its job: one `MsgCrossVMCall`, signed by an account of the chain and seen in a block. The node is believed about the
account and the price; what became of the call is asked of several (`chain`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from attestation.address import Chain, Namespace
from relayer.cosmos.base import AnyMessage, Coin
from relayer.cosmos.crossvm import CALL_TYPE_URL, MsgCrossVMCall
from relayer.errors import CallReverted, RejectedError, RpcUnavailable
from relayer.vms.cosmwasm.failures import failure_detail
from relayer.vms.cosmwasm.one_node import FoundTx, OneNode
from relayer.vms.cosmwasm.signing_account import SigningAccount
from relayer.vms.cosmwasm.transactions import hash_of

BLOCK_SECONDS: Final = 120.0
"""How long a transaction may take to be in a block."""

MAX_FEE_PER_GAS: Final = 1_000_000
"""Millionths of the smallest unit: one for a unit of gas."""

_LOOK_SECONDS: Final = 0.2
_ATTEMPTS: Final = 5
_OUT_OF_TURN: Final = "account sequence mismatch"


@dataclass(frozen=True, slots=True)
class VmCall:
    """What is asked for: VMs by name, the target as its VM writes it, coins of the chain."""

    source_vm: str
    target_vm: str
    target_contract: str
    payload: bytes
    funds: tuple[Coin, ...] = ()


class Feeder:
    """The account of a 32-byte secret on the chain that the node at `url` serves.

    `prefix` is what accounts' texts begin with there, `fee_denom` what fees are paid in. Methods raise `RpcUnavailable`
    and `RejectedError`.
    """

    def __init__(self, url: str, secret: bytes, *, prefix: str, fee_denom: str, type_url: str = CALL_TYPE_URL) -> None:
        # Until the node has named its chain, errors name where it is asked for.
        network = OneNode(Chain(Namespace.COSMOS, b"unknown"), url).fetch_chain_id()
        chain = Chain(Namespace.COSMOS, network.encode())
        self._node = OneNode(chain, url)
        self._account = SigningAccount(secret, chain, prefix, fee_denom)
        self._fee_denom = fee_denom
        self._type_url = type_url
        self._name = network

    @property
    def account(self) -> str:
        """In bech32."""
        return self._account.text

    def send(self, call: VmCall) -> FoundTx:
        """Send a call, and wait until it is in a block."""
        asked = MsgCrossVMCall(
            self._account.text, call.source_vm, call.target_vm, call.target_contract, call.payload, call.funds
        )
        raw = self._broadcast(AnyMessage(self._type_url, asked.encode()))
        deadline = time.monotonic() + BLOCK_SECONDS
        while (found := self._node.find_tx(hash_of(raw))) is None:
            if time.monotonic() > deadline:
                raise RpcUnavailable(f"{self._name}: {hash_of(raw).hex().upper()} is in no block; look for it later")
            time.sleep(_LOOK_SECONDS)
        if found.code:
            raise RejectedError(f"{self._name}: the call failed: {failure_detail(found.log)}")
        return found

    def _broadcast(self, message: AnyMessage) -> bytes:
        """The transaction as it was taken. Another one of the account's may come in between: then once more."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._broadcast_once(message)
            except RejectedError as error:
                if _OUT_OF_TURN not in str(error):
                    raise
        return self._broadcast_once(message)

    def _broadcast_once(self, message: AnyMessage) -> bytes:
        told = self._node.fetch_account(self._account.text)
        price = self._node.fetch_gas_price(self._fee_denom)
        # SECURITY: a node that lies about the price must not have the account emptied.
        if price > MAX_FEE_PER_GAS:
            raise RejectedError(f"{self._name}: gas at {price} millionths of {self._fee_denom} is too dear")
        try:
            used = self._node.simulate(self._account.draft(message, told))
        except CallReverted as error:
            raise RejectedError(f"{self._name}: the call would fail: {error.error_name}") from None
        raw = self._account.sign(message, told, told.sequence, used, price)
        self._node.broadcast(raw)
        return raw
