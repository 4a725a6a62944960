"""The one hash of the protocol, by either library that computes it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from attestation.keccak import keccak256

EMPTY = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
ABC = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_it_is_ethereums_variant() -> None:
    assert keccak256(b"").hex() == EMPTY
    assert keccak256(b"abc").hex() == ABC


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_every_platforms_library_gives_the_same(platform: str) -> None:
    program = (
        f"import sys; sys.platform = {platform!r}; from attestation.keccak import keccak256; "
        "print(keccak256(b'').hex(), keccak256(b'abc').hex(), keccak256(bytes(range(256))).hex())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [EMPTY, ABC, keccak256(bytes(range(256))).hex()]
