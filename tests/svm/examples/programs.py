"""The example programs on a ledger with the gateway, and everybody's part in dealing with them, said by their IDLs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from attestation.request import Request
from tests.svm.program import idl
from tests.svm.program.ledger import (
    BASE,
    OPTIONS,
    PROGRAM,
    REMOTE_CHAIN,
    REMOTE_TARGET,
    Ledger,
    Sent,
    address,
    outbound_address,
    pending_address,
    request_of,
)

COUNTER: Final = idl.EXAMPLES["counter"]
ASKER: Final = idl.EXAMPLES["asker"]
LOAN: Final = idl.EXAMPLES["loan"]
COUNT: Final = address(b"counter", program=COUNTER.address)

KEEP, REFUSE, REENTER, STEAL = range(4)
WAITING, ANSWERED, GIVEN_UP = range(1, 4)


def open_with_examples() -> Ledger:
    """A ledger with the gateway and the examples on it."""
    ledger = Ledger().open()
    for name, program in idl.EXAMPLES.items():
        ledger.svm.add_program(program.address, (idl.FOLDER / "examples" / f"{name}.so").read_bytes())
    return ledger


def send(
    ledger: Ledger,
    program: idl.Interface,
    name: str,
    accounts: dict[str, Pubkey],
    args: dict[str, Any] | None = None,
    signers: Sequence[Keypair] = (),
    unsigned: Pubkey | None = None,
) -> Sent:
    """Sends one instruction of an example. `unsigned` does not sign, whatever the IDL says."""
    step = program.instruction(program.address, name, {**GATEWAY, **accounts}, args or {})
    metas = [
        AccountMeta(one.pubkey, is_signer=one.is_signer and one.pubkey != unsigned, is_writable=one.is_writable)
        for one in step.accounts
    ]
    return ledger.send(Instruction(program.address, bytes(step.data), metas), signers=signers)


GATEWAY: Final = {"config": BASE["config"], "event_authority": BASE["event_authority"], "gateway": PROGRAM}


def asking_accounts(sender: Pubkey, payer: Pubkey, salt: int) -> dict[str, Pubkey]:
    """What the gateway wants of a request of this sender's."""
    return {
        "payer": payer,
        "sender": sender,
        "outbound": outbound_address(REMOTE_CHAIN.to_bytes()),
        "sender_state": address(b"sender", bytes(sender)),
        "pending": pending_address(sender, salt),
    }


def writable(key: Pubkey) -> AccountMeta:
    """An account that a handler writes."""
    return AccountMeta(key, is_signer=False, is_writable=True)


@dataclass(frozen=True)
class Question:
    """One question of the asker program's, asked."""

    ledger: Ledger
    owner: Keypair
    sender: Pubkey
    key: Pubkey
    pending: Pubkey
    asked: Request
    more: list[Pubkey] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """What the program has written down."""
        return ASKER.decode_account("Question", bytes(self.ledger.account(self.key).data))

    def callback(self, data: bytes = b"", **changes: Any) -> Sent:
        """Runs the callback as a relayer does: with the accounts that the request's metadata names."""
        more = changes.pop("more", [writable(key) for key in (self.key, *self.more)])
        refund = changes.pop("refund", self.owner.pubkey())
        return self.ledger.callback(self.pending, data, handler=ASKER.address, more=more, refund=refund, **changes)

    def cancel(self, **accounts: Pubkey) -> Sent:
        """Gives the question up."""
        places = {
            "sender": self.sender,
            "pending": self.pending,
            "refund": self.owner.pubkey(),
            "owner": self.owner.pubkey(),
            "question": self.key,
            **accounts,
        }
        return send(self.ledger, ASKER, "cancel", places, signers=[self.owner])


def ask(
    ledger: Ledger,
    owner: Keypair,
    salt: int = 0,
    *,
    manner: int = KEEP,
    more: Sequence[Pubkey] = (),
    options: dict[str, Any] | None = None,
    sender: Pubkey | None = None,
    **changes: Any,
) -> Question:
    """Asks through the asker program."""
    sender = sender or address(b"xvm", bytes(owner.pubkey()), program=ASKER.address)
    key = address(b"question", bytes(owner.pubkey()), salt.to_bytes(8, "little"), program=ASKER.address)
    args = {
        "manner": manner,
        "handler_accounts": [{"pubkey": one, "is_writable": True} for one in more],
        "salt": salt,
        "max_fee": 10**9,
        "target": REMOTE_TARGET,
        "payload": b"\x12\x34\x56\x78",
        **changes,
        "options": {**OPTIONS, **(options or {})},
    }
    places = {**asking_accounts(sender, owner.pubkey(), salt), "question": key}
    sent = send(ledger, ASKER, "ask", places, args, [owner])
    asked = request_of(sent.event("XVMCallRequested")["request"])
    return Question(ledger, owner, sender, key, pending_address(sender, salt), asked, list(more))
