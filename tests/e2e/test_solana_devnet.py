"""A devnet with Solana chains beside the EVM ones: what it tells, that relayers serve all, and people ask on all."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from attestation.textcodecs import base58_encode
from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet
from tests.svm.program import idl

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    return ("--vms", "evm,svm,svm")


SIGNER_SET = "(uint8,uint64,uint64,uint64,(bytes,uint64,bytes32)[]),uint64"
"""What a verifier tells of an epoch: with four signers more than a transaction of Solana's holds."""

ROOT_RENT = 1_726_080
ROOT_PAYER = 80
"""Where in a root's account it says who paid for it."""

ROOT_KEPT_SECONDS = 600
"""Before which a root is not closed."""

MANY_ACCOUNTS = 36
"""Half as many again as a transaction can name in full."""

CREATOR = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""Creates a contract of the salt and code that it is called with, and returns its address. Every anvil has it."""


def ask(chain: dict[str, Any], method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = Request(chain["rpc_url"], data=body, headers={"Content-Type": "application/json"})  # noqa: S310 - loopback
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())["result"]


def test_solana_chains_are_described_with_accounts_that_have_money_and_programs_that_run(
    devnet: RunningDevnet,
) -> None:
    chains = devnet.description["chains"]
    assert [chain["name"] for chain in chains] == ["alpha", "beta", "gamma", "delta"]
    solana = chains[2:]
    assert len({chain["caip2"] for chain in solana}) == 2
    for chain in solana:
        assert chain["caip2"] == f"solana:{ask(chain, 'getGenesisHash')}"
        assert (chain["verifier"], chain["registry"]) == (chain["gateway"], None)
        for account in chain["accounts"]:
            key = Keypair.from_seed(bytes.fromhex(account["private_key"][2:])).pubkey()
            assert str(key) == account["address"]
            assert ask(chain, "getBalance", account["address"])["value"] > 10**9
        for program in (chain["gateway"], *chain["programs"].values()):
            assert ask(chain, "getAccountInfo", program, {"encoding": "base64"})["value"]["executable"] is True


def test_every_relayer_serves_every_chain_and_sees_it_grow(devnet: RunningDevnet) -> None:
    for relayer in devnet.description["relayers"]:
        first = heights(relayer)
        assert first.keys() == {chain["caip2"] for chain in devnet.description["chains"]}
        devnets.until(
            lambda relayer=relayer, first=first: all(heights(relayer)[name] > first[name] for name in first),  # type: ignore[misc]
            f"{relayer['name']} does not see a chain grow",
        )
    status = devnets.xvm("devnet", "status", "--json", "--state", str(devnet.state), home=devnet.home)
    assert status.returncode == 0, status.stdout


def test_relayers_look_at_what_they_have_lent_where_chains_ask_for_deposits(devnet: RunningDevnet) -> None:
    chains = {chain["caip2"] for chain in devnet.description["chains"] if chain["caip2"].startswith("solana:")}
    looks = {f'xvm_stage_duration_seconds_count{{chain="{caip2}",stage="deposits"}}' for caip2 in chains}
    for relayer in devnet.description["relayers"]:
        with urlopen(relayer["metrics_url"], timeout=10) as answer:  # noqa: S310 - loopback
            counts = dict(
                line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if 'stage="deposits"' in line
            )
        assert looks == {name for name in counts if "_count{" in name}
        assert all(float(counts[name]) > 0 for name in looks)


def heights(relayer: dict[str, Any]) -> dict[str, int]:
    """The last block of each chain that the relayer has taken in."""
    status = devnets.fetch(f"{relayer['api_url']}/v1/status")
    return {chain["chain"]: chain["taken_in_number"] or 0 for chain in status["chains"]}


def test_the_doctor_finds_nothing_wrong(devnet: RunningDevnet) -> None:
    config = devnet.description["relayers"][0]["config_path"]
    done = devnets.xvm("doctor", "--config", config, "--json", home=devnet.home)
    checks = json.loads(done.stdout)["checks"]
    assert [check for check in checks if check["state"] == "fault"] == []
    assert {"gamma", "delta"} <= {check["subject"] for check in checks}


def test_deploying_again_changes_nothing(devnet: RunningDevnet) -> None:
    state = devnet.state
    words = ("--plan", str(state / "plan.toml"), "--record", str(state / "deployment.json"), "--yes", "--json")
    done = devnets.xvm("deploy", *words, home=devnet.home)
    assert done.returncode == 0, done.stderr
    said = {chain["name"]: chain["gateway"] for chain in json.loads(done.stdout)["chains"]}
    assert said == {chain["name"]: chain["gateway"] for chain in devnet.description["chains"]}
    assert not any(line.startswith(("gamma: ", "delta: ")) for line in done.stderr.splitlines() if "made" in line)


@pytest.fixture(scope="module")
def asked(devnet: RunningDevnet) -> dict[str, Any]:
    """What `xvm call` and `xvm query` say at the end, of requests between any two VMs, all at once."""
    chains = {chain["name"]: chain for chain in devnet.description["chains"]}
    config, _ = Pubkey.find_program_address([b"config"], Pubkey.from_string(chains["gamma"]["gateway"]))
    as_config = ("--idl", str(idl.FOLDER / "xvm_gateway.idl.json"), "--returns", "Config")
    executor = ("--fn", "executor()", "--returns", "address")
    signers = ("--fn", "signerSet(uint64)", "--args", "1", "--returns", SIGNER_SET)
    memo = ("--data", b"hello".hex(), "--return-limit", "32")
    commands = {
        "call of Solana": ("call", chains["gamma"]["programs"]["memo"], "alpha", "gamma", *memo),
        "call with many accounts": ("call", str(SYSTEM_PROGRAM), "alpha", "gamma", *transfer_of_nothing()),
        "account of Solana": ("query", str(config), "beta", "gamma", *as_config),
        "call of EVM": ("call", CREATOR, "gamma", "alpha", "--data", bytes(32).hex()),
        "query of EVM": ("query", chains["beta"]["gateway"], "delta", "beta", *executor),
        "long answer": ("query", chains["alpha"]["verifier"], "gamma", "alpha", *signers, "--return-limit", "2048"),
        "call between": ("call", chains["delta"]["programs"]["memo"], "gamma", "delta", *memo),
        "account between": ("query", str(config), "delta", "gamma", "--fn", "slice", "--args", "0", "8"),
    }
    with ThreadPoolExecutor(len(commands)) as pool:
        running = {
            name: pool.submit(ask_and_wait, devnet, number, *words)
            for number, (name, words) in enumerate(commands.items())
        }
    return {name: answer.result() for name, answer in running.items()}


def transfer_of_nothing() -> list[str]:
    """To the first of many accounts; the others are named for nothing."""
    keys = [str(Keypair.from_seed(bytes([number]) * 32).pubkey()) for number in range(MANY_ACCOUNTS - 1)]
    data = (2).to_bytes(4, "little") + bytes(8)
    return ["--own-account", "--data", data.hex(), "--accounts", "own:sw", f"{keys[0]}:w", *keys[1:]]


def ask_and_wait(devnet: RunningDevnet, account: int, command: str, target: str, source: str, *words: str) -> Any:
    destination, *rest = words
    where = ("--from", source, "--to", destination, "--devnet", str(devnet.state), "--account", str(account))
    done = devnets.xvm(command, target, *where, *rest, "--wait", "--json", home=devnet.home)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_calls_and_accounts_of_solana_are_asked_for_from_evm(asked: dict[str, Any], devnet: RunningDevnet) -> None:
    gamma = devnet.description["chains"][2]
    called, read = asked["call of Solana"], asked["account of Solana"]
    assert (called["kind"], called["executed"]["kind"]) == ("EXECUTED", "EXECUTED")
    executed = ask(gamma, "getTransaction", called["executed"]["tx_hash"], {"maxSupportedTransactionVersion": 0})
    assert executed["slot"] == called["executed"]["block"]
    assert any("hello" in line for line in executed["meta"]["logMessages"])
    (told,) = read["result"]
    assert told["genesis_hash"] == f"0x{bytes(Pubkey.from_string(gamma['caip2'].partition(':')[2])).hex()}"


def test_a_call_declares_more_accounts_than_a_transaction_can_name(
    asked: dict[str, Any], devnet: RunningDevnet
) -> None:
    called = asked["call with many accounts"]
    assert (called["kind"], called["executed"]["kind"]) == ("EXECUTED", "EXECUTED")
    gamma = devnet.description["chains"][2]
    executed = ask(gamma, "getTransaction", called["executed"]["tx_hash"], {"maxSupportedTransactionVersion": 0})
    loaded = executed["meta"]["loadedAddresses"]
    assert len(loaded["writable"]) + len(loaded["readonly"]) == MANY_ACCOUNTS


def test_calls_and_reads_of_evm_are_asked_for_from_solana(asked: dict[str, Any], devnet: RunningDevnet) -> None:
    alpha, beta, gamma, _ = devnet.description["chains"]
    (told,) = asked["query of EVM"]["result"]
    word = ask(beta, "eth_call", {"to": beta["gateway"], "data": "0xc34c08e5"}, "latest")
    assert told.lower() == f"0x{word[-40:]}"
    called = asked["call of EVM"]
    assert (called["kind"], called["executed"]["kind"]) == ("EXECUTED", "EXECUTED")
    receipt = ask(alpha, "eth_getTransactionReceipt", called["executed"]["tx_hash"])
    assert int(receipt["blockNumber"], 16) == called["executed"]["block"]
    assert len(called["return_data"]) == len("0x") + 2 * 20
    requested = asked["call of EVM"]["requested"]
    (status,) = ask(gamma, "getSignatureStatuses", [requested["tx_hash"]], {"searchTransactionHistory": True})["value"]
    assert (status["slot"], status["err"]) == (requested["block"], None)


def test_an_answer_longer_than_a_transaction_comes_home_to_solana(asked: dict[str, Any]) -> None:
    told = asked["long answer"]
    assert (told["kind"], told["cut"], told["is_handler_failed"]) == ("EXECUTED", False, False)
    assert len(told["return_data"]) > 2 * 1_000
    signer_set, _ = told["result"]
    assert len(signer_set[-1]) == 4


def test_solana_chains_ask_each_other(asked: dict[str, Any]) -> None:
    assert asked["call between"]["kind"] == "EXECUTED"
    discriminator = next(entry["discriminator"] for entry in idl.IDL["accounts"] if entry["name"] == "Config")
    assert asked["account between"]["return_data"] == f"0x{bytes(discriminator).hex()}"


def test_a_relayer_that_was_killed_takes_its_rent_back_when_it_starts(
    asked: dict[str, Any], devnet: RunningDevnet
) -> None:
    """The last of this module: it leaves a relayer dead."""
    assert asked["call between"]["kind"] == "EXECUTED"
    solana = devnet.description["chains"][2:]
    relayers = devnet.description["relayers"]
    victim = next(relayer for relayer in relayers if any(roots_of(relayer, chain) for chain in solana))
    devnets.until(lambda: statuses_at(victim) == {"DELIVERED"}, f"{victim['name']} does not see all end")
    os.kill(victim["pid"], signal.SIGKILL)
    for chain in solana:
        ask(chain, "devnet_setAhead", ROOT_KEPT_SECONDS)
    before = [balance_of(victim, chain) for chain in solana]
    count = sum(roots_of(victim, chain) for chain in solana)
    with devnets.relayer_process(victim, devnet.home):
        devnets.until(
            lambda: not any(roots_of(victim, chain) for chain in solana), f"{victim['name']} does not close its roots"
        )
    gained = sum(balance_of(victim, chain) for chain in solana) - sum(before)
    assert count * ROOT_RENT - len(solana) * 10_000 < gained < count * ROOT_RENT


def statuses_at(relayer: dict[str, Any]) -> set[str]:
    """Of all requests, in the relayer's own database."""
    answer = devnets.fetch(f"{relayer['api_url']}/v1/requests?limit=200")
    return {item["status"] for item in answer["requests"]} if answer else set()


def roots_of(relayer: dict[str, Any], chain: dict[str, Any]) -> int:
    """How many roots the relayer has paid for."""
    entry = next(entry for entry in idl.IDL["accounts"] if entry["name"] == "Root")
    filters = [
        {"memcmp": {"offset": 0, "bytes": base58_encode(bytes(entry["discriminator"]))}},
        {"memcmp": {"offset": ROOT_PAYER, "bytes": str(wallet_of(relayer))}},
    ]
    options = {"encoding": "base64", "filters": filters, "commitment": "confirmed"}
    return len(ask(chain, "getProgramAccounts", chain["gateway"], options))


def balance_of(relayer: dict[str, Any], chain: dict[str, Any]) -> int:
    return int(ask(chain, "getBalance", str(wallet_of(relayer)), {"commitment": "confirmed"})["value"])


def wallet_of(relayer: dict[str, Any]) -> Pubkey:
    secret = Path(relayer["config_path"]).with_name("wallet.key").read_text().strip()
    return Keypair.from_seed(bytes.fromhex(secret.removeprefix("0x"))).pubkey()
