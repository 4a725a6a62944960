"""The command line against a devnet: asking, waiting, looking, and the doctor's visit."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3

from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet

pytestmark = pytest.mark.devnet

NOBODY = "0x00000000000000000000000000000000000e0a00"


@dataclass(frozen=True)
class Answer:
    code: int
    document: dict[str, Any]


def xvm(devnet: RunningDevnet, *words: str) -> Answer:
    done = devnets.xvm(*words, home=devnet.home)
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return Answer(done.returncode, json.loads(done.stdout))


@pytest.fixture(scope="module")
def counter(devnet: RunningDevnet) -> str:
    """The example target, on beta."""
    chain = devnet.description["chains"][1]
    web3 = Web3(HTTPProvider(chain["rpc_url"]))
    account = Account.from_key(chain["accounts"][-1]["private_key"])
    artifact = json.loads((files("relayer.vms.evm") / "artifacts" / "XvmCounter.json").read_text())
    creation = web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"]).constructor(chain["gateway"])
    fields = {"from": account.address, "nonce": web3.eth.get_transaction_count(account.address), "gas": 3_000_000}
    signed = account.sign_transaction(creation.build_transaction(fields))
    receipt = web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(signed.raw_transaction))
    return str(receipt["contractAddress"])


@pytest.fixture(scope="module")
def asked(devnet: RunningDevnet, counter: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """One request of every kind, all at once, each from an account of its own."""
    alpha = devnet.description["chains"][0]
    key_file = tmp_path_factory.mktemp("keys") / "own.key"
    key_file.write_text(alpha["accounts"][6]["private_key"])
    key_file.chmod(0o600)
    named = ("--rpc", alpha["rpc_url"], "--gateway", alpha["gateway"], "--key-file", str(key_file))
    here = ("--from", "alpha", "--to", "beta", "--devnet", str(devnet.state))
    commands = {
        "executed": ("call", counter, "--fn", "increment(uint256)", "--returns", "uint256", *here, "--args", "5"),
        "reverted": ("call", counter, "--fn", "fail(uint256)", *here, "--args", "7"),
        "unreached": ("call", NOBODY, "--data", "0x01", *here),
        "answered": ("query", counter, "--fn", "answer(uint256)", "--returns", "bytes", *here, "--args", "3"),
        "query reverted": ("query", counter, "--fn", "fail(uint256)", *here, "--args", "9"),
        "named": ("query", counter, "--fn", "count()", *named, "--from", alpha["caip2"], "--to", "eip155:31338"),
    }
    answers = {"expired": expired(devnet, counter, here)}
    with ThreadPoolExecutor(len(commands)) as pool:
        running = {
            name: pool.submit(xvm, devnet, *words, "--account", str(number), "--wait", "--json")
            for number, (name, words) in enumerate(commands.items())
        }
    return answers | {name: answer.result() for name, answer in running.items()}


def expired(devnet: RunningDevnet, counter: str, here: tuple[str, ...]) -> Answer:
    """A request that nobody can execute in time: two seconds are less than finality and a block.

    On a busy machine they may be over before the asking transaction is in a block, and the gateway refuses it.
    """
    call = (
        "call",
        counter,
        "--fn",
        "increment(uint256)",
        *here,
        "--expires-in",
        "2",
        "--account",
        "7",
        "--args",
        "1000",
    )
    for _ in range(5):
        done = devnets.xvm(*call, "--wait", "--json", home=devnet.home)
        if done.returncode != 1:
            return Answer(done.returncode, json.loads(done.stdout))
        assert "Expiry" in done.stderr, done.stderr
    raise AssertionError("the machine is too busy for a request to expire")


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [
        ("executed", 0, "EXECUTED"),
        ("reverted", 3, "REVERTED"),
        ("unreached", 4, "UNREACHED"),
        ("expired", 5, "EXPIRED"),
        ("answered", 0, "EXECUTED"),
        ("query reverted", 3, "REVERTED"),
        ("named", 0, "EXECUTED"),
    ],
)
def test_the_exit_code_is_the_end_that_the_chains_tell(
    asked: dict[str, Answer], name: str, code: int, kind: str
) -> None:
    assert (asked[name].code, asked[name].document["kind"]) == (code, kind)
    assert asked[name].document["success"] is (kind == "EXECUTED")


def test_results_and_failures_are_decoded(asked: dict[str, Answer]) -> None:
    assert asked["executed"].document["result"] == ["5"]
    assert asked["answered"].document["result"] == ["0xababab"]
    assert asked["reverted"].document["failure"] == "Refused (code 7)"
    assert asked["query reverted"].document["failure"] == "Refused (code 9)"


def test_a_call_names_its_receipt_and_a_query_has_none(asked: dict[str, Answer]) -> None:
    assert asked["executed"].document["executed"]["chain"] == "eip155:31338"
    assert asked["expired"].document["executed"]["kind"] == "EXPIRED"
    assert "executed" not in asked["answered"].document


def test_all_relayers_tell_of_a_request_alike(devnet: RunningDevnet, asked: dict[str, Answer]) -> None:
    identifier = asked["executed"].document["request_id"]
    words = ("request", "show", identifier, "--devnet", str(devnet.state), "--json")

    def are_agreed() -> bool:
        answer = xvm(devnet, *words, "--all-relayers")
        return answer.code == 0 and all(told["status"] == "DELIVERED" for told in answer.document["relayers"].values())

    devnets.until(are_agreed, "the relayers do not come to tell alike")
    shown = xvm(devnet, *words).document
    assert (shown["conclusion"]["kind"], shown["conclusion"]["return_data"]) == (
        "EXECUTED",
        asked["executed"].document["return_data"],
    )


def test_a_request_is_explained_and_found_by_its_sender(devnet: RunningDevnet, asked: dict[str, Answer]) -> None:
    document, where = asked["expired"].document, ("--devnet", str(devnet.state), "--json")
    told = xvm(devnet, "request", "explain", document["request_id"], *where)
    assert (told.code, "was not executed before it expired" in told.document["explanation"]) == (0, True)
    found = xvm(devnet, "request", "by-sender", document["sender"], *where)
    assert [line["id"] for line in found.document["requests"]] == [document["request_id"]]


def test_without_wait_the_request_is_made_and_its_id_told(devnet: RunningDevnet, counter: str) -> None:
    here = ("--from", "alpha", "--to", "beta", "--devnet", str(devnet.state))
    answer = xvm(devnet, "query", counter, "--data", "0x06661abd", *here, "--json")
    assert (answer.code, answer.document["mode"], "kind" in answer.document) == (0, "QUERY", False)
    gateway = devnet.description["chains"][0]["gateway"]
    web3 = Web3(HTTPProvider(devnet.description["chains"][0]["rpc_url"]))
    receipt = web3.eth.get_transaction_receipt(answer.document["requested"]["tx_hash"])
    assert receipt["to"] == gateway


def test_what_the_gateway_refuses_is_one_line_with_its_error(devnet: RunningDevnet, counter: str) -> None:
    here = ("--from", "alpha", "--to", "beta", "--devnet", str(devnet.state))
    done = devnets.xvm("call", counter, "--data", "0x01", *here, "--return-limit", "99999", home=devnet.home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "xvm: the call would revert with ReturnLimitTooHigh (limit 99999, maxLimit 65536)\n"


def test_the_doctor_finds_a_devnets_relayer_well_while_it_runs(devnet: RunningDevnet) -> None:
    config = devnet.description["relayers"][0]["config_path"]
    answer = xvm(devnet, "doctor", "--config", config, "--json")
    assert (answer.code, {check["state"] for check in answer.document["checks"]}) == (0, {"ok"})
    subjects = {check["subject"] for check in answer.document["checks"]}
    assert subjects == {"keys", "disk", "alpha", "beta", "relayer-2", "relayer-3", "relayer-4"}


def test_the_doctor_names_a_gateway_without_code_and_a_stranger(devnet: RunningDevnet, tmp_path: Path) -> None:
    config = Path(devnet.description["relayers"][0]["config_path"])
    (tmp_path / "wallet.key").write_text((config.parent / "wallet.key").read_text())
    (tmp_path / "signer.key").write_text("77" * 32)
    for name in ("wallet.key", "signer.key"):
        (tmp_path / name).chmod(0o600)
    text = config.read_text().replace(devnet.description["chains"][0]["gateway"], NOBODY, 1)
    (tmp_path / "config.toml").write_text(text)
    answer = xvm(devnet, "doctor", "--config", str(tmp_path / "config.toml"), "--json")
    faults = {(c["subject"], c["check"]) for c in answer.document["checks"] if c["state"] == "FAULT"}
    assert answer.code == 1
    assert {("alpha", "gateway"), ("alpha", "signer set"), ("beta", "signer set"), ("relayer-2", "ping")} <= faults
    assert ("beta", "gateway") not in faults


def test_a_message_is_sent_and_looked_up_by_another_chains_commands(devnet: RunningDevnet, counter: str) -> None:
    where = ("--devnet", str(devnet.state))
    words = ("tx", "crossvm", "call", "--source-vm", "evm", "--source-chain", "alpha", "--target-vm", "evm")
    call = (*words, "--target-chain", "beta", "--target-contract", counter, "--payload", "0xd09de08a", "--from", "5")
    sent = devnets.xvm(*call, "-y", *where, home=devnet.home, program="relayer.cli.xvmd")
    assert sent.returncode == 0, sent.stderr
    document = json.loads(sent.stdout)
    assert document["message_id"].startswith("crossvm-")
    shown = devnets.xvm(
        "query", "crossvm", "message", document["message_id"], *where, home=devnet.home, program="relayer.cli.xvmd"
    )
    message = json.loads(shown.stdout)
    assert (message["source_vm"], message["target_vm"], message["target_contract"]) == ("evm", "evm", counter)
    assert message["submitted_height"] == int(document["height"])
