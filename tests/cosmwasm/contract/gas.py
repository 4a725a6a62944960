"""Measures what messages to the gateway cost in gas, on keys and addresses that are the same in every run.

Run it to write `contracts/cosmwasm/gas.json`: `python -m tests.cosmwasm.contract.gas`.
"""

from __future__ import annotations

import json
from typing import Final

from attestation.request import Request, request_id
from attestation.signer_set import signer_set_hash
from attestation.statement import Rotate
from tests.cosmwasm.contract.ledger import PAYEE, Ledger, b64, code, hexed, set_json, signer_set, signing_keys
from tests.cosmwasm.contract.source_side import ENOUGH, SourceLedger, asked_in, cancelling

_MANY: Final = 32
_INCREMENT: Final = {"increment": {"by": "1"}}


def measure() -> dict[str, int]:
    """Gas by what was done. What a transaction pays for its bytes and its signature is not in it."""
    gas: dict[str, int] = {}
    for signers, threshold in ((4, 3), (19, 13)):
        ledger = Ledger(signers=signers, threshold=threshold).open()
        gas[f"a certificate more, {threshold} of {signers}"] = _certificate(ledger)
    gas |= _destination() | _source()
    for count, threshold in ((4, 3), (19, 13)):
        gas[f"rotate, to {count} signers"] = _rotated(Ledger().open(), count, threshold)
    return gas


def _certificate(ledger: Ledger) -> int:
    """By which two batches of one are dearer than one of two."""
    # The payee's credit is written for the first time before anything is measured.
    *_, first, second, third, fourth = expired = [ledger.request(number, expiry=ledger.now - 1) for number in range(5)]
    _expire(ledger, [expired[:1]])
    together = _expire(ledger, [[first, second]])
    return _expire(ledger, [[third], [fourth]]) - together


def _expire(ledger: Ledger, batches: list[list[Request]]) -> int:
    told = [ledger.batch(requests, by_hash=True) for requests in batches]
    return ledger.act(ledger.relayer, "expire", {"batches": told, "payee": hexed(PAYEE)}).result.gas_used


def _destination() -> dict[str, int]:
    ledger = Ledger().open()
    counter = ledger.keeper.instantiate(ledger.owner, ledger.keeper.store_code(ledger.owner, code("counter")), {})
    # Whatever is written for the first time is written before anything is measured.
    ledger.send(ledger.owner, counter, _INCREMENT)
    alone = ledger.send(ledger.owner, counter, _INCREMENT).result.gas_used
    target = ledger.interoperable(counter)

    def execute(first: int, count: int) -> int:
        numbers = range(first, first + count)
        asked = [ledger.request(number, target=target, call=_INCREMENT) for number in numbers]
        sent = ledger.run(*asked)
        assert all(event["kind"] == "0" for event in sent.all("XVMCallConcluded"))
        return sent.result.gas_used

    one, many = execute(0, 1), execute(_MANY, _MANY)
    expired = [ledger.request(number, expiry=ledger.now - 1) for number in range(100, 101 + _MANY)]
    return {
        "execute, the example counter": one,
        "execute, besides the example counter": one - alone,
        f"execute of {_MANY}, the example counter, each": many // _MANY,
        "expire": _expire(ledger, [expired[:1]]),
        f"expire of {_MANY}, each": _expire(ledger, [expired[1:]]) // _MANY,
    }


def _source() -> dict[str, int]:
    source = SourceLedger().open()
    source.ask_from(source.asker)
    asked, sent = source.ask_from(source.asker)
    gas = {"xvm_execute, an account": sent.result.gas_used}

    def deliver(requests: list[Request]) -> int:
        outcomes = [source.outcome(request_id(each), data=bytes(64)) for each in requests]
        return source.deliver(*outcomes).result.gas_used

    # The first pays for the entries that others share: credits of payee, deliverer and signers.
    deliver([source.ask_from(source.asker)[0]])
    gas["deliver, to an account"] = deliver([asked])
    many = [source.ask_from(source.asker)[0] for _ in range(_MANY)]
    gas[f"deliver of {_MANY}, to accounts, each"] = deliver(many) // _MANY
    code_id = source.keeper.store_code(source.owner, code("asker"))
    asker = source.keeper.instantiate(source.owner, code_id, {"gateway": source.gateway})

    def ask() -> Request:
        return asked_in(source.send(source.asker, asker, {"ask": source.asked()}, funds=ENOUGH))

    calling = [ask() for _ in range(_MANY + 2)]
    deliver(calling[:1])
    gas["deliver, to the example asker"] = deliver(calling[1:2])
    gas[f"deliver of {_MANY}, to the example asker, each"] = deliver(calling[2:]) // _MANY
    gas["withdraw"] = source.act(source.relayer, "withdraw", {}).result.gas_used
    left, _ = source.ask_from(source.asker)
    source.pass_deadline()
    gas["cancel"] = source.act(source.asker, "cancel", cancelling(left)).result.gas_used
    return gas


def _rotated(ledger: Ledger, count: int, threshold: int) -> int:
    following = signer_set(signing_keys(count, first=50), threshold)
    certificate = b64(ledger.certificate([Rotate(signer_set_hash(following), 2).leaf]))
    body = {"set": set_json(following), "certificate": certificate}
    return ledger.act(ledger.relayer, "rotate", body).result.gas_used


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))  # noqa: T201 - its output is its purpose
