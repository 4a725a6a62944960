"""The demonstration is as good as it says, and what it says of Solana and CosmWasm stands on the chains."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from solders.pubkey import Pubkey

from attestation.address import parse_account_text, parse_chain_text
from attestation.keccak import keccak256
from attestation.textcodecs import base58_decode
from relayer.cosmos.accounts import to_bech32
from relayer.vms.cosmwasm.one_node import OneNode
from tests.e2e import devnets
from tests.svm.program import idl

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(300)]

TRANSFER = 3
"""Tag of SPL Token's instruction."""

ANSWERED = 2
"""Status of the example asker's question."""


class Shown:
    """The demonstration that has run, on a devnet that still does."""

    def __init__(self, state: Path, document: dict[str, Any], told: str) -> None:
        self.document, self.told = document, told
        self._description = json.loads((state / "devnet.json").read_text())
        self.chains = {chain["name"]: chain for chain in self._description["chains"]}

    def request(self, title: str, source: str, destination: str = "") -> dict[str, Any]:
        """What a relayer says of a request that ended as expected."""
        (found,) = [
            one
            for one in self.document["requests"]
            if (one["title"], one["source"]) == (title, source) and destination in ("", one["destination"])
        ]
        assert found["faults"] == []
        answer: dict[str, Any] = devnets.fetch(
            f"{self._description['relayers'][0]['api_url']}/v1/requests/{found['id']}"
        )
        return answer

    def ask_node(self, chain: str, method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(self.chains[chain]["rpc_url"], data=body, headers=headers)  # noqa: S310 - loopback
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read())["result"]

    def calls(self, signature: str, program: str) -> Iterator[tuple[list[str], bytes]]:
        """Accounts and data of what programs called of one program in a transaction on gamma."""
        terms = {"encoding": "json", "maxSupportedTransactionVersion": 0}
        found = self.ask_node("gamma", "getTransaction", signature, terms)
        assert found["meta"]["err"] is None
        keys = found["transaction"]["message"]["accountKeys"]
        for group in found["meta"]["innerInstructions"]:
            for call in group["instructions"]:
                if keys[call["programIdIndex"]] == self.chains["gamma"]["programs"][program]:
                    yield [keys[index] for index in call["accounts"]], base58_decode(call["data"], 2_000)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    state, home = tmp_path_factory.mktemp("devnet"), tmp_path_factory.mktemp("home")
    try:
        done = devnets.xvm("demo", "--keep", "--json", "--state", str(state), home=home)
        assert done.returncode == 0, done.stderr
        yield Shown(state, json.loads(done.stdout), done.stderr)
    finally:
        devnets.down(state, home)


def test_every_request_ends_as_expected(shown: Shown) -> None:
    assert shown.document["good"] == shown.document["total"] == len(shown.document["requests"]) == 49
    assert shown.document["faults"] == []
    ways = {(one["source"], one["destination"], one["mode"]) for one in shown.document["requests"]}
    both = {("alpha", "beta"), ("beta", "alpha"), ("alpha", "gamma"), ("gamma", "alpha")}
    both |= {("alpha", "delta"), ("delta", "alpha"), ("gamma", "delta")}
    calls = {("delta", "gamma", "CALL"), ("gamma", "epsilon", "CALL"), ("delta", "zeta", "CALL")}
    assert ways == {(*way, mode) for way in both for mode in ("CALL", "QUERY")} | calls


def test_costs_and_times_are_told_of_each_route_between_the_vms(shown: Shown) -> None:
    vms = {"EVM": "gwei", "Solana": "lamports", "CosmWasm": "uxvm"}
    told = {(route["source"], route["destination"]): route for route in shown.document["routes"]}
    assert told.keys() == {(source, destination) for source in vms for destination in vms}
    for (source, destination), route in told.items():
        units = [route[what]["unit"] for what in ("paid", "executing", "delivering")]
        assert units == [vms[source], vms[destination], vms[source]]
        assert min(route[what]["amount"] for what in ("paid", "executing", "delivering")) > 0
    assert "What a call costs and takes" in shown.told


def test_an_account_abroad_moves_tokens_of_its_own(shown: Shown) -> None:
    told = shown.request("move tokens of one's own", "alpha", "gamma")
    gateway = Pubkey.from_string(shown.chains["gamma"]["gateway"])
    sender = parse_account_text(told["request"]["sender"]).to_bytes()
    own, _ = Pubkey.find_program_address([b"account", keccak256(sender)], gateway)
    (((source, _destination, authority), data),) = shown.calls(told["conclusion"]["tx_hash"], "token")
    assert authority == str(own)
    assert (data[0], int.from_bytes(data[1:], "little")) == (TRANSFER, 250)
    left = shown.ask_node("gamma", "getTokenAccountBalance", source)["value"]["amount"]
    assert left == "750"


def test_a_contract_abroad_writes_a_memo(shown: Shown) -> None:
    told = shown.request("write a memo", "alpha")
    (((), data),) = [(tuple(accounts), data) for accounts, data in shown.calls(told["conclusion"]["tx_hash"], "memo")]
    assert data == b"greetings from another chain"


def test_a_program_reads_a_balance_abroad_and_keeps_it(shown: Shown) -> None:
    request = shown.request("read a balance", "gamma")["request"]
    target = parse_account_text(request["target"])
    balance = shown.ask_node(
        "alpha", "eth_call", {"to": f"0x{target.address.hex()}", "data": request["payload"]}, "latest"
    )
    assert int(balance, 16) == 1_500
    assert kept_answer(shown, request) == bytes.fromhex(balance[2:])


def test_a_program_changes_state_abroad_and_keeps_what_that_returned(shown: Shown) -> None:
    told = shown.request("change state", "gamma", "alpha")
    target = parse_account_text(told["request"]["target"])
    count = f"0x{keccak256(b'count()')[:4].hex()}"
    found = shown.ask_node("alpha", "eth_call", {"to": f"0x{target.address.hex()}", "data": count}, "latest")
    returned = kept_answer(shown, told["request"])
    assert returned == bytes.fromhex(told["conclusion"]["return_data"][2:])
    assert 8 <= int.from_bytes(returned, "big") <= int(found, 16)


def kept_answer(shown: Shown, request: dict[str, Any]) -> bytes:
    """What stands in the account that the asker's handler wrote, the one that the request's metadata name first."""
    metadata = bytes.fromhex(request["metadata"][2:])
    assert metadata.startswith(b"xvmcb1")
    question = str(Pubkey(metadata[7:39]))
    account = shown.ask_node("gamma", "getAccountInfo", question, {"encoding": "base64"})
    state = idl.EXAMPLES["asker"].decode_account("Question", base64.b64decode(account["value"]["data"][0]))
    assert (state["status"], state["success"]) == (ANSWERED, True)
    return bytes(state["return_data"])[: state["return_length"]]


@pytest.mark.parametrize("source", ["alpha", "gamma"])
def test_accounts_of_other_vms_move_tokens_of_their_own_on_cosmwasm(shown: Shown, source: str) -> None:
    delta = shown.chains["delta"]
    node = OneNode(parse_chain_text(delta["caip2"]), delta["rpc_url"])
    request = shown.request("move tokens of one's own", source, "delta")["request"]
    token = to_bech32("wasm", parse_account_text(request["target"], "wasm").address)
    sender = parse_account_text(request["sender"]).to_bytes()
    own = node.query(delta["gateway"], {"account_of": {"sender": f"0x{sender.hex()}"}})
    assert node.query(token, {"balance": {"address": own}}) == {"balance": "750"}
    moved = [
        {each["key"]: each["value"] for each in event["attributes"]}
        for found in node.search("wasm", "from", own)
        for event in found.events
        if event["type"] == "wasm"
    ]
    assert {"action": "transfer", "from": own, "amount": "250"}.items() <= moved[0].items()


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("target fails, told why", b"CounterFails: 7"),
        ("submessage fails, told why", b"Overflow: Cannot Sub with 0 and 11"),
    ],
)
def test_what_fails_on_cosmwasm_comes_home_with_its_words(shown: Shown, title: str, words: bytes) -> None:
    conclusion = shown.request(title, "alpha")["conclusion"]
    assert conclusion["kind"] == "REVERTED"
    assert bytes.fromhex(conclusion["return_data"][2:]).startswith(words)


def test_collateral_on_cosmwasm_is_free_when_the_loan_abroad_is_paid_back(shown: Shown) -> None:
    delta = shown.chains["delta"]
    node = OneNode(parse_chain_text(delta["caip2"]), delta["rpc_url"])
    asked = shown.request("borrow, collateral here", "delta")
    assert asked["conclusion"]["kind"] == "EXECUTED"
    loan = to_bech32("wasm", parse_account_text(asked["request"]["sender"], "wasm").address)
    assert node.query(loan, {"loan": {"loan": "1"}}) is None
    assert shown.request("paid back, collateral free", "delta")["request"]["mode"] == "QUERY"


def test_what_aborts_is_told_with_the_words_of_the_simulation(shown: Shown) -> None:
    told = shown.request("target aborts", "alpha")
    assert told["conclusion"]["kind"] == "EXPIRED"
    assert f"xvm request explain {told['request']['id']}" in shown.told
    assert "custom program error: 0x7" in shown.told
