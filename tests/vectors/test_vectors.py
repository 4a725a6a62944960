"""The shipped vectors are what the package computes, and the package accepts what they say."""

import json
from typing import Any

import pytest

from attestation.address import Chain, Namespace, parse_interoperable_address
from attestation.batch import Batch
from attestation.certificate import parse_certificate, verify_certificate
from attestation.epochs import Epochs
from attestation.errors import AttestationError, CertificateError, MalformedAddress
from attestation.evidence import verify_equivocation
from attestation.evidence_file import parse_evidence
from attestation.keccak import keccak256
from attestation.merkle import merkle_path, merkle_root, verify_path
from attestation.schemes import BLS12381
from attestation.schemes.secp256k1 import recover
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from attestation.statement import Rotate
from attestation.statement_codec import encode_statements, parse_statements
from tests.vectors.examples import error_data
from tests.vectors.generate_vectors import DIRECTORY, FILES, render
from tests.vectors.message_vectors import address_of_text


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DIRECTORY / name).read_text(encoding="utf-8"))
    return document


def set_of(fields: dict[str, Any]) -> SignerSet:
    signers = zip(fields["keys"], fields["weights"], fields["operators"], strict=True)
    return SignerSet(
        fields["scheme"],
        int(fields["threshold"]),
        int(fields["validUntil"]),
        int(fields["graceSeconds"]),
        tuple(Signer(bytes_of(key), int(weight), bytes_of(operator)) for key, weight, operator in signers),
    )


def assert_revert_data(error: AttestationError, case: dict[str, Any]) -> None:
    """The error has the name and the arguments, in order, with which a contract reverts, and it says something."""
    assert error.code == case["error"], case["name"]
    assert error_data(error.code, *vars(error).values()) == bytes_of(case["errorData"])
    assert str(error)
    assert "None" not in str(error)


@pytest.mark.parametrize("name", FILES)
def test_vectors_regenerate_byte_for_byte(name: str) -> None:
    assert (DIRECTORY / name).read_text(encoding="utf-8") == render(name)


def test_no_other_vector_file_is_shipped() -> None:
    assert {path.name for path in DIRECTORY.glob("*.json")} == set(FILES)


def test_addresses_go_both_ways() -> None:
    document = load("addresses.json")
    columns = ("text", "bech32Prefix", "namespace", "chainReference", "address", "encoded", "encodedHash")
    for text, prefix, namespace, reference, account, encoded, encoded_hash in zip(
        *(document[column] for column in columns), strict=True
    ):
        parsed = parse_interoperable_address(bytes_of(encoded))
        assert parsed.chain == Chain(Namespace(namespace), bytes_of(reference))
        assert parsed.address == bytes_of(account)
        assert parsed.to_bytes() == bytes_of(encoded)
        assert parsed.to_text(prefix or None) == text
        assert address_of_text(text) == parsed
        assert keccak256(bytes_of(encoded)) == bytes_of(encoded_hash)


def test_rejected_addresses_are_rejected() -> None:
    document = load("addresses.json")
    assert len(document["rejectedName"]) == len(document["rejectedEncoded"])
    for encoded in document["rejectedEncoded"]:
        with pytest.raises(MalformedAddress):
            parse_interoperable_address(bytes_of(encoded))


def test_encoded_statements_parse_to_the_statements_of_the_file() -> None:
    document = load("statements.json")
    statements = parse_statements(bytes_of(document["encoded"]))
    assert encode_statements(statements) == bytes_of(document["encoded"])
    leaves = [leaf for kind in ("execute", "outcome", "rotate", "prices") for leaf in document[kind]["leaf"]]
    assert [statement.leaf for statement in statements] == [bytes_of(leaf) for leaf in leaves]


def test_trees_have_their_roots_and_paths() -> None:
    for case in load("merkle.json")["cases"]:
        leaves = [bytes_of(leaf) for leaf in case["leaves"]]
        assert len(leaves) == case["count"]
        assert merkle_root(leaves) == bytes_of(case["root"])
        for index, texts in zip(case["pathIndex"], case["path"], strict=True):
            path = tuple(bytes_of(text) for text in texts)
            assert merkle_path(leaves, index) == path
            verify_path(bytes_of(case["root"]), leaves[index], path)


@pytest.mark.parametrize(("name", "scheme"), [("signer_sets.json", 1), ("bls_signer_sets.json", 2)])
def test_signer_sets_register_or_fail_as_named(name: str, scheme: int) -> None:
    document = load(name)
    for case in document["cases"]:
        signer_set = set_of(case)
        assert signer_set_hash(signer_set) == bytes_of(case["hash"])
        if case["error"]:
            with pytest.raises(AttestationError) as caught:
                Epochs(scheme).apply(1, signer_set, document["now"])
            assert_revert_data(caught.value, case)
        else:
            assert Epochs(scheme).apply(1, signer_set, document["now"]).current == 1


def test_bls_signatures_and_proofs_are_those_of_their_keys() -> None:
    document = load("bls12381.json")
    columns = ("secret", "publicKey", "digest", "signature", "operator", "proof")
    for texts in zip(*(document[column] for column in columns), strict=True):
        secret, public_key, digest, signature, operator, proof = map(bytes_of, texts)
        key = BLS12381.signing_key(secret)
        assert (key.key, key.sign(digest)) == (public_key, signature)
        assert key.listed_key(operator) == public_key + proof
        BLS12381.verify_payload(signature, digest, [public_key], [0])
        assert BLS12381.is_proven_key(public_key + proof, operator)


def test_peer_messages_recover_to_their_sender() -> None:
    document = load("peer_messages.json")
    for digest, signature in zip(document["digest"], document["signature"], strict=True):
        assert recover(bytes_of(digest), bytes_of(signature)) == bytes_of(document["senderKey"])


CERTIFICATES = [load("certificates.json"), load("bls_certificates.json")]
VERIFIERS = {verifier["name"]: verifier for document in CERTIFICATES for verifier in document["verifiers"]}
CASES = [case for document in CERTIFICATES for case in document["cases"]]


def epochs_of(verifier: dict[str, Any]) -> Epochs:
    """The verifier's view, built up by verifying the rotation as its contract does."""
    first, second = (set_of(fields) for fields in verifier["sets"])
    deployed_at, rotated_at = verifier["appliedAt"]
    epochs = Epochs(first.scheme).apply(1, first, deployed_at)
    leaf = Rotate(signer_set_hash(second), 2).leaf
    assert leaf == bytes_of(verifier["rotationLeaf"])
    batch = Batch.of_leaves(bytes_of(verifier["gateway"]), [leaf], 1)
    certificate = bytes_of(verifier["rotationCertificate"])
    assert verify_certificate(batch.gateway, batch.root, batch.count, certificate, epochs, rotated_at) == 1
    return epochs.apply(2, second, rotated_at)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_certificate_is_taken_or_refused_as_named(case: dict[str, Any]) -> None:
    verifier = VERIFIERS[case["verifier"]]
    epochs, certificate = epochs_of(verifier), bytes_of(case["certificate"])
    arguments = (bytes_of(verifier["gateway"]), bytes_of(case["root"]), case["count"], certificate, epochs, case["now"])
    if case["error"]:
        with pytest.raises(CertificateError if case["error"] != "EmptyBatch" else AttestationError) as caught:
            verify_certificate(*arguments)
        assert_revert_data(caught.value, case)
    else:
        assert verify_certificate(*arguments) == case["epoch"]
        assert parse_certificate(certificate).to_bytes() == certificate


def test_every_error_of_a_certificate_has_a_vector() -> None:
    abstract = {"SignatureError", "SignerSignatureError"}
    concrete = {cls.__name__ for cls in _subclasses(CertificateError)} - abstract
    assert {case["error"] for case in CASES if case["error"]} == concrete | {"EmptyBatch"}


@pytest.mark.parametrize("case", load("evidence.json")["cases"], ids=lambda case: case["name"])
def test_evidence_convicts_or_fails_as_named(case: dict[str, Any]) -> None:
    evidence = parse_evidence(json.dumps(case["evidence"]))
    assert case["leaves"] == [f"0x{signed.statement.leaf.hex()}" for signed in (evidence.first, evidence.second)]
    if case["error"]:
        with pytest.raises(AttestationError) as caught:
            verify_equivocation(evidence, evidence.signer_key)
        assert caught.value.code == case["error"]
    else:
        verify_equivocation(evidence, evidence.signer_key)


def _subclasses(cls: type[AttestationError]) -> set[type[AttestationError]]:
    direct = set(cls.__subclasses__())
    return direct.union(*(_subclasses(child) for child in direct))
