"""What a node's error to a simulated call means: did the VM end it, or did the node fail?

Its job: tell a revert or halt, which every node that runs the call must see alike, from everything else, which says
nothing about the call. SECURITY: a node's failure taken for a halt would be signed as the answer REVERTED; when in
doubt it is no halt.

Source: texts of geth (core/vm/errors.go), reth and anvil (revm InstructionResult), nethermind
(EvmExceptionExtensions), erigon and besu (ExceptionalHaltReason).
"""

from __future__ import annotations

from typing import Any, Final

from relayer.errors import RpcUnavailable
from relayer.vms.evm.quantities import parse_data
from relayer.vms.jsonrpc.rpc import RpcFault

_REVERT_CODE: Final = 3
_METHOD_NOT_FOUND: Final = -32601

_REVERTS: Final = ("executionreverted", "vmexecutionerror", "evmerrorrevert")

# Squashed to lower-case letters without spaces.
_HALTS: Final = (
    "outofgas",
    "memoryoog",
    "memorylimitoog",
    "precompileoog",
    "invalidoperandoog",
    "gasuintoverflow",
    "intrinsicgas",
    "floordatagas",
    "invalidopcode",
    "invalidfeopcode",
    "invalidinstruction",
    "badinstruction",
    "opcodenotfound",
    "notactivated",
    "stackunderflow",
    "stackoverflow",
    "stacklimitreached",
    "insufficientstackitems",
    "toomanystackitems",
    "invalidjump",
    "badjumpdestination",
    "returndataoutofbounds",
    "outofoffset",
    "accessviolation",
    "writeprotection",
    "statechangeduringstaticcall",
    "callnotallowedinsidestatic",
    "illegalstatechange",
    "createcollision",
    "contractaddresscollision",
    "codesizeexceeded",
    "createcontractsizelimit",
    "createinitcodesizelimit",
    "maxcalldepthexceeded",
    "precompileerror",
)

_UNKNOWN_METHODS: Final = ("methodnotfound", "doesnotexist", "notsupported", "unsupported", "notavailable")


def parse_revert(fault: RpcFault) -> bytes | None:
    """The revert data of a call that the VM ended, empty for a halt; None for anything else."""
    text = _squash(fault.message)
    data = _revert_data(fault.data)
    if fault.code == _REVERT_CODE or any(part in text for part in _REVERTS):
        return data or b""
    return b"" if any(part in text for part in _HALTS) else None


def is_unknown_method(fault: RpcFault) -> bool:
    """Whether the node does not have the method that was called."""
    text = _squash(fault.message)
    return fault.code == _METHOD_NOT_FOUND or any(part in text for part in _UNKNOWN_METHODS)


def _revert_data(value: Any) -> bytes | None:
    """Most nodes give hex; parity's line wrote `Reverted 0x…`; some wrap it in an object."""
    if isinstance(value, dict):
        value = value.get("data")
    if not isinstance(value, str):
        return None
    try:
        return parse_data(value.removeprefix("Reverted "))
    except RpcUnavailable:
        return None


def _squash(message: str) -> str:
    return "".join(character for character in message.lower() if character.isalpha())
