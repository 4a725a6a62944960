"""Whatever is asked, delivered, given up and taken out: the gateway holds what it owes, to the last coin."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from attestation.request import Request, request_id
from attestation.statement import OutcomeKind
from tests.cosmwasm.contract.ledger import DENOM, PAYEE, Refused, hexed
from tests.cosmwasm.contract.source_side import (
    CHAIN,
    ENOUGH,
    PRICE,
    WEEK,
    SourceLedger,
    asked_in,
    cancelling,
    retrying,
)

PICK = st.integers(0, 10**6)
KINDS = st.sampled_from(list(OutcomeKind))


class Balance(RuleBasedStateMachine):
    """Everybody who moves money, in any order; what is refused moves none."""

    def __init__(self) -> None:
        """A gateway that has had nothing to do yet."""
        super().__init__()
        self.source = SourceLedger().open()
        self.asked: list[Request] = []
        self.failed: list[dict[str, Any]] = []
        probe = self.source.keeper.addresses.parse(self.source.probe)
        self.payees = (PAYEE, bytes(32), probe, bytes(12) + self.source.keeper.addresses.parse(self.source.asker))
        self.accounts = [
            self.source.asker,
            self.source.relayer,
            self.source.treasury,
            self.source.probe,
            self.source.payee_account(),
        ]

    @rule(
        by_contract=st.booleans(),
        mode=st.sampled_from([0, 1]),
        extra=st.integers(0, 10**6),
        limit=st.integers(1, 4_096),
    )
    def ask(self, *, by_contract: bool, mode: int, extra: int, limit: int) -> None:
        """Anybody asks, and pays what it costs or more."""
        options: dict[str, Any] = {"mode": mode, "return_limit": limit}
        body = self.source.asked(**options)
        fee = int(self.source.tell("quote", target=body["target"], payload_length=4, options=options))
        if by_contract:
            self.asked.append(self.source.ask_by_contract(self.source.probe, funds=fee + extra, **options))
        else:
            self.asked.append(self.source.ask_from(self.source.asker, funds=fee + extra, **options)[0])

    @precondition(lambda self: self.asked)
    @rule(pick=PICK, amount=st.integers(0, 10**9))
    def add_fee(self, pick: int, amount: int) -> None:
        """Anybody tops a fee up."""
        self.attempt(self.source.relayer, "add_fee", {"request_id": hexed(request_id(self.one(pick)))}, amount)

    @precondition(lambda self: self.asked)
    @rule(
        picks=st.lists(PICK, min_size=1, max_size=4), kind=KINDS, payee=st.integers(0, 3), data=st.binary(max_size=40)
    )
    def deliver(self, picks: list[int], kind: OutcomeKind, payee: int, data: bytes) -> None:
        """Outcomes arrive, of open requests and of others."""
        outcomes = [self.source.outcome(request_id(self.one(pick)), kind, data, self.payees[payee]) for pick in picks]
        sent = self.source.deliver(*outcomes)
        told = {event["request_id"] for event in sent.all("XVMHandlerFailed")}
        self.failed += [outcome for outcome in outcomes if outcome["request_id"] in told]

    @precondition(lambda self: self.failed)
    @rule(pick=PICK)
    def replay(self, pick: int) -> None:
        """Somebody replays a callback."""
        outcome = self.failed[pick % len(self.failed)]
        self.attempt(self.source.relayer, "retry_callback", {"outcome": outcome, "gas_limit": "400000"})

    @precondition(lambda self: self.asked)
    @rule(pick=PICK, again=st.booleans())
    def give_up(self, pick: int, *, again: bool) -> None:
        """A requester cancels, or asks again."""
        asked = self.one(pick)
        name, body = ("retry", retrying(asked)) if again else ("cancel", cancelling(asked))
        if asked.sender == self.source.interoperable(self.source.asker):
            sent = self.attempt(self.source.asker, name, body, ENOUGH if again else 0)
            if sent is not None and again:
                self.asked.append(asked_in(sent))
            return
        self.source.keeper.mint(self.source.probe, {DENOM: ENOUGH})
        call = self.source.gateway_call(name, body, ENOUGH if again else 0)
        sent = self.source.probe_sends(self.source.probe, call, guarded=True)
        if "XVMCallRequested" in sent.names:
            self.asked.append(asked_in(sent))

    @precondition(lambda self: self.asked)
    @rule(pick=PICK)
    def reclaim(self, pick: int) -> None:
        """Anybody has a cancelled fee returned."""
        self.attempt(self.source.relayer, "reclaim", {"request_id": hexed(request_id(self.one(pick)))})

    @rule(pick=PICK)
    def withdraw(self, pick: int) -> None:
        """Somebody takes its credit out."""
        account = self.accounts[pick % len(self.accounts)]
        if account == self.source.probe:
            call = self.source.gateway_call("withdraw", {})
            self.source.probe_sends(account, call, guarded=True)
        else:
            self.attempt(account, "withdraw", {})

    @rule()
    def collect(self) -> None:
        """Signers' earnings go to the treasury."""
        self.attempt(self.source.asker, "collect", {"epoch": "1"})

    @rule(closed=st.booleans())
    def close(self, *, closed: bool) -> None:
        """The handler fails from now on, or no longer."""
        self.source.close(self.source.probe, closed=closed)

    @rule(blocks=st.integers(1, 120), seconds=st.sampled_from([1, 500, WEEK]))
    def pass_time(self, blocks: int, seconds: int) -> None:
        """Time passes."""
        if self.source.now + seconds < self.source.set.valid_until:
            self.source.keeper.advance(seconds, blocks)

    @rule(price=st.integers(0, 10**12), margin=st.integers(0, 65_535), expire_gas=st.integers(0, 10**7))
    def set_price(self, price: int, margin: int, expire_gas: int) -> None:
        """The owner changes the price."""
        changes = {"execution_price": str(price), "margin_bps": margin, "expire_gas": expire_gas}
        self.attempt(self.source.owner, "set_price", {"chain": CHAIN, "price": {**PRICE, **changes}})

    @invariant()
    def holds_what_it_owes(self) -> None:
        """Its balance is open fees, credits and what is held for signers."""
        pending = sum(int(self.source.pending(request_id(asked))["fee"]) for asked in self.asked)
        owed = sum(self.source.credit_of(account) for account in self.accounts)
        pool = int(self.source.tell("signers_pool", epoch="1"))
        assert self.source.balance_of(self.source.gateway) == pending + owed + pool

    def attempt(self, sender: str, name: str, body: Any, funds: int = 0) -> Any:
        """A message that may be refused."""
        try:
            return self.source.act(sender, name, body, funds=funds)
        except Refused:
            return None

    def one(self, pick: int) -> Request:
        """One of the requests."""
        return self.asked[pick % len(self.asked)]


TestBalance = Balance.TestCase
TestBalance.__doc__ = "SECURITY: whatever happens, the gateway's balance covers what it owes."
TestBalance.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
