"""What signatures cost, of both schemes: one signature, one of a peer checked, a certificate of three checked.

Run: `python -m tests.bench.signatures`. Prints a JSON object of microseconds of CPU; asserts nothing: machines differ.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import orjson

from attestation.schemes import BLS12381, SECP256K1, Scheme, SigningKey
from tests.bench.evm import ROUNDS, microseconds
from tests.factories import LONG_KEYS, SIGNING_KEYS, word

_QUORUM = 3


def measure_scheme(scheme: Scheme, keys: Sequence[SigningKey], count: int) -> dict[str, float]:
    """Each figure of `count` digests that nobody has seen before."""
    public = [key.key for key in keys]
    signing, single, several = (
        iter([[word(scheme.name, use, number, turn) for number in range(count)] for turn in range(ROUNDS)])
        for use in ("sign", "one", "quorum")
    )
    signed = iter([[(digest, scheme.pack([keys[0].sign(digest)])) for digest in some] for some in single])
    certified = iter(
        [[(digest, scheme.pack([key.sign(digest) for key in keys[:_QUORUM]])) for digest in some] for some in several]
    )

    def sign() -> None:
        for digest in next(signing):
            keys[0].sign(digest)

    def verify() -> None:
        for digest, payload in next(signed):
            scheme.verify_payload(payload, digest, public[:1], (0,))

    def verify_quorum() -> None:
        for digest, payload in next(certified):
            scheme.verify_payload(payload, digest, public, range(_QUORUM))

    return {
        f"sign_{scheme.name}_us": microseconds(count, sign),
        f"verify_{scheme.name}_us": microseconds(count, verify),
        f"verify_three_{scheme.name}_us": microseconds(count, verify_quorum),
    }


def measure() -> dict[str, float]:
    """All figures. Microseconds are CPU time of this process."""
    return {**measure_scheme(SECP256K1, SIGNING_KEYS, 500), **measure_scheme(BLS12381, LONG_KEYS, 30)}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(measure(), option=orjson.OPT_INDENT_2).decode() + "\n")
