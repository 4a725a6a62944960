"""Subscriptions: who wants to hear of what, and what there is to tell since the last time.

Its job: read a subscription's untrusted parameters, and turn the chain's progress into notifications, each commitment
by itself. It sends nothing: a listener takes its documents, and must not block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Protocol

from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM_PROGRAM

from relayer.devnet.svm.account_json import AccountForm, AccountTest, filter_of
from relayer.devnet.svm.account_json import form_of as account_form_of
from relayer.devnet.svm.blocks import Block, Landed
from relayer.devnet.svm.chain import Chain, Commitment
from relayer.devnet.svm.methods.answering import in_context, reader_at
from relayer.devnet.svm.params import Params, as_list, as_pubkey
from relayer.devnet.svm.rpc_errors import invalid_params, invalid_request

MAX_PER_LISTENER: Final = 1_000
"""Subscriptions of one socket: more than a relayer or a test has use for."""

_MAX_MENTIONS: Final = 1
"""Source: the RPC takes exactly one."""


class Listener(Protocol):
    """Who gets the notifications."""

    def deliver(self, document: Mapping[str, Any]) -> None:
        """Take a notification; never blocks, never raises."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a commitment went through: the block that it stands at, blocks new to it, and what landed since."""

    block: Block
    new_blocks: tuple[Block, ...]
    landed: tuple[Landed, ...]


Notices = Callable[[Chain, Step], Iterator[Any]]
"""What a subscription has to tell of a step."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A subscription as it is asked for: the name of its notifications, its commitment, what it tells."""

    notification: str
    commitment: Commitment
    notices: Notices
    ends_with_first: bool = False
    landed_signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class _Subscription:
    number: int
    listener: Listener
    topic: Topic


@dataclass(slots=True)
class _Cursor:
    """Up to where a commitment has been told: a slot, and how many of its transactions."""

    slot: int
    landed: int


@dataclass(slots=True)
class Subscriptions:
    """All subscriptions of a node."""

    chain: Chain
    _by_number: dict[int, _Subscription] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _cursors: dict[Commitment, _Cursor] = field(default_factory=dict)
    _fresh: list[int] = field(default_factory=list)
    """Those that may already have come true when they were asked for."""

    def __post_init__(self) -> None:
        for commitment in Commitment:
            block = self.chain.block_at(commitment)
            self._cursors[commitment] = _Cursor(block.slot, len(block.landed))

    def add(self, listener: Listener, method: str, params: Params) -> int:
        """Subscribe; the number of the subscription.

        Raises:
            RpcError: the parameters do not fit, or the listener has too many.
        """
        topic = TOPICS[method](params)
        if sum(known.listener is listener for known in self._by_number.values()) >= MAX_PER_LISTENER:
            raise invalid_request(f"at most {MAX_PER_LISTENER} subscriptions on a connection")
        number = next(self._numbers)
        self._by_number[number] = _Subscription(number, listener, topic)
        if topic.landed_signature is not None:
            self._fresh.append(number)
        return number

    def remove(self, listener: Listener, number: int, notification: str) -> bool:
        """End a subscription of this listener; whether it had it."""
        known = self._by_number.get(number)
        if known is None or known.listener is not listener or known.topic.notification != notification:
            return False
        del self._by_number[number]
        return True

    def forget(self, listener: Listener) -> None:
        """The listener is gone."""
        for number in [number for number, known in self._by_number.items() if known.listener is listener]:
            del self._by_number[number]

    def publish(self) -> None:
        """Tell everybody what is new. The answers of those that just subscribed must have been delivered before."""
        for number in self._fresh:
            self._catch_up(number)
        self._fresh.clear()
        for commitment, cursor in self._cursors.items():
            step = self._step(cursor, self.chain.block_at(commitment))
            if step is None:
                continue
            for subscription in [known for known in self._by_number.values() if known.topic.commitment is commitment]:
                self._tell(subscription, step)

    def _step(self, cursor: _Cursor, block: Block) -> Step | None:
        if (block.slot, len(block.landed)) <= (cursor.slot, cursor.landed):
            return None
        new_blocks: list[Block] = []
        landed: list[Landed] = []
        for passed in self.chain.ledger.blocks_between(cursor.slot, block.slot):
            is_new = passed.slot > cursor.slot
            new_blocks += [passed] if is_new else []
            landed += passed.landed if is_new else passed.landed[cursor.landed :]
        cursor.slot, cursor.landed = block.slot, len(block.landed)
        return Step(block, tuple(new_blocks), tuple(landed))

    def _catch_up(self, number: int) -> None:
        subscription = self._by_number.get(number)
        if subscription is None or subscription.topic.landed_signature is None:
            return
        landed = self.chain.ledger.find(subscription.topic.landed_signature)
        block = self.chain.block_at(subscription.topic.commitment)
        if landed is not None and landed.slot <= block.slot:
            self._tell(subscription, Step(block, (), (landed,)))

    def _tell(self, subscription: _Subscription, step: Step) -> None:
        topic = subscription.topic
        for result in topic.notices(self.chain, step):
            params = {"result": result, "subscription": subscription.number}
            subscription.listener.deliver({"jsonrpc": "2.0", "method": topic.notification, "params": params})
            if topic.ends_with_first:
                self._by_number.pop(subscription.number, None)
                return


def _slots(params: Params) -> Topic:
    del params

    def notices(chain: Chain, step: Step) -> Iterator[Any]:
        root = chain.slot_at(Commitment.FINALIZED)
        for block in step.new_blocks:
            yield {"slot": block.slot, "parent": block.parent_slot, "root": root}

    return Topic("slotNotification", Commitment.PROCESSED, notices)


def _roots(params: Params) -> Topic:
    del params

    def notices(chain: Chain, step: Step) -> Iterator[Any]:
        del chain
        for block in step.new_blocks:
            yield block.slot

    return Topic("rootNotification", Commitment.FINALIZED, notices)


def _logs(params: Params) -> Topic:
    mentioned = _mentioned(params.raw(0))

    def notices(chain: Chain, step: Step) -> Iterator[Any]:
        del chain
        for landed in step.landed:
            if mentioned is None or mentioned in landed.keys.all:
                value = {"signature": str(landed.signature), "err": landed.error, "logs": landed.result.logs()}
                yield in_context(landed.slot, value)

    return Topic("logsNotification", params.options(1).commitment(), notices)


def _mentioned(value: Any) -> Pubkey | None:
    """The account that logs must be of; None for all."""
    match value:
        case "all" | "allWithVotes":
            return None
        case {"mentions": mentions, **more} if not more:
            keys = as_list(mentions, "mentions", _MAX_MENTIONS)
            if len(keys) != 1:
                raise invalid_params("Only 1 address supported")
            return as_pubkey(keys[0])
    raise invalid_params("the filter must be all, allWithVotes or mentions")


def _signature(params: Params) -> Topic:
    signature, options = params.signature(0), params.options(1)
    options.flag("enableReceivedNotification")

    def notices(chain: Chain, step: Step) -> Iterator[Any]:
        del chain
        for landed in step.landed:
            if landed.signature == signature:
                yield in_context(landed.slot, {"err": landed.error})

    return Topic(
        "signatureNotification",
        options.commitment(),
        notices,
        ends_with_first=True,
        landed_signature=signature,
    )


def _account(params: Params) -> Topic:
    key, options = params.pubkey(0), params.options(1)
    form = account_form_of(options)

    def notices(chain: Chain, step: Step) -> Iterator[Any]:
        if any(key in landed.changed for landed in step.landed):
            account = chain.account(key, step.block.slot) or Account(0, b"", SYSTEM_PROGRAM)
            yield in_context(step.block.slot, form.write(account, reader_at(chain, step.block.slot)))

    return Topic("accountNotification", options.commitment(), notices)


def _program(params: Params) -> Topic:
    program, options = params.pubkey(0), params.options(1)
    form, passes = account_form_of(options), filter_of(options)

    def notices(chain: Chain, step: Step) -> Iterator[Any]:
        return _program_notices(chain, step, program, form, passes)

    return Topic("programNotification", options.commitment(), notices)


def _program_notices(
    chain: Chain, step: Step, program: Pubkey, form: AccountForm, passes: AccountTest
) -> Iterator[Any]:
    slot = step.block.slot
    for key in dict.fromkeys(key for landed in step.landed for key in landed.changed):
        account = chain.account(key, slot)
        if account is not None and account.owner == program and passes(account.data):
            yield in_context(slot, {"pubkey": str(key), "account": form.write(account, reader_at(chain, slot))})


TOPICS: Final[Mapping[str, Callable[[Params], Topic]]] = {
    "accountSubscribe": _account,
    "logsSubscribe": _logs,
    "programSubscribe": _program,
    "rootSubscribe": _roots,
    "signatureSubscribe": _signature,
    "slotSubscribe": _slots,
}

MOST_PARAMS: Final = 2
