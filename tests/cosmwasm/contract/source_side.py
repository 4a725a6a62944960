"""The ledger as those have it who ask from this chain: routes, prices, requests, outcomes that signers certify."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Request, RequestId
from attestation.statement import Outcome, OutcomeKind
from tests.cosmwasm.contract.ledger import (
    DENOM,
    PAYEE,
    PLACE,
    REMOTE_CHAIN,
    REMOTE_GATEWAY,
    Ledger,
    Sent,
    b64,
    compact,
    hexed,
    request_json,
    request_of,
)

REMOTE_TARGET: Final = evm_account(31337, b"\x7a" * 20).to_bytes()
CHAIN: Final = hexed(REMOTE_CHAIN.to_bytes())

ROUTE: Final = {
    "destination_gateway": hexed(REMOTE_GATEWAY),
    "queries": True,
    "address_lengths": str(1 << 20),
    "max_payload_bytes": 8_192,
    "max_return_bytes": 4_096,
    "max_execution_gas": 10_000_000,
    "max_callback_gas": 10_000_000,
    "min_expiry_seconds": 60,
    "max_expiry_seconds": 86_400,
    "default_expiry_seconds": 90,
    "deadline_blocks": 100,
    "max_deadline_blocks": 100_000,
}
PRICE: Final = {
    "execution_price": str(2 * 10**9),
    "callback_price": str(3 * 10**9),
    "signers_fee": "5000",
    "execution_overhead_gas": 100_000,
    "callback_overhead_gas": 50_000,
    "expire_gas": 60_000,
    "execution_gas_per_byte": 16,
    "callback_gas_per_byte": 10,
    "margin_bps": 500,
    "query_bps": 1_000,
}
ENOUGH: Final = 10**9
"""More than any fee of these tests."""

WEEK: Final = 7 * 86_400


class SourceLedger(Ledger):
    """A ledger whose gateway also routes requests to the remote chain."""

    def open(self) -> SourceLedger:
        """The remote gateway is believed, and asked."""
        super().open()
        self.act(self.owner, "set_outbound", {"chain": CHAIN, "route": ROUTE})
        self.act(self.owner, "set_price", {"chain": CHAIN, "price": PRICE})
        return self

    def ask_from(self, sender: str, *, funds: int = ENOUGH, **options: Any) -> tuple[Request, Sent]:
        """A request of an account's; `target` and `payload` may be among the options."""
        body = self.asked(**options)
        sent = self.act(sender, "xvm_execute", body, funds=funds)
        return asked_in(sent), sent

    def asked(self, **options: Any) -> dict[str, Any]:
        """What `xvm_execute` is given."""
        target, payload = options.pop("target", REMOTE_TARGET), options.pop("payload", b"\x01\x02\x03\x04")
        return {"target": hexed(target), "payload": b64(payload), "options": options}

    def ask_by_contract(self, probe: str, *, funds: int = ENOUGH, **options: Any) -> Request:
        """A request of the probe's, which has the coins."""
        self.keeper.mint(probe, {DENOM: funds})
        sent = self.probe_sends(probe, self.gateway_call("xvm_execute", self.asked(**options), funds))
        return asked_in(sent)

    def gateway_call(self, name: str, body: Any, funds: int = 0) -> Any:
        """A `CosmosMsg` to the gateway."""
        coins = [{"denom": DENOM, "amount": str(funds)}] if funds else []
        call = {"contract_addr": self.gateway, "msg": b64(compact({name: body})), "funds": coins}
        return {"wasm": {"execute": call}}

    def probe_sends(self, probe: str, *messages: Any, guarded: bool = False) -> Sent:
        """Has a probe send messages."""
        body = {"guarded": guarded, "messages": [b64(compact(message)) for message in messages]}
        return self.send(self.owner, probe, {"send": body})

    def outcome(
        self,
        request_id: RequestId,
        kind: OutcomeKind = OutcomeKind.EXECUTED,
        data: bytes = b"done",
        payee: bytes = PAYEE,
    ) -> dict[str, Any]:
        """An outcome as a message has it."""
        height, block_hash, tx_index, log_index = PLACE
        return {
            "request_id": hexed(request_id),
            "kind": int(kind),
            "cut": False,
            "height": str(height),
            "block_hash": hexed(block_hash),
            "tx_index": tx_index,
            "log_index": log_index,
            "payee": hexed(payee),
            "round": 0,
            "return_data": b64(data),
        }

    def delivery(self, *outcomes: dict[str, Any], bare: Sequence[bytes] = (), **changes: Any) -> dict[str, Any]:
        """A batch of outcomes, certified, as a message has it."""
        leaves = [*(statement_of(outcome).leaf for outcome in outcomes), *bare]
        bits = (1 << len(outcomes)) - 1
        return {
            "given": hexed(bits.to_bytes((bits.bit_length() + 7) // 8 or 1, "big")),
            "bare": [hexed(leaf) for leaf in bare],
            "outcomes": list(outcomes),
            "certificate": b64(self.certificate(leaves)),
            **changes,
        }

    def deliver(self, *outcomes: dict[str, Any], sender: str | None = None, gas_limit: int | None = None) -> Sent:
        """Delivers certified outcomes in one batch."""
        return self.act(sender or self.relayer, "deliver", {"batches": [self.delivery(*outcomes)]}, gas_limit=gas_limit)

    def pending(self, request_id: RequestId) -> Any:
        """What is stored about a request."""
        return self.tell("pending_request", request_id=hexed(request_id))

    def credit_of(self, account: str) -> int:
        """What an account may withdraw."""
        return int(self.tell("credits", account=account))

    def balance_of(self, account: str) -> int:
        """What the bank says."""
        return self.keeper.balance(account, DENOM)

    def callbacks_of(self, probe: str) -> Any:
        """What a probe was told."""
        return self.ask(probe, {"callbacks": {}})

    def close(self, probe: str, *, closed: bool = True) -> None:
        """Has a probe's handler fail, or no longer."""
        self.send(self.owner, probe, {"close": {"closed": closed}})

    def payee_account(self) -> str:
        """The account that `PAYEE` names."""
        return self.keeper.addresses.text(PAYEE[12:])

    def pass_deadline(self) -> None:
        """Until a default request may be cancelled."""
        self.keeper.advance(1_000, 101)


def asked_in(sent: Sent) -> Request:
    """The request that a transaction made, as its event tells it."""
    return request_of(json.loads(sent.event("XVMCallRequested")["request"]))


def cancelling(asked: Request) -> dict[str, Any]:
    """What `cancel` is given."""
    return {"request": request_json(asked)}


def retrying(asked: Request, expiry: int = 0, deadline_blocks: int = 0) -> dict[str, Any]:
    """What `retry` is given."""
    return {"request": request_json(asked), "expiry": str(expiry), "deadline_blocks": str(deadline_blocks)}


def statement_of(outcome: dict[str, Any]) -> Outcome:
    """The statement that an outcome in a message is."""
    return Outcome(
        RequestId(bytes.fromhex(outcome["request_id"][2:])),
        OutcomeKind(outcome["kind"]),
        outcome["cut"],
        keccak256(b64decode(outcome["return_data"])),
        int(outcome["height"]),
        bytes.fromhex(outcome["block_hash"][2:]),
        outcome["tx_index"],
        outcome["log_index"],
        bytes.fromhex(outcome["payee"][2:]),
        outcome["round"],
    )
