"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`WARNING`: it runs, but somebody should look. `FAULT`: it will not run, or not be of use."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one subject. `advice` says what to do, empty if there is nothing.

    SECURITY: neither text may hold a key, a password, or more of a URL than scheme, host and port.
    """

    subject: str
    check: str
    state: State
    detail: str
    advice: str = ""


def good(subject: str, check: str, detail: str) -> Finding:
    """All is well."""
    return Finding(subject, check, State.OK, detail)


def warning(subject: str, check: str, detail: str, advice: str) -> Finding:
    """Somebody should look."""
    return Finding(subject, check, State.WARNING, detail, advice)


def fault(subject: str, check: str, detail: str, advice: str) -> Finding:
    """It will not do."""
    return Finding(subject, check, State.FAULT, detail, advice)
