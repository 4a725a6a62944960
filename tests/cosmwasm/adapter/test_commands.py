"""What people type is what the gateway takes."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from attestation.address import parse_interoperable_address
from attestation.keccak import keccak256
from attestation.request import request_id
from relayer.vms.cosmwasm.commands import WasmdCommands
from tests.cosmwasm.contract.source_side import SourceLedger, statement_of

GAS = 400_000


def message_in(command: str) -> dict[str, Any]:
    """The message that a shell hands over."""
    words = shlex.split(re.sub(r"<[^>]*>", "placeholder", command))
    assert words[:4] == ["wasmd", "tx", "wasm", "execute"]
    assert words[words.index("--chain-id") + 1] == "xvm-cosmwasm-1"
    assert words[4].startswith("wasm1")
    parsed: dict[str, Any] = json.loads(words[5])
    return parsed


def test_a_fee_is_added_to() -> None:
    ledger = SourceLedger().open()
    request, _ = ledger.ask_from(ledger.asker)
    command = WasmdCommands().add_fee(parse_interoperable_address(ledger.address).to_text("wasm"), request_id(request))
    assert "--amount <amount><denomination>" in command
    before = int(ledger.pending(request_id(request))["fee"])
    ((name, body),) = message_in(command).items()
    ledger.act(ledger.asker, name, body, funds=500)
    assert int(ledger.pending(request_id(request))["fee"]) > before


def test_a_callback_is_run_again() -> None:
    ledger = SourceLedger().open()
    ledger.close(ledger.probe)
    request = ledger.ask_by_contract(ledger.probe)
    told = ledger.outcome(request_id(request))
    ledger.deliver(told)
    outcome = statement_of(told)
    assert outcome.return_data_hash == keccak256(b"done")
    command = WasmdCommands().replay(parse_interoperable_address(ledger.address).to_text("wasm"), outcome, b"done", GAS)
    ledger.close(ledger.probe, closed=False)
    ((name, body),) = message_in(command).items()
    ledger.act(ledger.asker, name, body)
    assert len(ledger.callbacks_of(ledger.probe)) == 1
