"""Values that several vector files and tests share. Keys are worthless: each secret is the hash of its public label."""

from collections.abc import Sequence
from typing import Any, Final

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.schemes import BLS12381, SECP256K1, Scheme, SigningKey
from attestation.schemes.bls12381 import ORDER as BLS_ORDER
from attestation.signer_set import Signer, SignerSet, signer_set_hash

UINT32_MAX: Final = 2**32 - 1
UINT64_MAX: Final = 2**64 - 1
UINT256_MAX: Final = 2**256 - 1

DEPLOYED_AT: Final = 1_700_000_000
ROTATED_AT: Final = 1_700_100_000
GRACE_SECONDS: Final = 86_400
VALID_UNTIL: Final = 1_900_000_000

SOLANA_MAINNET: Final = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"


def text_of(data: bytes) -> str:
    """0x and lower-case hex."""
    return f"0x{data.hex()}"


def word_of(number: int) -> str:
    """A uint256 as 0x and 64 digits."""
    return f"0x{number:064x}"


def hash_of(label: str) -> bytes:
    """32 arbitrary bytes with a name."""
    return keccak256(label.encode())


def account_of(chain_id: int, label: str) -> bytes:
    """The ERC-7930 bytes of an arbitrary eip155 account with a name."""
    return evm_account(chain_id, hash_of(label)[12:]).to_bytes()


SOURCE_GATEWAY: Final = account_of(31337, "source gateway")
DESTINATION_GATEWAY: Final = account_of(31338, "destination gateway")
SENDER: Final = account_of(31337, "sender")
TARGET: Final = account_of(31338, "target")


def example_leaves(count: int) -> list[bytes]:
    """Arbitrary leaves, the same whatever the count."""
    return [hash_of(f"leaf {index}") for index in range(count)]


def example_secrets(name: str, count: int) -> list[bytes]:
    """Secrets that anyone can compute."""
    return [hash_of(f"xvm test key {name} {index}") for index in range(count)]


def example_keys(name: str, count: int) -> list[SigningKey]:
    """The signing keys of `example_secrets`."""
    return [SECP256K1.signing_key(secret) for secret in example_secrets(name, count)]


def bls_secrets(name: str, count: int) -> list[bytes]:
    """`example_secrets`, below the order of scheme 2."""
    return [(int.from_bytes(secret, "big") % BLS_ORDER).to_bytes(32, "big") for secret in example_secrets(name, count)]


ERROR_ARGUMENTS: Final = {
    "MalformedCertificate": (),
    "WrongScheme": ("uint8",),
    "OtherChain": ("bytes4",),
    "OtherGateway": ("bytes4",),
    "ZeroRoot": (),
    "EmptyBatch": (),
    "UnknownEpoch": ("uint64",),
    "ExpiredEpoch": ("uint64",),
    "UnknownSigner": ("uint256",),
    "HighS": ("uint256",),
    "RepeatedSigner": ("uint256",),
    "SignerOutOfOrder": ("uint256",),
    "ForgedSignature": ("uint256",),
    "ForgedAggregate": (),
    "BelowThreshold": ("uint256", "uint256"),
    "EmptySignerSet": (),
    "TooManySigners": ("uint256",),
    "MalformedKey": ("uint256",),
    "ZeroKey": ("uint256",),
    "RepeatedKey": ("uint256",),
    "ZeroWeight": ("uint256",),
    "ThresholdTooLow": ("uint256", "uint256"),
    "ThresholdTooHigh": ("uint256", "uint256"),
    "OperatorTooHeavy": ("bytes32",),
    "ZeroGrace": (),
    "ExpiredSignerSet": ("uint64",),
    "UnprovenKey": ("uint256",),
}
"""The arguments of the errors that a verifier contract raises, by name."""


def error_data(name: str, *arguments: int | bytes) -> bytes:
    """What a contract reverts with: selector and ABI-encoded arguments. Nothing for no error."""
    if not name:
        return b""
    types = ERROR_ARGUMENTS[name]
    words = [
        argument.ljust(32, b"\x00") if isinstance(argument, bytes) else argument.to_bytes(32, "big")
        for _, argument in zip(types, arguments, strict=True)
    ]
    return keccak256(f"{name}({','.join(types)})".encode())[:4] + b"".join(words)


def set_of_secrets(
    secrets: Sequence[bytes], weights: Sequence[int], threshold: int, scheme: Scheme = SECP256K1
) -> SignerSet:
    """The set of these secrets' keys, an operator each."""
    return SignerSet(
        scheme=scheme.number,
        threshold=threshold,
        valid_until=VALID_UNTIL,
        grace_seconds=GRACE_SECONDS,
        signers=tuple(
            Signer(
                scheme.signing_key(secret).listed_key(hash_of(f"operator {index}")),
                weight,
                hash_of(f"operator {index}"),
            )
            for index, (secret, weight) in enumerate(zip(secrets, weights, strict=True))
        ),
    )


def example_set(name: str, weights: Sequence[int], threshold: int) -> SignerSet:
    """The set of the first `example_secrets` with this name."""
    return set_of_secrets(example_secrets(name, len(weights)), weights, threshold)


FOUR: Final = example_set("four", [1] * 4, 3)
NINETEEN: Final = example_set("nineteen", [1] * 19, 13)
BLS_FOUR: Final = set_of_secrets(bls_secrets("four", 4), [1] * 4, 3, BLS12381)
WEIGHTED: Final = example_set("weighted", [10, 20, 30, 15], 51)


def set_json(signer_set: SignerSet) -> dict[str, Any]:
    """A set and its hash, field by field."""
    signers = signer_set.signers
    return {
        "scheme": signer_set.scheme,
        "threshold": str(signer_set.threshold),
        "validUntil": str(signer_set.valid_until),
        "graceSeconds": str(signer_set.grace_seconds),
        "keys": [text_of(signer.key) for signer in signers],
        "weights": [str(signer.weight) for signer in signers],
        "operators": [text_of(signer.operator) for signer in signers],
        "hash": text_of(signer_set_hash(signer_set)),
    }
