"""What is to be done about a request, in the imperative.

Its job: the output alphabet of `decide`. Every effect is idempotent: whoever performs one looks at the chain first.
Persisted by name in the outbox: names are only ever added.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from attestation.request import RequestId


class EffectKind(StrEnum):
    """What to do. The first four are of one request, the others of one batch: of all its requests, or of its root."""

    READ_ANSWER = "READ_ANSWER"
    SUBMIT_EXECUTE = "SUBMIT_EXECUTE"
    SUBMIT_EXPIRE = "SUBMIT_EXPIRE"
    SUBMIT_CALLBACK = "SUBMIT_CALLBACK"
    SUBMIT_EXECUTE_BATCH = "SUBMIT_EXECUTE_BATCH"
    SUBMIT_CALLBACK_BATCH = "SUBMIT_CALLBACK_BATCH"
    SIGN_BATCH = "SIGN_BATCH"
    SPLIT_BATCH = "SPLIT_BATCH"


@dataclass(frozen=True, slots=True)
class Effect:
    """One wish of `decide`. One effect of a kind per request is open at any time."""

    kind: EffectKind
    request_id: RequestId
