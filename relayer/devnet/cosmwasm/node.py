"""The node: JSON-RPC over the chain, calls, batches and subscriptions alike, and the making of blocks.

Its job: from the bytes of a request to the bytes of its answer. Whatever a client sends has an answer; what it may not
is an error of the RPC. It opens no sockets. What looks into the state, or changes it, runs in one thread that does
nothing else: contracts hold up those that wait for contracts, never those that read blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import orjson

from relayer.devnet.cosmwasm.chain import Chain
from relayer.devnet.cosmwasm.crossvm.methods import CROSSVM_METHODS
from relayer.devnet.cosmwasm.methods import METHODS
from relayer.devnet.cosmwasm.methods.answering import Method
from relayer.devnet.cosmwasm.methods.control import CONTROL_METHODS
from relayer.devnet.cosmwasm.methods.sending import committed_json, take
from relayer.devnet.cosmwasm.params import Params
from relayer.devnet.cosmwasm.rpc_errors import (
    RpcError,
    internal_error,
    invalid_request,
    method_not_found,
    parse_error,
)
from relayer.devnet.cosmwasm.subscriptions import Listener, Subscriptions

MAX_REQUEST_BYTES: Final = 1_000_000
"""Source: max_body_bytes of CometBFT's settings."""

_MAX_BATCH: Final = 10
"""Source: max_request_batch_size."""

_COMMIT_SECONDS: Final = 10.0
"""How long `broadcast_tx_commit` waits; Source: timeout_broadcast_tx_commit."""

_MAX_ADVANCE_BLOCKS: Final = 1_000
"""Of one call, that it does not hold up everybody else."""

_URI_IDENTIFIER: Final = -1
"""Source: URIClientRequestID of CometBFT."""

_SUBSCRIBING: Final[Mapping[str, tuple[str, ...]]] = {
    "subscribe": ("query",),
    "unsubscribe": ("query",),
    "unsubscribe_all": (),
}

_Answer = dict[str, Any]
_Value = TypeVar("_Value")


class Node:
    """A node of the chain, the only one. `drop_sockets` ends all connections of subscribers, and says how many."""

    def __init__(self, chain: Chain, *, has_control: bool, drop_sockets: Callable[[], int]) -> None:
        self.chain = chain
        self.subscriptions = Subscriptions(chain.settings.dialect)
        self._methods: dict[str, Method] = dict(METHODS)
        self._awaited: dict[str, tuple[tuple[str, ...], Callable[[Params], Any]]] = {
            "broadcast_tx_commit": (("tx",), self._broadcast_and_wait),
        }
        if chain.has_crossvm:
            self._methods |= CROSSVM_METHODS
        if has_control:
            self._methods |= CONTROL_METHODS
            self._methods["devnet_dropSockets"] = Method((), lambda _, __: drop_sockets())
            self._awaited["devnet_advanceBlocks"] = ("blocks",), self._advance_blocks
        self._apart = ThreadPoolExecutor(1, thread_name_prefix="cosmwasm")
        self._making = asyncio.Lock()
        self._published_height = chain.view_height
        self._grown = asyncio.Event()

    @property
    def method_names(self) -> frozenset[str]:
        """What can be called."""
        return frozenset(self._methods) | frozenset(self._awaited) | frozenset(_SUBSCRIBING)

    def close(self) -> None:
        """Let the thread end."""
        self._apart.shutdown()

    async def advance(self) -> None:
        """Make a block of what waits, and tell subscribers."""
        async with self._making:
            # One transaction after the other, so that questions come in between.
            making = await self._run_apart(self.chain.open_block)
            for transaction in making.transactions:
                await self._run_apart(lambda transaction=transaction: making.deliver(transaction))  # type: ignore[misc]
            await self._run_apart(lambda: self.chain.close_block(making))
        self.publish()

    def publish(self) -> None:
        """Tell subscribers of the blocks that have come into view."""
        while self._published_height < self.chain.view_height:
            self._published_height += 1
            block = self.chain.block(self._published_height)
            if block is not None:
                self.subscriptions.publish(block)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def answer(self, body: bytes, listener: Listener | None = None) -> bytes | None:
        """The answer to a request or a batch; None if nothing asks for one. A listener may subscribe."""
        try:
            document = orjson.loads(body)
        except ValueError as error:
            return orjson.dumps(_failure(_URI_IDENTIFIER, parse_error(str(error))))
        if not isinstance(document, list):
            answer: Any = await self._answer_one(document, listener)
        elif len(document) > _MAX_BATCH:
            text = f"batch request exceeds maximum ({_MAX_BATCH}) allowed number of requests"
            answer = _failure(_URI_IDENTIFIER, invalid_request(text))
        else:
            made = [await self._answer_one(one, listener) for one in document]
            answered = [one for one in made if one is not None]
            # CometBFT makes no difference between a single answer and a batch of one.
            answer = answered[0] if len(answered) == 1 else answered
        # A batch of nothing but notifications has no answer, as a single one has none.
        return orjson.dumps(answer) if answer else None

    async def answer_uri(self, method: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        """The answer to a call by URI, and its HTTP status."""
        try:
            result = await self._call(method, Params(query, is_uri=True), None, _URI_IDENTIFIER)
        except RpcError as error:
            status = 404 if error.code == method_not_found().code else 500
            return status, orjson.dumps(_failure(_URI_IDENTIFIER, error))
        return 200, orjson.dumps({"jsonrpc": "2.0", "id": _URI_IDENTIFIER, "result": result})

    async def _answer_one(self, document: Any, listener: Listener | None) -> _Answer | None:
        match document:
            case {"jsonrpc": "2.0", "method": str(method), **more}:
                is_asked, identifier, params = "id" in more, more.get("id"), more.get("params")
            case _:
                return _failure(_URI_IDENTIFIER, invalid_request("no JSON-RPC 2.0 request"))
        if not is_asked:
            # A notification: nothing that can be called here is of use without its answer.
            return None
        if not isinstance(identifier, str | int) or isinstance(identifier, bool):
            return _failure(_URI_IDENTIFIER, invalid_request("the id must be a text or a whole number"))
        try:
            result = await self._call(method, Params.of(params, self._names_of(method)), listener, identifier)
        except RpcError as error:
            return _failure(identifier, error)
        return {"jsonrpc": "2.0", "id": identifier, "result": result}

    def _names_of(self, method: str) -> tuple[str, ...]:
        if method in self._methods:
            return self._methods[method].params
        return self._awaited[method][0] if method in self._awaited else _SUBSCRIBING.get(method, ())

    async def _call(self, method: str, params: Params, listener: Listener | None, identifier: Any) -> Any:
        known = self._methods.get(method)
        if known is not None:
            if known.is_of_state:
                result = await self._run_apart(lambda: known.answer(self.chain, params))
            else:
                result = known.answer(self.chain, params)
            if known.changes_view:
                self.publish()
            return result
        if method in self._awaited:
            return await self._awaited[method][1](params)
        if listener is None or method not in _SUBSCRIBING:
            raise method_not_found()
        if method == "subscribe":
            self.subscriptions.add(listener, identifier, params.text("query"))
        elif method == "unsubscribe":
            self.subscriptions.remove(listener, params.text("query"))
        else:
            self.subscriptions.remove_all(listener)
        return {}

    async def _broadcast_and_wait(self, params: Params) -> Any:
        """Send a transaction and wait for its block."""
        raw = params.data("tx")
        checked = await self._run_apart(lambda: take(self.chain, raw))
        if checked.result.code:
            return committed_json(checked, None, self.chain.settings.dialect)
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                while (executed := self.chain.find(checked.hash)) is None:
                    await self._grown.wait()
        except TimeoutError:
            raise internal_error("timed out waiting for tx to be included in a block") from None
        return committed_json(checked, executed, self.chain.settings.dialect)

    async def _advance_blocks(self, params: Params) -> Any:
        count = params.integer("blocks") or 1
        if not 1 <= count <= _MAX_ADVANCE_BLOCKS:
            raise internal_error(f"blocks must be 1 to {_MAX_ADVANCE_BLOCKS}")
        for _ in range(count):
            await self.advance()
        return str(self.chain.ledger.latest_height)

    async def _run_apart(self, work: Callable[[], _Value]) -> _Value:
        return await asyncio.get_running_loop().run_in_executor(self._apart, work)


def _failure(identifier: Any, error: RpcError) -> _Answer:
    return {"jsonrpc": "2.0", "id": identifier, "error": error.as_json()}
