"""`xvm call` and `xvm query` as commands, up to where a chain is asked: nothing listens at the devnet's RPC."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attestation.statement import OutcomeKind
from relayer.cli.app import app
from relayer.cli.ask import EXIT_CANCELLED, EXIT_CODES, EXIT_WITHOUT_CALLBACK

RUNNER = CliRunner()
TARGET = "0x" + "7a" * 20
REACHED = "xvm: eip155:31337: the endpoint gives no answer (ConnectionError)\n"


@pytest.fixture
def devnet(tmp_path: Path) -> str:
    chains = [
        {
            "name": name,
            "caip2": caip2,
            "rpc_url": "http://127.0.0.1:1/apikey",
            "block_time_seconds": 1,
            "gateway": "0x" + "51" * 20,
            "accounts": [{"address": "0x" + "5e" * 20, "private_key": "0x" + "11" * 32}],
        }
        for name, caip2 in (("alpha", "eip155:31337"), ("beta", "eip155:31338"))
    ]
    (tmp_path / "devnet.json").write_text(json.dumps({"schema_version": 1, "chains": chains, "relayers": []}))
    return str(tmp_path)


def ask(devnet: str, *words: str, command: str = "call") -> tuple[int, str]:
    answer = RUNNER.invoke(app, [command, TARGET, "--from", "alpha", "--to", "beta", "--devnet", devnet, *words])
    return answer.exit_code, answer.stderr


@pytest.mark.parametrize("command", ["call", "query"])
@pytest.mark.parametrize(
    "words",
    [
        ("--data", "0x0102"),
        ("--fn", "count()"),
        ("--fn", "f(int8,uint8[],bool)", "--args", "-1", "[1,2]", "true", "--wait"),
        ("--args", "-1", "[1,2]", "--json", "--fn", "f(int8,uint8[],bool)", "--args", "true"),
        ("--data", "0x", "--code-hash", "0x" + "ab" * 32, "--metadata", "order 7", "--execution-gas", "21000"),
    ],
)
def test_a_request_that_can_be_meant_gets_as_far_as_the_chain(
    devnet: str, command: str, words: tuple[str, ...]
) -> None:
    assert ask(devnet, *words, command=command) == (1, REACHED)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "name the call either by --fn and --args, or by --data alone"),
        (("--fn", "count()", "--data", "0x"), "name the call either by --fn and --args, or by --data alone"),
        (("--data", "0x", "--args", "1"), "name the call either by --fn and --args, or by --data alone"),
        (("--data", "0xzz"), "--data: '0xzz' is no hex"),
        (("--data", "0x", "--code-hash", "0x12"), "--code-hash: 1 bytes, not 32"),
        (("--data", "0x", "--metadata", "0x1"), "--metadata: '0x1' is no hex"),
        (("--data", "0x", "--returns", "uint257"), "--returns: 'uint257' is no list of ABI types"),
        (("--data", "0x", "--account", "9"), "--account 9: the devnet has 1, counted from 0"),
    ],
)
def test_one_that_cannot_is_one_line_and_wrong_usage(devnet: str, words: tuple[str, ...], fault: str) -> None:
    code, stderr = ask(devnet, *words)
    assert code == 2
    assert stderr.startswith(f"xvm: {fault}")
    assert stderr.count("\n") == 1


def test_a_key_that_is_none_of_the_scheme_is_one_line(devnet: str, tmp_path: Path) -> None:
    key_file = tmp_path / "zero.key"
    key_file.write_text("00" * 32)
    key_file.chmod(0o600)
    code, stderr = ask(devnet, "--data", "0x", "--key-file", str(key_file))
    assert (code, stderr) == (1, "xvm: --key-file: a secp256k1 secret is 32 bytes, above 0 and below the order\n")


def test_a_query_never_expires(devnet: str) -> None:
    assert ask(devnet, "--data", "0x", "--expires-in", "9", command="query")[0] == 2


def test_exit_codes_tell_the_ends_apart_from_each_other_and_from_errors() -> None:
    codes = [*(EXIT_CODES[kind] for kind in OutcomeKind), EXIT_WITHOUT_CALLBACK, EXIT_CANCELLED]
    assert codes == [0, 3, 4, 5, 6, 7, 8]
