import json
from dataclasses import replace
from typing import Any

import pytest

from attestation.errors import MalformedSignerSet
from attestation.signer_set import signer_set_hash
from attestation.signer_set_file import MAXIMUM_SIGNER_SET_LENGTH, NumberedSet, encode_signer_set, parse_signer_set
from attestation.statement import Rotate
from tests.factories import make_signer_set

GOOD = NumberedSet(7, make_signer_set())
TEXT = encode_signer_set(GOOD)
MEMBERS = ["kind", "version", "epoch", "scheme", "threshold", "validUntil", "graceSeconds", "signers"]


def changed(name: str, value: Any) -> str:
    """The file with one member replaced, or removed if the value is `...`."""
    document = json.loads(TEXT)
    document[name] = value
    if value is ...:
        del document[name]
    return json.dumps(document)


def test_a_set_comes_back() -> None:
    assert parse_signer_set(TEXT) == GOOD
    assert parse_signer_set(f"  {TEXT}\n") == GOOD


def test_the_statement_that_brings_a_set_in_names_its_hash_and_epoch() -> None:
    assert GOOD.rotate == Rotate(signer_set_hash(GOOD.signer_set), 7)


def test_a_file_can_be_read_by_people() -> None:
    document = json.loads(TEXT)
    assert (document["kind"], document["epoch"], document["threshold"]) == ("SIGNER_SET", "7", "3")
    assert document["signers"][0]["key"] == f"0x{GOOD.signer_set.keys[0].hex()}"


def test_the_largest_set_of_the_longest_keys_fits() -> None:
    signer = replace(GOOD.signer_set.signers[0], key=b"\x01" * 192, weight=(1 << 64) - 1)
    text = encode_signer_set(NumberedSet(1, replace(GOOD.signer_set, signers=(signer,) * 256)))
    assert len(text) < MAXIMUM_SIGNER_SET_LENGTH


def test_a_file_is_bounded() -> None:
    with pytest.raises(MalformedSignerSet, match="more than a signer set needs"):
        parse_signer_set(TEXT + " " * MAXIMUM_SIGNER_SET_LENGTH)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"a":' * 30_000, "9" * 5_000])
def test_other_text_is_no_set(text: str) -> None:
    with pytest.raises(MalformedSignerSet):
        parse_signer_set(text)


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("value", [..., None, True, 1.0, "x", -1, 1 << 70, [], {}, [1], [{}]])
def test_a_member_of_another_type_or_range_is_refused(name: str, value: Any) -> None:
    if (name, value) == ("signers", []):
        assert parse_signer_set(changed(name, value)).signer_set.signers == ()  # `verify_rules` refuses it
        return
    with pytest.raises(MalformedSignerSet):
        parse_signer_set(changed(name, value))


def test_an_unknown_member_is_refused() -> None:
    with pytest.raises(MalformedSignerSet):
        parse_signer_set(changed("comment", "trust me"))


@pytest.mark.parametrize("epoch", [0, 1 << 64])
def test_epochs_begin_at_1_and_are_uint64(epoch: int) -> None:
    with pytest.raises(MalformedSignerSet, match="epoch"):
        parse_signer_set(changed("epoch", str(epoch)))


def test_security_a_name_that_stands_twice_is_refused() -> None:
    """SECURITY: parsers differ in which they keep: one file could be two sets."""
    with pytest.raises(MalformedSignerSet, match="twice"):
        parse_signer_set(TEXT.replace('"epoch": "7"', '"epoch": "7", "epoch": "8"'))
