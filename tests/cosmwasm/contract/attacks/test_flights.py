"""SECURITY: while calls are under way, each end is told of the one call that has ended, and nothing else begins."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.request import request_id
from relayer.devnet.cosmwasm.chain_errors import ChainError
from relayer.devnet.cosmwasm.gas_meter import GasMeter
from relayer.devnet.cosmwasm.responses import Response
from tests.cosmwasm.contract.ledger import PAYEE, Ledger, compact, hexed

EXECUTIONS = 1 << 32


class Apart:
    """The gateway called as the chain calls it, its messages not carried out: a flight stays in the air."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        keeper = ledger.keeper
        self.context = keeper._context(keeper._state, GasMeter(10**9), None, set())
        self.target = keeper._contracts.target(self.context, keeper.addresses.parse(ledger.gateway))
        self.entries = keeper._queries.entry_points

    def execute(self, *nonces: int) -> Response:
        """Requests with these nonces."""
        batch = self.ledger.batch([self.ledger.request(nonce) for nonce in nonces])
        message = compact({"execute": {"batches": [batch], "payee": hexed(PAYEE)}})
        response: Response = self.entries.execute(self.context, self.target, self.ledger.relayer, (), message)
        return response

    def reply(self, number: int, **result: Any) -> Response:
        """What became of a submessage."""
        told = {"id": number, "gas_used": 0, "result": result or {"ok": {"events": [], "data": None}}}
        response: Response = self.entries.reply(self.context, self.target, told)
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
    first, second = (hexed(request_id(ledger.request(nonce))) for nonce in (0, 1))
    assert [message.id for message in apart.execute(0, 1).messages] == [EXECUTIONS, EXECUTIONS + 1]
    assert apart.current() == first
    for wrong in (EXECUTIONS + 1, EXECUTIONS + 2, 0, 2 * EXECUTIONS):
        with pytest.raises(ChainError, match="UnknownReply"):
            apart.reply(wrong)
    assert concluded(apart.reply(EXECUTIONS)) == [(first, "0")]
    assert apart.current() == second
    with pytest.raises(ChainError, match="UnknownReply"):
        apart.reply(EXECUTIONS, error="again")
    assert concluded(apart.reply(EXECUTIONS + 1, error="no")) == [(second, "1")]
    assert apart.current() == hexed(bytes(32))
    with pytest.raises(ChainError, match="UnknownReply"):
        apart.reply(EXECUTIONS + 1)


def test_no_second_flight_begins_within_a_first(ledger: Ledger) -> None:
    """SECURITY: a wallet that lets a contract act for it is no contract, but would be called from one's midst."""
    apart = Apart(ledger)
    apart.execute(0)
    with pytest.raises(ChainError, match="FlightUnderway"):
        apart.execute(1)
    apart.reply(EXECUTIONS)
    apart.execute(1)


def test_a_finished_flight_leaves_nothing_in_storage(ledger: Ledger) -> None:
    ledger.run(*(ledger.request(nonce) for nonce in range(3)))
    kept = [key for key, _ in ledger.keeper.query_all(ledger.gateway) if key.startswith(b"flight")]
    assert kept == []
