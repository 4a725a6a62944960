"""A deployment plan as people write it, and what is said about a faulty one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from attestation.schemes import BLS12381
from attestation.signer_set import operator_id
from relayer.cli.plan_file import load_plan
from relayer.errors import ConfigError
from relayer.vms.evm.deployment_steps import offer

A, B, C = ("0x" + digit * 40 for digit in "123")

PLAN = f"""
[owner]
key_file = "owner.json"

[signers]
threshold = 3
valid_until = 2099-01-01T00:00:00Z
grace_seconds = 3600
[[signers.members]]
name = "one"
key = "{A}"
endpoint = "https://one.example.org"
payout = "{A}"
[[signers.members]]
name = "two"
key = "{B}"
weight = 2
endpoint = "https://two.example.org"
payout = "{B}"
[[signers.members]]
name = "three"
key = "{C}"
endpoint = "https://three.example.org"
payout = "{C}"

[[chains]]
name = "alpha"
caip2 = "eip155:1"
rpc_url = "https://rpc.example.org/access-key"
finality = {{ tag = "finalized" }}
block_time_seconds = 12
gas_price_gwei = 20

[[chains]]
name = "beta"
caip2 = "eip155:10"
rpc_url = "https://beta.example.org"
finality = {{ depth_blocks = 10 }}
block_time_seconds = 2
gas_price_gwei = "0.01"
native_price = "0.5"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_plan(write(folder, text))
    return caught.value.faults


def bls_plan(*operators: str) -> str:
    """The plan, its members with keys of scheme `bls12-381` that are proven for these operators."""
    text = PLAN.replace("[signers]\n", '[signers]\nscheme = "bls12-381"\n')
    for number, (key, operator) in enumerate(zip((A, B, C), operators, strict=True), start=1):
        listed = BLS12381.signing_key(bytes([number]) * 32).listed_key(operator_id(operator))
        text = text.replace(f'\nkey = "{key}"', f'\nkey = "0x{listed.hex()}"')
    return text


def test_a_plan_names_the_scheme_and_lists_keys_with_their_proofs(tmp_path: Path) -> None:
    plan = load_plan(write(tmp_path, bls_plan("one", "two", "three"))).plan
    assert plan.signer_set.scheme == BLS12381.number
    assert plan.signer_set.keys[0] == BLS12381.signing_key(b"\1" * 32).key
    assert offer(plan).execution_overhead > offer(load_plan(write(tmp_path, PLAN)).plan).execution_overhead


def test_security_a_plan_takes_no_key_that_another_operator_proved(tmp_path: Path) -> None:
    """SECURITY: who lists a foreign key as its own could make it from the others' keys."""
    (fault,) = faults(tmp_path, bls_plan("one", "two", "mallory"))
    assert fault.startswith("signers: ")


def test_keys_of_another_scheme_than_the_plans_are_told(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, PLAN.replace("[signers]\n", '[signers]\nscheme = "bls12-381"\n'))
    assert fault.startswith("signers: ")
    (fault,) = faults(tmp_path, PLAN.replace("[signers]\n", '[signers]\nscheme = "rsa"\n'))
    assert fault.startswith("signers.scheme: ")
    (fault,) = faults(tmp_path, PLAN.replace(f'\nkey = "{A}"', '\nkey = "0x123"'))
    assert fault.startswith("signers.members[0].key: ")


def test_a_plan_becomes_what_is_deployed(tmp_path: Path) -> None:
    file = load_plan(write(tmp_path, PLAN))
    plan = file.plan
    assert file.owner_key_file == tmp_path / "owner.json"
    assert plan.signer_set.valid_until == datetime(2099, 1, 1, tzinfo=UTC).timestamp()
    assert [signer.weight for signer in plan.signer_set.signers] == [1, 2, 1]
    assert plan.signer_set.signers[1].operator.rstrip(b"\0") == b"two"
    assert [chain.price_per_gigagas for chain in plan.chains] == [20 * 10**18, 10**16]
    assert plan.chains[1].deadline_blocks(plan.terms) == 1800


def test_security_access_keys_in_urls_show_in_no_repr(tmp_path: Path) -> None:
    """SECURITY: plans are logged."""
    assert "access-key" not in repr(load_plan(write(tmp_path, PLAN)))


def test_every_fault_is_named_with_its_key(tmp_path: Path) -> None:
    text = PLAN.replace("grace_seconds", "grace").replace('gas_price_gwei = "0.01"', "gas_price_gwei = 0")
    found = faults(tmp_path, text)
    assert [fault.split(":")[0] for fault in found] == [
        "signers.grace_seconds",
        "signers.grace",
        "chains[1].gas_price_gwei",
    ]


def test_a_set_that_the_contracts_would_refuse_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    assert faults(tmp_path, PLAN.replace("threshold = 3", "threshold = 2"))[0].startswith("signers: ")


def test_a_chain_named_twice_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, PLAN.replace("eip155:10", "eip155:1")) == ["chains: one caip2 is named twice"]


def test_only_chains_that_can_be_deployed_to_are_taken(tmp_path: Path) -> None:
    found = faults(tmp_path, PLAN.replace("eip155:10", "aptos:2"))
    assert found == ["chains[1].caip2: nothing that is installed deploys to aptos:2"]


COSMWASM = """
[[chains]]
name = "gamma"
caip2 = "cosmos:osmosis-1"
rpc_url = "https://gamma.example.org"
finality = { depth_blocks = 0 }
block_time_seconds = 1.5
price_per_gigagas = "25000000"
bech32_prefix = "osmo"
fee_denom = "uosmo"
coin_decimals = 6
owner = "osmo1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5helwsw"
"""


def test_a_chain_says_how_its_accounts_begin_and_what_its_fees_are_paid_in(tmp_path: Path) -> None:
    (chain,) = load_plan(write(tmp_path, PLAN + COSMWASM)).plan.chains[2:]
    assert (chain.bech32_prefix, chain.fee_denom, chain.coin_decimals) == ("osmo", "uosmo", 6)
    assert chain.owner is not None
    assert chain.account_text(chain.owner) == "osmo1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5helwsw"
    assert faults(tmp_path, PLAN + COSMWASM.replace('"osmo"', '"Osmo1"')) == [
        "chains[2].bech32_prefix: not a bech32 prefix; write the letters before the 1 of the chain's accounts"
    ]
    assert faults(tmp_path, PLAN + COSMWASM.replace('"osmo"', '"cosmos"')) == [
        "chains[2]: owner is not an account of cosmos:osmosis-1, in the form that the chain gives it"
    ]


def test_security_faults_hold_nothing_of_the_file(tmp_path: Path) -> None:
    """SECURITY: whoever pastes a key into the plan must not find it in a log."""
    secret = "ab" * 32
    text = PLAN.replace('"owner.json"', f'"owner.json"\nkey = "{secret}"').replace(f'"{A}"', f'"{secret}"')
    assert all(secret not in fault for fault in faults(tmp_path, text))


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "9" * 100_000, 'a = "\\ud800"', "a = " + "1" * (2 << 20)]
)
def test_security_a_hostile_file_is_one_fault_and_no_traceback(tmp_path: Path, text: str) -> None:
    """SECURITY: files are handed around; one that breaks the parser must not look like a bug of ours."""
    (fault,) = faults(tmp_path, text)
    assert len(fault) < 500
