"""One instruction of each kind that the gateway takes as it stands, for tests that spoil it in every way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from attestation.keccak import keccak256
from attestation.request import request_id
from attestation.signer_set import signer_set_hash
from attestation.statement import Rotate
from tests.svm.program import idl
from tests.svm.program.ledger import (
    BASE,
    GATEWAY,
    LOADER,
    NOW,
    PROBE,
    PROGRAM,
    REMOTE_CHAIN,
    REMOTE_GATEWAY,
    SLOT,
    Ledger,
    address,
    epoch_address,
    inbound_address,
    inbound_args,
    inbound_request,
    keypair,
    outbound_address,
    outcome_args,
    payload,
    pending_address,
    request_of,
    root_address,
    set_args,
    signer_set,
    signing_keys,
    slot_address,
)

ACTOR = keypair("actor")
"""Pays and acts; another pays the transactions' fees, so that its flags are the instruction's own."""


@dataclass(frozen=True)
class Example:
    """A ledger on which the instruction goes through."""

    ledger: Ledger
    step: Instruction
    signers: list[Keypair]


def example(name: str) -> Example:
    """The example of this instruction."""
    ledger = Ledger()
    ledger.svm.airdrop(ACTOR.pubkey(), 10**12)
    if name != "initialize":
        ledger.open()
    accounts, args, signers = EXAMPLES[name](ledger)
    step = idl.instruction(
        PROGRAM,
        name,
        {**BASE, "payer": ACTOR.pubkey(), **accounts},
        {key: value for key, value in args.items() if not key.startswith("_")},
        tail=args.get("_tail", b""),
        more=args.get("_more"),
    )
    return Example(ledger, step, [ACTOR, *signers] if uses(step, ACTOR.pubkey()) else signers)


def uses(step: Instruction, key: Pubkey) -> bool:
    """Whether the instruction wants this key's signature."""
    return any(meta.pubkey == key and meta.is_signer for meta in step.accounts)


Parts = tuple[dict[str, Pubkey], dict[str, Any], list[Keypair]]


def _initialize(ledger: Ledger) -> Parts:
    accounts = {"upgrade_authority": ledger.owner.pubkey(), "program_data": address(bytes(PROGRAM), program=LOADER)}
    key = ledger.guardian.pubkey()
    return accounts, {"genesis_hash": bytes(32), "guardian": key, "treasury": key, "max_pause_slots": 1}, [ledger.owner]


def _office(ledger: Ledger, **args: Any) -> Parts:
    return {"owner": ledger.owner.pubkey()}, args, [ledger.owner]


def _set_outbound(ledger: Ledger) -> Parts:
    chain = REMOTE_CHAIN.to_bytes()
    terms = ledger.state("Outbound", outbound_address(chain))["terms"]
    accounts = {"owner": ledger.owner.pubkey(), "outbound": outbound_address(chain)}
    return accounts, {"chain": chain, "destination_gateway": REMOTE_GATEWAY, "terms": terms}, [ledger.owner]


def _set_inbound(ledger: Ledger) -> Parts:
    accounts = {"owner": ledger.owner.pubkey(), "inbound": inbound_address(REMOTE_GATEWAY)}
    return accounts, {"source_gateway": REMOTE_GATEWAY, "is_open": False}, [ledger.owner]


def _accept(ledger: Ledger) -> Parts:
    key = ledger.sender
    ledger.call(
        "transfer_ownership", {"owner": ledger.owner.pubkey()}, {"new_owner": key.pubkey()}, signers=[ledger.owner]
    )
    return {"new_owner": key.pubkey()}, {}, [key]


def _pause(ledger: Ledger) -> Parts:
    return {"authority": ledger.guardian.pubkey()}, {"direction": 0, "slots": 5}, [ledger.guardian]


def _install(ledger: Ledger) -> Parts:
    ledger.set_time(NOW + 10**6 + 1, SLOT)
    accounts = {"owner": ledger.owner.pubkey(), "former_epoch": epoch_address(1), "next_epoch": epoch_address(2)}
    return accounts, {"signer_set": set_args(signer_set(ledger.keys, 3, NOW + 10**7))}, [ledger.owner]


def _rotate(ledger: Ledger) -> Parts:
    chosen = signer_set(signing_keys(5, first=40), 4)
    batch = ledger.batch([Rotate(signer_set_hash(chosen), 2).leaf])
    ledger.certify(batch)
    accounts = {"former_epoch": epoch_address(1), "next_epoch": epoch_address(2), "root": root_address(batch)}
    return accounts, {"signer_set": set_args(chosen)}, []


def _verify(ledger: Ledger) -> Parts:
    batch = ledger.batch([b"\1" * 32])
    ledger.certify(batch, [0])
    certificate = ledger.certificate(batch, [1, 2])
    step = ledger.certify_step(batch, certificate)
    head = {
        "scheme": certificate[0],
        "epoch_big_endian": certificate[1:9],
        "chain_tag": certificate[9:13],
        "gateway_tag": certificate[13:17],
        "bitmap_big_endian": certificate[17:49],
    }
    accounts = {"root": step.accounts[1].pubkey, "epoch": epoch_address(1)}
    args = {"batch_root": batch.root, "count": batch.count, "certificate": head, "_tail": certificate[49:]}
    return accounts, args, []


def _close_root(ledger: Ledger) -> Parts:
    batch = ledger.batch([b"\1" * 32])
    ledger.certify(batch, payer=ledger.payer.pubkey())
    ledger.set_time(NOW + 10**6 + 1, SLOT)
    return {"payer": ledger.payer.pubkey(), "root": root_address(batch), "epoch": epoch_address(1)}, {}, []


def _ask(ledger: Ledger, salt: int = 0, *, ordered: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    args, accounts = ledger.request_parts(salt, options={"ordered": ordered})
    if ordered:
        route = ledger_route()
        accounts["ordered"] = address(b"ordered", bytes(ledger.sender.pubkey()), route)
    return args, {**accounts, "payer": ACTOR.pubkey()}


def ledger_route() -> bytes:
    """The hash of the route to the remote gateway."""
    return keccak256(GATEWAY + REMOTE_GATEWAY)


def _asked(ledger: Ledger, salt: int = 0, *, ordered: bool = False) -> Any:
    args, accounts = _ask(ledger, salt, ordered=ordered)
    sent = ledger.call("request", accounts, args, signers=[ACTOR, ledger.sender])
    return request_of(sent.event("XVMCallRequested")["request"])


def _request(ledger: Ledger) -> Parts:
    _asked(ledger, 1, ordered=True)
    args, accounts = _ask(ledger, ordered=True)
    return accounts, args, [ledger.sender]


def _cancelled(ledger: Ledger) -> Any:
    asked = _asked(ledger)
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    accounts = {"sender": ledger.sender.pubkey(), "pending": _pending(ledger), "refund": ACTOR.pubkey()}
    ledger.call("cancel", accounts, signers=[ledger.sender])
    return asked


def _pending(ledger: Ledger) -> Pubkey:
    return pending_address(ledger.sender.pubkey(), 0)


def _retry(ledger: Ledger) -> Parts:
    earlier = _cancelled(ledger)
    args, accounts = _ask(ledger, 1)
    attempt = {"nonce": earlier.nonce, "expiry": earlier.expiry, "origin": bytes(32)}
    return {**accounts, "earlier": _pending(ledger)}, {"attempt": attempt, **args}, [ledger.sender]


def _add_fee(ledger: Ledger) -> Parts:
    _asked(ledger)
    return {"pending": _pending(ledger)}, {"amount": 7}, []


def _cancel(ledger: Ledger) -> Parts:
    asked = _asked(ledger)
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    accounts = {"sender": ledger.sender.pubkey(), "pending": _pending(ledger), "refund": ACTOR.pubkey()}
    return accounts, {}, [ledger.sender]


def _deliver(ledger: Ledger) -> Parts:
    outcome = ledger.outcome(_asked(ledger), payee=bytes(ledger.treasury.pubkey()))
    batch = ledger.batch([outcome.leaf])
    ledger.certify(batch)
    credit = address(b"credit", outcome.payee)
    beneficiary = ledger.treasury.pubkey()
    ledger.call("open_credit", {"payer": ledger.payer.pubkey(), "beneficiary": beneficiary, "credit": credit})
    accounts = {"epoch": epoch_address(1), "root": root_address(batch), "pending": _pending(ledger), "credit": credit}
    return accounts, {"outcome": outcome_args(outcome), "path": []}, []


def _callback(ledger: Ledger) -> Parts:
    ledger.deliver(ledger.outcome(_asked(ledger)), _pending(ledger))
    accounts = {
        "payer": ledger.treasury.pubkey(),
        "pending": _pending(ledger),
        "refund": ACTOR.pubkey(),
        "callback_authority": PROGRAM,
    }
    return accounts, {"return_data": b""}, [ledger.treasury]


def _reclaim(ledger: Ledger) -> Parts:
    asked = _cancelled(ledger)
    ledger.set_time(asked.expiry + 8 * 86_400, SLOT + 2_001)
    return {"payer": ledger.payer.pubkey(), "pending": _pending(ledger), "refund": ACTOR.pubkey()}, {}, []


def _open_credit(ledger: Ledger) -> Parts:
    key = ledger.treasury.pubkey()
    return {"beneficiary": key, "credit": address(b"credit", bytes(key))}, {}, []


def _withdraw(ledger: Ledger) -> Parts:
    accounts, _, _ = _open_credit(ledger)
    ledger.call("open_credit", {"payer": ledger.payer.pubkey(), **accounts})
    ledger.svm.airdrop(accounts["credit"], 10**9)
    return accounts, {}, [ledger.treasury]


def _collect(ledger: Ledger) -> Parts:
    ledger.deliver(ledger.outcome(_asked(ledger)), _pending(ledger))
    return {"epoch": epoch_address(1), "treasury": ledger.treasury.pubkey()}, {}, []


def _incoming(ledger: Ledger, name: str) -> Parts:
    """A retry, of an own account, after a predecessor."""
    before = inbound_request(PROBE, payload(b"\2"))
    ledger.execute(before)
    origin = inbound_request(PROBE, payload(b"\2"), 1, expiry=NOW - 1)
    ledger.execute(origin)
    asked = inbound_request(
        PROBE,
        payload(b"\2"),
        2,
        own_account=True,
        origin=int.from_bytes(request_id(origin), "big"),
        ordered_after=0 if name == "expire" else int.from_bytes(request_id(before), "big"),
        expiry=NOW - 1 if name == "expire" else NOW + 600,
    )
    step, batch = ledger.execute_step(asked, name=name)
    ledger.certify(batch)
    names = [entry["name"] for entry in idl.INSTRUCTIONS[name]["accounts"]]
    accounts = {entry: meta.pubkey for entry, meta in zip(names, step.accounts, strict=True)}
    fields = inbound_args(asked)
    args = {
        "request": fields,
        "place": {"height": 7, "block_hash": b"\xb0" * 32, "tx_index": 3, "log_index": 1},
        "payee": bytes(32),
        "path": [],
    }
    return {**accounts, "payer": ACTOR.pubkey()}, args, []


def _execute(ledger: Ledger) -> Parts:
    return _incoming(ledger, "execute")


def _expire(ledger: Ledger) -> Parts:
    return _incoming(ledger, "expire")


def _show_lapsed(_: Ledger) -> Parts:
    asked = inbound_request(PROBE, payload(b"\2"), expiry=NOW - 1)
    return {"slot": slot_address(request_id(asked))}, {"request": inbound_args(asked)}, []


def _stage(ledger: Ledger) -> Parts:
    key = keypair("fresh stage")
    lamports = ledger.svm.minimum_balance_for_rent_exemption(100)
    params = CreateAccountParams(
        from_pubkey=ledger.payer.pubkey(), to_pubkey=key.pubkey(), lamports=lamports, space=100, owner=PROGRAM
    )
    ledger.send(create_account(params), signers=[key])
    return {"stage": key.pubkey(), "authority": ACTOR.pubkey()}, {}, []


def _staged(ledger: Ledger) -> dict[str, Pubkey]:
    accounts, _, _ = _stage(ledger)
    ledger.call("stage", accounts, signers=[ACTOR])
    return accounts


def _append(ledger: Ledger) -> Parts:
    return _staged(ledger), {"offset": 3, "piece": b"abc"}, []


def _close_stage(ledger: Ledger) -> Parts:
    return _staged(ledger), {}, []


def _use_stage(ledger: Ledger) -> Parts:
    accounts = _staged(ledger)
    data = idl.instruction_data("pause", {"direction": 0, "slots": 5})
    ledger.call("append", accounts, {"offset": 0, "piece": data}, signers=[ACTOR])
    more = idl.instruction_accounts(PROGRAM, "pause", {**BASE, "authority": ledger.guardian.pubkey()})
    return (
        accounts,
        {"_more": [AccountMeta(one.pubkey, one.is_signer, one.is_writable) for one in more]},
        [ledger.guardian],
    )


EXAMPLES: dict[str, Callable[[Ledger], Parts]] = {
    "initialize": _initialize,
    "set_outbound": _set_outbound,
    "set_inbound": _set_inbound,
    "set_offices": lambda ledger: _office(ledger, guardian=ACTOR.pubkey(), treasury=ACTOR.pubkey()),
    "transfer_ownership": lambda ledger: _office(ledger, new_owner=ACTOR.pubkey()),
    "accept_ownership": _accept,
    "pause": _pause,
    "unpause": lambda ledger: _office(ledger, direction=0),
    "install": _install,
    "rotate": _rotate,
    "verify_certificate": _verify,
    "close_root": _close_root,
    "request": _request,
    "add_fee": _add_fee,
    "cancel": _cancel,
    "deliver": _deliver,
    "callback": _callback,
    "reclaim": _reclaim,
    "open_credit": _open_credit,
    "withdraw": _withdraw,
    "collect": _collect,
    "execute": _execute,
    "expire": _expire,
    "show_lapsed": _show_lapsed,
    "stage": _stage,
    "append": _append,
    "close_stage": _close_stage,
    "use_stage": _use_stage,
    "retry": _retry,
    "set_sender_limit": lambda ledger: _office(ledger, slots=1, requests=1),
}
