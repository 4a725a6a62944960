"""The gateway's accounts are read as its IDL lays them out, and only if they are its own."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from solders.pubkey import Pubkey

from attestation.keccak import keccak256
from attestation.signer_set import signer_set_hash
from relayer.vms.svm import accounts
from relayer.vms.svm.accounts import AccountState, Config, Epoch, Pending, PendingState, Stage, Terms, parse_account
from relayer.vms.svm.borsh import MalformedBorsh
from tests.svm.adapter.world import World
from tests.svm.program import idl
from tests.svm.program.ledger import (
    CONFIG,
    GENESIS,
    NOW,
    PROGRAM,
    REMOTE_GATEWAY,
    address,
    epoch_address,
    signer_set,
    signing_keys,
)

LAYOUTS: dict[str, Any] = {
    name: getattr(accounts, name)
    for name in ("Config", "Epoch", "Root", "Outbound", "Inbound", "Sender", "Pending", "Credit", "Slot", "Stage")
}


def sample(kind: Any) -> Any:
    """A value of an IDL type: numbers tell their place apart, bools are true."""
    if isinstance(kind, str):
        return {"bool": True, "pubkey": b"\x0c" * 32, "bytes": b"\x0d"}.get(kind, 2)
    if "array" in kind:
        item, length = kind["array"]
        return bytes([7]) * length if item == "u8" else [3] * length
    return {field["name"]: sample(field["type"]) for field in idl.TYPES[kind["defined"]["name"]]}


def account_of(name: str, owner: Pubkey = PROGRAM, tail: bytes = b"") -> AccountState:
    """An account of this type as the IDL lays it out. What varies in length follows as `tail`."""
    (entry,) = (one for one in idl.IDL["accounts"] if one["name"] == name)
    value = sample({"defined": {"name": name}})
    if name == "Epoch":
        value["count"] = 0
    if name == "Stage":
        value["length"] = len(tail)
    data = bytes(entry["discriminator"]) + idl.encode({"defined": {"name": name}}, value) + tail
    return AccountState(owner, 10**6, data, is_executable=False)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_the_idls(name: str) -> None:
    parsed = parse_account(LAYOUTS[name], account_of(name), PROGRAM)
    assert parsed is not None
    told = sample({"defined": {"name": name}})
    for field in fields(parsed):
        value = getattr(parsed, field.name)
        if isinstance(value, Terms):
            assert all(getattr(value, one.name) == told["terms"][one.name] for one in fields(value))
        elif isinstance(value, Pubkey):
            assert bytes(value) == told[field.name]
        elif isinstance(value, tuple) and value:
            assert list(value) == told[field.name]
        elif isinstance(value, int | bytes) and field.name not in {"gateway", "length", "content"}:
            assert value == told[field.name]


@pytest.mark.parametrize("name", LAYOUTS)
def test_security_what_another_program_owns_is_not_the_gateways(name: str) -> None:
    """SECURITY: anybody can make an account with any content."""
    assert parse_account(LAYOUTS[name], account_of(name, owner=Pubkey(b"\x66" * 32)), PROGRAM) is None
    assert parse_account(LAYOUTS[name], None, PROGRAM) is None


@pytest.mark.parametrize("name", LAYOUTS)
def test_security_an_account_of_another_type_is_not_read_as_this_one(name: str) -> None:
    """SECURITY: the fields of one type mean something else in another."""
    others = [other for other in LAYOUTS if other != name]
    for other in others:
        with pytest.raises(MalformedBorsh, match=f"no {name}"):
            parse_account(LAYOUTS[name], account_of(other), PROGRAM)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "Stage"])
def test_an_account_is_read_whole(name: str) -> None:
    whole = account_of(name)
    for data in (whole.data[:-1], whole.data + b"\0", whole.data[:8]):
        with pytest.raises(MalformedBorsh):
            parse_account(LAYOUTS[name], AccountState(PROGRAM, 1, data, is_executable=False), PROGRAM)


def test_what_the_program_wrote_is_read() -> None:
    world = World()
    world.open()

    def state(key: Pubkey) -> AccountState:
        found = world.account(key)
        return AccountState(found.owner, found.lamports, bytes(found.data), found.executable)

    config = parse_account(Config, state(CONFIG), PROGRAM)
    assert config is not None
    assert (config.genesis_hash, config.owner, config.epoch) == (GENESIS, world.owner.pubkey(), 1)
    epoch = parse_account(Epoch, state(epoch_address(1)), PROGRAM)
    assert epoch is not None
    assert (epoch.epoch, epoch.signer_set) == (1, world.set)
    inbound = parse_account(accounts.Inbound, state(address(b"inbound", keccak256(REMOTE_GATEWAY))), PROGRAM)
    assert inbound == accounts.Inbound(keccak256(REMOTE_GATEWAY), is_open=True)
    sent, _ = world.request(4)
    pending = parse_account(Pending, state(sent.event("XVMCallRequested")["pending"]), PROGRAM)
    assert pending is not None
    assert (pending.sender, pending.salt, pending.state) == (world.sender.pubkey(), 4, PendingState.PENDING)
    assert pending.request_id == sent.event("XVMCallRequested")["request_id"]


def test_a_set_whose_validity_was_cut_is_not_taken_for_the_one_that_was_signed() -> None:
    world = World()
    world.open()
    world.rotate(signer_set(signing_keys(5), 4, valid_until=NOW + 10**6))
    found = world.account(epoch_address(1))
    cut = parse_account(Epoch, AccountState(PROGRAM, 1, bytes(found.data), is_executable=False), PROGRAM)
    assert cut is not None
    assert cut.valid_until < world.set.valid_until
    assert (cut.signer_set, cut.set_hash) == (None, signer_set_hash(world.set))


def test_a_stage_holds_what_was_brought_so_far() -> None:
    stage = parse_account(Stage, account_of("Stage", tail=b"so far"), PROGRAM)
    assert stage is not None
    assert (stage.length, stage.content) == (6, b"so far")
    short = account_of("Stage", tail=b"so far").data[:-1]
    with pytest.raises(MalformedBorsh):
        parse_account(Stage, AccountState(PROGRAM, 1, short, is_executable=False), PROGRAM)


def test_a_pending_request_is_in_a_known_state() -> None:
    whole = bytearray(account_of("Pending").data)
    whole[-5] = 9
    with pytest.raises(MalformedBorsh, match="state"):
        parse_account(Pending, AccountState(PROGRAM, 1, bytes(whole), is_executable=False), PROGRAM)


def test_a_gateways_address_fits_its_place() -> None:
    whole = account_of("Outbound")
    place = 8 + 32 + idl.account_length("Outbound") - 8 - 32 - 88
    data = bytearray(whole.data)
    data[place] = 81
    with pytest.raises(MalformedBorsh, match="longer"):
        parse_account(accounts.Outbound, AccountState(PROGRAM, 1, bytes(data), is_executable=False), PROGRAM)
