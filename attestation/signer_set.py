"""Who counts: a signer set, its hash, its rules and its ranks. It knows nothing of epochs but their number."""

import struct
from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass
from typing import ClassVar, Final

from attestation.errors import (
    EmptySignerSet,
    ExpiredSignerSet,
    MalformedKey,
    MalformedSignerSet,
    OperatorTooHeavy,
    RepeatedKey,
    ThresholdTooHigh,
    ThresholdTooLow,
    TooManySigners,
    UnprovenKey,
    ZeroGrace,
    ZeroKey,
    ZeroWeight,
)
from attestation.keccak import keccak256
from attestation.schemes import Scheme, scheme_of
from attestation.words import UINT8_BITS, UINT64_BITS, WORD_LENGTH, require_uint, require_word

SIGNER_TYPE: Final = "Signer(bytes key,uint64 weight,bytes32 operator)"
SIGNER_SET_TYPE: Final = (
    f"SignerSet(uint8 scheme,uint64 threshold,uint64 validUntil,uint64 graceSeconds,Signer[] signers){SIGNER_TYPE}"
)

MAXIMUM_SIGNER_COUNT: Final = 256
"""As many as the bits of a certificate's bitmap."""

OPERATOR_LENGTH: Final = WORD_LENGTH

_SIGNER_ENCODING: Final = struct.Struct(">32s32s24xQ32s")
_SIGNER_SET_ENCODING: Final = struct.Struct(">32s31xB24xQ24xQ24xQ32s")


def operator_id(name: str) -> bytes:
    """The 32-byte id of an operator with a name of 1 to 32 bytes in UTF-8: zeros behind it, readable in an explorer.

    Raises `MalformedSignerSet`.
    """
    encoded = name.encode("utf-8")
    if not 0 < len(encoded) <= OPERATOR_LENGTH:
        raise MalformedSignerSet("operator", f"has a name of 1 to {OPERATOR_LENGTH} bytes")
    return encoded.ljust(OPERATOR_LENGTH, b"\0")


@dataclass(frozen=True, slots=True)
class Signer:
    """One member: its key as sets of the scheme list it, its uint64 weight, and the 32-byte id of who runs it."""

    TYPE_HASH: ClassVar[bytes] = keccak256(SIGNER_TYPE.encode("ascii"))

    key: bytes
    weight: int
    operator: bytes

    def __post_init__(self) -> None:
        require_uint(MalformedSignerSet, "weight", self.weight, UINT64_BITS)
        require_word(MalformedSignerSet, "operator", self.operator)

    @property
    def struct_hash(self) -> bytes:
        """EIP-712 `hashStruct`, 32 bytes."""
        return keccak256(_SIGNER_ENCODING.pack(self.TYPE_HASH, keccak256(self.key), self.weight, self.operator))


@dataclass(frozen=True, slots=True)
class SignerSet:
    """The signers of one epoch, in the order that bitmaps refer to.

    `valid_until` is in seconds of the verifying gateway's clock. The constructor checks widths only
    (`MalformedSignerSet`): `verify_rules` checks what a set must keep to be registered.
    """

    TYPE_HASH: ClassVar[bytes] = keccak256(SIGNER_SET_TYPE.encode("ascii"))

    scheme: int
    threshold: int
    valid_until: int
    grace_seconds: int
    signers: tuple[Signer, ...]

    def __post_init__(self) -> None:
        require_uint(MalformedSignerSet, "scheme", self.scheme, UINT8_BITS)
        require_uint(MalformedSignerSet, "threshold", self.threshold, UINT64_BITS)
        require_uint(MalformedSignerSet, "valid_until", self.valid_until, UINT64_BITS)
        require_uint(MalformedSignerSet, "grace_seconds", self.grace_seconds, UINT64_BITS)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The public keys, in order. Raises `UnknownScheme`."""
        scheme = scheme_of(self.scheme)
        return tuple(scheme.public_key(signer.key) for signer in self.signers)

    @property
    def total_weight(self) -> int:
        """The weight of all. It may exceed a uint64."""
        return sum(signer.weight for signer in self.signers)

    def weight_of(self, keys: Container[bytes]) -> int:
        """The weight of the signers whose public keys are in `keys`. Raises `UnknownScheme`."""
        return sum(signer.weight for key, signer in zip(self.keys, self.signers, strict=True) if key in keys)

    def index_of(self, key: bytes) -> int | None:
        """The index of the signer with this public key, or None. Raises `UnknownScheme`."""
        keys = self.keys
        return keys.index(key) if key in keys else None


def signer_set_hash(signer_set: SignerSet) -> bytes:
    """EIP-712 `hashStruct(SignerSet)`, 32 bytes: what `Rotate` commits to."""
    signers = keccak256(b"".join(signer.struct_hash for signer in signer_set.signers))
    return keccak256(
        _SIGNER_SET_ENCODING.pack(
            signer_set.TYPE_HASH,
            signer_set.scheme,
            signer_set.threshold,
            signer_set.valid_until,
            signer_set.grace_seconds,
            signers,
        )
    )


def verify_rules(signer_set: SignerSet, now: int) -> None:
    """Return if the set may be registered at `now` (seconds of the verifying gateway's clock).

    The first error counts, in this order:

    Raises:
        UnknownScheme: no such scheme.
        EmptySignerSet, TooManySigners: not 1 to 256 signers.
        MalformedKey, ZeroKey, RepeatedKey, ZeroWeight: at the lowest index at fault.
        ThresholdTooLow: SECURITY: at most half of the weight, so that two disjoint quorums could contradict each other.
        ThresholdTooHigh: above the whole weight.
        OperatorTooHeavy: SECURITY: one operator alone is a quorum. The first such in signer order.
        ZeroGrace: what is on its way at a rotation would be cut off.
        ExpiredSignerSet: `valid_until` is not after `now`.
        UnprovenKey: SECURITY: at the lowest index at fault. A key made from the others' keys would sign for them.
    """
    signers = signer_set.signers
    scheme = scheme_of(signer_set.scheme)
    if not signers:
        raise EmptySignerSet
    if len(signers) > MAXIMUM_SIGNER_COUNT:
        raise TooManySigners(len(signers))
    _verify_signers(signers, scheme)
    _verify_threshold(signer_set)
    if not signer_set.grace_seconds:
        raise ZeroGrace
    if signer_set.valid_until <= now:
        raise ExpiredSignerSet(signer_set.valid_until)
    for index, signer in enumerate(signers):
        if not scheme.is_proven_key(signer.key, signer.operator):
            raise UnprovenKey(index)


def rank_signers(route: bytes, first_height: int, epoch: int, signer_set: SignerSet) -> tuple[int, ...]:
    """The signers' indices in the order in which they submit: rank 0 first.

    Ascending keccak256(route ‖ first height, 8 bytes ‖ epoch, 8 bytes ‖ public key). `first_height` is the lowest of
    the batch's blocks. `Rotate` and `Prices` are ranked with the gateway as the route and their number as the height.
    Raises `UnknownScheme`, and `MalformedSignerSet` if height or epoch is not a uint64.
    """
    require_uint(MalformedSignerSet, "first_height", first_height, UINT64_BITS)
    require_uint(MalformedSignerSet, "epoch", epoch, UINT64_BITS)
    head = route + struct.pack(">QQ", first_height, epoch)
    keys = signer_set.keys
    return tuple(sorted(range(len(keys)), key=lambda index: keccak256(head + keys[index])))


def _verify_signers(signers: tuple[Signer, ...], scheme: Scheme) -> None:
    seen: set[bytes] = set()
    for index, signer in enumerate(signers):
        if not scheme.is_well_formed_key(signer.key):
            raise MalformedKey(index)
        distinct = scheme.distinct_part(signer.key)
        if not any(distinct):
            raise ZeroKey(index)
        if distinct in seen:
            raise RepeatedKey(index)
        if not signer.weight:
            raise ZeroWeight(index)
        seen.add(distinct)


def _verify_threshold(signer_set: SignerSet) -> None:
    threshold, total = signer_set.threshold, signer_set.total_weight
    if 2 * threshold <= total:
        raise ThresholdTooLow(threshold, total)
    if threshold > total:
        raise ThresholdTooHigh(threshold, total)
    operator_weights: defaultdict[bytes, int] = defaultdict(int)
    for signer in signer_set.signers:
        operator_weights[signer.operator] += signer.weight
    for operator, weight in operator_weights.items():
        if weight >= threshold:
            raise OperatorTooHeavy(operator)
