"""Seeded requests, statements and addresses, whole ones. It judges none of them."""

from random import Random
from typing import Final

from attestation.address import Chain, InteroperableAddress, Namespace
from attestation.request import Mode, Request, RequestId
from attestation.statement import Execute, Outcome, OutcomeKind

_EDGES: Final = (0, 1, 19, 20, 31, 32, 33, 55, 56, 64, 135, 136, 137)
"""Lengths at which words, and the blocks of keccak256, begin and end."""


def uint(random: Random, bits: int) -> int:
    """As often small, at the type's end, or anywhere in it."""
    return random.choice((random.randrange(4), (1 << bits) - 1 - random.randrange(2), random.getrandbits(bits)))


def data(random: Random, longest: int) -> bytes:
    """Any bytes."""
    lengths = (random.choice(_EDGES), random.randrange(longest + 1))
    return random.randbytes(min(longest, random.choice(lengths)))


def address(random: Random) -> InteroperableAddress:
    """An account of any namespace, or a chain alone."""
    namespace = random.choice(tuple(Namespace))
    if namespace is Namespace.SOLANA:
        chain = Chain(namespace, random.randbytes(32))
    elif namespace is Namespace.COSMOS:
        chain = Chain(namespace, "".join(random.choices("aZ09-_", k=random.randint(1, 32))).encode())
    else:
        chain = Chain.numbered(namespace, 1 + random.getrandbits(random.choice((1, 8, 16, 63, 255))))
    lengths = {Namespace.EIP155: (20,), Namespace.QVM: (20,), Namespace.COSMOS: (20, 32)}.get(namespace, (32,))
    return InteroperableAddress(chain, random.randbytes(random.choice((0, *lengths, *lengths))))


def request(random: Random) -> Request:
    """Whatever the types hold: an id commits to it, sense or not."""
    return Request(
        source_gateway=data(random, 60),
        sender=data(random, 60),
        destination_gateway=data(random, 60),
        target=data(random, 60),
        nonce=uint(random, 64),
        mode=random.choice(tuple(Mode)),
        own_account=random.random() < 0.5,
        payload=data(random, 400),
        execution_gas_limit=uint(random, 64),
        callback_gas_limit=uint(random, 64),
        return_limit=uint(random, 32),
        expiry=uint(random, 64),
        ordered_after=uint(random, 256),
        origin=uint(random, 256),
        code_hash=random.randbytes(32),
        dispute_blocks=uint(random, 32),
        metadata=data(random, 256),
    )


def location(random: Random) -> tuple[int, bytes, int, int]:
    """Height, block hash, index of the transaction, index of the log."""
    return uint(random, 64), random.randbytes(32), uint(random, 32), uint(random, 32)


def execute(random: Random, identifier: RequestId) -> Execute:
    return Execute(identifier, *location(random))


def outcome(random: Random, return_data_hash: bytes) -> Outcome:
    identifier = RequestId(random.randbytes(32))
    kind, cut, payee = random.choice(tuple(OutcomeKind)), random.random() < 0.5, random.randbytes(32)
    return Outcome(identifier, kind, cut, return_data_hash, *location(random), payee, uint(random, 32))


def flip(random: Random, value: bytes) -> bytes:
    """One bit of it."""
    if not value:
        return value
    bit = random.randrange(8 * len(value))
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")
