"""The results of a block that are larger than may be held.

Its job: from `block_results` as they come, the codes of the transactions and the few events that concern us, in the
form that nodes give the whole in. SECURITY: anybody can have a block's results be hundreds of megabytes, by events of
nothing, for some ten million gas; what could not be read would halt the reading of its chain for good. It must not
judge an event by more than it is told to.

Source: CometBFT's RPC, `block_results`; wasmd's gas register, by which an event of 200 bytes and more costs 54 gas and
the making of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any, Final

from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.values import parse_member
from relayer.vms.jsonrpc.long_answers import LongDocument, Reading
from relayer.vms.jsonrpc.rpc import RpcFault

MAX_EVENT_BYTES: Final = 4 * 1024 * 1024
"""Of an event that may concern us: all that the gateway tells comes from a transaction, of a mebibyte at the most, and
twice in base64. What is longer is somebody else's."""

MAX_TRANSACTIONS: Final = 1_000_000
"""Of one block: of a hundred bytes each, more than a block of a hundred megabytes has."""

MAX_KEPT: Final = 100_000
"""Events of one block that concern us: each costs some ten thousand gas."""

_SMALL: Final = 64
_MAX_ERROR_BYTES: Final = 64 * 1024

_OTHER_TEXT: Final = rb'"(?!wasm-XVM)[^"\\]*+(?:\\.[^"\\]*+)*+"'
_OTHER_FLAT: Final = rb'[^"{}\[\]]*+(?:' + _OTHER_TEXT + rb'[^"{}\[\]]*+)*+'
_OTHER_EVENTS: Final = re.compile(
    rb'[\s,]*+(?:\{(?:[^"{}\[\]]++|'
    + _OTHER_TEXT
    + rb"|\[(?:[\s,]*+\{"
    + _OTHER_FLAT
    + rb"\})*+[\s,]*+\])*+\}[\s,]*+)*+",
    re.DOTALL,
)
"""Whole events in which no text begins as the types of the gateway's do. Nodes escape none of these characters."""

_NOTHING: Final[dict[str, Any]] = {"code": 0, "events": None}


class LongResults:
    """Takes the body of an answer in pieces. `concerns` says of an event, as nodes write it, whether it is kept.

    Methods raise `RpcUnavailable` for what no node answers.
    """

    def __init__(self, concerns: Callable[[Any], bool]) -> None:
        self._concerns = concerns
        self._document = LongDocument()
        self._reading = self._read()
        self._answer: dict[str, Any] | RpcFault | None = None
        self._kept = 0
        next(self._reading)

    def add(self, chunk: bytes) -> None:
        """The next piece. What comes after the answer's end is left."""
        if self._answer is None:
            self._document.add(chunk)
            self._answer = next(self._reading, self._answer)

    def finish(self) -> Any:
        """The answer, as `block_results` would be without the events that do not concern us, or the node's error."""
        if self._answer is None:
            raise RpcUnavailable("an endpoint broke off its answer")
        return self._answer

    def _read(self) -> Generator[dict[str, Any] | RpcFault | None, None, None]:
        document, answer = self._document, None
        yield from self._require(document.enter(b"{"))
        while (key := (yield from document.next_key())) is not None:
            if key == "result":
                answer = yield from self._results()
            elif key == "error":
                error = yield from document.build(_MAX_ERROR_BYTES)
                answer = answer if error is None else _fault(error)
            else:
                yield from document.skip()
        if answer is None:
            raise RpcUnavailable("an endpoint answered with neither result nor error")
        yield answer

    def _results(self) -> Reading:
        document, answer = self._document, dict[str, Any]()
        yield from self._require(document.enter(b"{"))
        while (key := (yield from document.next_key())) is not None:
            if key == "height":
                answer[key] = yield from document.build(_SMALL)
            elif key == "txs_results":
                answer[key] = yield from self._transactions()
            else:
                yield from document.skip()
        return answer

    def _transactions(self) -> Reading:
        results: list[dict[str, Any]] = []
        if (yield from self._document.enter(b"[")):
            while (yield from self._document.has_next()):
                results.append((yield from self._transaction()))
                # SECURITY: an endpoint could go on until nothing holds them.
                if len(results) > MAX_TRANSACTIONS:
                    raise RpcUnavailable("an endpoint answered with more results than a block has transactions")
        return results

    def _transaction(self) -> Reading:
        document, result = self._document, dict[str, Any]()
        yield from self._require(document.enter(b"{"))
        while (key := (yield from document.next_key())) is not None:
            if key == "code":
                result[key] = yield from document.build(_SMALL)
            elif key == "events":
                result[key] = yield from self._events()
            else:
                yield from document.skip()
        return _NOTHING if result == _NOTHING else result

    def _events(self) -> Reading:
        document, events = self._document, list[Any]()
        if (yield from document.enter(b"[")):
            while True:
                document.leap(_OTHER_EVENTS)
                if not (yield from document.has_next()):
                    break
                event = yield from document.build_if_short(MAX_EVENT_BYTES)
                if event is not None and self._concerns(event):
                    events.append(event)
                    self._kept += 1
                    # SECURITY: an endpoint could go on until nothing holds them.
                    if self._kept > MAX_KEPT:
                        raise RpcUnavailable(
                            "an endpoint told of more events of the gateway's than a block can pay for"
                        )
        return events or None

    @staticmethod
    def _require(entering: Generator[None, None, bool]) -> Generator[None, None, None]:
        if not (yield from entering):
            raise RpcUnavailable("an endpoint answered with what is not a block's results")


def _fault(error: Any) -> RpcFault:
    code, message = parse_member(error, "code"), parse_member(error, "message")
    if type(code) is not int or not isinstance(message, str):
        raise RpcUnavailable("an endpoint answered with a malformed error")
    return RpcFault(code, message, error.get("data"))
