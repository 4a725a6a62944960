"""One request from the outside: asked, followed on the chains, told.

Its job: the order of things, and what a person or a program is told of them. It believes the chains' events, and asks
no relayer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

from attestation.address import Chain
from attestation.request import Mode, format_request_id
from attestation.statement import OutcomeKind
from relayer.cli.asking import (
    Ask,
    Asked,
    Cancelled,
    DestinationSession,
    Ending,
    Endpoint,
    PayloadCodec,
    Place,
    SourceSession,
)
from relayer.cli.output import print_json, print_lines, print_note
from relayer.errors import ConfigError, RpcUnavailable

LOOK_SECONDS: Final = 0.25
"""How often the chains are looked at."""


@dataclass(slots=True)
class Journey:
    """A request of this command, and what was seen of it.

    `away` is the target's chain, None if nothing is known of it. `returns` are the types of the result, if they were
    named.
    """

    source: SourceSession
    home: Endpoint
    away: Endpoint | None
    destination: DestinationSession | None
    ask: Ask
    codec: PayloadCodec
    returns: str | None
    as_json: bool
    look_seconds: float = LOOK_SECONDS
    _document: dict[str, Any] = field(default_factory=dict)
    _started_at: float = field(default_factory=time.monotonic)

    def send(self) -> Asked:
        """Quote and ask."""
        fee = self.source.quote(self.ask)
        asked = self.source.send(self.ask, fee)
        self._started_at = time.monotonic()
        identifier = format_request_id(asked.request_id)
        self._document = {
            "request_id": identifier,
            "mode": self.ask.mode.name,
            "sender": self.home.account_text(asked.sender),
            "target": str(self.ask.target) if self.away is None else self.away.account_text(self.ask.target),
            "payload": f"0x{self.ask.payload.hex()}",
            "fee": str(asked.fee),
            "kept_at": asked.kept_at or None,
            "requested": _place_view(self.home.chain, asked.place),
        }
        self._say(f"request     {identifier}")
        self._say(f"fee         {asked.fee} (smallest unit of {self.home.chain})")
        if asked.kept_at:
            self._say(f"kept at     {asked.kept_at}")
        self._say_place("requested", self.home.chain, asked.place)
        return asked

    def wait(self, asked: Asked, patience_seconds: float) -> OutcomeKind | Cancelled | None:
        """Follow it until its callback or its cancel; its kind, or None if nothing came back in time."""
        deadline = self._started_at + patience_seconds
        awaits_receipt = self.ask.mode is Mode.CALL and self.destination is not None
        fault = ""
        while True:
            try:
                if awaits_receipt:
                    awaits_receipt = not self._look_away(asked)
                ending = self.source.fetch_ending(asked)
                fault = ""
            except RpcUnavailable as error:
                # It may be back before the time is over.
                ending, fault = None, str(error)
            if isinstance(ending, Cancelled):
                self._tell_cancelled(ending)
                return ending
            if ending is not None:
                self._end(ending)
                return ending.kind
            if time.monotonic() >= deadline:
                self._give_up(patience_seconds, fault)
                return None
            time.sleep(self.look_seconds)

    def tell(self) -> None:
        """With --json: print what was seen."""
        if self.as_json:
            print_json(self._document)

    def _look_away(self, asked: Asked) -> bool:
        """Whether the receipt stands on the destination chain by now."""
        receipt = self.destination.fetch_receipt(asked) if self.destination else None
        if receipt is None:
            return False
        chain = self.ask.target.chain
        self._document["executed"] = {**_place_view(chain, receipt.place), "kind": receipt.kind.name}
        self._say_place("executed", chain, receipt.place, receipt.kind.name)
        return True

    def _end(self, ending: Ending) -> None:
        failed = ", its handler failed" if ending.is_handler_failed else ""
        self._say_place("called back", self.home.chain, ending.place, f"{ending.kind.name}{failed}")
        told: dict[str, Any] = {
            "called_back": _place_view(self.home.chain, ending.place),
            "kind": ending.kind.name,
            "success": ending.success,
            "is_handler_failed": ending.is_handler_failed,
            "cut": ending.cut,
            "return_data": f"0x{ending.return_data.hex()}",
            "result": None,
            "failure": None,
            "seconds": round(time.monotonic() - self._started_at, 3),
        }
        self._document.update(told)
        cut = " (cut)" if ending.cut else ""
        match ending.kind:
            case OutcomeKind.EXECUTED if self.returns is not None:
                self._decode(ending, self.returns)
            case OutcomeKind.REVERTED:
                self._document["failure"] = self.codec.explain_failure(ending.return_data)
                self._say(f"failure     {self._document['failure']}")
            case OutcomeKind.EXECUTED | OutcomeKind.DUPLICATE:
                self._say(f"returned    0x{ending.return_data.hex()}{cut}")
            case OutcomeKind.UNREACHED | OutcomeKind.EXPIRED:
                pass

    def _tell_cancelled(self, cancelled: Cancelled) -> None:
        self._say_place("cancelled", self.home.chain, cancelled.place, f"{cancelled.returned} returned")
        self._document["cancelled"] = {
            **_place_view(self.home.chain, cancelled.place),
            "returned": str(cancelled.returned),
        }
        if self.ask.mode is Mode.CALL and "executed" not in self._document:
            print_note("xvm: it may have been executed all the same, or may yet be; look there before you ask again")

    def _decode(self, ending: Ending, types: str) -> None:
        try:
            values = self.codec.decode_result(types, ending.return_data)
        except ConfigError as error:
            # The request is over and paid: what it brought is shown as it is.
            print_note(f"xvm: {error}")
            self._say(f"returned    0x{ending.return_data.hex()}")
            return
        self._document["result"] = values
        for value in values:
            self._say(f"result      {value if isinstance(value, str) else _compact(value)}")

    def _give_up(self, patience_seconds: float, fault: str) -> None:
        why = f" ({fault})" if fault else ""
        identifier = self._document["request_id"]
        print_note(f"xvm: no callback within {patience_seconds:g} s{why}; see: xvm request explain {identifier}")

    def _say_place(self, what: str, chain: Chain, place: Place, more: str = "") -> None:
        seconds = time.monotonic() - self._started_at
        self._say(f"{what:<12}{chain} block {place.block}, {place.tx}, {seconds:.1f} s {more}".rstrip())

    def _say(self, line: str) -> None:
        if not self.as_json:
            # SECURITY: contracts write results and failures: neither codes for the terminal nor lines of their own.
            print_lines("".join(each if each.isprintable() else ascii(each)[1:-1] for each in line))


def _place_view(chain: Chain, place: Place) -> dict[str, Any]:
    return {"chain": str(chain), "block": place.block, "tx_hash": place.tx}


def _compact(value: Any) -> str:
    """Lists, and values with named fields, as people write them."""
    match value:
        case list():
            return f"[{','.join(map(_compact, value))}]"
        case dict():
            return f"{{{', '.join(f'{name}: {_compact(item)}' for name, item in value.items())}}}"
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case _:
            return str(value)
