"""The binary forms give back the value that they were given, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.request import Mode, Request
from attestation.signer_set import Signer, SignerSet
from relayer.store.codec import decode_request, decode_signer_set, encode_request, encode_signer_set
from tests.factories import make_request, make_signer_set

uint32s = st.integers(0, 2**32 - 1)
uint64s = st.integers(0, 2**64 - 1)
uint256s = st.integers(0, 2**256 - 1)
words = st.binary(min_size=32, max_size=32)
blobs = st.binary(max_size=300)

requests = st.builds(
    Request,
    source_gateway=blobs,
    sender=blobs,
    destination_gateway=blobs,
    target=blobs,
    nonce=uint64s,
    mode=st.sampled_from(Mode),
    own_account=st.booleans(),
    payload=blobs,
    execution_gas_limit=uint64s,
    callback_gas_limit=uint64s,
    return_limit=uint32s,
    expiry=uint64s,
    ordered_after=uint256s,
    origin=uint256s,
    code_hash=words,
    dispute_blocks=uint32s,
    metadata=blobs,
)
signer_sets = st.builds(
    SignerSet,
    scheme=st.integers(0, 255),
    threshold=uint64s,
    valid_until=uint64s,
    grace_seconds=uint64s,
    signers=st.lists(st.builds(Signer, key=blobs, weight=uint64s, operator=words), max_size=9).map(tuple),
)


@given(requests)
def test_a_request_comes_back(request: Request) -> None:
    assert decode_request(encode_request(request)) == request


@given(signer_sets)
def test_a_signer_set_comes_back(signer_set: SignerSet) -> None:
    assert decode_signer_set(encode_signer_set(signer_set)) == signer_set


def test_a_form_of_a_newer_program_is_refused() -> None:
    with pytest.raises(ValueError, match="stored form 2"):
        decode_request(b"\x02" + encode_request(make_request())[1:])
    with pytest.raises(ValueError, match="stored form 2"):
        decode_signer_set(b"\x02" + encode_signer_set(make_signer_set())[1:])
