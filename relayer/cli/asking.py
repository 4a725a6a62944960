"""What it takes to ask for a call from outside of a chain, whatever its VM.

Its job: the values and interfaces between the commands and a VM's tools, and the one look-up from a namespace to them.
Nothing else in the command line knows a VM by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol

from attestation.address import Chain, InteroperableAddress
from attestation.request import Mode, RequestId
from attestation.statement import OutcomeKind
from relayer.errors import UnsupportedVm
from relayer.keys.keystore import Secret

_TOOLS: Final[Mapping[str, str]] = {"eip155": "relayer.cli.evm.tools"}
"""Namespace → module whose `tools` serve it. Imported when asked for: a VM's libraries are large."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a chain is reached: its gateway in the chain's own text form, and one RPC URL, which is believed."""

    chain: Chain
    rpc_url: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for. Limits in gas and bytes, times in seconds and source blocks; 0 takes the route's default.

    `expires_in_seconds` counts from the source chain's latest block; 0 for a QUERY.
    """

    mode: Mode
    target: InteroperableAddress
    payload: bytes
    execution_gas_limit: int = 0
    callback_gas_limit: int = 0
    return_limit: int = 0
    expires_in_seconds: int = 0
    deadline_blocks: int = 0
    code_hash: bytes = bytes(32)
    own_account: bool = False
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands on a chain. `tx` is the transaction's hash in the chain's own text form."""

    block: int
    tx: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was made. `fee` was paid, in the source chain's smallest unit."""

    request_id: RequestId
    sender: InteroperableAddress
    fee: int
    place: Place


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a destination gateway says that became of a CALL."""

    kind: OutcomeKind
    place: Place


@dataclass(frozen=True, slots=True)
class Ending:
    """What the source gateway told the requester. `cut`: there was more return data than the request's limit."""

    kind: OutcomeKind
    success: bool
    is_handler_failed: bool
    cut: bool
    return_data: bytes
    place: Place


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Its requester gave it up; no callback follows. `returned` went back, in the source chain's smallest unit."""

    returned: int
    place: Place


class PayloadCodec(Protocol):
    """The target VM's own encoding of calls. What is malformed raises `WrongUsage`, in words for who typed it."""

    def parse_target(self, chain: Chain, text: str) -> InteroperableAddress:
        """An account of `chain` in the chain's own text form."""
        ...

    def encode_call(self, function: str, arguments: Sequence[str]) -> bytes:
        """A call of `function`, named as the VM names functions, with each argument as typed."""
        ...

    def check_result_types(self, types: str) -> None:
        """Whether `decode_result` can take them."""
        ...

    def decode_result(self, types: str, data: bytes) -> list[Any]:
        """Return data as values of these types, as JSON has them; integers as decimal strings, bytes as hex."""
        ...

    def explain_failure(self, data: bytes) -> str:
        """What the data of a REVERTED outcome says, in words, as far as it is known."""
        ...


class SourceSession(Protocol):
    """An account on a chain whose gateway is asked. Methods raise `RpcUnavailable` and, named, `CallReverted`."""

    def quote(self, ask: Ask) -> int:
        """What it costs now, in the chain's smallest unit."""
        ...

    def send(self, ask: Ask, fee: int) -> Asked:
        """Ask, pay `fee`, and wait until it is in a block."""
        ...

    def fetch_ending(self, asked: Asked) -> Ending | Cancelled | None:
        """What the gateway told of the outcome, or that there is to be none; None as long as it told neither."""
        ...


class DestinationSession(Protocol):
    """A look at a chain on which requests are executed. Raises `RpcUnavailable`."""

    def fetch_receipt(self, asked: Asked) -> Receipt | None:
        """What became of a CALL there, None as long as nothing did."""
        ...


class VmTools(Protocol):
    """What one VM's module offers."""

    @property
    def codec(self) -> PayloadCodec:
        """Its calls."""
        ...

    def open_source(self, endpoint: Endpoint, secret: Secret) -> SourceSession:
        """As the account with this key. Raises `ConfigError` if the chain is another, or has no gateway there."""
        ...

    def open_destination(self, endpoint: Endpoint) -> DestinationSession:
        """To look. Raises as `open_source`."""
        ...


def tools_for(namespace: str) -> VmTools:
    """The tools of the VM with this CAIP-2 namespace. Raises `UnsupportedVm`."""
    place = _TOOLS.get(namespace)
    if place is None:
        raise UnsupportedVm(f"the command line cannot ask on {namespace} chains; it can on {', '.join(_TOOLS)}")
    found: VmTools = import_module(place).tools
    return found
