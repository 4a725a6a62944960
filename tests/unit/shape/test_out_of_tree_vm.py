"""A VM from outside this package: an installed distribution with entry points, and nothing of ours that names it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attestation.address import parse_chain_text
from relayer.cli.app import app
from relayer.cli.asking import account_texts, tools_for
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.errors import ConfigError
from relayer.keys.keystore import Secret
from relayer.ports.vm import ChainSettings
from relayer.service import open_chains, registered_vms

CHAIN = "aptos:77"
GATEWAY = "0x" + "51" * 32
RUNNER = CliRunner()

PACKAGE = """
from relayer.errors import ConfigError, RpcUnavailable
from relayer.ports.vm import VmRegistration


class Outside:
    def __init__(self, settings):
        self.settings, self.is_open = settings, True

    async def close(self):
        self.is_open = False


async def open_chain(settings):
    if not settings.gateway.startswith("0x"):
        raise ConfigError(["gateway: is in none of this chain's forms"])
    return Outside(settings)


class Commands:
    def add_fee(self, gateway, request_id):
        return f"outside tx add-fee {gateway} 0x{request_id.hex()}"

    def replay(self, gateway, outcome, return_data, gas):
        return f"outside tx replay {gateway}"


registration = VmRegistration("aptos", open_chain, Commands())


class Codec:
    result_types = None

    def __init__(self, call):
        self.call = call

    def encode(self, mode):
        return mode.name.encode() + b":" + (self.call.function or "").encode()


class Tools:
    def account_text(self, secret):
        return f"0x{secret.reveal().hex()}"

    def open_call(self, call):
        return Codec(call)

    def open_source(self, endpoint, secret):
        raise RpcUnavailable(f"{endpoint.chain}: nobody is in at {endpoint.gateway}")


tools = Tools()
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution as an installer leaves it, on a path of its own."""
    (tmp_path / "outside_vm.py").write_text(PACKAGE)
    (tmp_path / "half_installed_vm.py").write_text("import a_library_that_nobody_installed\n")
    folder = tmp_path / "outside_vm-0.3.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-vm\nVersion: 0.3\n")
    (folder / "entry_points.txt").write_text(
        "[xvm.vms]\noutside = outside_vm:registration\n\n"
        "[xvm.tools]\naptos = outside_vm:tools\nqvm = half_installed_vm:tools\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("outside_vm", None)


def _settings(gateway: str = GATEWAY) -> ChainSettings:
    return ChainSettings(
        name="outside",
        caip2=CHAIN,
        rpc_urls=("http://127.0.0.1:1",),
        rpc_quorum=1,
        ws_urls=(),
        gateway=gateway,
        verifier=gateway,
        finality=FinalityRule(None, FinalityTag.FINALIZED),
        block_time_seconds=1.0,
        max_blocks_per_fetch=64,
        transaction_gas_cap=1_000_000,
        max_fee_per_gas=1,
        request_timeout_seconds=1.0,
        wallet_key=bytes(31) + b"\1",
    )


@pytest.mark.usefixtures("outside")
async def test_a_node_opens_its_chains_beside_ours() -> None:
    assert version("outside-vm") == "0.3"
    assert {"aptos", "eip155"} <= set(registered_vms())
    async with AsyncExitStack() as stack:
        opened = (await open_chains([_settings()], stack))[CHAIN]
        assert opened.settings.caip2 == CHAIN  # type: ignore[attr-defined]
        assert opened.is_open  # type: ignore[attr-defined]
    assert not opened.is_open  # type: ignore[attr-defined]


@pytest.mark.usefixtures("outside")
async def test_its_faults_stand_beside_ours_under_the_chains_name() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as caught:
            await open_chains([_settings("nowhere")], stack)
    assert list(caught.value.faults) == ["chains.outside: gateway: is in none of this chain's forms"]


async def test_without_it_the_chain_is_served_by_nobody() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match="no installed VM serves aptos:77"):
            await open_chains([_settings()], stack)


@pytest.mark.usefixtures("outside")
def test_the_command_line_asks_there_with_its_tools(tmp_path: Path) -> None:
    key = tmp_path / "own.key"
    key.write_text("07" * 32)
    key.chmod(0o600)
    where = ("--from", CHAIN, "--rpc", "http://127.0.0.1:1", "--gateway", GATEWAY, "--key-file", str(key))
    answer = RUNNER.invoke(app, ["call", f"{CHAIN}:{GATEWAY}", *where, "--fn", "swap"])
    assert (answer.exit_code, answer.stderr) == (1, f"xvm: {CHAIN}: nobody is in at {GATEWAY}\n")


@pytest.mark.usefixtures("outside")
def test_a_key_is_shown_with_its_account_there() -> None:
    assert tools_for(parse_chain_text(CHAIN).namespace).account_text(Secret(b"\7" * 32)) == "0x" + "07" * 32
    assert account_texts(Secret(b"\7" * 32))["aptos"] == "0x" + "07" * 32


@pytest.mark.usefixtures("outside")
def test_a_vm_whose_library_is_missing_says_so_and_keeps_no_key_from_being_shown() -> None:
    with pytest.raises(ConfigError, match="asking on qvm chains needs a_library_that_nobody_installed"):
        tools_for("qvm")
    assert "qvm" not in account_texts(Secret(b"\7" * 32))
