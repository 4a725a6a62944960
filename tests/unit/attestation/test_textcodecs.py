import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import MalformedAddress
from attestation.textcodecs import base58_decode, base58_encode, bech32_decode, bech32_encode

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\x00", "1"),
        (b"\x00\x00\x01", "112"),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (b"\x39", "z"),
        (b"\x3a", "21"),
        (bytes(32), "1" * 32),
        (b"\xff" * 32, "JEKNVnkbo3jma5nREBBJCDoXFVeKkD56V3xKrvRmWxFG"),
    ],
)
def test_base58_goes_both_ways(data: bytes, text: str) -> None:
    assert base58_encode(data) == text
    assert base58_decode(text) == data


def test_every_base58_character_has_its_value() -> None:
    for value, character in enumerate(ALPHABET):
        assert base58_decode(f"2{character}") == bytes((58 + value,))


@pytest.mark.parametrize("text", ["0", "O", "I", "l", " 1", "1\n", "é", "1" * 45])
def test_base58_refuses_other_text(text: str) -> None:
    with pytest.raises(MalformedAddress):
        base58_decode(text)


@given(st.binary(max_size=600), st.integers(0, 3))
def test_base58_of_any_length_goes_both_ways(data: bytes, zeros: int) -> None:
    text = base58_encode(bytes(zeros) + data)
    assert base58_decode(text, 1_000) == bytes(zeros) + data
    number = 0
    for character in text:
        number = number * 58 + ALPHABET.index(character)
    assert number == int.from_bytes(data, "big")


def test_base58_takes_44_characters() -> None:
    assert base58_decode("1" * 44) == bytes(44)


# BIP-173's valid strings whose data part is whole bytes, and one of a chain's documentation.
@pytest.mark.parametrize(
    ("text", "prefix", "digits"),
    [
        ("a12uel5l", "a", ""),
        (
            "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
            "abcdef",
            "00443214c74254b635cf84653a56d7c675be77df",
        ),
        ("cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu", "cosmos", "0102030405060708090a0b0c0d0e0f1011121314"),
    ],
)
def test_bech32_goes_both_ways(text: str, prefix: str, digits: str) -> None:
    assert bech32_decode(text) == (prefix, bytes.fromhex(digits))
    assert bech32_encode(prefix, bytes.fromhex(digits)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cosmos",
        "1",
        "1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu",
        "A12UEL5L",
        "a12ueL5l",
        "a12uel5m",
        "a12uel5",
        "li1dgmt3",
        "a1bbbbbb",
        "9a12uel5l",
        "de1lg7wt\xff",
        "cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu ",
        f"{'a' * 84}1{'q' * 6}",
    ],
)
def test_bech32_refuses_other_text(text: str) -> None:
    with pytest.raises(MalformedAddress):
        bech32_decode(text)


def bech32_of_groups(prefix: str, groups: list[int]) -> str:
    """Bech32 of arbitrary 5-bit groups, by brute force over the checksum's definition in BIP-173."""
    generator = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    expanded = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    check = 1
    for value in [*expanded, *groups, 0, 0, 0, 0, 0, 0]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place in range(5):
            check ^= generator[place] if top >> place & 1 else 0
    check ^= 1
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    tail = [check >> 5 * (5 - place) & 31 for place in range(6)]
    return f"{prefix}1" + "".join(letters[group] for group in [*groups, *tail])


def test_bech32_padding_is_zero_and_shorter_than_a_group() -> None:
    assert bech32_decode(bech32_of_groups("a", [31, 28])) == ("a", b"\xff")
    for groups in ([31, 29], [31, 30], [0], [31, 28, 0], [0] * 6):
        with pytest.raises(MalformedAddress, match="padding"):
            bech32_decode(bech32_of_groups("a", groups))


def test_the_longest_bech32_is_90_characters() -> None:
    text = bech32_encode("a" * 31, bytes(32))
    assert len(text) == 90
    assert bech32_decode(text) == ("a" * 31, bytes(32))
    over = bech32_of_groups("a" * 31, [0] * 53)
    with pytest.raises(MalformedAddress, match="is not bech32"):
        bech32_decode(over)


@pytest.mark.parametrize("prefix", ["", "A", "1a", "a b", "a\n", "é", "a" * 32])
def test_bech32_prefixes_are_lower_case_words(prefix: str) -> None:
    with pytest.raises(MalformedAddress):
        bech32_encode(prefix, b"")


def test_a_prefix_may_hold_the_separator() -> None:
    assert bech32_decode(bech32_encode("a1b", b"\x01")) == ("a1b", b"\x01")
