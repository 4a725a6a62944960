"""What the asker program must refuse, whoever runs its callbacks and whatever accounts they bring."""

from __future__ import annotations

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from attestation.request import request_id
from tests.svm.examples.programs import ASKER, REFUSE, WAITING, Question, ask, send, writable
from tests.svm.program.ledger import (
    NOW,
    PROBE,
    SLOT,
    Ledger,
    Refused,
    callback_authority,
    keypair,
)


def tell(question: Question, authority: Pubkey, signers: list[Keypair]) -> None:
    """Calls the handler without the gateway."""
    args = {"request_id": request_id(question.asked), "success": True, "return_data": b"a lie"}
    places = {"authority": authority, "question": question.key}
    send(question.ledger, ASKER, "xvm_callback", places, args, signers, None if signers else authority)


def test_a_callback_is_signed(ledger: Ledger) -> None:
    """SECURITY: the authority's address alone is anybody's to name."""
    question = ask(ledger, ledger.sender)
    with pytest.raises(Refused, match="MissingSigner"):
        tell(question, callback_authority(ASKER.address), [])


def test_a_callback_is_the_gateway_s(ledger: Ledger) -> None:
    """SECURITY: anybody can sign, as itself."""
    question = ask(ledger, ledger.sender)
    with pytest.raises(Refused, match="WrongAddress"):
        tell(question, ledger.guardian.pubkey(), [ledger.guardian])


@pytest.mark.parametrize(("owner", "error"), [(PROBE, "WrongOwner"), (ASKER.address, "WrongAddress")])
def test_an_answer_goes_to_a_question_of_the_program_s(ledger: Ledger, owner: Pubkey, error: str) -> None:
    """SECURITY: whoever runs the callback brings the account."""
    question = ask(ledger, ledger.sender)
    ledger.deliver(ledger.outcome(question.asked, data=b"answer"), question.pending)
    forged = keypair("forged").pubkey()
    ledger.svm.set_account(forged, Account(10**9, bytes(ledger.account(question.key).data), owner))
    with pytest.raises(Refused, match=error):
        question.callback(b"answer", more=[writable(forged)])


def test_an_answer_goes_to_the_question_that_it_answers(ledger: Ledger) -> None:
    """SECURITY: or anybody's answer could be told to anybody."""
    question, other = ask(ledger, ledger.sender), ask(ledger, ledger.guardian)
    ledger.deliver(ledger.outcome(question.asked, data=b"answer"), question.pending)
    with pytest.raises(Refused, match="OtherQuestion"):
        question.callback(b"answer", more=[writable(other.key)])
    assert other.state()["status"] == WAITING


def test_an_answer_comes_once(ledger: Ledger) -> None:
    """SECURITY: what is told again would be done again."""
    question = ask(ledger, ledger.sender)
    outcome = ledger.outcome(question.asked, data=b"answer")
    ledger.deliver(outcome, question.pending)
    question.callback(b"answer")
    with pytest.raises(Refused, match="WrongOwner"):
        question.callback(b"answer")
    with pytest.raises(Refused, match="WrongOwner"):
        ledger.deliver(outcome, question.pending, certified=True)


@pytest.mark.parametrize("name", ["set_manner", "close", "cancel"])
def test_a_question_is_its_owner_s(ledger: Ledger, name: str) -> None:
    """SECURITY: rent, refund and what the handler does are not for who comes first."""
    question = ask(ledger, ledger.sender)
    thief = ledger.guardian
    ledger.set_time(NOW + 1_000, SLOT + 2_001)
    places = {
        "owner": thief.pubkey(),
        "question": question.key,
        "sender": question.sender,
        "pending": question.pending,
        "refund": ledger.sender.pubkey(),
    }
    with pytest.raises(Refused, match="NotAsker"):
        send(ledger, ASKER, name, places, {"manner": REFUSE}, [thief])
    owner = ledger.sender.pubkey()
    with pytest.raises(Refused, match="MissingSigner"):
        send(ledger, ASKER, name, {**places, "owner": owner}, {"manner": REFUSE}, unsigned=owner)


def test_nobody_asks_in_another_s_name(ledger: Ledger) -> None:
    """SECURITY: what an address asks for abroad is done there in its name."""
    victim = ask(ledger, ledger.sender)
    with pytest.raises(Refused):
        ask(ledger, ledger.guardian, sender=victim.sender)


def test_giving_up_one_question_does_not_cancel_another(ledger: Ledger) -> None:
    """SECURITY: the program's signature would do for both."""
    question, other = ask(ledger, ledger.sender), ask(ledger, ledger.sender, 1)
    ledger.set_time(NOW + 1_000, SLOT + 2_001)
    with pytest.raises(Refused, match="OtherQuestion"):
        question.cancel(pending=other.pending)


def test_a_question_that_is_open_is_not_shown_to_be_gone(ledger: Ledger) -> None:
    """SECURITY: what is given up without a cancel may be executed yet."""
    question = ask(ledger, ledger.sender)
    with pytest.raises(Refused, match="WrongAddress"):
        question.cancel(pending=keypair("nothing").pubkey())


def test_a_question_is_given_up_at_its_own_gateway(ledger: Ledger) -> None:
    question = ask(ledger, ledger.sender)
    with pytest.raises(Refused, match="WrongGateway"):
        question.cancel(gateway=PROBE)


def test_a_question_that_is_answered_is_not_given_up(ledger: Ledger) -> None:
    question = ask(ledger, ledger.sender)
    ledger.deliver(ledger.outcome(question.asked), question.pending)
    question.callback()
    with pytest.raises(Refused, match="NotWaiting"):
        question.cancel()


def test_a_question_that_waits_is_not_closed(ledger: Ledger) -> None:
    question = ask(ledger, ledger.sender)
    with pytest.raises(Refused, match="StillWaiting"):
        send(
            ledger, ASKER, "close", {"owner": ledger.sender.pubkey(), "question": question.key}, signers=[ledger.sender]
        )


def test_a_handler_s_manner_is_one_of_four(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="MalformedInstruction"):
        ask(ledger, ledger.sender, manner=4)
    question = ask(ledger, ledger.sender)
    own = {"owner": ledger.sender.pubkey(), "question": question.key}
    with pytest.raises(Refused, match="MalformedInstruction"):
        send(ledger, ASKER, "set_manner", own, {"manner": 4}, [ledger.sender])
