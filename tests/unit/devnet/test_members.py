"""What is written for the relayers of a devnet is what the relayer and the deployment read."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from solders.keypair import Keypair

from attestation.address import checksum_address
from relayer.cli.plan_file import load_plan
from relayer.config import load_config
from relayer.devnet.accounts import dev_secrets
from relayer.devnet.evm.devnet_chain import AnvilChain
from relayer.devnet.kinds import ChainPlace
from relayer.devnet.members import config_text, make_member, plan_text, write_key
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from relayer.devnet.svm.devnet_chain import PROGRAM, SolanaChain
from relayer.domain.finality import FinalityRule, FinalityTag

SPEC = DevnetSpec(relayers=2, threshold=2, block_time_seconds=0.5, finality_depth=3, rpc_endpoints=3)


def place(name: str, number: int, *ports: int) -> ChainPlace:
    return ChainPlace(
        name=name,
        number=number,
        ports=ports,
        folder=Path("chains") / name,
        owner_secret=dev_secrets()[0],
        block_time_seconds=SPEC.block_time_seconds,
        finality_depth=SPEC.finality_depth,
        block_gas_limit=SPEC.block_gas_limit,
        kept_states=SPEC.kept_states,
    )


CHAINS = (AnvilChain(place("alpha", 0, 8545)), AnvilChain(place("beta", 1, 8546)))


def test_the_configuration_is_read_back_as_it_was_meant(tmp_path: Path) -> None:
    folder = DevnetFolder(tmp_path)
    first, second = (make_member(folder, f"relayer-{n}", 9000 + n) for n in (1, 2))
    deployed = {
        "gateway": checksum_address(bytes(19) + b"\1"),
        "verifier": checksum_address(bytes(19) + b"\2"),
        "registry": checksum_address(bytes(19) + b"\3"),
        "start_block": 7,
    }
    path = folder.relayer("relayer-1") / "config.toml"
    path.write_text(config_text(SPEC, first, [second], [(chain, deployed) for chain in CHAINS]))
    settings = load_config(path)
    assert settings.node.api_port == 9001
    assert [(chain.name, chain.caip2, chain.start_block) for chain in settings.chains] == [
        ("alpha", "eip155:31337", 7),
        ("beta", "eip155:31338", 7),
    ]
    assert settings.chains[0].finality.rule() == FinalityRule(depth_blocks=3)
    assert settings.chains[0].block_time_seconds == 0.5
    assert [(peer.name, peer.url, peer.signer) for peer in settings.peers] == [
        ("relayer-2", "http://127.0.0.1:9002", f"0x{second.signer.hex()}")
    ]
    assert [chain.quorum for chain in settings.chains] == [2, 2]
    assert [chain.rpc_urls for chain in settings.load_chain_settings()] == [
        (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/?endpoint=2", f"http://127.0.0.1:{port}/?endpoint=3")
        for port in (8545, 8546)
    ]


def test_the_plan_is_read_back_as_it_was_meant(tmp_path: Path) -> None:
    folder = DevnetFolder(tmp_path)
    members = [make_member(folder, f"relayer-{n}", 9000 + n) for n in (1, 2)]
    write_key(folder.owner_key, bytes(31) + b"\1")
    folder.plan.write_text(plan_text(SPEC, folder, CHAINS, members))
    file = load_plan(folder.plan)
    assert file.owner_key_file == folder.owner_key
    assert file.rpc_urls == {"eip155:31337": "http://127.0.0.1:8545", "eip155:31338": "http://127.0.0.1:8546"}
    assert file.plan.signer_set.threshold == 2
    assert file.plan.signer_set.keys == tuple(member.signer for member in members)
    assert [checksum_address(operator.payout) for operator in file.plan.operators] == [m.payout for m in members]
    assert [checksum_address(grant.account) for grant in file.plan.chains[0].grants] == [m.payout for m in members]
    assert file.plan.chains[0].finality == FinalityRule(depth_blocks=3)


def test_a_solana_chain_is_written_and_read_back_as_it_was_meant(tmp_path: Path) -> None:
    folder, chain = DevnetFolder(tmp_path), SolanaChain(place("gamma", 0, 8899, 8900))
    members = [make_member(folder, f"relayer-{n}", 9000 + n) for n in (1, 2)]
    write_key(folder.owner_key, bytes(31) + b"\1")
    folder.plan.write_text(plan_text(SPEC, folder, [CHAINS[0], chain], members))
    gamma = load_plan(folder.plan).plan.chains[1]
    assert (gamma.caip2, gamma.account_text(gamma.gateway or b"")) == (chain.caip2, PROGRAM)
    keys = [Keypair.from_seed(member.wallet_secret).pubkey() for member in members]
    assert [grant.account for grant in gamma.grants] == [bytes(key) for key in keys]
    deployed = {"gateway": PROGRAM, "verifier": PROGRAM, "start_block": 7}
    evm = {name: checksum_address(bytes(19) + b"\1") for name in ("gateway", "verifier", "registry")}
    path = folder.relayer("relayer-1") / "config.toml"
    described = [(CHAINS[0], {**evm, "start_block": 7}), (chain, deployed)]
    path.write_text(config_text(SPEC, members[0], members[1:], described))
    (_, section), (_, settings) = (loaded := load_config(path)).chains, loaded.load_chain_settings()
    assert (section.registry, section.native_decimals) == (None, 9)
    assert settings.ws_urls == ("ws://127.0.0.1:8900",)
    assert settings.finality == FinalityRule(tag=FinalityTag.FINALIZED)
    assert (settings.transaction_gas_cap, settings.block_time_seconds) == (1_400_000, 0.2)
    assert bytes(Keypair.from_seed(settings.wallet_key).pubkey()) == gamma.grants[0].account


def test_without_the_extra_a_solana_chain_says_so_and_the_other_kinds_are_there() -> None:
    script = """
import sys
from pathlib import Path
sys.modules["solders"] = None
from relayer.devnet.kinds import ChainPlace, plan_chains
from relayer.errors import ConfigError
alpha, _, gamma = plan_chains(("evm", "svm"))
place = ChainPlace("gamma", 0, (1, 2), Path(), bytes(32), 1.0, 2, 1, 0)
try:
    gamma.kind.lay_out(place)
except ConfigError as error:
    print(alpha.kind.namespace, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "eip155 --vms svm: solders is not installed: `make setup` brings it, as the extra svm\n"


def test_two_solana_chains_of_a_devnet_have_two_genesis_hashes() -> None:
    assert SolanaChain(place("gamma", 0, 1, 2)).caip2 != SolanaChain(place("delta", 1, 3, 4)).caip2


def test_members_of_another_scheme_have_peer_keys_and_proven_keys(tmp_path: Path) -> None:
    folder, spec = DevnetFolder(tmp_path), replace(SPEC, scheme="bls12-381")
    members = [make_member(folder, f"relayer-{n}", 9000 + n, spec.scheme) for n in (1, 2)]
    write_key(folder.owner_key, bytes(31) + b"\1")
    folder.plan.write_text(plan_text(spec, folder, CHAINS, members))
    signer_set = load_plan(folder.plan).plan.signer_set
    assert (signer_set.scheme, signer_set.keys) == (2, tuple(member.signer for member in members))
    deployed = {name: checksum_address(bytes(19) + b"\1") for name in ("gateway", "verifier", "registry")}
    path = folder.relayer("relayer-1") / "config.toml"
    path.write_text(
        config_text(spec, members[0], members[1:], [(chain, {**deployed, "start_block": 7}) for chain in CHAINS])
    )
    settings = load_config(path)
    peer_key = settings.load_peer_key()
    assert peer_key is not None
    assert (settings.load_signing_key().key, peer_key.key) == (members[0].signer, members[0].peer_key)
    assert [(peer.signer_key, peer.message_key) for peer in settings.peers] == [
        (members[1].signer, members[1].peer_key)
    ]


def test_security_no_two_members_share_a_key_and_files_are_private(tmp_path: Path) -> None:
    """SECURITY: a signer's key must be nobody else's, and its file its owner's only."""
    folder = DevnetFolder(tmp_path)
    members = [make_member(folder, f"relayer-{n}", n) for n in range(3)]
    assert len({key for member in members for key in (member.signer, member.wallet_secret)}) == 6
    assert {path.stat().st_mode & 0o077 for path in tmp_path.rglob("*.key")} == {0}
