"""The program hashes what every other implementation hashes: the golden vectors, and whatever Hypothesis thinks of."""

from __future__ import annotations

import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from build_program import compile_program
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.instruction import Instruction
from solders.pubkey import Pubkey

import attestation
from attestation.request import Mode, Request, request_id
from attestation.signer_set import signer_set_hash
from tests.svm.program import idl
from tests.svm.program.ledger import (
    BASE,
    PROGRAM,
    Ledger,
    Refused,
    epoch_address,
    request_of,
    set_args,
    signer_set,
    signing_keys,
)

VECTORS = Path(attestation.__file__).parent / "vectors"
HASHES = Pubkey(bytes([9] * 32))
REQUEST_ID, EXECUTE_LEAF, OUTCOME_LEAF, ROTATE_LEAF, DOMAIN, DIGEST, PATH = range(1, 8)


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return document


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@cache
def machine() -> Ledger:
    ledger = Ledger()
    source = Path(__file__).with_name("hashes.c")
    ledger.svm.add_program(HASHES, compile_program(source, ("sol_set_return_data",)))
    return ledger


def shown(what: int, data: bytes) -> bytes:
    """What the program's code makes of it."""
    return machine().send(Instruction(HASHES, bytes([what]) + data, [])).return_data


def place(fields: dict[str, Any], index: int) -> bytes:
    return (
        struct.pack("<Q", int(fields["height"][index]))
        + raw(fields["blockHash"][index])
        + struct.pack("<II", fields["txIndex"][index], fields["logIndex"][index])
    )


def request_bytes(asked: Request) -> bytes:
    fields = {name: getattr(asked, name) for name in asked.__slots__}
    for name in ("ordered_after", "origin"):
        fields[name] = fields[name].to_bytes(32, "big")
    return idl.encode({"defined": {"name": "Request"}}, fields)


def test_request_ids_are_the_vectors() -> None:
    document = load("requests.json")
    for index in range(len(document["name"])):
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
        assert shown(REQUEST_ID, request_bytes(asked)) == raw(column["id"])


def test_leaves_are_the_vectors() -> None:
    document = load("statements.json")
    execute, outcome, rotate = document["execute"], document["outcome"], document["rotate"]
    for index, leaf in enumerate(execute["leaf"]):
        assert shown(EXECUTE_LEAF, raw(execute["requestId"][index]) + place(execute, index)) == raw(leaf)
    for index, leaf in enumerate(outcome["leaf"]):
        data = (
            raw(outcome["requestId"][index])
            + bytes([outcome["kind"][index], outcome["cut"][index]])
            + raw(outcome["returnDataHash"][index])
            + place(outcome, index)
            + raw(outcome["payee"][index])
            + struct.pack("<I", outcome["round"][index])
        )
        assert shown(OUTCOME_LEAF, data) == raw(leaf)
    for index, leaf in enumerate(rotate["leaf"]):
        data = raw(rotate["signerSetHash"][index]) + struct.pack("<Q", int(rotate["newEpoch"][index]))
        assert shown(ROTATE_LEAF, data) == raw(leaf)


def test_domains_and_digests_are_the_vectors() -> None:
    document = load("batches.json")
    for index, digest in enumerate(document["digest"]):
        separator = shown(DOMAIN, raw(document["salt"][index]))
        assert separator == raw(document["domainSeparator"][index])
        counts = struct.pack("<IQ", document["count"][index], int(document["epoch"][index]))
        assert shown(DIGEST, separator + raw(document["root"][index]) + counts) == raw(digest)


def test_paths_are_the_vectors() -> None:
    for case in load("merkle.json")["cases"]:
        root = raw(case["root"])
        for index, path in zip(case["pathIndex"], case["path"], strict=True):
            steps = b"".join(raw(step) for step in path)
            leaf = raw(case["leaves"][index])
            assert shown(PATH, leaf + root + steps)[0] == 1
            assert shown(PATH, leaf[::-1] + root + steps)[0] == 0


def test_signer_sets_are_the_vectors() -> None:
    """But for the one that this gateway is too small for: more than 128 signers."""
    document = load("signer_sets.json")
    too_much = {"full": "TooManySigners"}
    for case in document["cases"]:
        ledger = Ledger()
        ledger.set_time(document["now"], 1)
        ledger.initialize()
        signers = zip(case["keys"], case["weights"], case["operators"], strict=True)
        args = {
            "scheme": case["scheme"],
            "threshold": int(case["threshold"]),
            "valid_until": int(case["validUntil"]),
            "grace_seconds": int(case["graceSeconds"]),
            "signers": [
                {"key": raw(key), "weight": int(weight), "operator": raw(operator)} for key, weight, operator in signers
            ],
        }
        error = too_much.get(case["name"], case["error"])
        if error:
            with pytest.raises(Refused) as refusal:
                install(ledger, args)
            assert refusal.value.name == error, case["name"]
        else:
            assert install(ledger, args)["signer_set_hash"] == raw(case["hash"])


def install(ledger: Ledger, args: dict[str, Any]) -> dict[str, Any]:
    """The payer, who stages, becomes the owner first."""
    places = {**BASE, "owner": ledger.payer.pubkey(), "next_epoch": epoch_address(1)}
    ledger.call(
        "transfer_ownership",
        {"owner": ledger.owner.pubkey()},
        {"new_owner": ledger.payer.pubkey()},
        signers=[ledger.owner],
    )
    ledger.call("accept_ownership", {"new_owner": ledger.payer.pubkey()}, signers=[])
    step = idl.instruction(PROGRAM, "install", places, {"signer_set": args})
    return ledger.send_staged(step).event("XVMEpochApplied")


def test_the_largest_set_is_installed_and_told_whole() -> None:
    ledger = Ledger()
    ledger.initialize()
    chosen = signer_set(signing_keys(128), 86)
    event = install(ledger, set_args(chosen))
    assert event["signer_set_hash"] == signer_set_hash(chosen)
    assert event["signer_set"] == set_args(chosen)


WORDS = st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, 2**64 - 1)


@settings(max_examples=40, deadline=None)
@given(
    asked=st.builds(
        Request,
        *[st.binary(max_size=70)] * 4,
        NUMBERS,
        st.sampled_from(Mode),
        st.booleans(),
        st.binary(max_size=80),
        NUMBERS,
        NUMBERS,
        st.integers(0, 2**32 - 1),
        NUMBERS,
        st.integers(0, 2**256 - 1),
        st.integers(0, 2**256 - 1),
        WORDS,
        st.integers(0, 2**32 - 1),
        st.binary(max_size=80),
    )
)
def test_any_request_has_one_id(asked: Request) -> None:
    encoded = request_bytes(asked)
    assert shown(REQUEST_ID, encoded) == request_id(asked)
    fields = idl.decode({"defined": {"name": "Request"}}, encoded, 0)[0]
    assert request_of(fields) == asked
