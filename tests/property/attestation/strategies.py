"""Hypothesis strategies for the values of the attestation package."""

from hypothesis import strategies as st

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.batch import Batch
from attestation.request import Mode, Request, RequestId
from attestation.statement import Execute, Outcome, OutcomeKind, Prices, Rotate, Statement

uint32s = st.integers(0, 2**32 - 1)
uint64s = st.integers(0, 2**64 - 1)
uint256s = st.integers(0, 2**256 - 1)
words = st.binary(min_size=32, max_size=32)
request_ids = words.map(RequestId)

numbered_chains = st.builds(
    Chain.numbered, st.sampled_from([Namespace.EIP155, Namespace.APTOS, Namespace.QVM]), st.integers(1, 2**256 - 1)
)
solana_chains = words.map(lambda genesis: Chain(Namespace.SOLANA, genesis))
cosmos_chains = st.from_regex(rb"[-_a-zA-Z0-9]{1,32}", fullmatch=True).map(lambda name: Chain(Namespace.COSMOS, name))
chains = st.one_of(numbered_chains, solana_chains, cosmos_chains)

LENGTHS = {
    Namespace.EIP155: [20],
    Namespace.SOLANA: [32],
    Namespace.COSMOS: [20, 32],
    Namespace.APTOS: [32],
    Namespace.QVM: [20],
}


@st.composite
def accounts(draw: st.DrawFn) -> InteroperableAddress:
    chain = draw(chains)
    length = draw(st.sampled_from(LENGTHS[chain.namespace]))
    return InteroperableAddress(chain, draw(st.binary(min_size=length, max_size=length)))


addresses = st.one_of(accounts(), chains.map(lambda chain: InteroperableAddress(chain, b"")))
bech32_prefixes = st.from_regex(r"[a-z][a-z0-9]{0,30}", fullmatch=True)

requests = st.builds(
    Request,
    source_gateway=st.binary(max_size=60),
    sender=st.binary(max_size=60),
    destination_gateway=st.binary(max_size=60),
    target=st.binary(max_size=60),
    nonce=uint64s,
    mode=st.sampled_from(Mode),
    own_account=st.booleans(),
    payload=st.binary(max_size=300),
    execution_gas_limit=uint64s,
    callback_gas_limit=uint64s,
    return_limit=uint32s,
    expiry=uint64s,
    ordered_after=uint256s,
    origin=uint256s,
    code_hash=words,
    dispute_blocks=uint32s,
    metadata=st.binary(max_size=300),
)

executes = st.builds(Execute, request_ids, uint64s, words, uint32s, uint32s)
outcomes = st.builds(
    Outcome,
    request_ids,
    st.sampled_from(OutcomeKind),
    st.booleans(),
    words,
    uint64s,
    words,
    uint32s,
    uint32s,
    words,
    uint32s,
)
statements: st.SearchStrategy[Statement] = st.one_of(
    executes, outcomes, st.builds(Rotate, words, uint64s), st.builds(Prices, words, uint64s, uint64s)
)
gateways = st.builds(
    lambda chain_id, address: evm_account(chain_id, address).to_bytes(),
    st.integers(1, 2**32),
    st.binary(min_size=20, max_size=20),
)
batches = st.builds(Batch, gateways, words.filter(any), st.integers(1, 256), st.integers(1, 2**64 - 1))
