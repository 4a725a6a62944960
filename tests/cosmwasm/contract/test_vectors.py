"""The contract hashes and verifies as every other implementation: the golden vectors, and what Hypothesis thinks of."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attestation
from attestation.keccak import keccak256
from attestation.request import Mode, Request
from tests.cosmwasm.contract.ledger import Ledger, Refused, b64, code, hexed, request_json, request_of, word

VECTORS = Path(attestation.__file__).parent / "vectors"
MAX_U128 = 2**128 - 1


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return document


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


class Hashes:
    """A chain with the gateway's own sources on it, which show what they make of things."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        owner = self.ledger.owner
        self.contract = self.ledger.keeper.instantiate(owner, self.ledger.keeper.store_code(owner, code("hashes")), {})

    def show(self, name: str, **body: Any) -> Any:
        return self.ledger.ask(self.contract, {name: body})

    def keep(self, epoch: int, chosen: dict[str, Any], valid_until: int) -> None:
        body = {"epoch": str(epoch), "set": chosen, "valid_until": str(valid_until)}
        self.ledger.send(self.ledger.owner, self.contract, body)


@cache
def machine() -> Hashes:
    return Hashes()


def place(fields: dict[str, Any], index: int) -> dict[str, Any]:
    return {
        "height": fields["height"][index],
        "block_hash": fields["blockHash"][index],
        "tx_index": fields["txIndex"][index],
        "log_index": fields["logIndex"][index],
    }


def set_fields(case: dict[str, Any]) -> dict[str, Any]:
    signers = zip(case["keys"], case["weights"], case["operators"], strict=True)
    return {
        "scheme": case["scheme"],
        "threshold": case["threshold"],
        "valid_until": case["validUntil"],
        "grace_seconds": case["graceSeconds"],
        "signers": [{"key": key, "weight": weight, "operator": operator} for key, weight, operator in signers],
    }


def vector_requests() -> list[tuple[Request, str]]:
    document = load("requests.json")
    requests = []
    for index, identifier in enumerate(document["id"]):
        column = {name: values[index] for name, values in document.items() if name != "description"}
        asked = Request(
            raw(column["sourceGateway"]),
            raw(column["sender"]),
            raw(column["destinationGateway"]),
            raw(column["target"]),
            int(column["nonce"]),
            Mode(column["mode"]),
            column["ownAccount"],
            raw(column["payload"]),
            int(column["executionGasLimit"]),
            int(column["callbackGasLimit"]),
            column["returnLimit"],
            int(column["expiry"]),
            int(column["orderedAfter"], 16),
            int(column["origin"], 16),
            raw(column["codeHash"]),
            column["disputeBlocks"],
            raw(column["metadata"]),
        )
        requests.append((asked, identifier))
    return requests


def test_request_ids_are_the_vectors_with_the_payload_and_by_its_hash() -> None:
    for asked, identifier in vector_requests():
        assert machine().show("request_id", request=request_json(asked)) == identifier
        assert machine().show("request_id_by_hash", request=request_json(asked, by_hash=True)) == identifier


def test_a_request_is_written_as_it_is_read() -> None:
    for asked, _ in vector_requests():
        written = machine().show("request", request=request_json(asked))
        assert written == request_json(asked)
        assert request_of(written) == asked


def test_leaves_are_the_vectors() -> None:
    document = load("statements.json")
    execute, outcome, rotate = document["execute"], document["outcome"], document["rotate"]
    for index, leaf in enumerate(execute["leaf"]):
        assert machine().show("execute_leaf", request_id=execute["requestId"][index], **place(execute, index)) == leaf
    told = 0
    for index, leaf in enumerate(outcome["leaf"]):
        if raw(outcome["returnDataHash"][index]) != keccak256(b""):
            continue  # the vectors have the hash of the data alone
        fields = {
            "request_id": outcome["requestId"][index],
            "kind": outcome["kind"][index],
            "cut": bool(outcome["cut"][index]),
            "return_data": "",
            "payee": outcome["payee"][index],
            "round": outcome["round"][index],
        }
        assert machine().show("outcome_leaf", outcome={**fields, **place(outcome, index)}) == leaf
        told += 1
    assert told
    for index, leaf in enumerate(rotate["leaf"]):
        body = {"signer_set_hash": rotate["signerSetHash"][index], "new_epoch": rotate["newEpoch"][index]}
        assert machine().show("rotate_leaf", **body) == leaf


def test_roots_are_the_vectors() -> None:
    for case in load("merkle.json")["cases"]:
        assert machine().show("root", leaves=case["leaves"]) == case["root"]


def test_domains_and_digests_are_the_vectors() -> None:
    document = load("batches.json")
    for index, digest in enumerate(document["digest"]):
        shown = machine().show(
            "domain",
            gateway=document["gateway"][index],
            root=document["root"][index],
            count=document["count"][index],
            epoch=document["epoch"][index],
        )
        assert shown == {
            "separator": document["domainSeparator"][index],
            "chain_tag": document["chainTag"][index],
            "gateway_tag": document["gatewayTag"][index],
            "digest": digest,
        }


@pytest.mark.parametrize("case", load("signer_sets.json")["cases"], ids=lambda case: case["name"])
def test_signer_sets_are_the_vectors(case: dict[str, Any]) -> None:
    body = {"set": set_fields(case), "now": str(load("signer_sets.json")["now"])}
    if not case["error"]:
        assert machine().show("signer_set", **body) == case["hash"]
        return
    with pytest.raises(Refused) as refused:
        machine().show("signer_set", **body)
    assert refused.value.name == case["error"]


@cache
def verifier(name: str) -> tuple[Hashes, str]:
    """A chain that keeps the sets of one of the vectors' verifiers."""
    (chosen,) = (one for one in load("certificates.json")["verifiers"] if one["name"] == name)
    hashes = Hashes()
    for index, one in enumerate(chosen["sets"]):
        valid_until = int(one["validUntil"])
        if index + 1 < len(chosen["sets"]):
            valid_until = min(valid_until, chosen["appliedAt"][index + 1] + int(one["graceSeconds"]))
        hashes.keep(index + 1, set_fields(one), valid_until)
    return hashes, chosen["gateway"]


@pytest.mark.parametrize("case", load("certificates.json")["cases"], ids=lambda case: case["name"])
def test_certificates_are_the_vectors(case: dict[str, Any]) -> None:
    """SECURITY: what is wrong with a certificate is found, and called what it is called everywhere."""
    hashes, gateway = verifier(case["verifier"])
    body = {
        "gateway": gateway,
        "root": case["root"],
        "count": case["count"],
        "now": str(case["now"]),
        "certificate": b64(raw(case["certificate"])),
    }
    if not case["error"]:
        assert hashes.show("certificate", **body) == str(case["epoch"])
        return
    with pytest.raises(Refused) as refused:
        hashes.show("certificate", **body)
    assert refused.value.name == case["error"].split("(")[0]


def test_this_chain_s_addresses_are_as_the_vectors_have_cosmos() -> None:
    document = load("addresses.json")
    told = 0
    for index, encoded in enumerate(document["encoded"]):
        split = machine().show("split", address=encoded)
        assert split["address"] == document["address"][index]
        told += document["namespace"][index] == "cosmos"
    assert told
    own = machine().ledger
    assert own.tell("config")["gateway"] == hexed(own.address)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=700))
def test_data_hashes_as_elsewhere(data: bytes) -> None:
    assert machine().show("keccak256", data=b64(data)) == hexed(keccak256(data))
    assert machine().show("sha256", data=b64(data)) == hexed(hashlib.sha256(data).digest())
    assert machine().show("base64", text=b64(data)) == b64(data)


@settings(max_examples=60, deadline=None)
@given(st.text("ABab01+/=-_ ", max_size=12))
def test_only_one_text_of_base64_is_taken(text: str) -> None:
    try:
        is_canonical = b64encode(b64decode(text, validate=True)).decode() == text
    except ValueError:
        is_canonical = False
    if is_canonical:
        assert machine().show("base64", text=text) == text
    else:
        with pytest.raises(Refused, match="MalformedBase64"):
            machine().show("base64", text=text)


amounts = st.one_of(st.integers(0, MAX_U128), st.integers(0, 2**66), st.sampled_from([0, 1, 2**64, MAX_U128]))


@settings(max_examples=100, deadline=None)
@given(amounts, amounts, amounts)
def test_products_are_divided_without_losing_a_bit(a: int, b: int, divisor: int) -> None:
    body = {"a": str(a), "b": str(b), "divisor": str(divisor)}
    exact = divmod(a * b, divisor) if divisor else None
    if exact is None or exact[0] + bool(exact[1]) > MAX_U128:
        with pytest.raises(Refused, match="Overflow"):
            machine().show("multiply_divide", **body)
        return
    shown = machine().show("multiply_divide", **body)
    assert shown == {"down": str(exact[0]), "up": str(exact[0] + bool(exact[1]))}


def test_words_count_to_the_last_bit() -> None:
    """The widest id and the widest number are what they are."""
    body = {"signer_set_hash": word(2**256 - 1), "new_epoch": str(2**64 - 1)}
    assert len(raw(machine().show("rotate_leaf", **body))) == 32
    with pytest.raises(Refused, match="MalformedField: new_epoch"):
        machine().show("rotate_leaf", **{**body, "new_epoch": str(2**64)})
