"""The node: JSON-RPC over the chain, calls, batches and subscriptions alike.

Its job: from the bytes of a request to the bytes of its answer. Whatever a client sends has an answer; what it may not
is an error of the RPC. It opens no sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from relayer.devnet.svm.chain import Chain
from relayer.devnet.svm.methods import METHODS
from relayer.devnet.svm.methods.answering import Method
from relayer.devnet.svm.methods.control import CONTROL_METHODS
from relayer.devnet.svm.params import Params
from relayer.devnet.svm.rpc_errors import RpcError, invalid_params, invalid_request, method_not_found, parse_error
from relayer.devnet.svm.subscriptions import MOST_PARAMS, TOPICS, Listener, Subscriptions

MAX_REQUEST_BYTES: Final = 50 * 1024
"""Source: MAX_REQUEST_BODY_SIZE of agave."""

_MAX_BATCH: Final = 1_000
"""A smaller request could hardly hold more; each of them is work."""

_MAX_ADVANCE_SLOTS: Final = 1_000
"""Of one call, that it does not hold up everybody else."""

_Answer = dict[str, Any]


class Node:
    """A node of the cluster, the only one. `drop_sockets` ends all connections of subscribers, and says how many."""

    def __init__(self, chain: Chain, *, has_control: bool, drop_sockets: Callable[[], int]) -> None:
        self.chain = chain
        self.subscriptions = Subscriptions(chain)
        self._methods: dict[str, Method] = dict(METHODS)
        if has_control:
            self._methods |= CONTROL_METHODS
            self._methods["devnet_advanceSlots"] = Method(1, self._advance_slots)
            self._methods["devnet_dropSockets"] = Method(0, lambda _, __: drop_sockets())

    @property
    def method_names(self) -> frozenset[str]:
        """What can be called, subscriptions included, their ends not."""
        return frozenset(self._methods) | frozenset(TOPICS)

    def advance(self) -> None:
        """Close the slot that is open, and tell subscribers."""
        self.chain.close_slot()
        self.subscriptions.publish()

    def answer(self, body: bytes, listener: Listener | None = None) -> bytes | None:
        """The answer to a request or a batch; None if nothing asks for one. A listener may subscribe.

        Once the answer is on its way, the caller lets `subscriptions` publish.
        """
        try:
            document = orjson.loads(body)
        except ValueError:
            return orjson.dumps(_failure(None, parse_error()))
        if not isinstance(document, list):
            answer: Any = self._answer_one(document, listener)
        elif not document or len(document) > _MAX_BATCH:
            answer = _failure(None, invalid_request())
        else:
            answer = [made for made in (self._answer_one(one, listener) for one in document) if made is not None]
        # A batch of nothing but notifications has no answer, as a single one has none.
        return orjson.dumps(answer) if answer else None

    def _answer_one(self, document: Any, listener: Listener | None) -> _Answer | None:
        match document:
            case {"jsonrpc": "2.0", "method": str(method), **more} if set(more) <= {"id", "params"}:
                is_asked, identifier, params = "id" in more, more.get("id"), more.get("params")
            case _:
                return _failure(_identifier_of(document), invalid_request())
        if not isinstance(identifier, str | int | float | None) or isinstance(identifier, bool):
            return _failure(None, invalid_request())
        try:
            result = self._call(method, [] if params is None else params, listener)
        except RpcError as error:
            return _failure(identifier, error) if is_asked else None
        return {"jsonrpc": "2.0", "result": result, "id": identifier} if is_asked else None

    def _call(self, method: str, params: Any, listener: Listener | None) -> Any:
        known = self._methods.get(method)
        topic = method if listener is not None and method in TOPICS else None
        ended = _ENDS.get(method) if listener is not None else None
        if known is None and topic is None and ended is None:
            raise method_not_found()
        if not isinstance(params, list):
            raise invalid_params("invalid type: map, expected a sequence")
        if known is not None:
            return known.answer(self.chain, Params(params, known.most_params))
        assert listener is not None
        if topic is not None:
            return self.subscriptions.add(listener, topic, Params(params, MOST_PARAMS))
        assert ended is not None
        if not self.subscriptions.remove(listener, Params(params, 1).integer(0), ended):
            raise invalid_params("Invalid subscription id.")
        return True

    def _advance_slots(self, chain: Chain, params: Params) -> int:
        for _ in range(params.integer(0, least=1, most=_MAX_ADVANCE_SLOTS)):
            self.advance()
        return chain.ledger.open.slot


def _failure(identifier: Any, error: RpcError) -> _Answer:
    return {"jsonrpc": "2.0", "error": error.as_json(), "id": identifier}


def _identifier_of(document: Any) -> Any:
    identifier = document.get("id") if isinstance(document, dict) else None
    return identifier if isinstance(identifier, str | int | float) and not isinstance(identifier, bool) else None


_ENDS: Final[Mapping[str, str]] = {
    f"{subject}Unsubscribe": f"{subject}Notification"
    for subject in (method.removesuffix("Subscribe") for method in TOPICS)
}
