"""Where `call` and `query` find chains, accounts and targets, and what they say where they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attestation.address import parse_account_text, parse_chain_text
from relayer.cli.asking import Endpoint, tools_for
from relayer.cli.reach import Reach
from relayer.errors import ConfigError, UnsupportedVm

GATEWAY = "0x" + "51" * 20
TARGET = "0x" + "7a" * 20
ALPHA, BETA = parse_chain_text("eip155:31337"), parse_chain_text("eip155:31338")


@pytest.fixture
def devnet(tmp_path: Path) -> Path:
    accounts = [{"address": f"0x{n:040x}", "private_key": f"0x{n:064x}"} for n in (1, 2)]
    chains = [
        {
            "name": name,
            "caip2": str(chain),
            "rpc_url": f"http://127.0.0.1/{name}",
            "block_time_seconds": 1,
            "gateway": GATEWAY,
            "accounts": accounts,
        }
        for name, chain in (("alpha", ALPHA), ("beta", BETA))
    ]
    (tmp_path / "devnet.json").write_text(json.dumps({"schema_version": 1, "chains": chains, "relayers": []}))
    return tmp_path


def reach(
    devnet: Path, account: int = 0, rpc: str | None = None, gateway: str | None = None, key_file: Path | None = None
) -> Reach:
    return Reach(devnet, account, rpc, gateway, key_file, None)


def test_a_devnet_tells_chains_by_name_or_caip2(devnet: Path) -> None:
    expected = Endpoint(ALPHA, "http://127.0.0.1/alpha", GATEWAY)
    assert reach(devnet).home("alpha") == reach(devnet).home("eip155:31337") == expected
    assert reach(devnet).away(BETA) == Endpoint(BETA, "http://127.0.0.1/beta", GATEWAY)
    assert reach(devnet).away(parse_chain_text("eip155:1")) is None


def test_an_account_of_the_devnet_is_taken_by_its_number(devnet: Path) -> None:
    assert reach(devnet, account=1).secret("alpha").reveal() == bytes(31) + b"\x02"
    with pytest.raises(ConfigError, match="--account 2: the devnet has 2, counted from 0"):
        reach(devnet, account=2).secret("alpha")


def test_a_key_file_goes_before_the_devnets_accounts(devnet: Path) -> None:
    key_file = devnet / "own.key"
    key_file.write_text("09" * 32)
    key_file.chmod(0o600)
    assert reach(devnet, key_file=key_file).secret("alpha").reveal() == b"\x09" * 32


def test_what_is_named_outright_needs_no_devnet(tmp_path: Path) -> None:
    named = reach(tmp_path, rpc="http://127.0.0.1:1", gateway=GATEWAY, key_file=tmp_path / "own.key")
    assert named.home("eip155:31337") == Endpoint(ALPHA, "http://127.0.0.1:1", GATEWAY)
    assert named.away(BETA) is None
    assert named.target(TARGET, "eip155:31338") == parse_account_text(f"eip155:31338:{TARGET}")
    with pytest.raises(ConfigError, match="without a devnet, chains are written as CAIP-2"):
        named.home("alpha")


@pytest.mark.parametrize("given", [{"rpc": "http://x"}, {"gateway": GATEWAY}, {"rpc": "http://x", "gateway": GATEWAY}])
def test_rpc_gateway_and_key_file_go_together(devnet: Path, given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="go together"):
        reach(devnet, rpc=given.get("rpc"), gateway=given.get("gateway")).home("eip155:31337")


def test_a_target_is_caip10_or_an_address_on_the_named_chain(devnet: Path) -> None:
    target = parse_account_text(f"eip155:31338:{TARGET}")
    for text, destination in ((f"eip155:31338:{TARGET}", None), (f"eip155:31338:{TARGET}", "beta"), (TARGET, "beta")):
        assert reach(devnet).target(text, destination) == target


@pytest.mark.parametrize(
    ("text", "destination", "words"),
    [
        (TARGET, None, "--to: name the target's chain"),
        (f"eip155:31338:{TARGET}", "alpha", "but --to says eip155:31337"),
        ("eip155:31338:0x12", None, "TARGET: "),
        ("0x12", "beta", "accounts there are 0x and 40 hex digits"),
        ("nowhere:1:0x12", None, "TARGET: .* is not a chain of a known namespace$"),
        (TARGET, "gamma", "gamma: no such chain in this devnet; it has alpha"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused(devnet: Path, text: str, destination: str | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        reach(devnet).target(text, destination)


def test_a_vm_that_has_no_tools_is_named() -> None:
    with pytest.raises(UnsupportedVm, match="cannot ask on aptos chains; it can on cosmos, eip155"):
        tools_for("aptos")


def test_SECURITY_a_private_key_that_is_none_is_not_shown(devnet: Path) -> None:  # noqa: N802
    path = devnet / "devnet.json"
    path.write_text(path.read_text().replace(f"0x{1:064x}", "0xhunter2"))
    with pytest.raises(ConfigError) as caught:
        reach(devnet).secret("alpha")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
