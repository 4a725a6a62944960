"""A public cw20 contract, unmodified, as a target: moved by its owners abroad, and heard when it refuses."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import pytest

from attestation.address import Chain, InteroperableAddress, Namespace
from tests.cosmwasm.contract.ledger import REMOTE_SENDER, Ledger, code, compact, hexed

CHECKSUM: Final = "764205286e29d5b6aa8745316a7c1f03df637c2af16db481e1e41c4576296619"
ON_SOLANA: Final = InteroperableAddress(Chain(Namespace.SOLANA, b"\x05" * 32), b"\x06" * 32).to_bytes()
EXECUTED, REVERTED = "0", "1"


@dataclass
class Token:
    ledger: Ledger
    contract: str

    def balance(self, account: str) -> int:
        return int(self.ledger.ask(self.contract, {"balance": {"address": account}})["balance"])

    def conclude(self, contract: str, message: Any, *, own_account: bool) -> Any:
        target = self.ledger.interoperable(contract)
        asked = self.ledger.request(payload=compact(message), target=target, own_account=own_account)
        return self.ledger.run(asked).event("XVMCallConcluded")

    def own_account(self, sender: bytes = REMOTE_SENDER) -> str:
        return str(self.ledger.tell("account_of", sender=hexed(sender)))


@pytest.fixture
def token() -> Token:
    ledger = Ledger().open()
    stored = ledger.keeper.store_code(ledger.owner, code("public/cw20_base"))
    held = [{"address": ledger.owner, "amount": "1000"}]
    terms = {"name": "Example", "symbol": "EXMPL", "decimals": 6, "initial_balances": held}
    return Token(ledger, ledger.keeper.instantiate(ledger.owner, stored, terms))


def transfer(recipient: str, amount: int) -> dict[str, Any]:
    return {"transfer": {"recipient": recipient, "amount": str(amount)}}


def test_it_is_the_public_build() -> None:
    assert sha256(code("public/cw20_base")).hexdigest() == CHECKSUM


def test_tokens_of_an_account_abroad_are_moved_by_it_alone(token: Token) -> None:
    ledger, own = token.ledger, token.own_account()
    ledger.send(ledger.owner, token.contract, transfer(own, 600))
    assert token.conclude(token.contract, transfer(ledger.asker, 250), own_account=True)["kind"] == EXECUTED
    assert (token.balance(own), token.balance(ledger.asker)) == (350, 250)


def test_a_sender_on_another_vm_has_another_account(token: Token) -> None:
    assert token.own_account(ON_SOLANA) != token.own_account()


def test_more_than_there_is_comes_home_with_the_token_s_words(token: Token) -> None:
    refused = token.conclude(token.contract, transfer(token.ledger.asker, 5), own_account=True)
    assert refused["kind"] == REVERTED
    assert b"Overflow: Cannot Sub with 0 and 5" in b64decode(refused["return_data"])


def test_a_submessage_s_failure_comes_home_with_the_token_s_words(token: Token) -> None:
    ledger = token.ledger
    purse = ledger.keeper.instantiate(ledger.owner, ledger.keeper.store_code(ledger.owner, code("purse")), {})
    ledger.send(ledger.owner, token.contract, transfer(purse, 10))

    def pay(amount: int, *, watches: bool = False, own_account: bool = False) -> Any:
        body = {"token": token.contract, "recipient": ledger.asker, "amount": str(amount), "watches": watches}
        return token.conclude(purse, {"pay": body}, own_account=own_account)

    assert pay(10)["kind"] == EXECUTED
    assert (token.balance(purse), token.balance(ledger.asker)) == (0, 10)
    refused = pay(11, own_account=True)
    assert refused["kind"] == REVERTED
    assert b64decode(refused["return_data"]).decode().startswith("Overflow: Cannot Sub with 0 and 11")
    # wasmd hands on what a call fails with, and of what a reply fails with the code alone.
    watched = pay(12, watches=True)
    assert (watched["kind"], b64decode(watched["return_data"])) == (REVERTED, b"codespace: wasm, code: 5")
