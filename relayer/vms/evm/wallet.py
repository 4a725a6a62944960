"""The relayer's account on an EVM chain.

Its job: the port `Wallet`: bids, signatures, sending, receipts. A number counts if M endpoints reach it: one liar can
neither raise our bids nor skip our nonces. SECURITY: the key leaves this object in no form. It keeps no record: nonces
and transactions live in the store.

Source: EIP-1559; ethereum/execution-apis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import coincurve

from attestation.keccak import keccak256
from attestation.schemes.secp256k1 import address_of_public_key
from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.ports.wallet import (
    FeeBid,
    PreparedCall,
    SendResult,
    SignedTransaction,
    SpendTerms,
    TransactionReceipt,
)
from relayer.vms.evm.pool_errors import classify_send_fault
from relayer.vms.evm.quantities import (
    ADDRESS_LENGTH,
    MAX_AMOUNT,
    format_data,
    parse_count,
    parse_hash,
    parse_quantity,
)
from relayer.vms.evm.transaction import Transaction
from relayer.vms.evm.words import WORD
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result
from relayer.vms.jsonrpc.send_results import combine_results

_FEE_BLOCKS: Final = 10
"""Blocks whose tips are looked at: two minutes of the slowest chains, enough to smooth one odd block."""

_TIP_PERCENTILE: Final = 50

_MIN_PRIORITY_FEE: Final = 1_000_000
"""Wei per gas; geth's miners leave out what tips less."""

_BASE_FEE_HEADROOM: Final = 2
"""The base fee rises by an eighth a block at most: twice it outlasts five full blocks."""

_FEES_CALL: Final = RpcCall("eth_feeHistory", [hex(_FEE_BLOCKS), "latest", [_TIP_PERCENTILE]])

T = TypeVar("T")


class EvmWallet:
    """The account of `key`. `max_fee_cap` in wei per gas."""

    def __init__(self, pool: EndpointPool, chain_id: int, key: bytes, max_fee_cap: int) -> None:
        self._pool = pool
        self._chain_id = chain_id
        self._key = coincurve.PrivateKey(key)
        self._max_fee_cap = max_fee_cap
        self._address = address_of_public_key(self._key.public_key.format(compressed=False))
        self._nonce_call = RpcCall("eth_getTransactionCount", [format_data(self._address), "latest"])
        self._balance_call = RpcCall("eth_getBalance", [format_data(self._address), "latest"])

    def __repr__(self) -> str:
        return f"EvmWallet(0x{self._address.hex()})"

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return self._address

    @property
    def payee(self) -> bytes:
        """The address, left-padded to 32 bytes."""
        return bytes(WORD - ADDRESS_LENGTH) + self._address

    @property
    def max_fee_cap(self) -> int:
        """The most it may offer per gas, in wei."""
        return self._max_fee_cap

    @property
    def fee_divisor(self) -> int:
        """Fees are in wei."""
        return 1

    @property
    def is_sequenced(self) -> bool:
        """An account's transactions are mined by rising nonces, one each."""
        return True

    async def fetch_next_nonce(self) -> int:
        """The first nonce that no mined transaction of this account has used, as M endpoints know."""
        return self._pool.reached(await self._ask_each([self._nonce_call], parse_count))

    async def fetch_balance(self) -> int:
        """In wei, as M endpoints know."""
        return self._pool.reached(await self._ask_each([self._balance_call], parse_quantity))

    async def fetch_fee_bid(self) -> FeeBid:
        """The next block's base fee with headroom and the median tip of recent blocks, at most `max_fee_cap`."""
        return self._bid(await self._ask_each([_FEES_CALL], _parse_fees))

    async def fetch_terms(self) -> SpendTerms:
        """All three of an endpoint in one exchange."""

        def parse(fees: Any, nonce: Any, balance: Any) -> tuple[tuple[int, int], int, int]:
            return _parse_fees(fees), parse_count(nonce), parse_quantity(balance)

        answers = await self._ask_each([_FEES_CALL, self._nonce_call, self._balance_call], parse)
        fees, nonces, balances = zip(*answers, strict=True)
        return SpendTerms(self._bid(fees), self._pool.reached(nonces), self._pool.reached(balances))

    def sign(self, call: PreparedCall, nonce: int, bid: FeeBid) -> SignedTransaction:
        """Deterministic: the same input gives the same bytes."""
        transaction = Transaction(
            chain_id=self._chain_id,
            nonce=nonce,
            max_priority_fee=bid.priority_fee,
            max_fee=bid.max_fee,
            gas_limit=call.gas_limit,
            to=call.to,
            value=call.value,
            data=call.data,
        )
        raw = transaction.sign(self._key)
        return SignedTransaction(keccak256(raw), raw)

    async def send(self, transactions: Sequence[bytes]) -> Sequence[SendResult]:
        """Hand raw transactions to every endpoint, in order. One that takes a transaction is enough."""
        calls = [RpcCall("eth_sendRawTransaction", [format_data(raw)]) for raw in transactions]

        async def ask(endpoint: RpcEndpoint) -> list[SendResult]:
            return [
                classify_send_fault(answer) if isinstance(answer, RpcFault) else SendResult.ACCEPTED
                for answer in await endpoint.call_in_order(calls)
            ]

        answers = await self._pool.each(ask) if calls else []
        return [combine_results(results) for results in zip(*answers, strict=True)]

    async def fetch_receipts(self, hashes: Sequence[bytes]) -> Sequence[TransactionReceipt | None]:
        """Receipts that M endpoints give alike; None for what is not mined as far as M know."""
        calls = [RpcCall("eth_getTransactionReceipt", [format_data(tx_hash)]) for tx_hash in hashes]

        async def ask(endpoint: RpcEndpoint) -> list[TransactionReceipt | None]:
            answers = await endpoint.call(calls)
            return [
                _parse_receipt(require_result(answer, endpoint), tx_hash)
                for tx_hash, answer in zip(hashes, answers, strict=True)
            ]

        return [verdict.value for verdict in await self._pool.vote(ask)] if calls else []

    async def _ask_each(self, calls: Sequence[RpcCall], parse: Callable[..., T]) -> list[T]:
        """What each endpoint answers to these calls, parsed together."""

        async def ask(endpoint: RpcEndpoint) -> T:
            return parse(*(require_result(answer, endpoint) for answer in await endpoint.call(calls)))

        return await self._pool.each(ask)

    def _bid(self, answers: Sequence[tuple[int, int]]) -> FeeBid:
        """Of each endpoint's base fee and tip."""
        # SECURITY: a liar that quotes a high fee would have us burn money up to the cap at every transaction.
        base_fee = self._pool.reached(base for base, _ in answers)
        tip = max(self._pool.reached(tip for _, tip in answers), _MIN_PRIORITY_FEE)
        max_fee = min(base_fee * _BASE_FEE_HEADROOM + tip, self._max_fee_cap)
        tip = min(tip, max_fee)
        return FeeBid(max_fee, tip, min(base_fee + tip, max_fee))


def _parse_fees(answer: Any) -> tuple[int, int]:
    """The next block's base fee, and the median of the blocks' median tips. Empty blocks have none."""
    if not isinstance(answer, dict):
        raise _malformed("fee history")
    base_fees, rewards = answer.get("baseFeePerGas"), answer.get("reward")
    if not isinstance(base_fees, list) or not base_fees or not isinstance(rewards, list):
        raise _malformed("fee history")
    tips = sorted(parse_quantity(block[0]) for block in rewards if isinstance(block, list) and block)
    tips = [tip for tip in tips if tip]
    return parse_quantity(base_fees[-1]), tips[len(tips) // 2] if tips else 0


def _parse_receipt(answer: Any, tx_hash: bytes) -> TransactionReceipt | None:
    if answer is None:
        return None
    if not isinstance(answer, dict) or parse_hash(answer.get("transactionHash")) != tx_hash:
        raise _malformed("receipt")
    gas_used = parse_count(answer.get("gasUsed"))
    # Rollups bill the data that they post as well, in a field of its own.
    data_fee = parse_quantity(answer.get("l1Fee", "0x0"))
    cost = gas_used * parse_quantity(answer.get("effectiveGasPrice")) + data_fee
    # SECURITY: each factor may be sound and the product too large to be stored.
    if cost > MAX_AMOUNT:
        raise _malformed("receipt")
    return TransactionReceipt(
        hash=tx_hash,
        block=BlockRef(parse_count(answer.get("blockNumber")), parse_hash(answer.get("blockHash"))),
        is_success=parse_quantity(answer.get("status")) == 1,
        gas_used=gas_used,
        cost=cost,
    )


def _malformed(what: str) -> RpcUnavailable:
    return RpcUnavailable(f"an endpoint answered with a malformed {what}")
