"""What the chain's modules answer, asked for through CometBFT.

Its job: the call for a query, and its answer: protobuf for the modules, JSON for contracts, parsed strictly. Answers
are an endpoint's word. It must not decide whose word counts, nor what an error means.

Source: CometBFT's RPC, `abci_query`; the Cosmos SDK's gRPC services, by their paths.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeVar

import orjson

from attestation.errors import MalformedJson
from attestation.json_object import JsonObject, parse_object
from relayer.cosmos.protobuf import MalformedProtobuf, Message
from relayer.cosmos.wasm import (
    SMART_CONTRACT_STATE,
    QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
)
from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.values import parse_base64, parse_code, parse_count, parse_member, parse_text
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, require_result

NEWEST: Final = 0
"""As a height: the newest state."""

_WASM: Final = "wasm"
_QUERY_FAILED: Final = (9, "query wasm contract failed")
_NO_SUCH_CONTRACT: Final = (22, "no such contract")
_VM_FAILED: Final = (29, "wasmvm error")
"""Errors of wasmd. Between its gRPC and CometBFT the SDK turns their codes into ones of its own and keeps the texts."""

_ABORTED_TEXT: Final = "Aborted: "
"""What the VM says of a contract that calls `abort`, as Rust's panics do. Any other error is the VM's own."""

_NO_QUERY_TEXT: Final = "invalid query data"
"""What wasmd says to a question that is no JSON."""

_MAX_GATEWAY_ANSWER_BYTES: Final = 256 * 1024
"""Of JSON. The largest is a signer set of as many signers as there may be, some 75,000."""

_MAX_SHOWN_CHARACTERS: Final = 200

M = TypeVar("M", bound=Message)


class AbciAnswer(NamedTuple):
    """A query's answer. `code` 0 is success; else `codespace` and `log`, an untrusted text, tell more.

    `height` is that of the state that was read, 0 where the node does not say.
    """

    code: int
    codespace: str
    log: str
    value: bytes
    height: int


def abci_call(path: str, request: Message, height: int = NEWEST) -> RpcCall:
    """The query at a gRPC path, of the state after the block at `height`."""
    return RpcCall("abci_query", {"path": path, "data": request.encode().hex(), "height": str(height), "prove": False})


def parse_abci(answer: Any, endpoint: RpcEndpoint) -> AbciAnswer:
    """The query's own answer, error or not. Raises `RpcUnavailable` where there is none."""
    response = parse_member(require_result(answer, endpoint), "response")
    return AbciAnswer(
        code=parse_code(parse_member(response, "code")),
        codespace=parse_text(response.get("codespace", "")),
        log=parse_text(response.get("log", "")),
        value=parse_base64(response.get("value")),
        height=parse_count(response.get("height", "0")),
    )


def is_no_contract(answer: AbciAnswer) -> bool:
    """Whether the query failed for there is no contract at that address. A contract's own error may read so, too."""
    return _is_error(answer, *_NO_SUCH_CONTRACT)


def is_contract_error(answer: AbciAnswer) -> bool:
    """Whether the query failed by the contract's own will, or for it is no question to a contract."""
    is_aborted = _is_error(answer, *_VM_FAILED) and _ABORTED_TEXT in answer.log
    is_no_query = answer.code != 0 and _NO_QUERY_TEXT in answer.log
    return is_aborted or is_no_query or _is_error(answer, *_QUERY_FAILED)


def parse_response(answer: Any, endpoint: RpcEndpoint, message: type[M]) -> M:
    """The message in a successful answer. Raises `RpcUnavailable` for any other."""
    return decode_response(require_success(parse_abci(answer, endpoint), endpoint), endpoint, message)


def require_success(answer: AbciAnswer, endpoint: RpcEndpoint) -> bytes:
    """The value. Raises `RpcUnavailable` for an error."""
    if answer.code:
        shown = answer.log[:_MAX_SHOWN_CHARACTERS]
        raise RpcUnavailable(f"{endpoint.label} failed a query: {shown} ({answer.codespace} {answer.code})")
    return answer.value


def decode_response(value: bytes, endpoint: RpcEndpoint, message: type[M]) -> M:
    """The message. Newer nodes may say more than it declares. Raises `RpcUnavailable`."""
    try:
        return message.decode(value, is_lenient=True)
    except MalformedProtobuf as fault:
        raise RpcUnavailable(f"{endpoint.label} answered a query with a malformed message: {fault}") from None


def smart_call(contract: str, query: bytes, height: int = NEWEST) -> RpcCall:
    """A question in JSON to a contract, named by its bech32 text."""
    return abci_call(SMART_CONTRACT_STATE, QuerySmartContractStateRequest(contract, query), height)


def gateway_call(gateway: str, name: str, height: int = NEWEST, **members: str) -> RpcCall:
    """One of the gateway's queries."""
    return smart_call(gateway, orjson.dumps({name: members}), height)


def decode_smart(value: bytes, endpoint: RpcEndpoint) -> bytes:
    """What a contract answered, of a successful query's value. Raises `RpcUnavailable`."""
    return decode_response(value, endpoint, QuerySmartContractStateResponse).data


def parse_smart_text(answer: Any, endpoint: RpcEndpoint) -> str:
    """What the gateway answered with a JSON string. Raises `RpcUnavailable` for anything else."""
    data = _gateway_answer(answer, endpoint)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, str):
        raise RpcUnavailable(f"{endpoint.label} answered a query with what is no JSON string")
    return value


def parse_smart_object(answer: Any, endpoint: RpcEndpoint) -> JsonObject:
    """What the gateway answered with a JSON object, each of its names once. Raises `RpcUnavailable` for anything else.

    The object's own methods raise `MalformedJson`, which is a `ValueError`: in a poll it is that endpoint's fault.
    """
    data = _gateway_answer(answer, endpoint)
    try:
        return parse_object("answer", data.decode())
    except (MalformedJson, UnicodeDecodeError) as fault:
        raise RpcUnavailable(f"{endpoint.label} answered a query with malformed JSON: {fault}") from None


def _gateway_answer(answer: Any, endpoint: RpcEndpoint) -> bytes:
    data = parse_response(answer, endpoint, QuerySmartContractStateResponse).data
    # SECURITY: what stands in base64 was not weighed: megabytes of tiny values would stop the process for as long as
    # they take to parse.
    if len(data) > _MAX_GATEWAY_ANSWER_BYTES:
        raise RpcUnavailable(f"{endpoint.label} answered a query of the gateway with {len(data)} bytes")
    return data


def _is_error(answer: AbciAnswer, code: int, text: str) -> bool:
    if answer.codespace == _WASM:
        return answer.code == code
    return answer.code != 0 and text in answer.log
