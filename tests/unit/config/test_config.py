"""What a configuration file is turned into, and what is said about a faulty one."""

import pickle
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from relayer.config import Settings, load_config
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.errors import ConfigError

GATEWAY = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
OTHER = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
SIGNER_SECRET = "11" * 32
WALLET_SECRET = "22" * 32

NODE = '[node]\nname = "r0"\nnetwork = "test"\ndata_dir = "data"\n'
SIGNER = '[signer]\nkey_file = "signer.key"\n'


def chain(name: str, chain_id: int, extra: str = "", url: str = "http://127.0.0.1:8545") -> str:
    return f"""
[[chains]]
name = "{name}"
caip2 = "eip155:{chain_id}"
rpc_urls = ["{url}"]
gateway = "{GATEWAY}"
verifier = "{OTHER}"
finality = {{ depth_blocks = 2 }}
block_time_seconds = 1
wallet_key_file = "wallet.key"
{extra}
"""


def peer(name: str = "r1", url: str = "http://127.0.0.1:9001", signer: str = "0x" + "ab" * 20) -> str:
    return f'\n[[peers]]\nname = "{name}"\nurl = "{url}"\nsigner = "{signer}"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, secret in (("signer.key", SIGNER_SECRET), ("wallet.key", WALLET_SECRET)):
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def load(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text)
    return load_config(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return caught.value.faults


WHOLE = NODE + SIGNER + chain("alpha", 31337) + chain("beta", 31338) + peer()


def test_paths_are_relative_to_the_files_folder(folder: Path) -> None:
    settings = load(folder, WHOLE)
    assert settings.node.data_dir == folder / "data"
    assert settings.signer.key_file == folder / "signer.key"
    assert settings.store_url == f"sqlite:///{folder}/data/relayer.sqlite3"
    assert settings.guard_url == f"sqlite:///{folder}/data/guard.sqlite3"


def test_each_chain_is_given_to_its_adapter_with_its_wallet(folder: Path) -> None:
    alpha, beta = load(folder, WHOLE).load_chain_settings()
    assert (alpha.name, alpha.caip2, beta.caip2) == ("alpha", "eip155:31337", "eip155:31338")
    assert alpha.finality == FinalityRule(depth_blocks=2)
    assert alpha.wallet_key == bytes.fromhex(WALLET_SECRET)
    assert alpha.max_fee_per_gas == 500 * 10**9
    assert alpha.transaction_gas_cap == 16_777_216


@pytest.mark.parametrize(("urls", "majority"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_the_majority_of_endpoints_must_agree_unless_told_otherwise(folder: Path, urls: int, majority: int) -> None:
    listed = '", "'.join(f"http://127.0.0.1:{8545 + n}" for n in range(urls))
    text = NODE + SIGNER + chain("alpha", 1, url=listed) + chain("beta", 2)
    assert load(folder, text).chains[0].quorum == majority


def test_a_finality_tag_is_taken(folder: Path) -> None:
    text = (NODE + SIGNER + chain("alpha", 1) + chain("beta", 2)).replace("{ depth_blocks = 2 }", '{ tag = "safe" }')
    assert load(folder, text).chains[0].finality.rule() == FinalityRule(tag=FinalityTag.SAFE)


def test_a_chain_of_another_vm_is_written_in_its_own_words(folder: Path) -> None:
    program, genesis = "11111111111111111111111111111112", "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"
    text = f"""
[[chains]]
name = "gamma"
caip2 = "solana:{genesis}"
rpc_urls = ["http://127.0.0.1:8899"]
gateway = "{program}"
verifier = "{program}"
finality = {{ tag = "finalized" }}
block_time_seconds = 0.4
transaction_gas_cap = 1400000
max_fee_per_gas = 1000000
native_decimals = 9
wallet_key_file = "wallet.key"
"""
    _, gamma = load(folder, NODE + SIGNER + chain("alpha", 1) + text).load_chain_settings()
    assert (gamma.gateway, gamma.max_fee_per_gas, gamma.transaction_gas_cap) == (program, 10**6, 1_400_000)


def test_prices_count_smallest_units(folder: Path) -> None:
    text = NODE + SIGNER + chain("alpha", 1, 'native_price = "2.5"') + chain("beta", 2, "native_decimals = 6")
    prices = load(folder, text).spend_policy().prices
    assert prices["eip155:1"] == Fraction(5, 2) / 10**18
    assert prices["eip155:2"] == Fraction(1, 10**6)


def test_every_fault_is_named_at_once_with_its_key(folder: Path) -> None:
    text = (
        '[node]\nname = "R0!"\n[signer]\nkey_file = "gone.key"\ntypo = 1\n'
        + chain("alpha", 1, "rpc_quorum = 2")
        + chain("alpha", 2, url="http://rpc.example.org")
        + chain("gamma", 3).replace(GATEWAY, "0x12").replace("depth_blocks = 2", 'depth_blocks = 2, tag = "safe"')
        + peer(url="http://peer.example.org")
        + peer(name="r2", signer="0x12")
    )
    found = faults(folder, text)
    for start in (
        "node.name: ",
        "node.data_dir: missing; set it: folder for databases",
        "signer.key_file: ",
        "signer.typo: no such key",
        "chains[0]: rpc_quorum is 2, but there are 1 rpc_urls",
        "chains[1].rpc_urls[0]: is not encrypted",
        "chains[2].finality: write either",
        "peers[0].url: is not encrypted",
        "peers[1].signer: write the peer's signer key as 0x and its hex digits",
    ):
        assert any(fault.startswith(start) for fault in found), (start, found)


def test_names_chains_and_signers_cannot_be_used_twice(folder: Path) -> None:
    text = NODE + SIGNER + chain("alpha", 1) + chain("alpha", 1) + peer() + peer()
    found = faults(folder, text)
    assert [fault.split(":")[0] for fault in found] == [
        "chains[].name",
        "chains[].caip2",
        "peers[].name",
        "peers[].url",
        "peers[].signer",
    ]


def test_one_chain_alone_is_no_network(folder: Path) -> None:
    assert faults(folder, NODE + SIGNER + chain("alpha", 1))[0].startswith("chains: ")


def test_a_gateway_must_be_an_address_of_its_chain(folder: Path) -> None:
    text = NODE + SIGNER + chain("alpha", 1).replace(GATEWAY, GATEWAY.swapcase().replace("0X", "0x")) + chain("b", 2)
    assert faults(folder, text)[0].startswith("chains[0]: gateway is not an account of eip155:1")


def test_security_an_endpoint_named_twice_is_not_two_voices(folder: Path) -> None:
    """SECURITY: one endpoint named twice would agree with itself."""
    listed = 'http://127.0.0.1:1", "http://127.0.0.1:1'
    assert "one endpoint twice" in faults(folder, NODE + SIGNER + chain("alpha", 1, url=listed) + chain("b", 2))[0]


@pytest.mark.parametrize(
    ("url", "is_refused"),
    [
        ("http://rpc.example.org", True),
        ("http://10.0.0.7:8545", True),
        ("http://127.0.0.1.example.org", True),
        ("https://rpc.example.org", False),
        ("http://localhost:8545", False),
        ("http://127.0.0.2:8545", False),
        ("http://[::1]:8545", False),
    ],
)
def test_security_unencrypted_urls_stay_on_this_machine(folder: Path, url: str, *, is_refused: bool) -> None:
    """SECURITY: whoever sits on the way could tell this signer what is final."""
    text = NODE + SIGNER + chain("alpha", 1, url=url) + chain("beta", 2)
    if not is_refused:
        load(folder, text)
        return
    assert faults(folder, text)[0].startswith("chains[0].rpc_urls[0]: is not encrypted")
    load(folder, text.replace('name = "r0"', 'name = "r0"\nallow_insecure = true', 1))


def test_security_the_guard_has_a_database_of_its_own(folder: Path) -> None:
    """SECURITY: a backup of the node's database must not bring back an older guard."""
    one = 'database_url = "sqlite:////x.db"\nguard_database_url = "sqlite:////x.db"\n'
    assert faults(folder, one + WHOLE) == ["guard_database_url: must be another database than database_url"]


def test_security_urls_can_come_from_the_environment_or_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: an RPC URL holds an access key; it need not stand in the file, and no repr shows it."""
    monkeypatch.setenv("ALPHA_RPC", "https://rpc.example.org/access-key")
    (folder / "beta.url").write_text("https://beta.example.org/access-key\n")
    text = NODE + SIGNER + chain("alpha", 1, url="env:ALPHA_RPC") + chain("beta", 2, url=f"file:{folder}/beta.url")
    settings = load(folder, text)
    assert [c.rpc_urls for c in settings.load_chain_settings()] == [
        ("https://rpc.example.org/access-key",),
        ("https://beta.example.org/access-key",),
    ]
    assert "access-key" not in repr(settings)
    assert "access-key" not in str(settings)


def test_a_variable_that_is_not_set_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALPHA_RPC", raising=False)
    text = NODE + SIGNER + chain("alpha", 1, url="env:ALPHA_RPC") + chain("beta", 2)
    assert faults(folder, text) == ["chains[0].rpc_urls[0]: the environment variable ALPHA_RPC is not set"]


def test_security_a_secret_in_the_file_shows_in_no_error(folder: Path) -> None:
    """SECURITY: whoever pastes a key into the file must not find it in a log."""
    text = NODE + f'[signer]\nkey = "{SIGNER_SECRET}"\nkey_file = ["{SIGNER_SECRET}"]\n'
    text += chain("alpha", 1, f'gateway_key = "{SIGNER_SECRET}"', url=f"x{SIGNER_SECRET}") + chain("beta", 2)
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert SIGNER_SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_security_loaded_secrets_show_in_no_repr(folder: Path) -> None:
    """SECURITY: settings end up in logs and tracebacks."""
    settings = load(folder, WHOLE)
    shown = repr(settings.load_signing_key()) + repr(settings.load_chain_settings()) + repr(settings)
    assert SIGNER_SECRET not in shown
    assert WALLET_SECRET not in shown
    with pytest.raises(TypeError):
        pickle.dumps(settings.load_signing_key())


def long_peer(name: str, url: str, digit: str, peer_key: str | None) -> str:
    extra = "" if peer_key is None else f'peer_key = "{peer_key}"\n'
    return peer(name, url, "0x" + digit * 2 * 192) + extra


LONG_SIGNER = SIGNER + 'scheme = "bls12-381"\npeer_key_file = "peer.key"\n'
CHAINS = chain("alpha", 1) + chain("beta", 2)
LONG_PEER = long_peer("r1", "http://127.0.0.1:1", "a", "0x" + "0A" * 20)


def test_a_peer_speaks_with_its_signer_key_unless_another_is_named(folder: Path) -> None:
    settings = load(folder, NODE + SIGNER + CHAINS + peer() + peer("r2", "http://127.0.0.1:1", "0x" + "cd" * 20))
    assert [section.message_key for section in settings.peers] == [b"\xab" * 20, b"\xcd" * 20]
    assert settings.load_peer_key() is None
    named = load(folder, NODE + SIGNER + CHAINS + peer() + f'peer_key = "0x{"0A" * 20}"\n')
    assert (named.peers[0].signer_key, named.peers[0].message_key) == (b"\xab" * 20, b"\x0a" * 20)


def test_signers_of_another_scheme_have_peer_keys_beside(folder: Path) -> None:
    (folder / "peer.key").write_text("33" * 32)
    (folder / "peer.key").chmod(0o600)
    settings = load(folder, NODE + LONG_SIGNER + CHAINS + LONG_PEER)
    assert (settings.peers[0].signer_key, settings.peers[0].message_key) == (b"\xaa" * 192, b"\x0a" * 20)
    peer_key = settings.load_peer_key()
    assert peer_key is not None
    assert (len(settings.load_signing_key().key), len(peer_key.key)) == (192, 20)


def test_a_peer_key_that_is_missing_and_keys_of_another_scheme_are_told(folder: Path) -> None:
    text = NODE + SIGNER + 'scheme = "bls12-381"\n' + CHAINS + peer() + long_peer("r2", "http://127.0.0.1:1", "a", None)
    assert [fault.partition(":")[0] for fault in faults(folder, text)] == [
        "signer.peer_key_file",
        "peers[0].signer",
        "peers[0].peer_key",
        "peers[1].peer_key",
    ]
    (fault,) = faults(folder, NODE + SIGNER + CHAINS + LONG_PEER)
    assert fault.startswith("peers[0].signer: has 192 bytes, a key of ecdsa-secp256k1 has 20")
    (fault,) = faults(folder, NODE + SIGNER + 'scheme = "rsa"\n' + CHAINS)
    assert fault.startswith("signer.scheme: no scheme of this version; write ecdsa-secp256k1 or bls12-381")


def test_security_one_peer_key_speaks_for_one_signer(folder: Path) -> None:
    """SECURITY: with two signers behind one peer key, its holder could choose whose attestations a list is."""
    (folder / "peer.key").write_text("33" * 32)
    text = NODE + LONG_SIGNER + CHAINS + LONG_PEER + long_peer("r2", "http://127.0.0.1:2", "b", "0x" + "0a" * 20)
    assert faults(folder, text) == [f"peers[].peer_key: 0x{'0a' * 20} is used twice; each must be another one"]
    # one names as its peer key what is the other's signer key
    text = NODE + SIGNER + CHAINS + peer() + peer("r2", "http://127.0.0.1:2", "0x" + "cd" * 20)
    assert faults(folder, f'{text}peer_key = "0x{"ab" * 20}"\n') == [
        f"peers[].peer_key: 0x{'ab' * 20} is used twice; each must be another one"
    ]


def test_security_the_environment_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: a stray variable must not change what a signer believes or spends."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:////elsewhere.db")
    monkeypatch.setenv("POLICY", '{"cost_limit_percent": 0}')
    settings = load(folder, WHOLE)
    assert settings.store_url.endswith("relayer.sqlite3")
    assert settings.policy.cost_limit_percent == 100


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "1e400", "3600.1", "true", '"soon"'])
@pytest.mark.parametrize(
    "key",
    [
        "chains[0].block_time_seconds",
        "chains[0].request_timeout_seconds",
        "policy.takeover_seconds",
        "policy.split_seconds",
        "policy.hold_recheck_seconds",
    ],
)
def test_seconds_are_a_finite_number_within_an_hour(folder: Path, key: str, value: str) -> None:
    section, _, name = key.partition(".")
    if name == "block_time_seconds":
        text = WHOLE.replace("block_time_seconds = 1", f"block_time_seconds = {value}", 1)
    elif section == "policy":
        text = WHOLE + f"\n[policy]\n{name} = {value}\n"
    else:
        text = NODE + SIGNER + chain("alpha", 31337, f"{name} = {value}") + chain("beta", 31338)
    (fault,) = faults(folder, text)
    assert fault.startswith(f"{key}: ")


@pytest.mark.parametrize(
    "line",
    [
        f"start_block = {2**53 + 1}",
        "start_block = true",
        "start_block = -1",
        "max_blocks_per_fetch = true",
        f"transaction_gas_cap = {2**60}",
        'native_price = "1e1000000"',
        'native_price = "1e-1000000"',
        'max_fee_per_gas_gwei = "1e1000000"',
        "max_fee_per_gas_gwei = inf",
        "native_price = nan",
    ],
)
def test_numbers_beyond_sense_are_refused_by_name(folder: Path, line: str) -> None:
    text = NODE + SIGNER + chain("alpha", 31337, line) + chain("beta", 31338)
    (fault,) = faults(folder, text)
    assert fault.startswith(f"chains[0].{line.partition(' ')[0]}: ")


def test_the_largest_block_number_is_taken(folder: Path) -> None:
    text = NODE + SIGNER + chain("alpha", 31337, f"start_block = {2**53}") + chain("beta", 31338)
    assert load(folder, text).chains[0].start_block == 2**53


@pytest.mark.parametrize("path", ["signer.key", "signer.key/below", "a\\u0000b", "x" * 300, "x/" * 4_000])
def test_a_data_dir_that_can_be_no_folder_is_named(folder: Path, path: str) -> None:
    (fault,) = faults(folder, WHOLE.replace('data_dir = "data"', f'data_dir = "{path}"'))
    assert fault.startswith("node.data_dir: ")
    assert len(fault) < 500


@pytest.mark.parametrize("path", ["a\\u0000b", "x" * 300, "x/" * 4_000])
@pytest.mark.parametrize("key", ["signer.key_file", "signer.password_file", "chains[0].wallet_key_file"])
def test_a_file_that_can_be_none_is_named(folder: Path, key: str, path: str) -> None:
    name = key.partition(".")[2]
    former = "signer" if name == "key_file" else "wallet"
    text = WHOLE.replace(f'{name} = "{former}.key"', f'{name} = "{path}"', 1)
    if name == "password_file":
        text = WHOLE.replace(SIGNER, f'{SIGNER}password_file = "{path}"\n')
    (fault,) = faults(folder, text)
    assert fault.startswith(f"{key}: ")
    assert len(fault) < 500


def test_settings_do_not_change(folder: Path) -> None:
    settings = load(folder, WHOLE)
    with pytest.raises(ValidationError):
        settings.node.api_port = 1  # type: ignore[misc]


def test_what_is_no_file_or_no_toml_is_said_plainly(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(folder / "none.toml")
    assert "not TOML" in faults(folder, "[node")[0]


def test_wallet_faults_of_all_chains_come_together(folder: Path) -> None:
    settings = load(folder, WHOLE)
    (folder / "wallet.key").write_text("nothing")
    with pytest.raises(ConfigError) as caught:
        settings.load_chain_settings()
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "9" * 100_000, 'a = "\\ud800"', "a = " + "1" * (2 << 20)]
)
def test_security_a_hostile_file_is_one_fault_and_no_traceback(folder: Path, text: str) -> None:
    """SECURITY: files are handed around; one that breaks the parser must not look like a bug of ours."""
    (fault,) = faults(folder, text)
    assert len(fault) < 500
