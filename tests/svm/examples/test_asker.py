"""A program asks another chain and takes the callback."""

from __future__ import annotations

import pytest

from attestation.request import Mode, request_id
from attestation.statement import OutcomeKind
from tests.svm.examples.programs import (
    ANSWERED,
    ASKER,
    GIVEN_UP,
    KEEP,
    REENTER,
    REFUSE,
    STEAL,
    WAITING,
    Question,
    ask,
    send,
    writable,
)
from tests.svm.program import idl
from tests.svm.program.ledger import (
    BASE,
    NOW,
    PROGRAM,
    REMOTE_TARGET,
    SLOT,
    SYSTEM,
    Ledger,
    Refused,
    callback_authority,
    keypair,
)

BALANCE_OF = bytes.fromhex("70a08231") + bytes(12) + b"\x5e" * 20
INCREMENT = bytes.fromhex("7cf5dab0") + (5).to_bytes(32, "big")


def deliver(question: Question, data: bytes, kind: OutcomeKind = OutcomeKind.EXECUTED) -> None:
    question.ledger.deliver(question.ledger.outcome(question.asked, kind, data), question.pending)


def test_a_balance_on_an_evm_chain_is_asked_for_and_written_down(ledger: Ledger) -> None:
    question = ask(ledger, ledger.sender, payload=BALANCE_OF, options={"mode": Mode.QUERY})
    assert (question.asked.mode, question.asked.target, question.asked.payload) == (
        Mode.QUERY,
        REMOTE_TARGET,
        BALANCE_OF,
    )
    assert question.state()["request_id"] == request_id(question.asked)
    assert question.state()["status"] == WAITING

    balance = (1_500).to_bytes(32, "big")
    deliver(question, balance)
    event = question.callback(balance).event("XVMCallbackDelivered")
    assert event["success"]
    told = question.state()
    assert (told["status"], told["success"], told["return_length"]) == (ANSWERED, True, 32)
    assert int.from_bytes(told["return_data"][:32], "big") == 1_500


def test_a_change_of_state_on_an_evm_chain_is_asked_for(ledger: Ledger) -> None:
    question = ask(ledger, ledger.sender, payload=INCREMENT)
    assert (question.asked.mode, question.asked.payload) == (Mode.CALL, INCREMENT)
    assert question.asked.sender[-32:] == bytes(question.sender)
    deliver(question, b"", OutcomeKind.EXPIRED)
    question.callback()
    assert (question.state()["status"], question.state()["success"]) == (ANSWERED, False)


def test_the_request_tells_relayers_the_handler_s_accounts(ledger: Ledger) -> None:
    other = keypair("other").pubkey()
    question = ask(ledger, ledger.sender, more=[other])
    assert question.asked.metadata == b"xvmcb1\x02" + bytes(question.key) + b"\x01" + bytes(other) + b"\x01"


def test_a_handler_is_told_of_seven_accounts_at_most(ledger: Ledger) -> None:
    others = [keypair(f"other {number}").pubkey() for number in range(7)]
    ask(ledger, ledger.sender, more=others[:6])
    with pytest.raises(Refused, match="TooManyHandlerAccounts"):
        ask(ledger, ledger.sender, 1, more=others)


def test_owners_ask_as_themselves_and_with_salts_of_their_own(ledger: Ledger) -> None:
    one, other = ask(ledger, ledger.sender), ask(ledger, ledger.guardian)
    assert one.sender != other.sender
    assert (one.asked.nonce, other.asked.nonce, ask(ledger, ledger.sender, 1).asked.nonce) == (0, 0, 1)


def test_of_a_long_answer_the_beginning_is_kept(ledger: Ledger) -> None:
    ledger.set_outbound(max_return_bytes=8_192)
    question = ask(ledger, ledger.sender, options={"return_limit": 8_192})
    answer = bytes(range(256)) * 4 + b"more"
    deliver(question, answer)
    places = {
        **BASE,
        "payer": ledger.payer.pubkey(),
        "pending": question.pending,
        "refund": ledger.sender.pubkey(),
        "callback_authority": callback_authority(ASKER.address),
        "handler": ASKER.address,
    }
    step = idl.instruction(PROGRAM, "callback", places, {"return_data": answer}, more=[writable(question.key)])
    ledger.send_staged(step)  # no transaction holds the answer
    assert (question.state()["return_length"], question.state()["return_data"]) == (1_028, answer[:1_024])


def test_a_handler_that_fails_is_called_again_and_may_do_better(ledger: Ledger) -> None:
    question = ask(ledger, ledger.sender, manner=REFUSE)
    deliver(question, b"answer")
    for _ in range(2):
        with pytest.raises(Refused, match="HandlerRefuses"):
            question.callback(b"answer")
    assert ledger.state("Pending", question.pending)["state"] == 2
    own = {"owner": ledger.sender.pubkey(), "question": question.key}
    send(ledger, ASKER, "set_manner", own, {"manner": KEEP}, [ledger.sender])
    question.callback(b"answer")
    assert question.state()["return_data"][:6] == b"answer"


@pytest.mark.parametrize("names_the_gateway", [False, True])
def test_a_handler_cannot_call_the_gateway(ledger: Ledger, names_the_gateway: bool) -> None:  # noqa: FBT001 - a parameter
    """SECURITY: in the middle of a callback the gateway's accounts are not what they are before or after."""
    question = ask(ledger, ledger.sender, manner=REENTER, more=[PROGRAM] if names_the_gateway else [])
    deliver(question, b"answer")
    with pytest.raises(Refused):
        question.callback(b"answer")
    assert question.state()["status"] == WAITING


def test_a_handler_cannot_take_what_is_not_its_program_s(ledger: Ledger) -> None:
    """SECURITY: a handler is the asker's code."""
    victim = keypair("victim").pubkey()
    ledger.svm.airdrop(victim, 10**9)
    question = ask(ledger, ledger.sender, manner=STEAL, more=[victim])
    deliver(question, b"answer")
    with pytest.raises(Refused):
        question.callback(b"answer")
    assert ledger.balance(victim) == 10**9


@pytest.mark.parametrize("greed", ["payer", "pending"])
def test_a_handler_is_not_given_the_relayer_s_account_nor_the_gateway_s(ledger: Ledger, greed: str) -> None:
    """SECURITY: the metadata is the asker's choice."""
    question = ask(ledger, ledger.sender, manner=STEAL)
    deliver(question, b"answer")
    named = {"payer": ledger.payer.pubkey(), "pending": question.pending}[greed]
    with pytest.raises(Refused, match=r"PayerAmongAccounts|WrongTargetAccounts"):
        question.callback(b"answer", more=[writable(question.key), writable(named)])


def test_a_question_is_given_up_after_its_deadline_and_what_it_lent_comes_back(ledger: Ledger) -> None:
    question = ask(ledger, ledger.sender, options={"mode": Mode.QUERY})
    with pytest.raises(Refused, match="DeadlineNotOver"):
        question.cancel()
    ledger.set_time(NOW + 1_000, SLOT + 2_001)
    before = ledger.balance(ledger.sender.pubkey())
    question.cancel()
    assert ledger.balance(ledger.sender.pubkey()) == before + 20_000 + 15_000
    assert question.state()["status"] == GIVEN_UP

    rent = ledger.balance(question.key)
    own = {"owner": ledger.sender.pubkey(), "question": question.key}
    send(ledger, ASKER, "close", own, signers=[ledger.sender])
    assert ledger.svm.get_account(question.key) is None
    assert ledger.balance(ledger.sender.pubkey()) == before + 35_000 + rent


def test_a_question_whose_callback_nobody_ran_is_given_up_when_it_is_reclaimed(ledger: Ledger) -> None:
    question = ask(ledger, ledger.sender)
    deliver(question, b"answer")
    ledger.set_time(NOW + 7 * 86_400, SLOT)
    places = {"payer": ledger.payer.pubkey(), "pending": question.pending, "refund": ledger.sender.pubkey()}
    ledger.call("reclaim", places)
    question.cancel()
    assert question.state()["status"] == GIVEN_UP
    assert ledger.account(question.key).owner != SYSTEM
