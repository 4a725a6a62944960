"""The method by which that chain's other JSON-RPC, of its EVM, tells of a message. Here it is the node's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relayer.crossvm.messages import parse_message_id
from relayer.devnet.cosmwasm.chain import Chain
from relayer.devnet.cosmwasm.methods.answering import Method
from relayer.devnet.cosmwasm.params import Params
from relayer.devnet.cosmwasm.rpc_errors import server_error


def get_message(chain: Chain, params: Params) -> Any:
    """A message by its id."""
    name = params.text("message_id")
    number = parse_message_id(name)
    found = None if number is None else chain.crossvm_message(number)
    if found is None:
        raise server_error(f"message {name[:80]} not found")
    return found.json()


CROSSVM_METHODS: Final[Mapping[str, Method]] = {
    "qor_getCrossVMMessage": Method(("message_id",), get_message, is_of_state=True),
}
