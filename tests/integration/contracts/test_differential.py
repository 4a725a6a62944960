"""The contracts and the library `attestation` say the same of everything: seeded values, whole and broken, for both.

DIFFERENTIAL_CASES (of each kind, 100 without) and SEED make a longer run or repeat one.
"""

import os
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

import pytest
from eth_abi import decode
from web3 import Web3
from web3.contract import Contract

from attestation.address import Chain, evm_account, parse_account
from attestation.certificate import verify_certificate
from attestation.domain import domain_separator
from attestation.epochs import Epochs
from attestation.errors import MalformedAddress
from attestation.keccak import keccak256
from attestation.merkle import merkle_root
from attestation.request import request_id
from attestation.schemes import BLS12381, SECP256K1, Scheme, SigningKey, bls12381
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import Rotate
from tests.integration.contracts.drawn import certificates, signer_sets, values
from tests.integration.contracts.drawn.certificates import Signing
from tests.integration.contracts.local_gateway import CHAIN_ID, OPTIONS, VERIFIERS, LocalGateway, anvil, request_fields
from tests.integration.contracts.verdicts import (
    RETURNED,
    Question,
    Verdict,
    verdict_of_library,
    verdicts_of_contracts,
)

pytestmark = pytest.mark.anvil

CASES: Final = int(os.environ.get("DIFFERENTIAL_CASES", "100"))
SEED: Final = os.environ.get("SEED", "930")
SCHEMES: Final = (SECP256K1, BLS12381)
SIZES: Final = ((SECP256K1, 2), (SECP256K1, 7), (SECP256K1, 256), (BLS12381, 4), (BLS12381, 7))

SHOWS_ITS_CALLDATA: Final = "0x365f5f37365ffd"
"""Code that reverts with what it was called with: calldatacopy(0, 0, calldatasize()), revert(0, calldatasize())."""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalGateway]:
    with anvil(tmp_path_factory.mktemp("anvil")) as web3:
        yield LocalGateway(web3, 3, 4)


def random_of(name: str) -> Random:
    return Random(f"{SEED} {name}")


def assert_agreed(stories: Sequence[str], contracts: Sequence[Verdict], library: Sequence[Verdict]) -> None:
    for i, (story, chain, python) in enumerate(zip(stories, contracts, library, strict=True)):
        assert chain == python, f"SEED={SEED}, case {i} ({story or 'unchanged'}): contract {chain}, library {python}"


def names_of(verdicts: Sequence[Verdict]) -> set[str]:
    return {verdict[0] for verdict in verdicts}


def seconds(web3: Web3) -> int:
    return int(web3.eth.get_block("latest")["timestamp"])


def set_fields(given: SignerSet) -> tuple[Any, ...]:
    signers = [(signer.key, signer.weight, signer.operator) for signer in given.signers]
    return given.scheme, given.threshold, given.valid_until, given.grace_seconds, signers


# What is signed


def test_both_hash_requests_and_execute_statements_to_the_same_root(local: LocalGateway) -> None:
    """The gateway shows the root that it asks its verifier about: ids, leaves and tree in one."""
    random = random_of("execute")
    questions, roots = [], []
    for i in range(CASES):
        count = random.choice((1, 1, 2, 3, 255, 256, random.randint(1, 256)))
        given = sorted(random.sample(range(count), min(count, random.randint(0, 3))))
        leaves = [random.randbytes(32) for _ in range(count)]
        items = []
        for place in given:
            request = values.request(random)
            statement = values.execute(random, request_id(request))
            leaves[place] = statement.leaf
            fields = request_fields(request)
            if i % 2:
                fields["payloadHash"] = keccak256(fields.pop("payload"))
            where = (statement.height, statement.block_hash, statement.tx_index, statement.log_index)
            items.append({"request": fields, **dict(zip(LOCATION, where, strict=True))})
        batch = {
            "given": sum(1 << place for place in given),
            "bare": [leaf for place, leaf in enumerate(leaves) if place not in given],
            "items": items,
            "certificate": random.randbytes(random.randrange(99)),
        }
        data = local.gateway.encode_abi("expire" if i % 2 else "execute", [[batch], bytes(32)])
        questions.append(to_gateway(local, data))
        roots.append((merkle_root(leaves), count, batch["certificate"]))
    assert [shown_to_verifier(verdict) for verdict in verdicts_of_contracts(local.web3, questions)] == roots


def test_both_hash_outcome_statements_to_the_same_root(local: LocalGateway) -> None:
    random = random_of("deliver")
    questions, roots = [], []
    for _ in range(CASES):
        count = random.choice((1, 1, 2, 3, random.randint(1, 256)))
        given = sorted(random.sample(range(count), min(count, random.randint(0, 3))))
        leaves = [random.randbytes(32) for _ in range(count)]
        outcomes = []
        for place in given:
            return_data = values.data(random, 2000)
            it = values.outcome(random, keccak256(return_data))
            leaves[place] = it.leaf
            where = (it.height, it.block_hash, it.tx_index, it.log_index)
            identifier = int.from_bytes(it.request_id, "big")
            outcomes.append((identifier, it.kind, it.cut, *where, it.payee, it.round, return_data))
        batch = {
            "given": sum(1 << place for place in given),
            "bare": [leaf for place, leaf in enumerate(leaves) if place not in given],
            "outcomes": outcomes,
            "certificate": b"",
        }
        questions.append(to_gateway(local, local.gateway.encode_abi("deliver", [[batch]])))
        roots.append((merkle_root(leaves), count, b""))
    assert [shown_to_verifier(verdict) for verdict in verdicts_of_contracts(local.web3, questions)] == roots


LOCATION: Final = ("height", "blockHash", "txIndex", "logIndex")


def to_gateway(local: LocalGateway, calldata: str) -> Question:
    codes = {local.verifier.address: SHOWS_ITS_CALLDATA}
    return Question(local.owner.address, local.gateway.address, calldata, codes=codes)


def shown_to_verifier(verdict: Verdict) -> tuple[Any, ...]:
    """Arguments of `IXvmVerifier.verify`."""
    return tuple(decode(("bytes32", "uint32", "bytes"), verdict[1][4:]))


def test_both_have_the_same_domain_on_any_chain(local: LocalGateway) -> None:
    random = random_of("domain")
    calldata = local.verifier.encode_abi("domainSeparator")
    address = bytes.fromhex(local.gateway.address[2:])
    try:
        for chain_id in (1, 255, 256, 65_535, 65_536, *(1 + random.getrandbits(40) for _ in range(10))):
            local.web3.provider.make_request("anvil_setChainId", [chain_id])  # type: ignore[arg-type]
            question = Question(local.owner.address, local.verifier.address, calldata, ("bytes32",))
            expected = domain_separator(evm_account(chain_id, address).to_bytes())
            assert verdicts_of_contracts(local.web3, [question]) == [(RETURNED, expected)], chain_id
    finally:
        local.web3.provider.make_request("anvil_setChainId", [CHAIN_ID])  # type: ignore[arg-type]


# Addresses


def test_every_account_that_the_library_makes_is_of_the_same_chain_to_the_contracts(local: LocalGateway) -> None:
    random = random_of("accounts")
    made = [values.address(random) for _ in range(2 * CASES)]
    found = verdicts_of_contracts(local.web3, [quote(local, account.to_bytes()) for account in made])
    for account, verdict in zip(made, found, strict=True):
        expected = ("MalformedTarget",) if account.is_chain_only else ("Unrouted", hash_of(account.chain))
        assert verdict == expected, account


def test_what_the_contracts_cannot_read_the_library_refuses_and_both_refuse_what_is_cut_or_longer(
    local: LocalGateway,
) -> None:
    random = random_of("addresses")
    broken: list[tuple[bytes, bool]] = []
    while len(broken) < 2 * CASES:
        whole = values.address(random).to_bytes()
        broken += (
            (whole[: random.randrange(len(whole))], True),
            (whole + random.randbytes(random.randint(1, 3)), True),
            (values.flip(random, whole[:2]) + whole[2:], True),
            (values.flip(random, whole), False),
            (whole[:4] + random.randbytes(1) + whole[5:], False),
            (random.randbytes(random.randrange(64)), False),
        )
    found = verdicts_of_contracts(local.web3, [quote(local, data) for data, _ in broken])
    for (data, hopeless), verdict in zip(broken, found, strict=True):
        try:
            read: Verdict = ("Unrouted", hash_of(parse_account(data).chain))
        except MalformedAddress:
            assert verdict == ("MalformedTarget",) or not hopeless, data.hex()
        else:
            assert verdict == read, data.hex()


def hash_of(chain: Chain) -> bytes:
    return keccak256(chain.to_bytes())


def quote(local: LocalGateway, target: bytes) -> Question:
    """What no route leads to is named by its chain."""
    data = local.routes.encode_abi("quote", [target, 0, OPTIONS])
    return Question(local.owner.address, local.routes.address, data, ("uint256",))


# Signer sets


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_both_keep_the_same_rules_of_signer_sets_and_hash_them_alike(local: LocalGateway, scheme: Scheme) -> None:
    random = random_of(f"sets {scheme.name}")
    verifier = local.deploy(VERIFIERS[scheme.number], local.gateway.address, local.owner.address)
    now = seconds(local.web3) + 1
    keys = keys_of(random, scheme, 4)
    stories, installing, hashing, rules, hashes = [], [], [], [], []
    for _ in range(CASES):
        whole = signer_sets.signer_set(random, scheme, keys[: random.randint(2, 4)], now + 10_000)
        story, given = signer_sets.broken_set(random, whole, now)
        stories.append(story)
        data = verifier.encode_abi("install", [set_fields(given)])
        installing.append(Question(local.owner.address, verifier.address, data, seconds=now))
        rules.append(verdict_of_library(lambda given=given: _applied(Epochs(scheme.number), given, now)))
        data = verifier.encode_abi("hashSignerSet", [set_fields(given)])
        hashing.append(Question(local.owner.address, verifier.address, data, ("bytes32",)))
        hashes.append((RETURNED, signer_set_hash(given)))
    assert_agreed(stories, verdicts_of_contracts(local.web3, installing), rules)
    assert_agreed(stories, verdicts_of_contracts(local.web3, hashing), hashes)
    assert len(names_of(rules)) > 5


def _applied(epochs: Epochs, given: SignerSet, now: int) -> None:
    epochs.apply(epochs.current + 1, given, now)


def keys_of(random: Random, scheme: Scheme, count: int) -> list[SigningKey]:
    """With scheme 2 the first three cancel out: together they are nobody."""
    secrets = [signer_sets.secret(random) for _ in range(count)]
    if scheme is BLS12381 and count > 3:
        sum_of_two = int.from_bytes(secrets[0], "big") + int.from_bytes(secrets[1], "big")
        secrets[2] = (-sum_of_two % bls12381.ORDER).to_bytes(32, "big")
    return [scheme.signing_key(secret) for secret in secrets]


# Certificates


HAS_NO_VERIFIER: Final = "0x60205ff3"
"""Code of a gateway before its first verifier: it answers everything with a zero word."""


def signing_of(local: LocalGateway, random: Random, scheme: Scheme, count: int) -> tuple[Contract, Signing]:
    """A verifier for some gateway: epoch 1 in its grace, epoch 2 the newest."""
    address = random.randbytes(20)
    gateway = evm_account(CHAIN_ID, address).to_bytes()
    local.web3.provider.make_request("anvil_setCode", ["0x" + address.hex(), HAS_NO_VERIFIER])  # type: ignore[arg-type]
    verifier = local.deploy(VERIFIERS[scheme.number], Web3.to_checksum_address(address), local.owner.address)
    keys = keys_of(random, scheme, count), keys_of(random, scheme, count)
    sets = [signer_sets.signer_set(random, scheme, each, seconds(local.web3) + 100_000) for each in keys]
    local.send(local.owner, verifier.functions.install(set_fields(sets[0])))
    epochs = Epochs(scheme.number).apply(1, sets[0], seconds(local.web3))
    signing = Signing(scheme, gateway, keys, epochs)
    certificate = certificates.certificate_for(random, signing, 1, Rotate(signer_set_hash(sets[1]), 2).leaf)
    local.send(local.owner, verifier.functions.rotate(set_fields(sets[1]), certificate))
    return verifier, Signing(scheme, gateway, keys, epochs.apply(2, sets[1], seconds(local.web3)))


@pytest.mark.parametrize(("scheme", "count"), SIZES, ids=lambda given: getattr(given, "name", given))
def test_both_take_the_same_certificates_and_name_the_same_fault(
    local: LocalGateway, scheme: Scheme, count: int
) -> None:
    random = random_of(f"certificates {scheme.name} {count}")
    verifier, signing = signing_of(local, random, scheme, count)
    now = seconds(local.web3) + 1
    stories, questions, expected = [], [], []
    for _ in range(CASES):
        shown = certificates.shown(random, signing, now)
        stories.append(shown.story)
        data = verifier.encode_abi("verify", [shown.root, shown.count, shown.certificate])
        questions.append(Question(local.owner.address, verifier.address, data, ("uint64",), shown.now))
        expected.append(
            verdict_of_library(
                lambda shown=shown: verify_certificate(
                    signing.gateway, shown.root, shown.count, shown.certificate, signing.epochs, shown.now
                )
            )
        )
    assert_agreed(stories, verdicts_of_contracts(local.web3, questions), expected)
    assert len(names_of(expected)) > 5


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_both_rotate_to_the_same_sets(local: LocalGateway, scheme: Scheme) -> None:
    random = random_of(f"rotations {scheme.name}")
    verifier, signing = signing_of(local, random, scheme, 4)
    now = seconds(local.web3) + 1
    keys = keys_of(random, scheme, 4)
    stories, questions, expected = [], [], []
    for _ in range(CASES):
        whole = signer_sets.signer_set(random, scheme, keys, now + 10_000)
        story, given = signer_sets.broken_set(random, whole, now)
        named = signer_set_hash(random.choice((given, given, given, whole)))
        certificate = certificates.certificate_for(random, signing, 2, Rotate(named, random.choice((3, 3, 3, 4))).leaf)
        stories.append(story)
        data = verifier.encode_abi("rotate", [set_fields(given), certificate])
        questions.append(Question(local.owner.address, verifier.address, data, seconds=now))
        expected.append(verdict_of_library(lambda given=given, shown=certificate: _rotated(signing, given, shown, now)))
    assert_agreed(stories, verdicts_of_contracts(local.web3, questions), expected)
    assert len(names_of(expected)) > 5


def _rotated(signing: Signing, given: SignerSet, certificate: bytes, now: int) -> None:
    leaf = Rotate(signer_set_hash(given), signing.epochs.current + 1).leaf
    verify_certificate(signing.gateway, leaf, 1, certificate, signing.epochs, now)
    _applied(signing.epochs, given, now)
