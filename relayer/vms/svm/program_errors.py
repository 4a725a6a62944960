"""The gateway program's errors by number.

Its job: names for operators and records. It must not judge what an error means for a request.

Source: contracts/svm/src/errors.h.
"""

from __future__ import annotations

from typing import Final

FIRST_ERROR: Final = 6_000
"""Anchor's custom range, in which the program's errors are numbered without gaps."""

_NAMES: Final = (
    "MalformedInstruction",
    "MissingAccounts",
    "TooManyAccounts",
    "MissingSigner",
    "NotWritable",
    "WrongOwner",
    "WrongDiscriminator",
    "WrongAddress",
    "DuplicateAccount",
    "AlreadyInitialized",
    "UnknownRent",
    "EventTooLong",
    "NotUpgradeAuthority",
    "NotOwner",
    "NotPendingOwner",
    "NotGuardian",
    "PauseTooLong",
    "GuardianRests",
    "UnknownDirection",
    "Paused",
    "WrongScheme",
    "EmptySignerSet",
    "TooManySigners",
    "MalformedKey",
    "ZeroKey",
    "RepeatedKey",
    "ZeroWeight",
    "WeightTooHigh",
    "ThresholdTooLow",
    "ThresholdTooHigh",
    "OperatorTooHeavy",
    "ZeroGrace",
    "ExpiredSignerSet",
    "EpochStillValid",
    "NotCurrentEpoch",
    "MalformedCertificate",
    "OtherChain",
    "OtherGateway",
    "ZeroRoot",
    "EmptyBatch",
    "BatchTooLong",
    "UnknownEpoch",
    "ExpiredEpoch",
    "UnknownSigner",
    "HighS",
    "RepeatedSigner",
    "ForgedSignature",
    "BelowThreshold",
    "RootInUse",
    "NotInBatch",
    "InvalidTerms",
    "MalformedAddress",
    "UnsupportedMode",
    "OutOfBounds",
    "DisputesUnsupported",
    "SenderLimit",
    "NotCallbackSender",
    "FeeTooHigh",
    "NonceExhausted",
    "NotPending",
    "NotRequester",
    "DeadlineNotOver",
    "ExpiryNotOver",
    "OtherOutcome",
    "NotDelivered",
    "TooEarlyToReclaim",
    "OtherRequest",
    "UnregisteredSourceGateway",
    "AlreadyConsumed",
    "PredecessorOpen",
    "NotExpired",
    "PayerAmongAccounts",
    "WrongTargetAccounts",
    "StageTooShort",
    "NotStageAuthority",
    "InsufficientLamports",
    "ExpiryBeforePredecessor",
    "NotCancelled",
)


def error_name(code: int) -> str:
    """The name of a custom error of the gateway; its number where it is none that is known."""
    place = code - FIRST_ERROR
    return _NAMES[place] if 0 <= place < len(_NAMES) else f"Custom({code})"
