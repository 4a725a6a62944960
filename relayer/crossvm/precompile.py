"""Calls of the precompile by which a chain's EVM calls its CosmWasm contracts in one transaction.

Its job: from a contract's address, its message and coins to the EVM's call data, and back. The documented form is
`call(bytes)` over `abi.encode(string, string, uint256)`. Public sources disagree on it: other forms are read and
written where they are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from attestation.keccak import keccak256

PRECOMPILE: Final = bytes.fromhex("0000000000000000000000000000000000000901")

CALL_GAS: Final = 50_000
"""Of the precompile itself, besides the execution's."""

_PACKED: Final = ("string", "string", "uint256")
_COSMWASM: Final = 1
"""The VM's number in the form that has one."""


class Form(Enum):
    """How the call data is written; values are signatures, the bare form has none."""

    CALL = "call(bytes)"
    EXECUTE = "executeCrossVMCall(uint8,string,bytes)"
    PLAIN = "call(string,bytes)"
    BARE = ""

    @property
    def selector(self) -> bytes:
        """Four bytes, none of the bare form."""
        return keccak256(self.value.encode())[:4] if self.value else b""


@dataclass(frozen=True, slots=True)
class PrecompileCall:
    """A CosmWasm contract by its bech32 text, its message in JSON, and coins of the chain's own denomination.

    The forms that take no coins leave them at 0.
    """

    contract: str
    message: bytes
    funds: int = 0


class MalformedCall(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """The call data is of none of the forms."""


def encode_call(call: PrecompileCall, form: Form = Form.CALL) -> bytes:
    """The call data. Raises `ValueError` for coins in a form that takes none."""
    if call.funds and form in (Form.EXECUTE, Form.PLAIN):
        raise ValueError(f"{form.value} takes no coins")
    if form is Form.EXECUTE:
        return form.selector + encode(("uint8", "string", "bytes"), (_COSMWASM, call.contract, call.message))
    if form is Form.PLAIN:
        return form.selector + encode(("string", "bytes"), (call.contract, call.message))
    packed = encode(_PACKED, (call.contract, call.message.decode(), call.funds))
    return packed if form is Form.BARE else form.selector + encode(("bytes",), (packed,))


def parse_call(data: bytes, forms: Sequence[Form] = (Form.CALL,)) -> PrecompileCall:
    """The call, in the first of these forms that it has. Raises `MalformedCall`."""
    for form in forms:
        if data.startswith(form.selector):
            try:
                return _parse(data[len(form.selector) :], form)
            except (DecodingError, UnicodeDecodeError, OverflowError):
                continue
    raise MalformedCall(f"no call of the precompile: {', '.join(form.value or 'bare' for form in forms)}")


def _parse(body: bytes, form: Form) -> PrecompileCall:
    if form is Form.EXECUTE:
        vm, contract, message = decode(("uint8", "string", "bytes"), body)
        if vm != _COSMWASM:
            raise MalformedCall(f"{vm} is not the number of CosmWasm")
        return PrecompileCall(contract, message)
    if form is Form.PLAIN:
        contract, message = decode(("string", "bytes"), body)
        return PrecompileCall(contract, message)
    if form is Form.CALL:
        (body,) = decode(("bytes",), body)
    contract, text, funds = decode(_PACKED, body)
    return PrecompileCall(contract, text.encode(), funds)
