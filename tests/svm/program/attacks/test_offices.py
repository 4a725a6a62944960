"""Who owns the gateway, who may pause it, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    STRANGER,
    answering,
    pause,
    refused,
    swap,
)
from tests.svm.program.ledger import (
    BASE,
    CONFIG,
    LOADER,
    NOW,
    PROGRAM,
    REMOTE_GATEWAY,
    SLOT,
    Ledger,
    address,
    epoch_address,
    inbound_address,
    keypair,
    outbound_address,
    pending_address,
    set_args,
)


@pytest.mark.parametrize("case", ["another's program data", "another authority", "no authority", "unsigned"])
def test_security_only_the_upgrade_authority_initializes(case: str) -> None:
    """SECURITY: whoever came first would own the gateway."""
    ledger = Ledger()
    code = address(bytes(PROGRAM), program=LOADER)
    ledger.svm.airdrop(STRANGER.pubkey(), 10**9)
    if case == "another's program data":
        # deployed by the stranger, who is its authority
        account = ledger.account(code)
        forged = bytes(account.data[:13]) + bytes(STRANGER.pubkey()) + bytes(account.data[45:])
        other = keypair("other code").pubkey()
        ledger.svm.set_account(other, Account(account.lamports, forged, LOADER))
        with refused("NotUpgradeAuthority"):
            ledger.initialize(upgrade_authority=STRANGER.pubkey(), program_data=other, signers=[STRANGER])
    elif case == "another authority":
        with refused("NotUpgradeAuthority"):
            ledger.initialize(upgrade_authority=STRANGER.pubkey(), signers=[STRANGER])
    elif case == "no authority":
        account = ledger.account(code)
        frozen = bytes(account.data[:12]) + b"\0" + bytes(account.data[13:])
        ledger.svm.set_account(code, Account(account.lamports, frozen, LOADER))
        with refused("NotUpgradeAuthority"):
            ledger.initialize()
    else:
        step = idl.instruction(
            PROGRAM,
            "initialize",
            {
                "payer": ledger.payer.pubkey(),
                "config": CONFIG,
                "upgrade_authority": ledger.owner.pubkey(),
                "program_data": code,
            },
            {
                "genesis_hash": bytes(32),
                "guardian": STRANGER.pubkey(),
                "treasury": STRANGER.pubkey(),
                "max_pause_slots": 1,
            },
        )
        with refused("MissingSigner"):
            ledger.send(swap(step, ledger.owner.pubkey(), ledger.owner.pubkey(), signer=False))


def test_security_nothing_is_initialized_twice(ledger: Ledger) -> None:
    """SECURITY: what stands would be overwritten."""
    with refused("AlreadyInitialized"):
        ledger.initialize()
    with refused("EpochStillValid"):
        ledger.install(ledger.set, epoch=2, former=1)
    ledger.request()
    with refused("AlreadyInitialized"):
        ledger.request()


def owner_calls(ledger: Ledger, who: Pubkey) -> list[tuple[str, dict[str, Pubkey], dict[str, Any]]]:
    """All that an owner may do."""
    office = {"owner": who}
    route = {**office, "inbound": inbound_address(REMOTE_GATEWAY), "outbound": outbound_address(b"")}
    terms = {field["name"]: 0 for field in idl.TYPES["Terms"]} | {"reserved": bytes(4)}
    return [
        ("set_inbound", route, {"source_gateway": REMOTE_GATEWAY, "is_open": True}),
        ("set_outbound", route, {"chain": b"", "destination_gateway": b"", "terms": terms}),
        ("set_offices", office, {"guardian": who, "treasury": who}),
        ("transfer_ownership", office, {"new_owner": who}),
        ("unpause", office, {"direction": 0}),
        ("set_sender_limit", office, {"slots": 1, "requests": 1}),
        (
            "install",
            {**office, "next_epoch": epoch_address(2), "former_epoch": epoch_address(1)},
            {"signer_set": set_args(ledger.set)},
        ),
    ]


@pytest.mark.parametrize("number", range(7))
def test_security_the_owner_s_calls_are_the_owner_s(ledger: Ledger, number: int) -> None:
    """SECURITY: routes and signer sets say who is believed."""
    ledger.svm.airdrop(STRANGER.pubkey(), 10**10)
    name, accounts, args = owner_calls(ledger, STRANGER.pubkey())[number]
    with refused("NotOwner"):
        ledger.call(name, accounts, args, signers=[STRANGER])
    name, accounts, args = owner_calls(ledger, ledger.owner.pubkey())[number]
    step = idl.instruction(PROGRAM, name, {**BASE, **accounts}, args)
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.owner.pubkey(), ledger.owner.pubkey(), signer=False))


def test_security_ownership_moves_in_two_steps(ledger: Ledger) -> None:
    """SECURITY: only who was named may accept."""
    ledger.call(
        "transfer_ownership",
        {"owner": ledger.owner.pubkey()},
        {"new_owner": ledger.sender.pubkey()},
        signers=[ledger.owner],
    )
    with refused("NotPendingOwner"):
        ledger.call("accept_ownership", {"new_owner": STRANGER.pubkey()}, signers=[STRANGER])
    step = idl.instruction(PROGRAM, "accept_ownership", {**BASE, "new_owner": ledger.sender.pubkey()}, {})
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.sender.pubkey(), ledger.sender.pubkey(), signer=False))
    ledger.call("accept_ownership", {"new_owner": ledger.sender.pubkey()}, signers=[ledger.sender])
    assert ledger.state("Config", CONFIG)["owner"] == ledger.sender.pubkey()
    with refused("NotPendingOwner"):
        ledger.call("accept_ownership", {"new_owner": ledger.sender.pubkey()}, signers=[ledger.sender])


def test_security_a_guardian_pauses_for_a_time_and_then_rests(ledger: Ledger) -> None:
    """SECURITY: who pauses without end has taken the gateway over."""
    with refused("NotGuardian"):
        pause(ledger, STRANGER)
    with refused("PauseTooLong"):
        pause(ledger, ledger.guardian, slots=501)
    with refused("UnknownDirection"):
        pause(ledger, ledger.guardian, direction=3)
    pause(ledger, ledger.guardian)
    with refused("Paused"):
        ledger.request()
    ledger.set_time(NOW, SLOT + 999)
    with refused("GuardianRests"):
        pause(ledger, ledger.guardian)
    ledger.request()
    pause(ledger, ledger.owner)
    with refused("Paused"):
        ledger.request(1)
    ledger.call("unpause", {"owner": ledger.owner.pubkey()}, {"direction": 0}, signers=[ledger.owner])
    ledger.request(1)
    step = idl.instruction(PROGRAM, "pause", {**BASE, "authority": ledger.owner.pubkey()}, {"direction": 0, "slots": 1})
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.owner.pubkey(), ledger.owner.pubkey(), signer=False))


def test_security_pauses_stop_executions_deliveries_and_callbacks(ledger: Ledger) -> None:
    """SECURITY: that is what they are for."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    pause(ledger, ledger.guardian, direction=1)
    with refused("Paused"):
        ledger.execute(answering())
    pause(ledger, ledger.guardian, direction=2)
    with refused("Paused"):
        ledger.deliver(ledger.outcome(asked), pending)
    ledger.call("unpause", {"owner": ledger.owner.pubkey()}, {"direction": 2}, signers=[ledger.owner])
    ledger.deliver(ledger.outcome(asked), pending, certified=True)
    pause(ledger, ledger.owner, direction=2)
    with refused("Paused"):
        ledger.callback(pending)
