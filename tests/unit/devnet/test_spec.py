"""How large and fast a devnet may be, where its parts lie, and which ports it takes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from relayer.devnet.evm.anvil import anvil_command, dev_accounts, find_anvil
from relayer.devnet.kinds import plan_chains
from relayer.devnet.network import prepare_folder
from relayer.devnet.ports import free_ports
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from relayer.errors import ConfigError


@pytest.mark.parametrize(("relayers", "threshold"), [(2, 2), (3, 2), (4, 3), (4, 4), (32, 17)])
def test_a_quorum_is_more_than_half_and_more_than_one(relayers: int, threshold: int) -> None:
    assert DevnetSpec(relayers, threshold).threshold == threshold


@pytest.mark.parametrize(("relayers", "threshold"), [(1, 1), (4, 2), (4, 5), (33, 20), (2, 1)])
def test_other_quorums_are_refused(relayers: int, threshold: int) -> None:
    with pytest.raises(ConfigError):
        DevnetSpec(relayers, threshold)


def test_every_fault_of_a_specification_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        DevnetSpec(1, 9, 0.0, -1, 0)
    assert [fault.split()[0] for fault in caught.value.faults] == [
        "--relayers",
        "--threshold",
        "--block-time",
        "--finality-depth",
        "--rpc-endpoints",
    ]


def test_chains_are_named_in_order_and_a_kind_counts_its_own() -> None:
    planned = plan_chains(("evm", "svm", "svm"))
    assert [(chain.name, chain.kind.namespace, chain.number) for chain in planned] == [
        ("alpha", "eip155", 0),
        ("beta", "eip155", 1),
        ("gamma", "solana", 0),
        ("delta", "solana", 1),
    ]


@pytest.mark.parametrize("vms", [("evm", "pvm"), ("svm",), ("evm",) * 5, ("",)])
def test_other_sets_of_chains_are_refused(vms: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="--vms"):
        DevnetSpec(vms=vms)


def test_ports_are_free_and_different() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ports[0]))


def test_a_chain_mines_by_interval_caps_transactions_and_stays_in_its_folder(tmp_path: Path) -> None:
    command = anvil_command(Path("anvil"), port=1, chain_id=5, block_time_seconds=0.5, folder=tmp_path)
    assert {"--block-time=0.5", "--enable-tx-gas-limit", f"--cache-path={tmp_path}", "--host=127.0.0.1"} <= set(command)


def test_the_first_account_is_the_owners() -> None:
    accounts = list(dev_accounts())
    assert len({account.address for account in accounts}) == 11
    assert accounts[0].address.hex() == "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"


def test_a_binary_that_is_not_there_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XVM_ANVIL", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="XVM_ANVIL"):
        find_anvil()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="holds other files"):
        prepare_folder(DevnetFolder(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_earlier_devnets_files_are_removed(tmp_path: Path) -> None:
    folder = DevnetFolder(tmp_path / "state")
    prepare_folder(folder)
    (folder.relayer("relayer-1")).mkdir(parents=True)
    folder.plan.write_text("old")
    prepare_folder(folder)
    assert [path.name for path in folder.root.iterdir()] == ["logs"]
