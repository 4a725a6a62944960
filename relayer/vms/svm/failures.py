"""Why a transaction would fail, in words.

Its job: from a simulation's error and logs to one line for operators and records. SECURITY: logs are written by the
programs that run, hostile ones included: what is shown is bounded and printable, and only lines that the runtime writes
say which program failed. It must not decide what comes of a failure.

Source: agave's RPC, `simulateTransaction`; the runtime's program logs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from solders.pubkey import Pubkey

from relayer.vms.svm.program_errors import error_name

_FAILED: Final = re.compile(r"Program ([1-9A-HJ-NP-Za-km-z]{32,44}) failed: (.{1,200})")
_CUSTOM: Final = re.compile(r"custom program error: 0x([0-9a-f]{1,8})")
_SAID: Final = "Program log: "
_MAX_SAID_LINES: Final = 2
_MAX_CHARACTERS: Final = 200


def failure_text(error: Any, logs: Sequence[Any], gateway: Pubkey) -> str:
    """The gateway's error by its name; of another program what the runtime and the program itself said last."""
    lines = [line for line in logs if isinstance(line, str)]
    # Whoever fails takes its callers along: the first to be said to have failed is the one that did.
    failed = next(filter(None, map(_FAILED.fullmatch, lines)), None)
    if failed is None:
        return _shown(_reason(error))
    program, reason = failed.groups()
    custom = _CUSTOM.fullmatch(reason)
    if program == str(gateway):
        return error_name(int(custom[1], 16)) if custom else _shown(reason)
    said = [line[len(_SAID) :] for line in lines[: lines.index(failed.string)] if line.startswith(_SAID)]
    return _shown(f"{program} failed: {reason}" + "".join(f"; {line}" for line in said[-_MAX_SAID_LINES:]))


def failed_place(error: Any) -> int | None:
    """Which instruction of the transaction failed; None if the transaction did as a whole."""
    match error:
        case {"InstructionError": [int(place), _]} if type(place) is int and place >= 0:
            return place
    return None


def _reason(error: Any) -> str:
    match error:
        case {"InstructionError": [_, {"Custom": int(code)}]}:
            return error_name(code)
        case {"InstructionError": [_, str(name)]}:
            return name
        case str(name):
            return name
        case dict() if error:
            return str(next(iter(error)))
    return "failed"


def _shown(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text[:_MAX_CHARACTERS])
    return printable.strip() or "failed"
