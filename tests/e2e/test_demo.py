"""The demonstration is as good as it says, and what it says of Solana stands on the chains."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from solders.pubkey import Pubkey

from attestation.address import parse_account_text
from attestation.keccak import keccak256
from attestation.textcodecs import base58_decode
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

    def request(self, title: str, source: str) -> dict[str, Any]:
        """What a relayer says of a request that ended as expected."""
        (found,) = [one for one in self.document["requests"] if (one["title"], one["source"]) == (title, source)]
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
    assert shown.document["good"] == shown.document["total"] == len(shown.document["requests"]) == 31
    assert shown.document["faults"] == []
    ways = {(one["source"], one["destination"], one["mode"]) for one in shown.document["requests"]}
    both = {("alpha", "beta"), ("beta", "alpha"), ("alpha", "gamma"), ("gamma", "alpha")}
    assert ways == {(*way, mode) for way in both for mode in ("CALL", "QUERY")}


def test_an_account_abroad_moves_tokens_of_its_own(shown: Shown) -> None:
    told = shown.request("move tokens of one's own", "alpha")
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
    told = shown.request("change state", "gamma")
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


def test_what_aborts_is_told_with_the_words_of_the_simulation(shown: Shown) -> None:
    told = shown.request("target aborts", "alpha")
    assert told["conclusion"]["kind"] == "EXPIRED"
    assert f"xvm request explain {told['request']['id']}" in shown.told
    assert "custom program error: 0x7" in shown.told
