"""A gateway in the middle of everything, what is sent to it, and what must be so after each message.

SECURITY: `World.step` holds what no message may break, whoever sends it.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from random import Random
from typing import Any, Final

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Mode, Request, RequestId, request_id
from attestation.signer_set import signer_set_hash
from attestation.statement import OutcomeKind, Rotate
from relayer.devnet.cosmwasm.chain_errors import WASM_VM_ERROR
from relayer.devnet.cosmwasm.context import Block
from relayer.devnet.cosmwasm.keeper import TxResult
from tests.cosmwasm.contract.ledger import (
    DENOM,
    NOW,
    PAYEE,
    REMOTE_GATEWAY,
    REMOTE_SENDER,
    b64,
    compact,
    hexed,
    request_json,
    set_json,
    signer_set,
    signing_keys,
    word,
)
from tests.cosmwasm.contract.source_side import (
    CHAIN,
    ENOUGH,
    PRICE,
    ROUTE,
    SourceLedger,
    cancelling,
    retrying,
    statement_of,
)
from tests.cosmwasm.junk import edge, spoil, torn, written

OTHER: Final = "factory/someone/uxvm"
_FUNDS: Final[list[dict[str, int]]] = [
    *({}, {DENOM: 0}, {DENOM: 1}, {DENOM: ENOUGH}, {DENOM: 2**64}, {DENOM: 2**128}),
    *({OTHER: 5}, {OTHER: 1, DENOM: ENOUGH}),
]
_CHAINS_OWN: Final = ("Region length too big. Got", "Could not get export: migrate")
"""Refusals of the machine's: of an account's text of more than 256 bytes, of migrating to code that cannot be."""

_OWNED: Final = (b"price", b"sender_limit", b"treasury", b"guardian")
_ENDINGS: Final = {"XVMCallConcluded", "XVMCancelledConcluded", "XVMCallbackDelivered"}
_PAYING: Final = {"xvm_execute", "add_fee", "retry"}
_ASKERS: Final = {"xvm_execute", "cancel", "retry", "withdraw"}
_OWNERS: Final = {
    *("set_outbound", "remove_outbound", "set_price", "set_inbound", "set_offices", "set_sender_limit", "install"),
    *("transfer_ownership", "migrate", "pause", "pause_outbound", "pause_inbound"),
    *("unpause", "unpause_outbound", "unpause_inbound"),
}
_WIDE: Final = [0, 1, 2, 60, 49_999, 500_000, 10_000_000, 10_000_001, 2**32 - 1, 2**63, 2**64 - 1]


class World:
    """The chain, and what its people hold."""

    def __init__(self) -> None:
        source = self.source = SourceLedger().open()
        self.keeper, self.gateway = source.keeper, source.gateway
        for person in (source.owner, source.relayer, source.asker, source.probe):
            self.keeper.mint(person, {DENOM: 10**15, OTHER: 10**15})
        self.certified: set[str] = set()
        """What a quorum has signed: ids of requests and outcomes, what outcomes tell, hashes of signer sets."""

        self.asked = self._ask()
        self.failed = self._fail_a_handler()
        self.signed = self._tellings(self.failed)
        source.run(source.request(50), source.request(51, own_account=True))
        self.config = source.tell("config")
        own = source.tell("account_of", sender=hexed(REMOTE_SENDER))
        self.people = [source.owner, source.guardian, source.treasury, source.relayer, source.asker, source.probe]
        self.accounts = [*self.people, self.gateway, self.config["executor"], own, source.payee_account()]
        self.contracts = [self.gateway, self.config["executor"], own]

    def _ask(self) -> list[Request]:
        """Requests of an account and a contract: open, cancelled, ordered."""
        source = self.source
        cancelled, _ = source.ask_from(source.asker)
        old, _ = source.ask_from(source.asker, mode=1)
        self.keeper.advance(1_000, 101)
        source.act(source.asker, "cancel", cancelling(cancelled))
        fresh, _ = source.ask_from(source.asker, ordered=True)
        return [cancelled, old, fresh, source.ask_by_contract(source.probe), source.ask_by_contract(source.probe)]

    def _fail_a_handler(self) -> dict[str, Any]:
        """An outcome whose handler failed, and that may be replayed."""
        source = self.source
        source.close(source.probe)
        outcome = source.outcome(request_id(source.ask_by_contract(source.probe)))
        source.deliver(outcome)
        source.close(source.probe, closed=False)
        return outcome

    def _tellings(self, outcome: dict[str, Any]) -> list[str]:
        """What is certified where this is."""
        data_hash = hexed(keccak256(b64decode(outcome["return_data"])))
        return [outcome["request_id"], told_of(outcome["request_id"], outcome["kind"], data_hash)]

    @contextmanager
    def case(self) -> Iterator[World]:
        """What happens within is undone."""
        block = self.keeper.block
        self.keeper._state.open_layer()
        self.certified = set(self.signed)
        try:
            yield self
        finally:
            self.keeper._state.drop_layer()
            self.keeper.block = block

    def pass_time(self, random: Random) -> None:
        """A little of it, or much."""
        block = self.keeper.block
        seconds = random.choice([0, 5, 700, 90_000, 8 * 86_400])
        self.keeper.block = Block(block.height + random.choice([1, 10, 600]), block.time_ns + seconds * 10**9)

    # Messages.

    def certificate(self, leaves: list[bytes], ids: list[str], random: Random) -> bytes:
        """By a quorum, mostly; otherwise forged in one of the ways there are."""
        source = self.source
        match random.randrange(10):
            case 0:
                return source.certificate(leaves, random.choice([[], [0], [0, 1], [2, 3]]))
            case 1:
                return source.certificate(leaves, epoch=random.choice([2, 2**64 - 1]))
            case 2:
                return source.certificate(
                    leaves, gateway=random.choice([REMOTE_GATEWAY, source.interoperable(source.probe)])
                )
            case 3:
                true = bytearray(source.certificate(leaves))
                true[random.randrange(len(true))] ^= 1 << random.randrange(8)
                return bytes(true)
            case 4:
                signed, source.keys = source.keys, signing_keys(len(source.keys), first=90)
                try:
                    return source.certificate(leaves)
                finally:
                    source.keys = signed
            case _:
                self.certified.update(ids)
                return source.certificate(leaves, random.choice([None, [0, 1, 2, 3], [1, 2, 3]]))

    def incoming(self, random: Random) -> Request:
        """A request from the remote gateway, anything about it at the end of its range."""
        source = self.source
        calls: list[Any] = [
            *({"answer": {"data": "AAAA"}}, {"fail": {"text": "☃" * 700}}, {"panic": {}}, {"unknown": 1}),
            {"answer": {"data": b64(bytes(100)), "size": random.choice([0, 1, 10, 50])}},
            {"flood": {"count": random.choice([1, 40]), "size": random.choice([0, 1, 20_000])}},
            {"send": {"guarded": random.random() < 0.5, "messages": [b64(compact(self._inner(random)))]}},
            random.randbytes(random.randrange(50)),
        ]
        targets = [source.interoperable(one) for one in self.accounts]
        targets += [REMOTE_SENDER, random.randbytes(random.randrange(60)), targets[5][:-1], targets[5] + b"\0"]
        changes: dict[str, Any] = {
            "target": random.choice(targets),
            "source_gateway": random.choice([REMOTE_SENDER, source.address, b"", random.randbytes(9)]),
            "sender": random.choice([b"", source.address, evm_account(1, bytes(20)).to_bytes(), bytes(300)]),
            "destination_gateway": random.choice([REMOTE_GATEWAY, b"", source.interoperable(source.probe)]),
            "mode": Mode.QUERY,
            "own_account": True,
            "execution_gas_limit": random.choice(_WIDE),
            "callback_gas_limit": random.choice(_WIDE),
            "return_limit": random.choice([0, 1, 31, 2**32 - 1]),
            "expiry": random.choice([0, source.now - 1, source.now, 2**64 - 1]),
            "ordered_after": random.choice([1, 2**256 - 1, int.from_bytes(request_id(source.request(50)), "big")]),
            "origin": random.choice([1, int.from_bytes(request_id(source.request(random.choice([0, 50]))), "big")]),
            "code_hash": random.randbytes(32),
            "dispute_blocks": random.choice([1, 2**32 - 1]),
            "metadata": random.randbytes(3),
        }
        chosen = random.sample(sorted(changes), random.choice([0, 0, 1, 1, 2]))
        call = random.choice(calls) if random.random() < 0.7 else None
        return source.request(
            random.choice([0, 1, 2, 50, 2**64 - 1]), call=call, **{key: changes[key] for key in chosen}
        )

    def _inner(self, random: Random) -> Any:
        """What a target or handler sends on."""
        name, body = self.plain(random)
        return self.source.gateway_call(name, body, random.choice([0, 1, ENOUGH]))

    def batches(self, random: Random) -> tuple[str, Any]:
        """`execute` or `expire` of certified requests."""
        how = random.choice(["execute", "execute", "expire"])
        batches = []
        for _ in range(random.choice([0, 1, 1, 1, 2])):
            requests = [self.incoming(random) for _ in range(random.choice([1, 1, 2, 5]))]
            requests += [*requests[: random.choice([0, 0, 1])], *[self.source.request(50)][: random.choice([0, 0, 1])]]
            bare = [random.randbytes(32) for _ in range(random.choice([0, 0, 1, 3]))]
            leaves = [*(self.source.leaf(one) for one in requests), *bare]
            certificate = self.certificate(leaves, [hexed(request_id(one)) for one in requests], random)
            given = random.choice([None] * 9 + [0, 1, 2, 2**255])
            batches.append(
                self.source.batch(requests, bare=bare, given=given, by_hash=how == "expire", certificate=certificate)
            )
        return how, {"batches": batches, "payee": hexed(random.choice([PAYEE, bytes(32), random.randbytes(32)]))}

    def delivery(self, random: Random) -> tuple[str, Any]:
        """`deliver` of certified outcomes, of open requests and of others."""
        ids = [*(request_id(one) for one in self.asked), RequestId(random.randbytes(32))]
        outcomes = [
            self.source.outcome(
                random.choice(ids),
                random.choice(list(OutcomeKind)),
                random.choice([b"", b"\0" * 32, random.randbytes(random.randrange(100))]),
                random.choice([PAYEE, bytes(32), random.randbytes(32), bytes(11) + b"\1" + bytes(20)]),
            )
            for _ in range(random.choice([1, 1, 2, 4]))
        ]
        batch = self.source.delivery(*outcomes)
        leaves = [statement_of(outcome).leaf for outcome in outcomes]
        told = [text for outcome in outcomes for text in self._tellings(outcome)]
        batch["certificate"] = b64(self.certificate(leaves, told, random))
        return "deliver", {"batches": [batch]}

    def rotation(self, random: Random) -> tuple[str, Any]:
        """`rotate` to a set that signers certify, or do not."""
        keys = signing_keys(random.choice([1, 2, 4]), first=31)
        following = signer_set(keys, random.choice([1, 2, 3, 2**64 - 1]), NOW + random.choice([0, 10**6, 10**9]))
        leaf = Rotate(signer_set_hash(following), 2).leaf
        certificate = self.certificate([leaf], [hexed(signer_set_hash(following))], random)
        return "rotate", {"set": set_json(following), "certificate": b64(certificate)}

    def plain(self, random: Random) -> tuple[str, Any]:
        """A message that needs no certificate of its own."""
        source, asked = self.source, random.choice(self.asked)
        one = {"request_id": hexed(request_id(asked))}
        account = random.choice(self.accounts)
        believed = {"source_gateway": hexed(REMOTE_GATEWAY)}
        options: dict[str, Any] = {
            "mode": random.choice([0, 1, 2]),
            "own_account": random.random() < 0.5,
            "execution_gas_limit": str(random.choice(_WIDE)),
            "callback_gas_limit": str(random.choice(_WIDE)),
            "return_limit": random.choice([0, 1, 4_096, 4_097, 2**32 - 1]),
            "expiry": str(random.choice([*_WIDE, source.now + 100, source.now + 86_400])),
            "ordered": random.random() < 0.5,
            "code_hash": word(random.choice([0, 1])),
            "dispute_blocks": random.choice([0, 1]),
            "deadline_blocks": str(random.choice([*_WIDE, 1_000])),
            "metadata": b64(random.randbytes(random.choice([0, 5, 2_000]))),
        }
        chosen = random.sample(sorted(options), random.choice([0, 1, 2]))
        question = source.asked(payload=random.randbytes(random.choice([0, 4, 8_193])))
        question["options"] = {key: options[key] for key in chosen}
        lapsed = [request_json(source.request(nonce, expiry=nonce), by_hash=True) for nonce in (1, 2)]
        return random.choice(
            [
                *(("xvm_execute", question),) * 3,
                *(("add_fee", one), ("reclaim", one), ("withdraw", {}), ("withdraw", {"to": account})),
                ("cancel", cancelling(asked)),
                ("retry", retrying(asked, random.choice(_WIDE), random.choice(_WIDE))),
                ("retry_callback", {"outcome": self.failed, "gas_limit": str(random.choice(_WIDE))}),
                ("call_back", {"number": random.choice([0, 1, 2**32 - 1]), "return_data": ""}),
                ("conclude", {"cut": random.random() < 0.5, "return_data": "AAAA"}),
                *(("conclude_unreached", {}), ("conclude_duplicate", {"number": random.choice([0, 1, 2**32 - 1])})),
                ("collect", {"epoch": random.choice(["0", "1", str(2**64 - 1)])}),
                ("show_lapsed", {"requests": lapsed * random.choice([0, 1, 100])}),
                ("install", {"set": set_json(source.set)}),
                ("set_outbound", {"chain": CHAIN, "route": ROUTE}),
                ("set_price", {"chain": CHAIN, "price": {**PRICE, "execution_price": str(random.choice([0, 2**96]))}}),
                ("remove_outbound", {"chain": CHAIN}),
                ("set_inbound", {**believed, "registered": random.random() < 0.5}),
                ("set_offices", {"guardian": random.choice([None, account]), "treasury": account}),
                ("set_sender_limit", {"window_blocks": random.choice([0, 1, 2**32 - 1]), "max_requests": 1}),
                ("transfer_ownership", {"to": account}),
                ("accept_ownership", {}),
                ("migrate", {"code_id": random.choice(["0", "1", "2", str(2**64 - 1)]), "msg": "e30="}),
                ("pause", {"direction": random.choice([0, 1, 2]), "blocks": random.choice([0, 1, 500])}),
                ("unpause", {"direction": random.choice([0, 1, 2])}),
                ("pause_outbound", {"chain": CHAIN, "blocks": random.choice([1, 501])}),
                ("unpause_outbound", {"chain": CHAIN}),
                ("pause_inbound", {**believed, "blocks": 10}),
                ("unpause_inbound", believed),
            ]
        )

    def message(self, random: Random) -> tuple[str, bytes, dict[str, int]]:
        """Who sends what with which money: anything, most of it nearly right."""
        make = random.choice([self.plain, self.plain, self.batches, self.delivery, self.rotation])
        name, body = make(random)
        value: Any = {name: body}
        for _ in range(random.choice([0, 0, 0, 0, 1, 1, 2, 4])):
            value = spoil(value, random, self.accounts) if isinstance(value, dict) else edge(random, self.accounts)
        data = written(value)
        if random.random() < 0.05:
            data = torn(data, random)
        usual = {DENOM: ENOUGH} if name in _PAYING else {}
        funds = usual if random.random() < 0.9 else random.choice(_FUNDS)
        return self._sender(name, random), data, funds

    def _sender(self, name: str, random: Random) -> str:
        """Whose message it is, mostly."""
        if random.random() < 0.3:
            return random.choice([*self.people, self.config["executor"]])
        if name in _ASKERS:
            return random.choice([self.source.asker, self.source.asker, self.source.probe])
        return self.source.owner if name in _OWNERS else self.source.relayer

    def arm(self, random: Random) -> None:
        """Has the probe do something when it is called back: fail, flood, or come back to the gateway."""
        messages = [b64(compact(self._inner(random))) for _ in range(random.choice([1, 3]))]
        act: Any = random.choice(
            [
                *({"fail": {"text": "no"}}, {"panic": {}}, {"burn": {}}, {"flood": {"count": 40, "size": 9_000}}),
                *({"send": {"guarded": guarded, "messages": messages}} for guarded in (True, True, False)),
            ]
        )
        self.keeper.execute(self.source.owner, self.source.probe, {"when_called_back": {"act": b64(compact(act))}})

    # What must be so.

    def entries(self) -> dict[bytes, bytes]:
        """The gateway's storage."""
        return dict(self.keeper.query_all(self.gateway))

    def money(self) -> list[Any]:
        """Who has what."""
        return [self.keeper.balances(account) for account in self.accounts]

    def step(self, sender: str, contract: str, message: bytes, funds: dict[str, int], gas_limit: int) -> TxResult:
        """A message, and all that must be so after any."""
        before, money, supply = self.entries(), self.money(), self.keeper.supply(DENOM)
        result = self.keeper.execute(sender, contract, message, funds=funds, gas_limit=gas_limit)
        after = self.entries()
        if result.code:
            # SECURITY: a failure changes nothing, and is a panic of neither contract nor host
            assert (after, self.money()) == (before, money)
            is_named = (result.codespace, result.code) != (WASM_VM_ERROR.codespace, WASM_VM_ERROR.code)
            assert is_named or any(text in result.log for text in _CHAINS_OWN), result.log
        else:
            self._keeps(before, after)
            self._believes(before, after, self._events(result))
            self._obeys(sender, before, after, self._events(result))
            # what it owes is there
            assert self.source.balance_of(self.gateway) >= self._owed(after)
        assert self.keeper.supply(DENOM) == supply
        return result

    def _events(self, result: TxResult) -> list[tuple[str, dict[str, str]]]:
        told = [event for event in result.events if event.values("_contract_address") == [self.gateway]]
        return [(event.type.removeprefix("wasm-"), dict(event.attributes)) for event in told]

    def _keeps(self, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
        """SECURITY: what was consumed stays so; only what expired may be tried again. No call is left in the air."""
        for key, value in before.items():
            if key.startswith((b"slot/", b"lapsed/")):
                assert after[key] == value or (key.startswith(b"slot/") and value[0] == OutcomeKind.EXPIRED)
        assert not [key for key in after if key.startswith((b"flight", b"callback/"))]

    def _believes(
        self, before: dict[bytes, bytes], after: dict[bytes, bytes], events: list[tuple[str, dict[str, str]]]
    ) -> None:
        """SECURITY: nothing is consumed, told or applied that no quorum has signed; senders' nonces have no gaps."""
        ids = {text[4:66] for text in self.certified}
        for key, value in after.items():
            if key.startswith(b"slot/") and before.get(key) != value:
                assert value[1:].hex() in ids
        ended = [(name, fields["request_id"]) for name, fields in events if name in _ENDINGS]
        assert len(set(ended)) == len(ended)
        consumed = {value[1:].hex() for key, value in before.items() if key.startswith(b"slot/")}
        for name, requested in ended:
            # once: of what was not consumed yet, or of what was pending
            if name == "XVMCallConcluded":
                assert requested[4:] not in consumed
            else:
                assert b"request" + bytes.fromhex(requested[2:]) in before
        nonces: dict[str, int] = {}
        for name, fields in events:
            if name in {"XVMCallConcluded", "XVMCancelledConcluded"}:
                assert fields["request_id"] in self.certified
            elif name == "XVMCallbackDelivered":
                assert told_of(fields["request_id"], fields["kind"], fields["return_data_hash"]) in self.certified
            elif name == "XVMEpochApplied" and fields["signer_set_hash"] not in self.certified:
                # the owner's `install`, which nothing stands against where the former set has lapsed
                assert self.source.now > int.from_bytes(before[b"valid_until/" + before[b"epoch"]], "big")
            elif name == "XVMCallRequested":
                sender = fields["sender"]
                expected = nonces.get(sender, _nonce(before, sender))
                assert int(json.loads(fields["request"])["nonce"]) == expected
                nonces[sender] = expected + 1
        assert all(_nonce(after, sender) == nonce for sender, nonce in nonces.items())

    def _obeys(
        self,
        sender: str,
        before: dict[bytes, bytes],
        after: dict[bytes, bytes],
        events: list[tuple[str, dict[str, str]]],
    ) -> None:
        """SECURITY: only its owner sets what the gateway charges and whom it trusts, and no contract submits."""
        if before[b"owner"].decode() not in {sender, self.source.probe}:
            for key in before.keys() | after.keys():
                assert not key.startswith(_OWNED) or before.get(key) == after.get(key)
        if sender in {self.source.probe, self.config["executor"]}:
            for name, fields in events:
                assert name != "XVMCallbackDelivered"
                assert name != "XVMCallConcluded" or int(fields["kind"]) == OutcomeKind.EXPIRED

    def _owed(self, entries: dict[bytes, bytes]) -> int:
        """Open fees, credits, and what is held for signers."""
        owed = 0
        for key, value in entries.items():
            if key.startswith((b"credit", b"pool")):
                owed += int.from_bytes(value, "big")
            elif key.startswith(b"request"):
                owed += int(self.source.pending(RequestId(key[7:]))["fee"])
        return owed


def told_of(requested: str, kind: int | str, data_hash: str) -> str:
    """What is certified of an outcome, as far as a callback's event tells it."""
    return f"{requested} {kind} {data_hash}"


def _nonce(entries: dict[bytes, bytes], sender: str) -> int:
    """Of a sender's next request; the first eight bytes of what is kept of it."""
    return int.from_bytes(entries.get(b"sender/" + sender.encode(), b"")[:8], "big")


@cache
def world() -> World:
    """One for all cases: each is undone."""
    return World()
