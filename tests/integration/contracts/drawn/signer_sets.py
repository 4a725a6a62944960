"""Seeded signer sets, whole and broken. It judges none of them."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from attestation.schemes import Scheme, SigningKey, bls12381
from attestation.signer_set import Signer, SignerSet
from tests.integration.contracts.drawn.values import flip, uint

FIELD_PRIME: Final = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
"""Of BLS12-381: what no coordinate may reach."""


def secret(random: Random) -> bytes:
    """Good for either scheme."""
    return b"\x01" + random.randbytes(31)


def signers_of(keys: list[SigningKey], weights: list[int], operators: list[bytes]) -> tuple[Signer, ...]:
    return tuple(
        Signer(key.listed_key(operator), weight, operator)
        for key, weight, operator in zip(keys, weights, operators, strict=True)
    )


def signer_set(random: Random, scheme: Scheme, keys: list[SigningKey], valid_until: int) -> SignerSet:
    """A set that keeps the rules."""
    while True:
        weights = [random.randint(1, 9) for _ in keys]
        threshold = random.randint(sum(weights) // 2 + 1, sum(weights))
        if max(weights) < threshold:
            break
    operators = [random.randbytes(32) for _ in keys]
    return SignerSet(scheme.number, threshold, valid_until, 1000, signers_of(keys, weights, operators))


def broken_set(random: Random, whole: SignerSet, now: int) -> tuple[str, SignerSet]:
    """The set with as many as two changes, and what they are."""
    names = random.choices(tuple(_SET_CHANGES), k=random.randint(0, 2))
    changed = whole
    for name in names:
        changed = _SET_CHANGES[name](random, changed, now)
    return ", ".join(names), changed


SetChange = Callable[[Random, SignerSet, int], SignerSet]


def _with_signer(random: Random, given: SignerSet, change: Callable[[Signer], Signer]) -> SignerSet:
    if not given.signers:
        return given
    i = random.randrange(len(given.signers))
    return replace(given, signers=(*given.signers[:i], change(given.signers[i]), *given.signers[i + 1 :]))


def _other_key(random: Random, given: SignerSet) -> bytes:
    return random.choice(given.signers).key


def _opposite(random: Random, key: bytes) -> bytes:
    """Of scheme 2, the key with one half of y's, or the whole, turned to its opposite."""
    if len(key) != bls12381.KEY_LENGTH:
        return key[::-1]
    halves = [int.from_bytes(key[i : i + 48], "big") for i in (96, 144)]
    count = random.randint(1, 2)
    turned = [FIELD_PRIME - half if i < count and half < FIELD_PRIME else half for i, half in enumerate(halves)]
    return key[:96] + b"".join(half.to_bytes(48, "big") for half in turned) + key[192:]


def beyond_the_field(random: Random, key: bytes) -> bytes:
    """Of scheme 2, a key or a signature with a coordinate that is another name of the same number."""
    starts = list(range(0, len(key) - 47, 48))
    if not starts:
        return key
    start = random.choice(starts)
    number = int.from_bytes(key[start : start + 48], "big") + FIELD_PRIME
    return key[:start] + (number % (1 << 384)).to_bytes(48, "big") + key[start + 48 :]


_SET_CHANGES: Final[dict[str, SetChange]] = {
    "another scheme": lambda r, s, _: replace(s, scheme=r.choice((0, 1, 2, 3, 255))),
    "no signers": lambda _r, s, _: replace(s, signers=()),
    "too many signers": lambda r, s, _: replace(
        s, signers=tuple(Signer(r.randbytes(20), 1, bytes(32)) for _i in range(r.choice((255, 256, 257, 300))))
    ),
    "zero key": lambda r, s, _: _with_signer(r, s, lambda g: replace(g, key=bytes(len(g.key)))),
    "key of another length": lambda r, s, _: _with_signer(
        r, s, lambda g: replace(g, key=r.choice((g.key[:-1], g.key + b"\x01", b"", r.randbytes(192))))
    ),
    "flipped key": lambda r, s, _: _with_signer(r, s, lambda g: replace(g, key=flip(r, g.key))),
    "random key": lambda r, s, _: _with_signer(r, s, lambda g: replace(g, key=r.randbytes(len(g.key)))),
    "opposite key": lambda r, s, _: _with_signer(r, s, lambda g: replace(g, key=_opposite(r, g.key))),
    "key beyond the field": lambda r, s, _: _with_signer(r, s, lambda g: replace(g, key=beyond_the_field(r, g.key))),
    "another's key": lambda r, s, _: _with_signer(r, s, lambda g: replace(g, key=_other_key(r, s))),
    "another's proof": lambda r, s, _: _with_signer(
        r, s, lambda g: replace(g, key=g.key[:192] + _other_key(r, s)[192:])
    ),
    "another's operator": lambda r, s, _: _with_signer(
        r, s, lambda g: replace(g, operator=r.choice(s.signers).operator)
    ),
    "weight": lambda r, s, _: _with_signer(r, s, lambda g: replace(g, weight=uint(r, 64))),
    "threshold": lambda r, s, _: replace(s, threshold=uint(r, 64)),
    "threshold at a bound": lambda r, s, _: replace(
        s, threshold=min((1 << 64) - 1, r.choice((s.total_weight // 2, s.total_weight)) + r.randrange(2))
    ),
    "grace": lambda r, s, _: replace(s, grace_seconds=uint(r, 64)),
    "end": lambda r, s, now: replace(s, valid_until=r.choice((now - 1, now, now + 1, uint(r, 64)))),
}
