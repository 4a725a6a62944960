"""A devnet with a CosmWasm chain beside those of other VMs: what it tells, that relayers serve all, and people ask."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from attestation.address import parse_account_text, parse_chain_text
from relayer.cosmos.protobuf import Message
from relayer.cosmos.wasm import (
    MsgInstantiateContract,
    MsgInstantiateContractResponse,
    MsgStoreCode,
    MsgStoreCodeResponse,
)
from relayer.vms.cosmwasm.one_node import FoundTx, OneNode
from relayer.vms.cosmwasm.signing_account import SigningAccount
from relayer.vms.cosmwasm.transactions import hash_of
from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(300)]

PROBE = Path(__file__).resolve().parents[1] / "cosmwasm" / "contract" / "probe.wasm"
MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
CREATOR = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""Creates a contract of the salt and code that it is called with, and returns its address. Every anvil has it."""


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    return ("--vms", "evm,svm,cosmwasm")


@pytest.fixture(scope="module")
def delta(devnet: RunningDevnet) -> dict[str, Any]:
    found: dict[str, Any] = devnet.description["chains"][3]
    return found


@pytest.fixture(scope="module")
def probe(delta: dict[str, Any]) -> str:
    """A contract to call."""
    chain = parse_chain_text(delta["caip2"])
    node = OneNode(chain, delta["rpc_url"])
    account = SigningAccount(bytes.fromhex(delta["accounts"][9]["private_key"][2:]), chain, "wasm", delta["fee_denom"])

    def run(message: Message) -> FoundTx:
        told = node.fetch_account(account.text)
        used, price = node.simulate(account.draft(message, told)), node.fetch_gas_price(delta["fee_denom"])
        raw = account.sign(message, told, told.sequence, used, price)
        node.broadcast(raw)
        devnets.until(lambda: node.find_tx(hash_of(raw)) is not None, "a transaction is in no block")
        found = node.find_tx(hash_of(raw))
        assert found is not None
        assert found.code == 0, found.log
        return found

    stored = run(MsgStoreCode(account.text, PROBE.read_bytes())).responses[0].value
    made = run(
        MsgInstantiateContract(
            sender=account.text,
            code_id=MsgStoreCodeResponse.decode(stored).code_id,
            label="probe",
            msg=json.dumps({"gateway": delta["gateway"]}).encode(),
        )
    )
    return MsgInstantiateContractResponse.decode(made.responses[0].value).address


@pytest.fixture(scope="module")
def asked(devnet: RunningDevnet, delta: dict[str, Any], probe: str) -> dict[str, Any]:
    """What `xvm call` and `xvm query` say at the end, of requests between any two VMs, all at once."""
    answer = ("--fn", "answer", "--args", "data=aGVsbG8=")
    commands = {
        "from EVM": ("call", probe, "alpha", "delta", *answer),
        "by an own account": ("call", f"{delta['caip2']}:{probe}", "beta", "delta", "--own-account", *answer),
        "from Solana": ("call", probe, "gamma", "delta", *answer),
        "that fails": ("call", probe, "alpha", "delta", "--data", '{"fail":{"text":"no"}}'),
        "that is nobody": ("call", f"0x{'07' * 32}", "alpha", "delta", *answer),
        "read from EVM": ("query", delta["gateway"], "beta", "delta", "--fn", "sender_limit"),
        "counted": ("call", delta["contracts"]["counter"], "alpha", "delta", "--fn", "increment", "--args", 'by="5"'),
        "to EVM": ("call", CREATOR, "delta", "alpha", "--data", bytes(32).hex()),
        "to Solana": ("call", MEMO, "delta", "gamma", "--data", b"hello".hex(), "--return-limit", "32"),
        "read of EVM": ("query", CREATOR, "delta", "beta", "--data", bytes(32).hex()),
    }
    with ThreadPoolExecutor(len(commands)) as pool:
        running = {
            name: pool.submit(ask_and_wait, devnet, number, *words)
            for number, (name, words) in enumerate(commands.items())
        }
    return {name: answer.result() for name, answer in running.items()}


def ask_and_wait(devnet: RunningDevnet, account: int, command: str, target: str, source: str, *words: str) -> Any:
    destination, *rest = words
    where = ("--from", source, "--to", destination, "--devnet", str(devnet.state), "--account", str(account))
    done = devnets.xvm(command, target, *where, *rest, "--wait", "--json", home=devnet.home)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_the_chain_is_described_with_accounts_that_have_money(delta: dict[str, Any]) -> None:
    assert (delta["name"], delta["caip2"], delta["fee_denom"]) == ("delta", "cosmos:xvm-cosmwasm-1", "uxvm")
    assert (delta["verifier"], delta["registry"]) == (delta["gateway"], None)
    assert delta["gateway"].startswith("wasm1")
    for account in delta["accounts"]:
        assert parse_account_text(f"{delta['caip2']}:{account['address']}", "wasm")


def test_contracts_are_called_from_every_vm_and_answer(asked: dict[str, Any], probe: str) -> None:
    for name in ("from EVM", "by an own account", "from Solana"):
        told = asked[name]
        assert (told["kind"], told["executed"]["kind"], told["result"]) == ("EXECUTED", "EXECUTED", ["hello"]), name
        assert told["target"] == f"cosmos:xvm-cosmwasm-1:{probe}"
    assert asked["counted"]["result"] == [{"count": "5"}]
    assert asked["read from EVM"]["result"] == [{"window_blocks": 100, "max_requests": 1_000}]


def test_who_called_is_told_to_the_contract(asked: dict[str, Any], delta: dict[str, Any], probe: str) -> None:
    node = OneNode(parse_chain_text(delta["caip2"]), delta["rpc_url"])
    callers = {call["current"]["request_id"]: call for call in node.query(probe, {"callers": {}})}
    config = node.query(delta["gateway"], {"config": {}})
    for name, is_own in (("from EVM", False), ("from Solana", False), ("by an own account", True)):
        call = callers[asked[name]["request_id"]]
        sender = f"0x{parse_account_text(asked[name]['sender']).to_bytes().hex()}"
        assert call["current"]["sender"] == sender
        own = node.query(delta["gateway"], {"account_of": {"sender": sender}})
        assert call["sender"] == (own if is_own else config["executor"])


def test_failures_are_outcomes(asked: dict[str, Any]) -> None:
    failed, nobody = asked["that fails"], asked["that is nobody"]
    assert (failed["kind"], failed["failure"]) == ("REVERTED", "ProbeFails: no")
    assert (nobody["kind"], nobody["executed"]["kind"]) == ("UNREACHED", "UNREACHED")


def test_other_vms_are_called_and_read_from_it(asked: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in ("to EVM", "to Solana"):
        assert (asked[name]["kind"], asked[name]["executed"]["kind"]) == ("EXECUTED", "EXECUTED"), name
        assert asked[name]["sender"].startswith(f"{delta['caip2']}:wasm1")
    assert len(asked["to EVM"]["return_data"]) == len("0x") + 2 * 20
    assert asked["read of EVM"]["kind"] == "EXECUTED"


def test_relayers_write_accounts_as_the_chain_does(
    devnet: RunningDevnet, asked: dict[str, Any], delta: dict[str, Any], probe: str
) -> None:
    relayer = devnet.description["relayers"][0]
    told = devnets.fetch(f"{relayer['api_url']}/v1/requests/{asked['to EVM']['request_id']}")
    assert told["request"]["sender"] == asked["to EVM"]["sender"]
    assert told["route"]["source_gateway"] == f"{delta['caip2']}:{delta['gateway']}"
    told = devnets.fetch(f"{relayer['api_url']}/v1/requests/{asked['from EVM']['request_id']}")
    assert told["request"]["target"] == f"{delta['caip2']}:{probe}"


def test_the_doctor_finds_nothing_wrong(devnet: RunningDevnet, asked: dict[str, Any]) -> None:
    assert asked
    config = devnet.description["relayers"][0]["config_path"]
    done = devnets.xvm("doctor", "--config", config, "--json", home=devnet.home)
    checks = json.loads(done.stdout)["checks"]
    assert [check for check in checks if check["state"] == "fault"] == []
    (wallet,) = (check for check in checks if (check["subject"], check["check"]) == ("delta", "wallet"))
    assert wallet["detail"].startswith("cosmos:xvm-cosmwasm-1:wasm1")


async def test_messages_between_vms_are_heard_over_a_raw_websocket_and_asked_for_by_raw_json_rpc(
    devnet: RunningDevnet, probe: str
) -> None:
    api = devnet.description["relayers"][0]["api_url"]
    answer, fail = '{"answer":{"data":"aGVsbG8="}}', '{"fail":{"text":"no"}}'
    sent = {
        "evm to cosmwasm": ("--source-vm", "evm", "--target-vm", "cosmwasm", *to(probe, answer), "--from", "3"),
        "that fails": ("--source-vm", "evm", "--target-vm", "cosmwasm", *to(probe, fail), "--from", "4"),
        "svm to cosmwasm": ("--source-vm", "svm", "--target-vm", "cosmwasm", *to(probe, answer), "--from", "5"),
        "cosmwasm to evm": (
            "--source-vm",
            "cosmwasm",
            "--target-vm",
            "evm",
            *to(CREATOR, "42".zfill(64)),
            "--from",
            "6",
        ),
    }
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{api}/websocket") as socket:
        for number, name in enumerate(("request", "response", "timeout")):
            query = f"tm.event='Tx' AND crossvm_{name}.message_id EXISTS"
            await socket.send_json({"jsonrpc": "2.0", "method": "subscribe", "params": [query], "id": number})
            assert await socket.receive_json() == {"jsonrpc": "2.0", "id": number, "result": {}}
        heard: dict[str, dict[str, dict[str, str]]] = {}
        more = asyncio.Event()
        # A subscriber that does not read is cut off.
        listening = asyncio.create_task(hear(socket, heard, more))
        runs = [asyncio.to_thread(send_message, devnet, *words) for words in sent.values()]
        found = await asyncio.gather(*runs, asyncio.to_thread(send_too_late, devnet, probe))
        names = dict(zip([*sent, "late"], found, strict=True))
        async with asyncio.timeout(90):
            while any(len(heard.get(message_id, {})) < 2 for message_id in names.values()):
                await more.wait()
                more.clear()
        listening.cancel()
        stored = {}
        for name, message_id in names.items():
            call = {"jsonrpc": "2.0", "id": 1, "method": "qor_getCrossVMMessage", "params": [message_id]}
            async with session.post(f"{api}/", json=call) as response:
                stored[name] = (await response.json())["result"]
    ends = {"that fails": "failed", "late": "timed_out"}
    for name, message_id in names.items():
        request = heard[message_id]["crossvm_request"]
        assert list(request) == ["message_id", "source_vm", "target_vm", "target_contract", "sender"]
        assert {key: stored[name][key] for key in request} == request
        assert stored[name]["status"] == ends.get(name, "executed"), name
        end = heard[message_id]["crossvm_timeout" if name == "late" else "crossvm_response"]
        assert list(end) == ["message_id", *(("source_vm", "target_vm") if name == "late" else ("status", "result"))]
        assert {key: stored[name][key] for key in end} == end
    for name, words in sent.items():
        assert (stored[name]["source_vm"], stored[name]["target_vm"]) == (words[1], words[3])


async def hear(
    socket: aiohttp.ClientWebSocketResponse, heard: dict[str, dict[str, dict[str, str]]], more: asyncio.Event
) -> None:
    """Attributes of the events by message and type."""
    async for message in socket:
        told = json.loads(message.data)
        (event,) = told["result"]["data"]["value"]["TxResult"]["result"]["events"]
        pairs = {each["key"]: each["value"] for each in event["attributes"]}
        heard.setdefault(pairs["message_id"], {})[event["type"]] = pairs
        more.set()


def to(contract: str, payload: str) -> tuple[str, ...]:
    return ("--target-contract", contract, "--payload", payload)


def send_message(devnet: RunningDevnet, *words: str) -> str:
    """The message's id."""
    chains = {"evm": "alpha", "svm": "gamma", "cosmwasm": "delta"}
    where = ("--source-chain", chains[words[1]], "--target-chain", chains[words[3]], "--devnet", str(devnet.state))
    done = devnets.xvm("tx", "crossvm", "call", *words, *where, "-y", home=devnet.home, program="relayer.cli.xvmd")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["message_id"])


def send_too_late(devnet: RunningDevnet, probe: str) -> str:
    """The id of a message that nobody can carry out in time: two seconds are less than finality and a block."""
    call = ("call", probe, "--from", "alpha", "--to", "delta", "--data", '{"answer":{"data":""}}', "--account", "7")
    for _ in range(5):
        done = devnets.xvm(*call, "--expires-in", "2", "--devnet", str(devnet.state), "--json", home=devnet.home)
        if done.returncode == 0:
            return message_id_of(devnet, json.loads(done.stdout)["request_id"])
        # On a busy machine it may be over before the asking transaction is in a block, and the gateway refuses it.
        assert "Expiry" in done.stderr, done.stderr
    raise AssertionError("the machine is too busy for a request to expire")


def message_id_of(devnet: RunningDevnet, request_id: str) -> str:
    path = f"{devnet.description['relayers'][0]['api_url']}/v1/crossvm/messages/{request_id}"
    devnets.until(lambda: devnets.fetch(path) is not None, "the relayer sees no request")
    return str(devnets.fetch(path)["message_id"])


def test_deploying_again_changes_nothing(devnet: RunningDevnet) -> None:
    words = ("--plan", str(devnet.state / "plan.toml"), "--record", str(devnet.state / "deployment.json"))
    before = json.loads((devnet.state / "deployment.json").read_text())
    done = devnets.xvm("deploy", *words, "--yes", "--json", home=devnet.home)
    assert done.returncode == 0, done.stderr
    said = {chain["name"]: chain["gateway"] for chain in json.loads(done.stdout)["chains"]}
    assert said == {chain["name"]: chain["gateway"] for chain in devnet.description["chains"]}
    after = json.loads((devnet.state / "deployment.json").read_text())
    assert after["chains"]["cosmos:xvm-cosmwasm-1"] == before["chains"]["cosmos:xvm-cosmwasm-1"]
