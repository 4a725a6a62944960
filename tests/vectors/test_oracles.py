"""Libraries that share no code with the package give the same bytes, and so do the standards' own examples."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from eth_abi import encode
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils import keccak, to_checksum_address

from attestation.address import checksum_address, parse_account_text, parse_interoperable_address
from attestation.domain import (
    BATCH_TYPE,
    PEER_MESSAGE_TYPE,
    batch_digest,
    domain_salt,
    domain_separator,
    peer_message_digest,
)
from attestation.keccak import keccak256
from attestation.request import REQUEST_TYPE, Request, encode_request_struct, request_id
from attestation.schemes import SECP256K1
from attestation.schemes.secp256k1 import recover
from attestation.signer_set import SIGNER_SET_TYPE, SignerSet, signer_set_hash
from attestation.statement import EXECUTE_TYPE, OUTCOME_TYPE, PRICES_TYPE, ROTATE_TYPE, Prices, Rotate, Statement
from tests.vectors import py_ecc_oracle
from tests.vectors.bls_vectors import bls_fixtures
from tests.vectors.examples import (
    DESTINATION_GATEWAY,
    ERROR_ARGUMENTS,
    UINT64_MAX,
    error_data,
    example_leaves,
    example_secrets,
    hash_of,
)
from tests.vectors.generate_vectors import DIRECTORY
from tests.vectors.message_vectors import (
    TREE_COUNTS,
    example_executes,
    example_outcomes,
    example_requests,
)
from tests.vectors.signer_vectors import example_signer_sets

ROOT = Path(__file__).resolve().parents[2]

SALTED_DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "salt", "type": "bytes32"},
]


def members(eip712_type: str) -> list[dict[str, str]]:
    fields = eip712_type[eip712_type.index("(") + 1 : eip712_type.index(")")].split(",")
    return [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields]


def typed(primary: str, types: dict[str, str], message: dict[str, Any], domain: dict[str, Any]) -> SignableMessage:
    domain_type = SALTED_DOMAIN if "salt" in domain else SALTED_DOMAIN[:2]
    return encode_typed_data(
        full_message={
            "types": {"EIP712Domain": domain_type, **{name: members(text) for name, text in types.items()}},
            "primaryType": primary,
            "domain": domain,
            "message": message,
        }
    )


def oracle_struct_hash(eip712_type: str, values: list[Any]) -> bytes:
    """`hashStruct` by eth-account, the values in the order of the type."""
    name = eip712_type[: eip712_type.index("(")]
    message = {member["name"]: value for member, value in zip(members(eip712_type), values, strict=True)}
    return typed(name, {name: eip712_type}, message, {"name": "XVM", "version": "1"}).body


def salted(gateway: bytes) -> dict[str, Any]:
    return {"name": "XVM", "version": "1", "salt": keccak(gateway)}


def digest_of(message: SignableMessage) -> bytes:
    return keccak(b"\x19" + message.version + message.header + message.body)


@pytest.mark.parametrize("name", example_requests())
def test_request_ids_are_eth_accounts_struct_hashes(name: str) -> None:
    request: Request = example_requests()[name]
    assert request_id(request) == oracle_struct_hash(REQUEST_TYPE, list(asdict(request).values()))


@pytest.mark.parametrize("name", example_requests())
def test_request_encodings_are_eth_abis(name: str) -> None:
    values = list(asdict(example_requests()[name]).values())
    types = [member["type"] for member in members(REQUEST_TYPE)]
    words = [keccak(value) if type_ == "bytes" else value for type_, value in zip(types, values, strict=True)]
    static_types = ["bytes32" if type_ == "bytes" else type_ for type_ in types]
    expected = keccak(text=REQUEST_TYPE) + encode(static_types, words)
    assert encode_request_struct(example_requests()[name]) == expected


STATEMENTS: list[tuple[str, Statement]] = [
    *((EXECUTE_TYPE, statement) for statement in example_executes()),
    *((OUTCOME_TYPE, statement) for statement in example_outcomes()),
    (ROTATE_TYPE, Rotate(hash_of("set"), 2)),
    (ROTATE_TYPE, Rotate(b"\xff" * 32, UINT64_MAX)),
    (PRICES_TYPE, Prices(hash_of("table"), 3, 4)),
]


@pytest.mark.parametrize(("eip712_type", "statement"), STATEMENTS)
def test_statement_hashes_are_eth_accounts(eip712_type: str, statement: Statement) -> None:
    values = [
        int.from_bytes(value, "big") if name == "request_id" else value for name, value in asdict(statement).items()
    ]
    assert statement.struct_hash == oracle_struct_hash(eip712_type, values)
    assert statement.leaf == keccak(statement.struct_hash)


@pytest.mark.parametrize("name", example_signer_sets())
def test_signer_set_hashes_are_eth_accounts(name: str) -> None:
    signer_set: SignerSet = example_signer_sets()[name]
    set_type, signer_type = SIGNER_SET_TYPE.split(")Signer(")
    message = {
        "scheme": signer_set.scheme,
        "threshold": signer_set.threshold,
        "validUntil": signer_set.valid_until,
        "graceSeconds": signer_set.grace_seconds,
        "signers": [asdict(signer) for signer in signer_set.signers],
    }
    types = {"SignerSet": f"{set_type})", "Signer": f"Signer({signer_type}"}
    expected = typed("SignerSet", types, message, {"name": "XVM", "version": "1"}).body
    assert signer_set_hash(signer_set) == expected


@pytest.mark.parametrize("count", [1, 256])
@pytest.mark.parametrize("epoch", [1, UINT64_MAX])
def test_batch_digests_are_eth_accounts(count: int, epoch: int) -> None:
    message = {"root": hash_of("root"), "count": count, "epoch": epoch}
    expected = typed("Batch", {"Batch": BATCH_TYPE}, message, salted(DESTINATION_GATEWAY))
    assert domain_separator(DESTINATION_GATEWAY) == expected.header
    assert domain_salt(DESTINATION_GATEWAY) == keccak(DESTINATION_GATEWAY)
    assert batch_digest(DESTINATION_GATEWAY, hash_of("root"), count, epoch) == digest_of(expected)


def test_peer_message_digests_are_eth_accounts() -> None:
    message = {"bodyHash": hash_of("body"), "sentAtMilliseconds": 1_700_000_000_123, "recipient": hash_of("key")}
    domain = {"name": "XVM peer", "version": "1"}
    expected = typed("PeerMessage", {"PeerMessage": PEER_MESSAGE_TYPE}, message, domain)
    assert peer_message_digest(hash_of("body"), 1_700_000_000_123, hash_of("key")) == digest_of(expected)


def test_eth_account_signs_the_same_batch_signature() -> None:
    (secret,) = example_secrets("oracle", 1)
    message = {"root": hash_of("root"), "count": 3, "epoch": 7}
    signed = Account.sign_message(
        typed("Batch", {"Batch": BATCH_TYPE}, message, salted(DESTINATION_GATEWAY)), private_key=secret
    )
    signature = SECP256K1.signing_key(secret).sign(batch_digest(DESTINATION_GATEWAY, hash_of("root"), 3, 7))
    assert signature[:32] == signed.r.to_bytes(32, "big")
    assert int.from_bytes(signature[32:], "big") == signed.s | (signed.v - 27) << 255


def test_keys_are_ethereum_addresses() -> None:
    for secret in example_secrets("oracle", 8):
        key = SECP256K1.signing_key(secret)
        assert to_checksum_address(key.key) == Account.from_key(secret).address
        assert recover(hash_of("digest"), key.sign(hash_of("digest"))) == key.key


@pytest.mark.parametrize("index", range(8))
def test_bls_points_are_py_eccs(index: int) -> None:
    document = json.loads((DIRECTORY / "bls12381.json").read_text(encoding="utf-8"))

    def value(column: str) -> bytes:
        return bytes.fromhex(document[column][index][2:])

    secret, key, digest = value("secret"), value("publicKey"), value("digest")
    assert py_ecc_oracle.public_key(secret) == key
    assert py_ecc_oracle.message_point(digest, document["signatureTag"]) == value("messagePoint")
    assert py_ecc_oracle.sign(secret, digest, document["signatureTag"]) == value("signature")
    assert py_ecc_oracle.sign(secret, key + value("operator"), document["proofTag"]) == value("proof")


def test_an_aggregate_verifies_by_py_ecc_alone() -> None:
    fixture = bls_fixtures()["bls three of four"]
    certificate, tag = fixture.certify([0, 1, 3]), "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
    secrets = [fixture.secrets[1][index] for index in (0, 1, 3)]
    assert py_ecc_oracle.is_signed(certificate.payload, fixture.batch(2).digest(), tag, secrets)
    assert not py_ecc_oracle.is_signed(certificate.payload, fixture.batch(2).digest(), tag, secrets[:2])


def test_trees_are_openzeppelins() -> None:
    lists = [[f"0x{leaf.hex()}" for leaf in example_leaves(count)] for count in TREE_COUNTS]
    completed = subprocess.run(
        ["node", str(Path(__file__).with_name("merkle_oracle.cjs"))],
        cwd=ROOT,
        input=json.dumps({"lists": lists}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    document = json.loads((DIRECTORY / "merkle.json").read_text(encoding="utf-8"))
    for case, leaves, tree in zip(document["cases"], lists, json.loads(completed.stdout), strict=True):
        assert case["leaves"] == leaves
        assert case["root"] == tree["root"]
        assert case["path"] == [tree["paths"][index] for index in case["pathIndex"]]


def test_error_data_is_eth_abis() -> None:
    examples: dict[str, Any] = {"uint8": 2, "uint64": UINT64_MAX, "uint256": 255, "bytes4": b"\x01\x02\x03\x04"}
    examples["bytes32"] = hash_of("operator")
    for name, types in ERROR_ARGUMENTS.items():
        values = [examples[type_] for type_ in types]
        selector = keccak(text=f"{name}({','.join(types)})")[:4]
        assert error_data(name, *values) == selector + encode(types, values)


def test_checksums_are_eth_utils() -> None:
    for leaf in example_leaves(64):
        assert checksum_address(leaf[12:]) == to_checksum_address(leaf[12:])


def test_keccak_is_eth_utils_at_every_block_length() -> None:
    for length in range(300):
        assert keccak256(bytes(length)) == keccak(bytes(length))


def test_the_examples_of_erc_7930_hold() -> None:
    evm = bytes.fromhex("00010000010114d8da6bf26964af9d7eed9e03e53415d37aa96045")
    assert parse_interoperable_address(evm).to_text() == "eip155:1:0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
    solana = bytes.fromhex(
        "000100022045296998a6f8e2a784db5d9f95e18fc23f70441a1039446801089879b08c7ef0"
        "2005333498d5aea4ae009585c43f7b8c30df8e70187d4a713d134f977fc8dfe0b5"
    )
    text = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d:MJKqp326RZCHnAAbew9MDdui3iCKWco7fsK9sVuZTX2"
    assert parse_interoperable_address(solana).to_text() == text
    assert parse_account_text(text).to_bytes() == solana
