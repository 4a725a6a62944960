"""A devnet with a Solana chain beside the EVM ones: what it tells, and that its relayers serve all of it."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

import pytest
from solders.keypair import Keypair

from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    return ("--vms", "evm,svm,svm")


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
