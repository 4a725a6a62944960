"""That chain's commands: the relayer's API and store are real, served on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attestation.address import parse_interoperable_address
from relayer.cli.xvmd.app import app
from tests.factories import SENDER, TARGET
from tests.unit.cli.api_server import serving
from tests.unit.cli.test_request_commands import ID, devnet, node

RUNNER = CliRunner()
SENDER_TEXT = str(parse_interoperable_address(SENDER))
CALL = (
    *("tx", "crossvm", "call", "--source-vm", "evm", "--target-vm", "evm"),
    *(
        "--target-contract",
        parse_interoperable_address(TARGET).account_text(),
        "--payload",
        "0xd09de08a",
        "--from",
        "0",
    ),
)


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving(node()) as url:
        yield url


@pytest.mark.parametrize("name", ["crossvm-00000001", ID])
def test_a_message_is_shown_by_either_id(api: str, name: str) -> None:
    answer = RUNNER.invoke(app, ["query", "crossvm", "message", name, "--node", api])
    assert answer.exit_code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["message_id"], document["status"]) == ("crossvm-00000001", "failed")


def test_what_waits_and_what_an_account_sent_are_listed(api: str, tmp_path: Path) -> None:
    pending = RUNNER.invoke(app, ["query", "crossvm", "pending", "--devnet", str(devnet(tmp_path, api))])
    assert [each["message_id"] for each in json.loads(pending.stdout)["messages"]] == ["crossvm-00000003"]
    words = ["query", "crossvm", "messages-by-sender", SENDER_TEXT, "--node", api, "--limit", "2"]
    sent = RUNNER.invoke(app, words)
    found = [each["message_id"] for each in json.loads(sent.stdout)["messages"]]
    assert found == ["crossvm-00000003", "crossvm-00000002"]


def test_the_limits_are_shown(api: str) -> None:
    answer = RUNNER.invoke(app, ["query", "crossvm", "params", "--node", api])
    assert json.loads(answer.stdout)["max_message_size"] == 65_536


@pytest.mark.parametrize(
    ("words", "code", "fault"),
    [
        (("query", "crossvm", "message", "crossvm-00000099"), 1, "has no message crossvm-00000099"),
        (("query", "crossvm", "message", "crossvm-1"), 1, "is no message id"),
        (("query", "crossvm", "message", "../status"), 2, "is no message id"),
        (("query", "crossvm", "messages-by-sender", "nobody"), 1, "is no account of this node's chains"),
    ],
)
def test_what_cannot_be_answered_is_one_line(api: str, words: tuple[str, ...], code: int, fault: str) -> None:
    answer = RUNNER.invoke(app, [*words, "--node", api])
    assert (answer.exit_code, answer.stdout) == (code, "")
    assert answer.stderr.startswith("xvmd: ")
    assert fault in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("--source-vm", "wasm"), "--source-vm: 'wasm': no such VM; there are "),
        ((), "--source-chain: several chains carry evm: alpha, beta; name one"),
        (("--source-vm", "svm"), "--source-vm: no chain here carries svm"),
        (("--source-chain", "gamma"), "--source-vm: no chain gamma carries evm"),
        (("--source-chain", "alpha"), "--target-chain: several chains carry evm"),
        (("--source-chain", "alpha", "--target-chain", "beta", "--payload", "0xzz"), "--payload: '0xzz' is neither"),
        (("--source-chain", "alpha", "--target-chain", "beta", "--from", "9"), "--account 9: the devnet has 1"),
        (("--rpc", "http://127.0.0.1:1"), "--source-chain: without a devnet, the chain is named as CAIP-2"),
        (("--rpc", "http://127.0.0.1:1", "--source-chain", "alpha"), "--source-chain: 'alpha' is not a chain"),
    ],
)
def test_a_call_that_cannot_be_made_is_one_line_and_nothing_is_sent(
    tmp_path: Path, change: tuple[str, ...], fault: str
) -> None:
    answer = RUNNER.invoke(app, [*CALL, "--devnet", str(devnet(tmp_path)), "-y", *change])
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"xvmd: {fault}")
    assert answer.stderr.count("\n") == 1


def test_help_shows_examples() -> None:
    for words in (("tx", "crossvm", "call"), ("query", "crossvm", "message"), ("query", "crossvm", "pending")):
        answer = RUNNER.invoke(app, [*words, "--help"])
        assert "Examples:" in answer.stdout
