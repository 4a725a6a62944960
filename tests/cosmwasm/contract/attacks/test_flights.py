"""SECURITY: while calls are under way, each end is told of the one call that has ended, and nothing else begins."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.request import request_id
from relayer.devnet.cosmwasm.chain_errors import ChainError
from relayer.devnet.cosmwasm.gas_meter import GasMeter
from relayer.devnet.cosmwasm.responses import Response
from relayer.vms.cosmwasm.gas import call_limit
from tests.cosmwasm.contract.ledger import PAYEE, REMOTE_SENDER, Ledger, compact, hexed

EXECUTIONS = 1 << 32


class Apart:
    """The gateway called as the chain calls it, its messages not carried out: a flight stays in the air."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        keeper = ledger.keeper
        self.context = keeper._context(keeper._state, GasMeter(10**9), None, set())
        self.target = keeper._contracts.target(self.context, keeper.addresses.parse(ledger.gateway))
        self.entries = keeper._queries.entry_points

    def execute(self, *nonces: int, **changes: Any) -> Response:
        """Requests with these nonces."""
        batch = self.ledger.batch([self.ledger.request(nonce, **changes) for nonce in nonces])
        message = compact({"execute": {"batches": [batch], "payee": hexed(PAYEE)}})
        response: Response = self.entries.execute(self.context, self.target, self.ledger.relayer, (), message)
        return response

    def fail(self, number: int, text: str = "no") -> Response:
        """A submessage failed."""
        told = {"id": number, "gas_used": 0, "result": {"error": text}}
        response: Response = self.entries.reply(self.context, self.target, told)
        return response

    def succeed(self, caller: str) -> Response:
        """An account's call succeeded."""
        return self._say(caller, {"conclude": {"cut": False, "return_data": ""}})

    def find_other_code(self, caller: str) -> Response:
        """An account finds another code at the target than was asked for."""
        return self._say(caller, {"conclude_unreached": {}})

    def _say(self, caller: str, message: Any) -> Response:
        response: Response = self.entries.execute(self.context, self.target, caller, (), compact(message))
        return response

    def current(self) -> str:
        """What the gateway says is being executed."""
        told: str = self.ledger.tell("current_request")["request_id"]
        return told


def concluded(response: Response) -> list[tuple[str, str]]:
    """Id and kind of each receipt."""
    told = [dict(event.attributes) for event in response.events if event.type == "XVMCallConcluded"]
    return [(fields["request_id"], fields["kind"]) for fields in told]


def test_calls_end_in_their_turn(ledger: Ledger) -> None:
    """SECURITY: out of turn, a failure could be told of a request that succeeded."""
    apart = Apart(ledger)
    executor = ledger.tell("config")["executor"]
    first, second = (hexed(request_id(ledger.request(nonce))) for nonce in (0, 1))
    assert [message.id for message in apart.execute(0, 1).messages] == [EXECUTIONS, EXECUTIONS + 1]
    assert apart.current() == first
    for wrong in (EXECUTIONS + 1, EXECUTIONS + 2, 0, 2 * EXECUTIONS):
        with pytest.raises(ChainError, match="UnknownReply"):
            apart.fail(wrong)
    assert concluded(apart.succeed(executor)) == [(first, "0")]
    assert apart.current() == second
    with pytest.raises(ChainError, match="UnknownReply"):
        apart.fail(EXECUTIONS)
    assert concluded(apart.fail(EXECUTIONS + 1)) == [(second, "1")]
    assert apart.current() == hexed(bytes(32))
    with pytest.raises(ChainError, match="UnknownReply"):
        apart.fail(EXECUTIONS + 1)
    with pytest.raises(ChainError, match="OnlyAccount"):
        apart.succeed(executor)


@pytest.mark.parametrize("own_account", [False, True])
def test_only_the_account_that_calls_says_what_was_answered(ledger: Ledger, *, own_account: bool) -> None:
    """SECURITY: a target could answer for another request, and a bystander for any."""
    apart = Apart(ledger)
    executor = ledger.tell("config")["executor"]
    own = ledger.tell("account_of", sender=hexed(REMOTE_SENDER))
    caller, other = (own, executor) if own_account else (executor, own)
    apart.execute(0, own_account=own_account)
    for stranger in (other, ledger.probe, ledger.gateway, ledger.owner, ledger.relayer):
        with pytest.raises(ChainError, match=f"OnlyAccount: {stranger}"):
            apart.succeed(stranger)
        with pytest.raises(ChainError, match=f"OnlyAccount: {stranger}"):
            apart.find_other_code(stranger)
    assert concluded(apart.succeed(caller)) == [(hexed(request_id(ledger.request(0, own_account=own_account))), "0")]


def test_nobody_but_the_gateway_has_a_duplicate_concluded(ledger: Ledger) -> None:
    """SECURITY: it would be told what the attempt before it came to while that one still runs."""
    apart = Apart(ledger)
    apart.execute(0)
    for stranger in (ledger.tell("config")["executor"], ledger.probe, ledger.relayer):
        with pytest.raises(ChainError, match=f"OnlyGateway: {stranger}"):
            apart.entries.execute(
                apart.context, apart.target, stranger, (), compact({"conclude_duplicate": {"number": 0}})
            )


def test_a_success_is_no_reply(ledger: Ledger) -> None:
    """SECURITY: the chain tells of failures alone; a reply that says otherwise is of nothing that was sent."""
    apart = Apart(ledger)
    apart.execute(0)
    told = {"id": EXECUTIONS, "gas_used": 0, "result": {"ok": {"events": [], "data": None}}}
    with pytest.raises(ChainError, match="UnknownReply"):
        apart.entries.reply(apart.context, apart.target, told)


def test_no_second_flight_begins_within_a_first(ledger: Ledger) -> None:
    """SECURITY: a wallet that lets a contract act for it is no contract, but would be called from one's midst."""
    apart = Apart(ledger)
    apart.execute(0)
    with pytest.raises(ChainError, match="FlightUnderway"):
        apart.execute(1)
    apart.fail(EXECUTIONS)
    apart.execute(1)


def test_a_call_s_limit_is_what_relayers_reckon_with(ledger: Ledger) -> None:
    """SECURITY: a higher one would have transactions run out of what is offered for them."""
    asked = ledger.request(0, return_limit=777, payload=b"{}" + b" " * 100)
    (message,) = Apart(ledger).execute(0, return_limit=777, payload=asked.payload).messages
    assert message.gas_limit == call_limit(asked)


def test_a_finished_flight_leaves_nothing_in_storage(ledger: Ledger) -> None:
    ledger.run(*(ledger.request(nonce) for nonce in range(3)))
    kept = [key for key, _ in ledger.keeper.query_all(ledger.gateway) if key.startswith(b"flight")]
    assert kept == []
