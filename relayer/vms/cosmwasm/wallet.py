"""The relayer's account on a Cosmos chain.

Its job: the port `Wallet`: bids, signatures, sending, receipts. A nonce here is the account's sequence. A number counts
if M endpoints reach it: one liar can neither raise our bids nor skip our sequences. SECURITY: the key leaves this
object in no form. It keeps no record: sequences and transactions live in the store.

Source: CometBFT's RPC; the Cosmos SDK's `auth`, `bank` and `node` services.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import coincurve

from relayer.cosmos.accounts import (
    ACCOUNT,
    CONTRACT_BYTES,
    BaseAccount,
    QueryAccountRequest,
    QueryAccountResponse,
    account_of_key,
)
from relayer.cosmos.bank import BALANCE, QueryBalanceRequest, QueryBalanceResponse
from relayer.cosmos.node import CONFIG, ConfigRequest, ConfigResponse
from relayer.domain.blocks import BlockRef
from relayer.domain.policy import gas_cost
from relayer.errors import RpcUnavailable
from relayer.ports.wallet import (
    FeeBid,
    PreparedCall,
    SendResult,
    SignedTransaction,
    SpendTerms,
    TransactionReceipt,
)
from relayer.vms.cosmwasm.chain import ChainIdentity
from relayer.vms.cosmwasm.fees import MICRO, minimum_gas_price, parse_amount
from relayer.vms.cosmwasm.headers import STATUS_CALL, headers_calls, parse_headers
from relayer.vms.cosmwasm.pool_errors import SDK, classify_send_answer
from relayer.vms.cosmwasm.queries import (
    abci_call,
    decode_response,
    parse_abci,
    parse_response,
    require_success,
)
from relayer.vms.cosmwasm.states import StateReader
from relayer.vms.cosmwasm.transactions import Transaction, hash_of, offered_fee
from relayer.vms.cosmwasm.values import (
    MAX_COUNT,
    parse_base64,
    parse_code,
    parse_count,
    parse_list,
    parse_member,
)
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result
from relayer.vms.jsonrpc.send_results import combine_results
from relayer.vms.jsonrpc.weighing import MAX_GAS_PER_EXCHANGE, UNANSWERED, WeighedCall, call_by_weight

_MIN_GAS_PRICE: Final = 1
"""Of a node that asks for nothing: what a replacement can be dearer than."""

_NOT_FOUND_CODES: Final = frozenset({22, 38})
"""The SDK's `ErrKeyNotFound` and `ErrNotFound`, which is what a gRPC service's `NotFound` becomes."""

_RECEIPT_WEIGHT: Final = MAX_GAS_PER_EXCHANGE // 3
"""So that one exchange holds the events of what a few full transactions told."""

_CONFIG_CALL: Final = abci_call(CONFIG, ConfigRequest())

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)


class _Account(NamedTuple):
    """What the chain knows of an account. Before it was ever sent something it has no number."""

    number: int | None
    sequence: int


class CosmwasmWallet:
    """The account of `key` (secp256k1). `max_fee_cap` in millionths of the smallest unit per gas.

    Gas is paid in the coins that the gateway of `states` takes and pays.
    """

    def __init__(
        self, pool: EndpointPool, identity: ChainIdentity, states: StateReader, key: bytes, max_fee_cap: int
    ) -> None:
        self._pool = pool
        self._identity = identity
        self._states = states
        self._key = coincurve.PrivateKey(key)
        self._public_key = self._key.public_key.format(compressed=True)
        self._max_fee_cap = max_fee_cap
        self._address = account_of_key(self._public_key)
        self._text = identity.account_text(self._address)
        self._account_call = abci_call(ACCOUNT, QueryAccountRequest(self._text))
        self._account_number: int | None = None
        self._denom = ""

    def __repr__(self) -> str:
        return f"CosmwasmWallet({self._text})"

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return self._address

    @property
    def public_key(self) -> bytes:
        """33 bytes, compressed: simulations name it."""
        return self._public_key

    @property
    def payee(self) -> bytes:
        """The address, left-padded to 32 bytes."""
        return self._address.rjust(CONTRACT_BYTES, b"\0")

    @property
    def max_fee_cap(self) -> int:
        """The most it may offer per gas, in millionths of the smallest unit."""
        return self._max_fee_cap

    @property
    def fee_divisor(self) -> int:
        """Fees are in millionths of the smallest unit."""
        return MICRO

    @property
    def is_sequenced(self) -> bool:
        """An account's transactions are mined by rising sequences, one each."""
        return True

    async def fetch_next_nonce(self) -> int:
        """The sequence of the account's next transaction, as M endpoints know."""
        return self._take_in(await self._ask_each([self._account_call], _parse_account))

    async def fetch_balance(self) -> int:
        """In the smallest unit, as M endpoints know."""
        denom = await self._fetch_denom()
        return self._pool.reached(await self._ask_each([self._balance_call(denom)], _parse_balance))

    async def fetch_fee_bid(self) -> FeeBid:
        """The least that M endpoints take, at most `max_fee_cap`."""
        return (await self.fetch_terms()).bid

    async def fetch_terms(self) -> SpendTerms:
        """All three of an endpoint in one exchange; the first time another one, about the denomination."""
        denom = await self._fetch_denom()

        def parse(account: Any, balance: Any, config: Any, endpoint: RpcEndpoint) -> tuple[_Account, int, int]:
            return (
                _parse_account(account, endpoint),
                _parse_balance(balance, endpoint),
                minimum_gas_price(parse_response(config, endpoint, ConfigResponse).minimum_gas_price, denom),
            )

        calls = [self._account_call, self._balance_call(denom), _CONFIG_CALL]
        accounts, balances, prices = zip(*await self._ask_each(calls, parse), strict=True)
        # SECURITY: a liar that asks for a high price would have us burn money up to the cap at every transaction.
        price = min(max(self._pool.reached(prices), _MIN_GAS_PRICE), self._max_fee_cap)
        bid = FeeBid(max_fee=price, priority_fee=price, expected_fee=price)
        return SpendTerms(bid, self._take_in(accounts), self._pool.reached(balances))

    def sign(self, call: PreparedCall, nonce: int, bid: FeeBid) -> SignedTransaction:
        """Deterministic: the same input gives the same bytes.

        Raises:
            RpcUnavailable: the account's number, which is signed, is not known: it was never sent anything.
        """
        if self._account_number is None or not self._denom:
            raise RpcUnavailable(f"{self._text} is no account of {self._identity.caip2} yet: send it what pays for gas")
        transaction = Transaction(
            chain_id=self._identity.chain_id,
            account_number=self._account_number,
            sequence=nonce,
            public_key=self._public_key,
            sender=self._text,
            contract=self._identity.account_text(call.to),
            message=call.data,
            gas_limit=call.gas_limit,
            fee_amount=gas_cost(call.gas_limit, bid.max_fee, MICRO),
            fee_denom=self._denom,
        )
        raw = transaction.sign(self._key)
        return SignedTransaction(hash_of(raw), raw)

    async def send(self, transactions: Sequence[bytes]) -> Sequence[SendResult]:
        """Hand raw transactions to every endpoint, in order. One that takes a transaction is enough."""
        calls = [RpcCall("broadcast_tx_sync", {"tx": base64.b64encode(raw).decode()}) for raw in transactions]

        async def ask(endpoint: RpcEndpoint) -> list[SendResult]:
            return [classify_send_answer(answer) for answer in await endpoint.call_in_order(calls)]

        answers = await self._pool.each(ask) if calls else []
        return [combine_results(results) for results in zip(*answers, strict=True)]

    async def fetch_receipts(self, hashes: Sequence[bytes]) -> Sequence[TransactionReceipt | None]:
        """Receipts that M endpoints give alike; None for what is not mined as far as M know, or too large to tell."""
        # SECURITY: a target chooses how many events it emits, and they come with the receipt, megabytes of them.
        calls = [WeighedCall(_receipt_call(tx_hash), _RECEIPT_WEIGHT) for tx_hash in hashes]

        async def ask(endpoint: RpcEndpoint) -> list[TransactionReceipt | None]:
            answers = await call_by_weight(endpoint, calls, STATUS_CALL)
            found = [_parse_found(answer, tx_hash, endpoint) for tx_hash, answer in zip(hashes, answers, strict=True)]
            blocks = await _fetch_blocks(endpoint, {each.height for each in found if each is not None})
            return [None if each is None else each.receipt_in(blocks[each.height]) for each in found]

        return [verdict.value for verdict in await self._pool.vote(ask)] if calls else []

    async def _fetch_denom(self) -> str:
        """What fees are paid in. It never changes, so that it is asked for once."""
        self._denom = self._denom or await self._states.fetch_fee_denomination()
        return self._denom

    def _balance_call(self, denom: str) -> RpcCall:
        return abci_call(BALANCE, QueryBalanceRequest(self._text, denom))

    def _take_in(self, accounts: Sequence[_Account]) -> int:
        """Remember the account's number, which is given once for ever; the sequence that M endpoints reach."""
        if self._account_number is None:
            # SECURITY: under a number that one endpoint made up nothing that we sign is ever mined.
            self._account_number = _agreed((account.number for account in accounts), self._pool.quorum)
        return self._pool.reached(account.sequence for account in accounts)

    async def _ask_each(self, calls: Sequence[RpcCall], parse: Callable[..., T]) -> list[T]:
        """What each endpoint answers to these calls, parsed together. `parse` is told the endpoint last."""

        async def ask(endpoint: RpcEndpoint) -> T:
            return parse(*await endpoint.call(calls), endpoint)

        return await self._pool.each(ask)


class _Found(NamedTuple):
    """A transaction in a block, as one endpoint tells."""

    hash: bytes
    height: int
    is_success: bool
    gas_used: int
    cost: int

    def receipt_in(self, block: BlockRef) -> TransactionReceipt:
        return TransactionReceipt(self.hash, block, self.is_success, self.gas_used, self.cost)


async def _fetch_blocks(endpoint: RpcEndpoint, heights: Iterable[int]) -> dict[int, BlockRef]:
    """The blocks at these heights, in which the endpoint has transactions."""
    ordered = sorted(heights)
    answers = await endpoint.call([call for height in ordered for call in headers_calls(height, height)])
    blocks = {}
    for height, answer in zip(ordered, answers, strict=True):
        headers = parse_headers([answer], height, height)
        if not headers:
            raise RpcUnavailable(f"{endpoint.label} has not the block of a transaction that it has")
        blocks[height] = headers[0].stamp.ref
    return blocks


def _parse_account(answer: Any, endpoint: RpcEndpoint) -> _Account:
    queried = parse_abci(answer, endpoint)
    if queried.codespace == SDK and queried.code in _NOT_FOUND_CODES:
        return _Account(None, 0)
    account = decode_response(require_success(queried, endpoint), endpoint, QueryAccountResponse).account
    if account is None or account.type_url != BaseAccount.TYPE_URL:
        raise RpcUnavailable(f"{endpoint.label} knows the paying account as one that is not of a single key")
    base = decode_response(account.value, endpoint, BaseAccount)
    # SECURITY: what is larger would raise where it is stored, far from the endpoint that made it up.
    if base.sequence > MAX_COUNT:
        raise RpcUnavailable(f"{endpoint.label} told a sequence that no account has")
    return _Account(base.account_number, base.sequence)


def _parse_balance(answer: Any, endpoint: RpcEndpoint) -> int:
    coin = parse_response(answer, endpoint, QueryBalanceResponse).balance
    return parse_amount(coin.amount) if coin is not None else 0


def _receipt_call(tx_hash: bytes) -> RpcCall:
    return RpcCall("tx", {"hash": base64.b64encode(tx_hash).decode(), "prove": False})


def _parse_found(answer: Any, tx_hash: bytes, endpoint: RpcEndpoint) -> _Found | None:
    if isinstance(answer, RpcFault):
        if answer is UNANSWERED or _is_not_found(answer):
            return None
        require_result(answer, endpoint)
    raw, result = parse_base64(parse_member(answer, "tx")), parse_member(answer, "tx_result")
    if hash_of(raw) != tx_hash:
        raise RpcUnavailable(f"{endpoint.label} answered with another transaction")
    code = parse_code(parse_member(result, "code"))
    # What failed before its message ran has no events, has paid nothing and kept its sequence: it can be mined again.
    if code and not parse_list(parse_member(result, "events")):
        return None
    return _Found(
        hash=tx_hash,
        height=parse_count(parse_member(answer, "height")),
        is_success=code == 0,
        gas_used=parse_count(parse_member(result, "gas_used")),
        cost=offered_fee(raw),
    )


def _is_not_found(fault: RpcFault) -> bool:
    return "not found" in f"{fault.message} {fault.data}"


def _agreed(values: Iterable[H | None], quorum: int) -> H | None:
    """What so many of them are alike in."""
    counts = Counter(value for value in values if value is not None)
    return next((value for value, count in counts.items() if count >= quorum), None)
