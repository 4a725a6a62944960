"""The relayer's account on a Solana chain.

Its job: the port `Wallet`. A transaction lives while its blockhash does, so that a nonce here is the last block height
at which that blockhash is valid, and a number that tells the transactions under it apart: `height << 16 | number`.
What a final height has passed was mined by then or never will be. A number counts if M endpoints reach it: one liar can
neither raise our bids nor have a living transaction given up. SECURITY: the key leaves this object in no form. It keeps
no record: nonces and transactions live in the store.

Source: Solana's JSON-RPC.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from solders.hash import Hash
from solders.keypair import Keypair

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
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result
from relayer.vms.jsonrpc.send_results import combine_results
from relayer.vms.svm.send_faults import classify_send_fault
from relayer.vms.svm.transactions import sign_draft
from relayer.vms.svm.values import (
    format_signature,
    parse_count,
    parse_flag,
    parse_hash,
    parse_list,
    parse_member,
)

MICRO_LAMPORTS: Final = 1_000_000
"""In a lamport. Compute units are priced in these."""

_NUMBER_BITS: Final = 16
_MAX_NUMBER: Final = (1 << _NUMBER_BITS) - 1
_MAX_HEIGHT: Final = 1 << 46
"""Far beyond any chain's, and a nonce made of it still fits what the store keeps."""

_MIN_UNIT_PRICE: Final = 1_000
"""Micro-lamports per compute unit; a hundredth of what a signature costs, and ahead of all that offer nothing."""

_PRICE_PERCENTILE: Final = 75
"""Of the slots that are remembered: most of what lands there in time offers less."""

_MAX_STATUSES: Final = 256
"""Signatures that one call may ask for, by the RPC."""

_MAX_REMEMBERED_RECEIPTS: Final = 4_096
"""Final receipts are asked for until the stages have seen the block as final, too: a few hundred bytes each."""

_CONFIRMED: Final = {"commitment": "confirmed"}
_FINALIZED: Final = "finalized"
_FINAL: Final = {"commitment": _FINALIZED}
_BLOCKHASH_CALL: Final = RpcCall("getLatestBlockhash", [_CONFIRMED])
_HEIGHT_CALL: Final = RpcCall("getBlockHeight", [_FINAL])

T = TypeVar("T")


class _Anchor(NamedTuple):
    """A recent blockhash, and the last block height at which it is valid."""

    last_height: int
    blockhash: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a final transaction stands."""

    slot: int
    is_success: bool


class SvmWallet:
    """The account of `seed` (32 bytes, ed25519). `max_fee_cap` in micro-lamports per compute unit.

    `contended` (32 bytes) is the account that most of its transactions write to beside its own: it sets their price.
    """

    def __init__(self, pool: EndpointPool, seed: bytes, contended: bytes, max_fee_cap: int) -> None:
        self._pool = pool
        self._key = Keypair.from_seed(seed)
        self._max_fee_cap = max_fee_cap
        self._address = bytes(self._key.pubkey())
        self._balance_call = RpcCall("getBalance", [str(self._key.pubkey()), _CONFIRMED])
        self._fees_call = RpcCall("getRecentPrioritizationFees", [[str(Hash(contended))]])
        self._receipts: dict[bytes, TransactionReceipt] = {}

    def __repr__(self) -> str:
        return f"SvmWallet({self._key.pubkey()})"

    @property
    def address(self) -> bytes:
        """32 bytes."""
        return self._address

    @property
    def payee(self) -> bytes:
        """The address."""
        return self._address

    @property
    def max_fee_cap(self) -> int:
        """The most it may offer per compute unit, in micro-lamports."""
        return self._max_fee_cap

    @property
    def fee_divisor(self) -> int:
        """Fees are in micro-lamports."""
        return MICRO_LAMPORTS

    @property
    def is_sequenced(self) -> bool:
        """No: each transaction is mined or not for itself."""
        return False

    async def fetch_next_nonce(self) -> int:
        """The first nonce under the final block height that M endpoints have reached."""
        return self._pool.reached(await self._ask_each([_HEIGHT_CALL], _parse_height)) << _NUMBER_BITS

    async def fetch_balance(self) -> int:
        """In lamports, as M endpoints know."""
        return self._pool.reached(await self._ask_each([self._balance_call], _parse_balance))

    async def fetch_fee_bid(self) -> FeeBid:
        """What most recent transactions upon the contended account offer at most, and a recent blockhash."""
        return (await self.fetch_terms()).bid

    async def fetch_terms(self) -> SpendTerms:
        """All of an endpoint in one exchange; with several endpoints, a second one about the blockhash."""

        def parse(blockhash: Any, balance: Any, fees: Any) -> tuple[_Anchor, int, int]:
            return _parse_anchor(blockhash), _parse_balance(balance), _parse_price(fees)

        answers = await self._ask_each([_BLOCKHASH_CALL, self._balance_call, self._fees_call], parse)
        anchors, balances, prices = zip(*answers, strict=True)
        anchor = await self._choose(anchors)
        # SECURITY: a liar that quotes a high fee would have us burn money up to the cap at every transaction.
        price = min(max(self._pool.reached(prices), _MIN_UNIT_PRICE), self._max_fee_cap)
        bid = FeeBid(max_fee=price, priority_fee=price, expected_fee=price, anchor=anchor.blockhash)
        return SpendTerms(bid, anchor.last_height << _NUMBER_BITS, self._pool.reached(balances))

    def sign(self, call: PreparedCall, nonce: int, bid: FeeBid) -> SignedTransaction:
        """Deterministic: the same input gives the same bytes.

        The nonce's number, some millionths of a lamport per unit, is added to the price: two equal calls under one
        blockhash would be one transaction otherwise.
        """
        price = bid.priority_fee + (nonce & _MAX_NUMBER)
        signature, raw = sign_draft(call.data, self._key, call.gas_limit, price, bid.anchor)
        return SignedTransaction(signature, raw)

    async def send(self, transactions: Sequence[bytes]) -> Sequence[SendResult]:
        """Hand raw transactions to every endpoint. One that takes a transaction is enough.

        They were simulated when they were prepared, and the stages send them again: endpoints are to do neither.
        """
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        calls = [RpcCall("sendTransaction", [base64.b64encode(raw).decode(), options]) for raw in transactions]

        async def ask(endpoint: RpcEndpoint) -> list[SendResult]:
            return [
                classify_send_fault(answer) if isinstance(answer, RpcFault) else SendResult.ACCEPTED
                for answer in await endpoint.call(calls)
            ]

        answers = await self._pool.each(ask) if calls else []
        return [combine_results(results) for results in zip(*answers, strict=True)]

    async def fetch_receipts(self, hashes: Sequence[bytes]) -> Sequence[TransactionReceipt | None]:
        """Receipts of final transactions that M endpoints give alike; None for what is not final as far as M know."""
        unknown = [signature for signature in hashes if signature not in self._receipts]
        places = await self._fetch_places(unknown)
        if places:
            self._remember(await self._fetch_final(places))
        return [self._receipts.get(signature) for signature in hashes]

    async def _fetch_places(self, signatures: Sequence[bytes]) -> dict[bytes, _Place]:
        """Where those of the transactions stand that are final."""
        parts = [signatures[at : at + _MAX_STATUSES] for at in range(0, len(signatures), _MAX_STATUSES)]
        # SECURITY: without the history a node forgets what is older than its last blockhashes. A transaction that was
        # mined while we were down would look as if it never had been.
        history = {"searchTransactionHistory": True}
        calls = [
            RpcCall("getSignatureStatuses", [[format_signature(signature) for signature in part], history])
            for part in parts
        ]

        async def ask(endpoint: RpcEndpoint) -> list[_Place | None]:
            answers = [require_result(answer, endpoint) for answer in await endpoint.call(calls)]
            return [
                _parse_status(status)
                for part, answer in zip(parts, answers, strict=True)
                for status in parse_list(parse_member(answer, "value"), len(part))
            ]

        verdicts = await self._pool.vote(ask, at_tip=True) if calls else ()
        return {
            signature: verdict.value
            for signature, verdict in zip(signatures, verdicts, strict=True)
            if verdict.value is not None
        }

    async def _fetch_final(self, places: dict[bytes, _Place]) -> dict[bytes, TransactionReceipt]:
        """The receipts of final transactions, as far as M endpoints agree on them."""
        slots = sorted({place.slot for place in places.values()})
        options = {"commitment": _FINALIZED, "maxSupportedTransactionVersion": 0}
        calls = [
            RpcCall("getBlock", [slot, {**options, "transactionDetails": "none", "rewards": False}]) for slot in slots
        ] + [
            RpcCall("getTransaction", [format_signature(signature), {**options, "encoding": "base64"}])
            for signature in places
        ]

        async def ask(endpoint: RpcEndpoint) -> list[TransactionReceipt | None]:
            answers = await endpoint.call(calls)
            blocks = {
                slot: BlockRef(slot, parse_hash(parse_member(answer, "blockhash")))
                for slot, answer in zip(slots, answers[: len(slots)], strict=True)
                if not isinstance(answer, RpcFault)  # nodes let go of old blocks
            }
            return [
                _parse_receipt(require_result(answer, endpoint), signature, place, blocks.get(place.slot))
                for (signature, place), answer in zip(places.items(), answers[len(slots) :], strict=True)
            ]

        verdicts = await self._pool.vote(ask)
        return {verdict.value.hash: verdict.value for verdict in verdicts if verdict.value is not None}

    def _remember(self, receipts: dict[bytes, TransactionReceipt]) -> None:
        self._receipts.update(receipts)
        for oldest in list(self._receipts)[: max(len(self._receipts) - _MAX_REMEMBERED_RECEIPTS, 0)]:
            del self._receipts[oldest]

    async def _choose(self, anchors: Sequence[_Anchor]) -> _Anchor:
        """A blockhash that M endpoints know.

        Raises:
            RpcUnavailable: there is none; the endpoints are too far apart, or lie.
        """
        if len(self._pool.members) == 1:
            return anchors[0]
        # SECURITY: M liars are needed to raise the height. A transaction that can be mined no more would be waited for
        # until then, and nothing be sent in its place.
        highest = self._pool.reached(anchor.last_height for anchor in anchors)
        told = Counter(anchor for anchor in anchors if anchor.last_height <= highest)
        # SECURITY: an old blockhash is as valid as a new one, but ends long before the height that a liar tells of it.
        candidates = sorted(told, key=lambda anchor: (told[anchor], anchor), reverse=True)
        calls = [
            RpcCall("isBlockhashValid", [str(Hash(anchor.blockhash)), commitment])
            for commitment in (_CONFIRMED, _FINAL)
            for anchor in candidates
        ]

        async def ask(endpoint: RpcEndpoint) -> list[bool | None]:
            answers = [require_result(answer, endpoint) for answer in await endpoint.call(calls)]
            # Who does not know it may only be behind: that is no voice.
            return [parse_flag(parse_member(answer, "value")) or None for answer in answers]

        # SECURITY: under a blockhash that one endpoint made up nothing is ever mined.
        verdicts = await self._pool.vote(ask, at_tip=True)
        words = [verdict.value is True for verdict in verdicts]
        is_final = dict(zip(candidates, words[len(candidates) :], strict=True))
        known = [anchor for anchor, is_known in zip(candidates, words, strict=False) if is_known]
        if known:
            # What final blocks know already is not the latest that there is; on a chain that stands still it is.
            return next((anchor for anchor in known if not is_final[anchor]), known[0])
        raise RpcUnavailable("the endpoints have no recent blockhash in common")

    async def _ask_each(self, calls: Sequence[RpcCall], parse: Callable[..., T]) -> list[T]:
        """What each endpoint answers to these calls, parsed together."""

        async def ask(endpoint: RpcEndpoint) -> T:
            return parse(*(require_result(answer, endpoint) for answer in await endpoint.call(calls)))

        return await self._pool.each(ask)


def _parse_height(answer: Any) -> int:
    height = parse_count(answer)
    if height > _MAX_HEIGHT:
        raise RpcUnavailable("an endpoint told a block height that no chain has")
    return height


def _parse_anchor(answer: Any) -> _Anchor:
    value = parse_member(answer, "value")
    return _Anchor(
        _parse_height(parse_member(value, "lastValidBlockHeight")), parse_hash(parse_member(value, "blockhash"))
    )


def _parse_balance(answer: Any) -> int:
    return parse_count(parse_member(answer, "value"))


def _parse_price(answer: Any) -> int:
    """The percentile of what landed in recent slots; nothing where the node remembers none."""
    if not isinstance(answer, list):
        raise RpcUnavailable("an endpoint answered with what is no list of fees")
    prices = sorted(parse_count(parse_member(slot, "prioritizationFee")) for slot in answer)
    return prices[(len(prices) - 1) * _PRICE_PERCENTILE // 100] if prices else 0


def _parse_status(status: Any) -> _Place | None:
    if status is None or parse_member(status, "confirmationStatus") != _FINALIZED:
        return None
    return _Place(parse_count(parse_member(status, "slot")), parse_member(status, "err") is None)


def _parse_receipt(answer: Any, signature: bytes, place: _Place, block: BlockRef | None) -> TransactionReceipt | None:
    if answer is None or block is None:
        return None
    meta = parse_member(answer, "meta")
    if parse_count(parse_member(answer, "slot")) != place.slot:
        raise RpcUnavailable("an endpoint placed a transaction in two slots")
    return TransactionReceipt(
        hash=signature,
        block=block,
        is_success=place.is_success,
        gas_used=parse_count(parse_member(meta, "computeUnitsConsumed")),
        cost=parse_count(parse_member(meta, "fee")),
    )
