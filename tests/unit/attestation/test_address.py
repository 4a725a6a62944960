import pytest

from attestation.address import (
    Chain,
    InteroperableAddress,
    Namespace,
    bech32_prefix,
    checksum_address,
    evm_account,
    parse_account,
    parse_account_text,
    parse_chain_text,
    parse_interoperable_address,
)
from attestation.errors import MalformedAddress

ACCOUNT = "eip155:1:0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
COSMOS_BYTES = bytes(range(1, 21))


def test_an_evm_chain_knows_its_number_and_text() -> None:
    chain = Chain.evm(31337)
    assert (chain.namespace, chain.reference) == (Namespace.EIP155, b"\x7a\x69")
    assert chain.chain_id == 31337
    assert str(chain) == "eip155:31337"
    assert parse_chain_text("eip155:31337") == chain
    assert chain.to_bytes() == bytes.fromhex("00010000027a6900")


@pytest.mark.parametrize("namespace", [Namespace.EIP155, Namespace.APTOS, Namespace.QVM])
def test_numbered_chains_keep_their_namespace(namespace: Namespace) -> None:
    chain = Chain.numbered(namespace, 256)
    assert chain.reference == b"\x01\x00"
    assert parse_chain_text(str(chain)) == chain
    assert str(chain) == f"{namespace.value}:256"


@pytest.mark.parametrize("chain_id", [-1, 0, 2**256])
def test_chain_ids_are_positive_words(chain_id: int) -> None:
    with pytest.raises(MalformedAddress):
        Chain.evm(chain_id)


def test_the_widest_chain_id_is_a_word() -> None:
    assert Chain.evm(2**256 - 1).chain_id == 2**256 - 1


@pytest.mark.parametrize("text", [SOLANA, "cosmos:cosmoshub-4"])
def test_other_chains_have_no_number(text: str) -> None:
    with pytest.raises(MalformedAddress, match="no numeric id"):
        _ = parse_chain_text(text).chain_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eip155",
        "eip155:",
        "eip155:0",
        "eip155:01",
        "eip155:+1",
        "eip155: 1",
        "eip155:1 ",
        "eip155:1\n",
        "eip155:0x1",
        "eip155:\u0661",
        f"eip155:{2**256}",
        f"eip155:{'9' * 79}",
        "eip155:1:0x",
        "EIP155:1",
        "bip122:1",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
        "solana:",
        "solana:0OIl",
        "cosmos:",
        "cosmos:cosmoshub.4",
        "cosmos:cosmøs",
        f"cosmos:{'a' * 33}",
    ],
)
def test_chain_text_is_strict(text: str) -> None:
    with pytest.raises(MalformedAddress):
        parse_chain_text(text)


@pytest.mark.parametrize("reference", ["a", "A_b-9", "a" * 32])
def test_cosmos_chain_ids_are_caip_2_references(reference: str) -> None:
    assert parse_chain_text(f"cosmos:{reference}").reference == reference.encode()


def test_a_chain_alone_is_an_address_but_no_account() -> None:
    data = Chain.evm(1).to_bytes()
    parsed = parse_interoperable_address(data)
    assert parsed.is_chain_only
    assert parsed.to_text() == "eip155:1"
    assert not parse_account_text(ACCOUNT).is_chain_only
    with pytest.raises(MalformedAddress, match="no account"):
        parse_account(data)


def test_an_account_parses_as_an_account() -> None:
    account = evm_account(1, bytes(20))
    assert parse_account(account.to_bytes()) == account


def test_an_evm_account_has_an_address() -> None:
    with pytest.raises(MalformedAddress):
        evm_account(1, b"")


@pytest.mark.parametrize(
    ("chain_text", "lengths"),
    [
        ("eip155:1", {20}),
        ("qvm:1", {20}),
        (SOLANA, {32}),
        ("aptos:1", {32}),
        ("cosmos:a", {20, 32}),
    ],
)
def test_addresses_have_the_lengths_of_their_namespace(chain_text: str, lengths: set[int]) -> None:
    chain = parse_chain_text(chain_text)
    for length in range(1, 66):
        if length in lengths:
            assert InteroperableAddress(chain, bytes(length)).address == bytes(length)
        else:
            with pytest.raises(MalformedAddress):
                InteroperableAddress(chain, bytes(length))


def test_checksums_are_those_of_eip_55() -> None:
    for text in (
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ):
        assert checksum_address(bytes.fromhex(text[2:])) == text


def test_evm_text_is_checksummed_or_lower_case() -> None:
    assert parse_account_text(ACCOUNT).to_text() == ACCOUNT
    assert parse_account_text(ACCOUNT.lower()).to_text() == ACCOUNT
    assert str(parse_account_text(ACCOUNT)) == ACCOUNT


@pytest.mark.parametrize("namespace", ["eip155", "qvm"])
@pytest.mark.parametrize(
    "account",
    [
        "0xd8DA6BF26964aF9D7eEd9e03E53415D37aA96045",
        "0xD8DA6BF26964AF9D7EED9E03E53415D37AA96045",
    ],
)
def test_a_wrong_checksum_is_refused(namespace: str, account: str) -> None:
    with pytest.raises(MalformedAddress, match="checksum"):
        parse_account_text(f"{namespace}:1:{account}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0xd8da6bf26964af9d7eed9e03e53415d37aa96045",
        "eip155:1",
        "eip155:1:",
        "eip155:1:0x",
        "eip155:1:d8da6bf26964af9d7eed9e03e53415d37aa96045",
        "eip155:1:0Xd8da6bf26964af9d7eed9e03e53415d37aa96045",
        "eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa9604",
        "eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa960",
        "eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa96045 ",
        "eip155:1:0x d8da6bf26964af9d7eed9e03e53415d37aa9604",
        "eip155:1:1:0xd8da6bf26964af9d7eed9e03e53415d37aa96045",
        "eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa9604g",
        f"eip155:1:0x{'aB' * 40}",
        f"{SOLANA}:",
        f"{SOLANA}:111",
        f"{SOLANA}:{'z' * 45}",
        "cosmos:a:",
        "cosmos:a:0x",
        "cosmos:a:0xAB02030405060708090a0b0c0d0e0f1011121314",
        "cosmos:a:cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xv",
        "aptos:1:0x1",
        f"aptos:1:0x{'C3' * 32}",
    ],
)
def test_account_text_is_strict(text: str) -> None:
    with pytest.raises(MalformedAddress):
        parse_account_text(text)


def test_cosmos_text_takes_its_prefix_as_an_argument() -> None:
    account = InteroperableAddress(parse_chain_text("cosmos:osmosis-1"), COSMOS_BYTES)
    text = account.to_text("osmo")
    assert text.startswith("cosmos:osmosis-1:osmo1")
    assert account.to_text() == f"cosmos:osmosis-1:0x{COSMOS_BYTES.hex()}"
    assert parse_account_text(text) == account
    assert parse_account_text(text, "osmo") == account
    assert parse_account_text(account.to_text(), "osmo") == account
    with pytest.raises(MalformedAddress, match="prefix"):
        parse_account_text(text, "cosmos")


def test_a_prefix_changes_no_other_namespace() -> None:
    assert parse_account_text(ACCOUNT).to_text("cosmos") == ACCOUNT
    aptos = f"aptos:1:0x{'c3' * 32}"
    assert parse_account_text(aptos).to_text("cosmos") == aptos


def test_security_one_account_has_one_encoding() -> None:
    """SECURITY: the parser takes no second encoding of a chain id, nor bytes after an address."""
    for digits in ("0001000002000114" + "aa" * 20, "00010000010114" + "aa" * 21, "0001000001010000"):
        with pytest.raises(MalformedAddress):
            parse_interoperable_address(bytes.fromhex(digits))


@pytest.mark.parametrize("length", range(27))
def test_a_cut_address_is_refused(length: int) -> None:
    data = evm_account(1, b"\xaa" * 20).to_bytes()
    assert len(data) == 27
    with pytest.raises(MalformedAddress):
        parse_interoperable_address(data[:length])


@pytest.mark.parametrize(
    ("chain", "form"),
    [
        ("eip155:1", "40 hex digits"),
        (SOLANA, "base58"),
        ("cosmos:cosmoshub-4", "bech32"),
        ("aptos:1", "64 lower-case hex"),
        ("qvm:1", "40 hex digits"),
    ],
)
def test_every_chain_says_how_its_accounts_are_written(chain: str, form: str) -> None:
    assert form in parse_chain_text(chain).account_form


def test_a_hash_is_written_as_its_chains_people_do() -> None:
    assert Chain.evm(1).hash_text(b"\x00\xab") == "0x00ab"
    assert parse_chain_text(SOLANA).hash_text(bytes(63) + b"\x01") == "1" * 63 + "2"
    assert parse_chain_text("cosmos:osmosis-1").hash_text(b"\x00\xab") == "00AB"


def test_a_prefix_is_taken_from_an_account_that_has_one() -> None:
    assert bech32_prefix("cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu") == "cosmos"
    assert bech32_prefix(ACCOUNT.rpartition(":")[2]) is None
    assert bech32_prefix("cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xv") is None


def test_an_account_alone_is_its_text_without_the_chain() -> None:
    assert parse_account_text(ACCOUNT).account_text() == ACCOUNT.rpartition(":")[2]
    assert InteroperableAddress(Chain.evm(1), b"").account_text() == ""
