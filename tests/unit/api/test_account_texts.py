"""How accounts look in answers: as their chains write them, with the prefix that the gateway's own text has."""

from __future__ import annotations

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.textcodecs import bech32_encode
from relayer.api.account_texts import AccountTexts

COSMOS = Chain(Namespace.COSMOS, b"osmosis-1")
ACCOUNT = bytes(range(20))
TEXTS = AccountTexts(
    {
        "cosmos:osmosis-1": bech32_encode("osmo", b"\x0c" * 32),
        "eip155:1": "0x" + "0a" * 20,
        "cosmos:hex-1": "0x" + "0c" * 32,
    }
)


def test_an_account_of_a_chain_whose_gateway_has_a_prefix_has_it_as_well() -> None:
    address, text = InteroperableAddress(COSMOS, ACCOUNT), bech32_encode("osmo", ACCOUNT)
    assert TEXTS.caip10(address.to_bytes()) == f"cosmos:osmosis-1:{text}"
    assert TEXTS.alone(address.to_bytes()) == text
    assert TEXTS.of_chain("cosmos:osmosis-1", ACCOUNT) == text
    assert TEXTS.caip10(COSMOS.to_bytes()) == "cosmos:osmosis-1"


def test_without_a_prefix_it_is_hex() -> None:
    for reference in (b"hex-1", b"unknown-1"):
        address = InteroperableAddress(Chain(Namespace.COSMOS, reference), ACCOUNT)
        assert TEXTS.caip10(address.to_bytes()) == f"cosmos:{reference.decode()}:0x{ACCOUNT.hex()}"
    assert TEXTS.caip10(evm_account(1, ACCOUNT).to_bytes()) == str(evm_account(1, ACCOUNT))


def test_what_is_no_account_is_its_bytes() -> None:
    assert (TEXTS.caip10(b""), TEXTS.caip10(b"\x01"), TEXTS.alone(b"\x01")) == (None, "0x01", "0x01")
    assert TEXTS.of_chain("eip155:1", b"\x01") == "0x01"
