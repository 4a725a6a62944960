"""`xvmd` against a chain that calls between its own VMs, as a process: its commands, and what they print."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import FUNDS, OWNER
from typer.testing import CliRunner

from relayer.cli.xvmd.app import app
from relayer.devnet.ports import free_ports

RUNNER = CliRunner()
EVM_TARGET = "0x" + "11" * 20
PROGRAM = "11111111111111111111111111111111"
TO_EVM = ("--source-vm", "cosmwasm", "--target-vm", "evm", "--target-contract", EVM_TARGET, "--payload", "0xd09de08a")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    (port,) = free_ports(1)
    words = ["--port", str(port), "--block-time", "0.05", "--crossvm", "--fund", f"{OWNER.address}={FUNDS}"]
    with subprocess.Popen([sys.executable, "-m", "relayer.devnet.cosmwasm", *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "wallet.key"
    path.touch(mode=0o600)
    path.write_text(OWNER.key.secret.hex())
    return str(path)


def run(*words: str, code: int = 0) -> Any:
    done = RUNNER.invoke(app, list(words))
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return json.loads(done.stdout)


def refused(*words: str, code: int) -> str:
    done = RUNNER.invoke(app, list(words))
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("xvmd: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def call(url: str, key: str, *words: str, code: int = 0) -> Any:
    return run("tx", "crossvm", "call", "--chain-node", url, "--from", key, "-y", *words, code=code)


def test_a_call_is_sent_waited_for_and_looked_up(url: str, key: str) -> None:
    sent = call(url, key, *TO_EVM, "--funds", "5uxvm", "--wait")
    assert (sent["code"], sent["status"], sent["result"]) == (0, "executed", "0xd09de08a")
    found = run("query", "crossvm", "message", sent["message_id"], "--chain-node", url)
    assert (found["status"], found["payload"], str(found["submitted_height"])) == (
        "executed",
        "0xd09de08a",
        sent["height"],
    )
    listed = run("query", "crossvm", "messages-by-sender", OWNER.address, "--chain-node", url)
    assert sent["message_id"] in [message["message_id"] for message in listed["messages"]]
    assert run("query", "crossvm", "pending", "--chain-node", url) == {"messages": []}


def test_instruction_data_goes_as_hex_digits(url: str, key: str) -> None:
    words = ("--source-vm", "evm", "--target-vm", "svm", "--target-contract", PROGRAM, "--payload", "0x0102")
    assert call(url, key, *words, "--wait")["result"] == "0x0102"


def test_a_call_that_fails_is_told_by_the_exit_code(url: str, key: str) -> None:
    words = ("--source-vm", "evm", "--target-vm", "svm", "--target-contract", "nobody", "--payload", "0x0102")
    sent = call(url, key, *words, "--wait", code=1)
    assert (sent["status"], sent["result"]) == ("failed", "'nobody' is no program")


def test_messages_are_watched_as_json_lines(url: str, key: str) -> None:
    sent = call(url, key, *TO_EVM, "--wait")
    before = str(int(sent["height"]) - 1)
    done = RUNNER.invoke(app, ["watch", "--chain-node", url, "--after", before, "--count", "2"])
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == {
        "height": int(sent["height"]),
        "txhash": sent["txhash"],
        "event": "crossvm_request",
        "message_id": sent["message_id"],
        "source_vm": "cosmwasm",
        "target_vm": "evm",
        "target_contract": EVM_TARGET,
        "sender": OWNER.address,
        "status": "submitted",
    }
    assert second == {
        "height": int(sent["height"]) + 1,
        "event": "crossvm_response",
        "message_id": sent["message_id"],
        "status": "executed",
        "result": "0xd09de08a",
    }


def test_what_cannot_be_asked_is_one_line(url: str, key: str) -> None:
    assert "has no message crossvm-00099999" in refused(
        "query", "crossvm", "message", "crossvm-00099999", "--chain-node", url, code=1
    )
    assert "http:// or https://" in refused("query", "crossvm", "pending", "--chain-node", "127.0.0.1", code=2)
    base = ("tx", "crossvm", "call", "--chain-node", url, *TO_EVM, "-y")
    for words, why in (
        (("--from", "0"), "it is a key file"),
        (("--from", key, "--gateway", "x"), "has neither a gateway nor a relayer"),
        (("--from", key, "--funds", "five"), "no list of coins"),
        (("--from", key, "--target-vm", "move"), "no such VM"),
    ):
        assert why in refused(*base, *words, code=2)
    assert "unable to resolve type URL" in refused(*base, "--from", key, "--type-url", "/other.v1.MsgCall", code=1)


def test_a_node_that_is_not_there_is_one_line() -> None:
    (port,) = free_ports(1)
    refused("query", "crossvm", "pending", "--chain-node", f"http://127.0.0.1:{port}", code=1)
