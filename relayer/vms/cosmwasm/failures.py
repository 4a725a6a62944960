"""Why a transaction would fail, in words.

Its job: from the log of a failed simulation to one line for operators and records: the gateway's error by its name, or
what the chain says. SECURITY: an endpoint writes it, and contracts do: what is shown is bounded and printable. It must
not decide what comes of a failure.

Source: wasmd's x/wasm/types/errors.go, the Cosmos SDK's baseapp.
"""

from __future__ import annotations

import re
from typing import Final

_PREFIX: Final = re.compile(
    r"^(?:rpc error: code = [A-Za-z]{1,30} desc = )?(?:failed to execute message; message index: 0: )?"
    r"(?:dispatch: )?(?:submessages: )?"
)
_NAME: Final = re.compile(
    r"([A-Z][A-Za-z0-9]{1,63})(?::.*)?: (?:execute|query|instantiate) wasm contract failed", re.DOTALL
)
_TRACE: Final = re.compile(r" ?\[[^\[\]]{1,200}\.go:[0-9]{1,6}\]")
_MAX_CHARACTERS: Final = 200
_MAX_READ_CHARACTERS: Final = 4_000


def failure_text(log: str) -> str:
    """One line, never empty."""
    told = _PREFIX.sub("", log[:_MAX_READ_CHARACTERS])
    name = _NAME.match(told)
    return _line(told) if name is None else name[1]


def failure_detail(log: str) -> str:
    """The same with what the gateway says of it behind the name."""
    told = _PREFIX.sub("", log[:_MAX_READ_CHARACTERS])
    name = _NAME.match(told)
    return _line(told if name is None else told[: name.end()].rpartition(": ")[0])


def _line(told: str) -> str:
    text = _TRACE.sub("", told)[:_MAX_CHARACTERS]
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable.strip() or "failed"
