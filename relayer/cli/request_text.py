"""Requests as relayers' APIs show them, in text for a terminal.

Its job: lay out; `relayer.api.views` documents the values. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

Answer = Mapping[str, Any]

_SHOWN_HEX: Final = 66
"""Characters of hex on a line: a word. What is longer is cut, with its length; --json has all."""

_SHOWN_TEXT: Final = 120
"""Characters of text on a line."""

_SELECTOR_LENGTH: Final = 4
"""So few bytes are a function's selector, whatever they read like."""


def summary_row(summary: Answer) -> tuple[str, ...]:
    """One line of a list."""
    held = f" ({summary['hold_reason']})" if summary["hold_reason"] else ""
    return (
        summary["id"],
        f"{summary['status']}{held}",
        summary["mode"],
        summary["source_chain"] or "?",
        summary["destination_chain"] or "?",
        summary["sender"] or "-",
        str(summary["nonce"]),
        summary["kind"] or "-",
    )


def request_lines(answer: Answer) -> Iterator[str]:
    """Everything about one request."""
    request = answer["request"]
    held = f" ({answer['hold_reason']})" if answer["hold_reason"] else ""
    yield from _fields(
        (
            ("request", request["id"]),
            ("status", f"{answer['status']}{held}"),
            ("mode", request["mode"]),
            ("sender", f"{request['sender']}, nonce {request['nonce']}"),
            ("target", request["target"]),
            ("payload", _shown(request["payload"])),
            ("gas", f"{request['execution_gas_limit']} to execute, {request['callback_gas_limit']} to call back"),
            ("returns", f"{request['return_limit']} bytes at most"),
            ("expiry", _time(request["expiry"]) if request["expiry"] else "never"),
            ("fee", f"{request['fee']} (smallest unit), deadline block {request['deadline']}"),
            ("asked", f"{_time(request['asked_at'])}, block {request['block']['number']}, {request['tx_hash'] or '-'}"),
        )
    )
    yield from _conclusion(answer["conclusion"])
    yield ""
    yield answer["explanation"]
    yield from _timeline(answer["timeline"])
    yield from _signatures(answer)
    yield from _transactions(answer["transactions"])


def compare(answers: Mapping[str, Answer | str]) -> list[str]:
    """In what relayers differ, in words; empty if in nothing."""
    differences = [f"{name} has no answer: {answer}" for name, answer in answers.items() if isinstance(answer, str)]
    known = {name: answer for name, answer in answers.items() if not isinstance(answer, str)}
    for what, key in (("status", "status"), ("conclusion", "conclusion")):
        voices: dict[str, list[str]] = {}
        for name, answer in known.items():
            voices.setdefault(_told(answer[key]), []).append(name)
        if len(voices) > 1:
            told = "; ".join(f"{', '.join(names)}: {voice}" for voice, names in voices.items())
            differences.append(f"different {what}: {told}")
    return differences


def comparison_rows(answers: Mapping[str, Answer | str]) -> Iterator[tuple[str, ...]]:
    """One line a relayer."""
    for name, answer in answers.items():
        if isinstance(answer, str):
            yield (name, "-", "-", "-", "-", "-")
            continue
        conclusion = answer["conclusion"] or {"kind": "-", "block": {"number": "-"}, "return_data": "-"}
        yield (
            name,
            answer["status"],
            conclusion["kind"],
            str(conclusion["block"]["number"]),
            shorten_hex(conclusion["return_data"]),
            str(len(answer["timeline"])),
        )


def shorten_hex(text: str) -> str:
    """Hex, cut to a word with its whole length said."""
    if len(text) <= _SHOWN_HEX:
        return text
    return f"{text[:_SHOWN_HEX]}… ({len(text) // 2 - 1} bytes)"


def _shown(data: str) -> str:
    """Bytes that are a line to read, such as a message in JSON, as that; others in hex. Either is cut."""
    try:
        text = bytes.fromhex(data[2:]).decode("utf-8")
    except ValueError:
        return shorten_hex(data)
    # SECURITY: contracts and whoever asks write it: neither codes for the terminal nor lines of their own.
    if len(text) <= _SELECTOR_LENGTH or not text.isprintable():
        return shorten_hex(data)
    return text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]}… ({len(data) // 2 - 1} bytes)"


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value['kind']} in block {value['block']['number']}, {shorten_hex(value['return_data'])}"
    return str(value)


def _fields(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, text in pairs:
        yield f"{name:<9}{text}"


def _conclusion(conclusion: Answer | None) -> Iterator[str]:
    if conclusion is None:
        return
    cut = ", cut" if conclusion["cut"] else ""
    yield from _fields(
        (
            ("outcome", f"{conclusion['kind']}, block {conclusion['block']['number']}"),
            ("returned", f"{_shown(conclusion['return_data'])}{cut}"),
        )
    )


def _timeline(steps: Sequence[Answer]) -> Iterator[str]:
    yield ""
    for step in steps:
        since = "" if step["seconds"] is None else f"+{step['seconds']:.3f} s"
        reason = f" ({step['reason']})" if step["reason"] else ""
        yield f"{_time(step['at'])}  {since:>12}  {step['status']:<15} {step['cause']}{reason}"


def _signatures(answer: Answer) -> Iterator[str]:
    for name in ("execute", "outcome"):
        batch = answer[name]
        if batch is None or batch["epoch"] is None:
            continue
        missing = [signer["key"] for signer in batch["signers"] if not signer["has_signed"]]
        yield ""
        yield f"{name}: leaf {batch['index']} of {batch['count']} under {batch['root']}"
        yield f"  weight {batch['weight']} of {batch['threshold']} needed, epoch {batch['epoch']}"
        yield f"  certificate {'made' if batch['certificate'] else 'not made yet'}"
        yield from (f"  not signed by {key}" for key in missing)


def _transactions(transactions: Sequence[Answer]) -> Iterator[str]:
    for transaction in transactions:
        block = "no block" if transaction["block"] is None else f"block {transaction['block']['number']}"
        shared = f"{transaction['gas_used']} gas for {transaction['request_count']} requests"
        yield ""
        yield f"{transaction['purpose']} on {transaction['chain']}: {transaction['status']}, {block}, {shared}"
        yield from (f"  {attempt['hash']}" for attempt in transaction["attempts"])


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
