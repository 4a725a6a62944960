"""Seeded certificates, whole and broken, of a verifier that has rotated once. It judges none of them."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from attestation.address import evm_account
from attestation.domain import batch_digest, chain_tag, gateway_tag
from attestation.epochs import Epochs
from attestation.schemes import BLS12381, Scheme, SigningKey
from attestation.schemes.secp256k1 import ORDER
from attestation.signer_set import SignerSet
from tests.integration.contracts.drawn.signer_sets import FIELD_PRIME, beyond_the_field, secret
from tests.integration.contracts.drawn.values import flip, uint


@dataclass(frozen=True)
class Signing:
    """A verifier that has applied two epochs: who signs for which gateway, and what the library knows of it."""

    scheme: Scheme
    gateway: bytes
    keys: tuple[list[SigningKey], list[SigningKey]]
    epochs: Epochs

    def set_of(self, epoch: int) -> SignerSet:
        return self.epochs.applied[epoch].signer_set


@dataclass
class Draft:
    """A certificate in the making, what it is shown for, and when."""

    root: bytes
    count: int
    epoch: int
    now: int
    scheme: int
    chain_tag: bytes
    gateway_tag: bytes
    bitmap: int
    signatures: list[bytes]
    digest: bytes

    def to_bytes(self, payload: bytes) -> bytes:
        head = (self.scheme.to_bytes(1, "big"), self.epoch.to_bytes(8, "big"), self.chain_tag, self.gateway_tag)
        return b"".join((*head, self.bitmap.to_bytes(32, "big"), payload))


@dataclass(frozen=True)
class Shown:
    """What a verifier is shown: `certificate` for `count` leaves of `root` at `now`."""

    story: str
    root: bytes
    count: int
    certificate: bytes
    now: int


def shown(random: Random, signing: Signing, now: int) -> Shown:
    """A certificate of a random quorum, or of fewer, with as many as two changes."""
    epoch = random.choice((1, 2))
    root, count = random.randbytes(32), random.choice((1, 256, random.randint(1, 256), uint(random, 32)))
    draft = _signed(random, signing, epoch, root, count, now)
    names = random.choices(tuple(_CHANGES), k=random.randint(0, 2))
    for name in names:
        _CHANGES[name](random, signing, draft)
    payload = signing.scheme.pack(draft.signatures)
    (name,) = random.choices(tuple(_BYTE_CHANGES), weights=(15, *[1] * 7))
    certificate = _BYTE_CHANGES[name](random, draft, payload)
    return Shown(", ".join((*names, name)), draft.root, draft.count, certificate, draft.now)


def certificate_for(random: Random, signing: Signing, epoch: int, root: bytes) -> bytes:
    """What all signers of the epoch signed for a batch of one."""
    draft = _signed(random, signing, epoch, root, 1, 0, by_all=True)
    return draft.to_bytes(signing.scheme.pack(draft.signatures))


def _signed(
    random: Random, signing: Signing, epoch: int, root: bytes, count: int, now: int, *, by_all: bool = False
) -> Draft:
    members = signing.set_of(epoch)
    order = random.sample(range(len(members.signers)), len(members.signers))
    stop = members.threshold if random.random() < 0.8 else random.randrange(members.threshold)
    if by_all:
        stop = members.total_weight
    chosen: list[int] = []
    while sum(members.signers[i].weight for i in chosen) < stop:
        chosen.append(order.pop())
    digest = batch_digest(signing.gateway, root, count, epoch)
    return Draft(
        root=root,
        count=count,
        epoch=epoch,
        now=now,
        scheme=signing.scheme.number,
        chain_tag=chain_tag(signing.gateway),
        gateway_tag=gateway_tag(signing.gateway),
        bitmap=sum(1 << i for i in chosen),
        signatures=[signing.keys[epoch - 1][i].sign(digest) for i in sorted(chosen)],
        digest=digest,
    )


Change = Callable[[Random, Signing, Draft], None]


def _set(**values: Callable[[Random, Signing, Draft], object]) -> Change:
    def change(random: Random, signing: Signing, draft: Draft) -> None:
        for name, value in values.items():
            setattr(draft, name, value(random, signing, draft))

    return change


def _sign_all_again(random: Random, signing: Signing, draft: Draft) -> None:
    """Another digest: another root, count, epoch or gateway."""
    other = evm_account(31337, random.randbytes(20)).to_bytes()
    digest = random.choice(
        (
            batch_digest(signing.gateway, random.randbytes(32), draft.count, draft.epoch),
            batch_digest(signing.gateway, draft.root, draft.count ^ 1, draft.epoch),
            batch_digest(signing.gateway, draft.root, draft.count, draft.epoch ^ 3),
            batch_digest(other, draft.root, draft.count, draft.epoch),
        )
    )
    keys = signing.keys[(draft.epoch - 1) % 2]
    draft.signatures = [keys[i].sign(digest) for i in range(len(keys)) if draft.bitmap >> i & 1]


def _with_signature(change: Callable[[Random, Signing, Draft, int], bytes]) -> Change:
    def at_random(random: Random, signing: Signing, draft: Draft) -> None:
        if draft.signatures:
            i = random.randrange(len(draft.signatures))
            draft.signatures[i] = change(random, signing, draft, i)

    return at_random


def _anothers(random: Random, signing: Signing, draft: Draft, _: int) -> bytes:
    return random.choice(signing.keys[random.randrange(2)]).sign(draft.digest)


def _outsiders(random: Random, signing: Signing, draft: Draft, _: int) -> bytes:
    return signing.scheme.signing_key(secret(random)).sign(draft.digest)


def _repeated(random: Random, _signing: Signing, draft: Draft, _: int) -> bytes:
    return random.choice(draft.signatures)


def _at_an_edge(random: Random, signing: Signing, draft: Draft, i: int) -> bytes:
    """Scheme 1: r and s where their ranges end, of which a high s is one. Scheme 2: the opposite point."""
    signature = draft.signatures[i]
    if signing.scheme is BLS12381:
        y = FIELD_PRIME - int.from_bytes(signature[48:], "big")
        return signature[:48] + y.to_bytes(48, "big")
    r = random.choice((0, 1, ORDER - 1, ORDER, ORDER + 1, (1 << 256) - 1)).to_bytes(32, "big")
    s = random.choice((0, 1, ORDER // 2, ORDER // 2 + 1, (1 << 255) - 1)) | random.randrange(2) << 255
    return random.choice((signature[:32], r)) + random.choice((signature[32:], s.to_bytes(32, "big")))


def _without_one(random: Random, _signing: Signing, draft: Draft) -> None:
    set_bits = [i for i in range(256) if draft.bitmap >> i & 1]
    if draft.signatures and len(set_bits) == len(draft.signatures):
        place = random.randrange(len(set_bits))
        draft.bitmap ^= 1 << set_bits[place]
        del draft.signatures[place]


def _beyond_the_set(random: Random, signing: Signing, draft: Draft) -> None:
    count = len(signing.keys[(draft.epoch - 1) % 2])
    if count < 256 and draft.signatures:
        draft.bitmap |= 1 << random.randrange(count, 256)
        draft.signatures.append(draft.signatures[-1])


def _shuffled(random: Random, _signing: Signing, draft: Draft) -> None:
    random.shuffle(draft.signatures)


_CHANGES: Final[dict[str, Change]] = {
    "another scheme": _set(scheme=lambda r, _s, _d: r.choice((0, 1, 2, 3, 255))),
    "another chain": _set(chain_tag=lambda r, _s, _d: r.randbytes(4)),
    "another gateway": _set(gateway_tag=lambda r, _s, _d: r.randbytes(4)),
    "zero root": _set(root=lambda _r, _s, _d: bytes(32)),
    "no leaves": _set(count=lambda _r, _s, _d: 0),
    "another root": _set(root=lambda r, _s, d: flip(r, d.root)),
    "another epoch": _set(epoch=lambda r, _s, d: r.choice((0, 3, d.epoch ^ 3, uint(r, 64)))),
    "another time": _set(
        now=lambda r, s, _d: r.choice([epoch.valid_until for epoch in s.epochs.applied.values()]) + r.randint(-1, 1)
    ),
    "another bitmap": _set(bitmap=lambda r, _s, d: d.bitmap ^ 1 << r.randrange(256)),
    "a bit moved": _set(bitmap=lambda _r, _s, d: d.bitmap << 1 & (1 << 256) - 1),
    "signed something else": _sign_all_again,
    "another's signature": _with_signature(_anothers),
    "an outsider's signature": _with_signature(_outsiders),
    "a signature again": _with_signature(_repeated),
    "a signature at an edge": _with_signature(_at_an_edge),
    "without one": _without_one,
    "beyond the set": _beyond_the_set,
    "in another order": _shuffled,
}


def _outside_the_group(random: Random) -> bytes:
    """A point of BLS12-381's first curve: one in 2^125 is in the group."""
    while True:
        x = random.randrange(FIELD_PRIME)
        square = (pow(x, 3, FIELD_PRIME) + 4) % FIELD_PRIME
        y = pow(square, (FIELD_PRIME + 1) // 4, FIELD_PRIME)
        if y * y % FIELD_PRIME == square:
            return x.to_bytes(48, "big") + y.to_bytes(48, "big")


ByteChange = Callable[[Random, Draft, bytes], bytes]

_BYTE_CHANGES: Final[dict[str, ByteChange]] = {
    "as it is": lambda _r, d, p: d.to_bytes(p),
    "a bit flipped": lambda r, d, p: flip(r, d.to_bytes(p)),
    "cut": lambda r, d, p: d.to_bytes(p)[: r.randrange(49 + len(p))],
    "longer": lambda r, d, p: d.to_bytes(p) + r.randbytes(r.choice((1, 32, 64))),
    "zeros": lambda _r, d, p: d.to_bytes(bytes(len(p))),
    "outside the group": lambda r, d, p: d.to_bytes((_outside_the_group(r) + p)[: len(p)]),
    "beyond the field": lambda r, d, p: d.to_bytes(beyond_the_field(r, p)),
    "any payload": lambda r, d, p: d.to_bytes(r.randbytes(len(p))),
}
