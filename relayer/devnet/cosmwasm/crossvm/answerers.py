"""The VMs that this chain does not have, played: what a call of theirs comes to.

Its job: one answer for one call, without a state. An answerer is no VM: it checks the form of the target and of the
payload, and gives the payload back. Tests put others in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from attestation.errors import MalformedAddress
from attestation.textcodecs import base58_decode
from relayer.crossvm.precompile import PRECOMPILE, Form, MalformedCall, PrecompileCall, parse_call

_PROGRAM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """A call: the target as its VM writes it, the payload as it was sent."""

    sender: str
    target_contract: str
    payload: bytes


class TargetFailedError(Exception):
    """The target reverts; the text is the message's error."""


Answerer = Callable[[Asked], "bytes | PrecompileCall"]
"""The result, or the CosmWasm contract that the precompile calls in its stead. Raises `TargetFailedError`."""


class PlayedEvm:
    """Gives call data back; at the precompile's address, the contract that is called there."""

    def __init__(self, forms: Sequence[Form] = (Form.CALL,)) -> None:
        """`forms` of the precompile's call data, which are tried in this order."""
        self._forms = tuple(forms)

    def __call__(self, asked: Asked) -> bytes | PrecompileCall:
        """Answer a call."""
        address = _hex(asked.target_contract)
        if address is None or len(address) != len(PRECOMPILE):
            raise TargetFailedError(f"{asked.target_contract[:80]!r} is no address of 20 bytes")
        if address != PRECOMPILE:
            return asked.payload
        try:
            return parse_call(asked.payload, self._forms)
        except MalformedCall as error:
            raise TargetFailedError(f"execution reverted: {error}") from None


def play_svm(asked: Asked) -> bytes:
    """Give instruction data back, which is sent as hex digits."""
    try:
        program = base58_decode(asked.target_contract)
    except MalformedAddress:
        program = b""
    if len(program) != _PROGRAM_BYTES:
        raise TargetFailedError(f"{asked.target_contract[:80]!r} is no program")
    try:
        data = _hex(asked.payload.decode())
    except UnicodeDecodeError:
        data = None
    if data is None:
        raise TargetFailedError("instruction data is not hex")
    return data


PLAYED: Final[Mapping[str, Answerer]] = {"evm": PlayedEvm(), "svm": play_svm}


def _hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return None
