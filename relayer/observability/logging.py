"""Logs: one line an event, JSON off a terminal and readable on one.

Its job: to set up structlog once, and to keep secrets out whoever logs what. Events are snake_case words in the past or
present tense; what belongs to them are fields. Libraries that use the standard library's logging come out of the same
end. It must not be configured by importing it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, TextIO

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from attestation.request import RequestId, format_request_id

REDACTED: Final = "[redacted]"

_MAX_DEPTH: Final = 8
"""Nested fields are looked through this deep; what lies deeper is not logged at all, or it could hide a secret."""

_SECRET_NAME: Final = re.compile(
    r"(^|_)(authorization|cookie|credentials?|keystore|mnemonic|passphrase|passwd|password|pwd|secrets?|seed|token"
    r"|(private|wallet|signing|api|access|decryption|encryption)_?key)(_|$)"
)
_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_URL: Final = re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]*://)(?:[^\s/?#@]*@)?([^\s/?#@'\"]+)([/?#][^\s'\"]*)?")


_CHATTY_LIBRARIES: Final = ("alembic", "apscheduler", "asyncio")
"""They tell each step of their own work below WARNING: every statement and job, which buries what the node says."""


def configure_logging(level: str, *, is_json: bool | None = None, stream: TextIO | None = None) -> None:
    """Set up all logging of the process. Calling it again replaces the former set-up.

    `level` is a standard name such as `info`. `stream` None means stderr as it is now; `is_json` None means: JSON
    unless the stream is a terminal.
    """
    stream = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        # SECURITY: a plain traceback, made here. The console's own would show local variables, and keys in them.
        structlog.processors.format_exc_info,
    ]
    renderer: Processor
    if not stream.isatty() if is_json is None else is_json:
        renderer = structlog.processors.JSONRenderer(sort_keys=True)
    else:
        renderer = structlog.dev.ConsoleRenderer(timestamp_key="at", colors=stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            # SECURITY: redaction stands last before the renderer, so that nothing is added behind it.
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    root = logging.getLogger()
    for former in tuple(root.handlers):
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(number)
    for library in _CHATTY_LIBRARIES:
        logging.getLogger(library).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def bind_request(request_id: RequestId) -> AbstractContextManager[None]:
    """Within the context every line carries the request's id."""
    return bound_contextvars(request_id=format_request_id(request_id))


def bind_chain(chain: str) -> AbstractContextManager[None]:
    """Within the context every line carries the chain (CAIP-2)."""
    return bound_contextvars(chain=chain)


def bind_stage(stage: str) -> AbstractContextManager[None]:
    """Within the context every line carries the stage's name."""
    return bound_contextvars(stage=stage)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: fields named like a secret lose their value, URLs all but scheme and host.

    SECURITY: operators ship logs to third parties. Endpoint URLs carry API keys in path, query or user part; a field
    that is named like a secret is one. Bytes come out as hex.
    """
    return _clean_fields(event, _MAX_DEPTH)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is taken for a secret, such as `private_key`, `dbPassword` or `api_key`."""
    return _SECRET_NAME.search("_".join(_WORDS.findall(name)).lower()) is not None


def _clean_fields(fields: Mapping[str, Any], depth: int) -> dict[str, Any]:
    return {name: REDACTED if is_secret_name(str(name)) else _clean(value, depth - 1) for name, value in fields.items()}


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray):
        return f"0x{value.hex()}"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth == 0:
            return REDACTED
        return (
            _clean_fields(value, depth) if isinstance(value, Mapping) else [_clean(item, depth - 1) for item in value]
        )
    return _URL.sub(_clean_url, str(value))


def _clean_url(match: re.Match[str]) -> str:
    scheme, host, rest = match.groups()
    return f"{scheme}{host}/…" if rest not in (None, "/") else f"{scheme}{host}"
