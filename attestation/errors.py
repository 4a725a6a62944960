# ruff: noqa: N818 -- the names are the protocol's: a Solidity verifier reverts with the same ones
"""Every way in which a value of the protocol can be wrong, one class each. It decides nothing.

`code` is the class name. Where a contract raises the same error, name and arguments agree with it, in order.
"""

from typing import ClassVar


class AttestationError(ValueError):
    """Base of all errors of this package. `code` is stable: it may be persisted and used as a metric label."""

    code: ClassVar[str] = "AttestationError"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = cls.__name__


class FieldError(AttestationError):
    """A named field of a value is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


class MalformedAddress(AttestationError):
    """Not an ERC-7930 version 1 address, or not a CAIP text, of a namespace that the protocol knows."""


class MalformedRequest(FieldError):
    """A request breaks the range or the rule of one field."""


class MalformedStatement(FieldError):
    """A statement breaks the range of one field."""


class MalformedStatements(AttestationError):
    """A list of encoded statements is cut, too long, of an unknown version, or not in its canonical form."""


class MalformedBatch(FieldError):
    """A batch breaks the range of one field."""


class MalformedPeerMessage(FieldError):
    """A peer message's envelope breaks the range of one field."""


class MalformedJson(AttestationError):
    """A text is not the strict JSON of this package's files, or a member of it is missing or of another type."""


class MalformedEvidence(AttestationError):
    """An evidence file is not what the evidence format says."""


# Batches and their trees


class BatchError(AttestationError):
    """A batch or its tree is wrong."""


class EmptyBatch(BatchError):
    """A batch has at least one statement."""

    def __init__(self) -> None:
        super().__init__("a batch has at least one statement")


class OversizeBatch(BatchError):
    """A batch has at most 256 statements."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} statements are more than a batch may have")
        self.count = count


class MalformedLeaf(BatchError):
    """A leaf, a path element or a root is not 32 bytes."""


class LeafOutOfRange(BatchError):
    """The batch has no leaf at that index."""

    def __init__(self, index: int) -> None:
        super().__init__(f"the batch has no leaf {index}")
        self.index = index


class PathTooLong(BatchError):
    """The path is longer than that of any leaf of a full batch."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a path of {length} is longer than any batch gives")
        self.length = length


class PathMismatch(BatchError):
    """The path does not lead from the leaf to the root."""

    def __init__(self) -> None:
        super().__init__("the path does not lead from the leaf to the root")


# Signer sets


class SignerSetError(AttestationError):
    """A signer set breaks a rule."""


class MalformedSignerSet(SignerSetError, FieldError):
    """A signer set, or a signer, breaks the range of one field."""


class UnknownScheme(SignerSetError):
    """No signature scheme has this number."""

    def __init__(self, scheme: int) -> None:
        super().__init__(f"no signature scheme has the number {scheme}")
        self.scheme = scheme


class EmptySignerSet(SignerSetError):
    """A set has at least one signer."""

    def __init__(self) -> None:
        super().__init__("a signer set has at least one signer")


class TooManySigners(SignerSetError):
    """A set has at most 256 signers: as many as a certificate's bitmap can name."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} signers are more than a bitmap can name")
        self.count = count


class MalformedKey(SignerSetError):
    """A key has not the form that its scheme asks for."""

    def __init__(self, index: int) -> None:
        super().__init__(f"the key of signer {index} has not the form of its scheme")
        self.index = index


class ZeroKey(SignerSetError):
    """A key is zero: what a failed recovery gives on some machines would count as this signer."""

    def __init__(self, index: int) -> None:
        super().__init__(f"the key of signer {index} is zero")
        self.index = index


class RepeatedKey(SignerSetError):
    """Two signers have one key, or keys that cancel each other out."""

    def __init__(self, index: int) -> None:
        super().__init__(f"signer {index} repeats the key of an earlier one")
        self.index = index


class ZeroWeight(SignerSetError):
    """A signer's weight is zero."""

    def __init__(self, index: int) -> None:
        super().__init__(f"signer {index} has no weight")
        self.index = index


class ThresholdTooLow(SignerSetError):
    """The threshold is not above half of the weight: two disjoint quorums could contradict each other."""

    def __init__(self, threshold: int, total: int) -> None:
        super().__init__(f"a threshold of {threshold} is not above half of {total}")
        self.threshold = threshold
        self.total = total


class ThresholdTooHigh(SignerSetError):
    """The threshold is above the whole weight: there could never be a quorum."""

    def __init__(self, threshold: int, total: int) -> None:
        super().__init__(f"a threshold of {threshold} is above the whole weight {total}")
        self.threshold = threshold
        self.total = total


class OperatorTooHeavy(SignerSetError):
    """One operator alone reaches the threshold."""

    def __init__(self, operator: bytes) -> None:
        super().__init__(f"operator 0x{operator.hex()} alone reaches the threshold")
        self.operator = operator


class ZeroGrace(SignerSetError):
    """`graceSeconds` is zero: a rotation would cut off what is on its way."""

    def __init__(self) -> None:
        super().__init__("graceSeconds is zero")


class ExpiredSignerSet(SignerSetError):
    """`validUntil` is not after the moment of registering."""

    def __init__(self, valid_until: int) -> None:
        super().__init__(f"validUntil {valid_until} is not in the future")
        self.valid_until = valid_until


class UnprovenKey(SignerSetError):
    """A key does not show that its operator holds its secret, or is no point of the group at all."""

    def __init__(self, index: int) -> None:
        super().__init__(f"the key of signer {index} does not prove that its operator holds it")
        self.index = index


# Signing


class MalformedSecret(AttestationError):
    """A secret is not a private key of its scheme."""


class MalformedDigest(AttestationError):
    """A digest is not 32 bytes."""


class MalformedSignature(AttestationError):
    """A signature has not the form of its scheme."""


class UnrecoverableSignature(AttestationError):
    """No public key belongs to this signature of this digest."""


# Certificates, in the order in which a verifier checks


class CertificateError(AttestationError):
    """A certificate, or one attestation, does not verify."""


class MalformedCertificate(CertificateError):
    """The length is not that of a certificate with as many signatures as its bitmap has bits."""

    def __init__(self) -> None:
        super().__init__("the certificate has not the length that its bitmap asks for")


class WrongScheme(CertificateError):
    """The certificate is of another scheme than the verifier."""

    def __init__(self, scheme: int) -> None:
        super().__init__(f"the verifier does not speak scheme {scheme}")
        self.scheme = scheme


class OtherChain(CertificateError):
    """The certificate names another verifying chain."""

    def __init__(self, tag: bytes) -> None:
        super().__init__(f"the certificate is for the chain tagged 0x{tag.hex()}")
        self.tag = tag


class OtherGateway(CertificateError):
    """The certificate names another gateway of the verifying chain."""

    def __init__(self, tag: bytes) -> None:
        super().__init__(f"the certificate is for the gateway tagged 0x{tag.hex()}")
        self.tag = tag


class ZeroRoot(CertificateError):
    """The root is zero."""

    def __init__(self) -> None:
        super().__init__("the root is zero")


class UnknownEpoch(CertificateError):
    """The verifier never applied this epoch, or has not applied it yet."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"epoch {epoch} was never applied")
        self.epoch = epoch


class ExpiredEpoch(CertificateError):
    """The epoch is over."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"epoch {epoch} is over")
        self.epoch = epoch


class UnknownSigner(CertificateError):
    """The bitmap names an index beyond the set. `index` is the lowest such."""

    def __init__(self, index: int) -> None:
        super().__init__(f"the set has no signer {index}")
        self.index = index


class SignatureError(CertificateError):
    """Signatures are wrong."""


class SignerSignatureError(SignatureError):
    """The signature in the place of signer `index` is wrong."""

    def __init__(self, index: int, fault: str) -> None:
        super().__init__(f"the signature of signer {index} {fault}")
        self.index = index


class HighS(SignerSignatureError):
    """The signature's s is above half of the curve's order, which no honest signer makes (EIP-2)."""

    def __init__(self, index: int) -> None:
        super().__init__(index, "has a high s")


class RepeatedSigner(SignerSignatureError):
    """The signature is by a signer already counted."""

    def __init__(self, index: int) -> None:
        super().__init__(index, "is by a signer already counted")


class SignerOutOfOrder(SignerSignatureError):
    """The signature is by another member of the set."""

    def __init__(self, index: int) -> None:
        super().__init__(index, "is by another member of the set")


class ForgedSignature(SignerSignatureError):
    """The signature is by nobody in the set, or is none."""

    def __init__(self, index: int) -> None:
        super().__init__(index, "is by nobody in the set")


class ForgedAggregate(SignatureError):
    """The aggregate is not the sum of exactly the named signers' signatures. It does not tell whose is at fault."""

    def __init__(self) -> None:
        super().__init__("the aggregate is not of the signers that it names")


class BelowThreshold(CertificateError):
    """The signers' weight does not reach the threshold."""

    def __init__(self, weight: int, threshold: int) -> None:
        super().__init__(f"a weight of {weight} is below the threshold {threshold}")
        self.weight = weight
        self.threshold = threshold


class OtherBatch(AttestationError):
    """An attestation is of another batch than the one that collects it."""

    def __init__(self) -> None:
        super().__init__("the attestation is of another batch")


# Epochs


class EpochOutOfOrder(AttestationError):
    """Epochs begin at 1 and rise by exactly 1."""

    def __init__(self, epoch: int, expected: int) -> None:
        super().__init__(f"epoch {epoch} cannot follow: the next one is {expected}")
        self.epoch = epoch
        self.expected = expected


# Evidence


class EvidenceError(AttestationError):
    """The evidence does not convict."""


class WrongSigner(EvidenceError):
    """The evidence is about another signer than the one to be convicted."""

    def __init__(self) -> None:
        super().__init__("the evidence is about another signer")


class NoContradiction(EvidenceError):
    """The two statements do not contradict each other: other guard keys, or one and the same leaf."""

    def __init__(self) -> None:
        super().__init__("the two statements do not contradict each other")


class UnsignedBatch(EvidenceError):
    """The signer did not sign the batch with this root."""

    def __init__(self, root: bytes) -> None:
        super().__init__(f"the signer did not sign the batch 0x{root.hex()}")
        self.root = root
