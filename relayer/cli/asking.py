"""What it takes to ask for a call from outside of a chain, whatever its VM.

Its job: the values and interfaces between the commands and a VM's tools, and the one look-up from a namespace to them:
the entry point group `xvm.tools`, so that nothing else in the command line knows a VM by name, and tools from outside
this package are as good as ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol

from attestation.address import Chain, InteroperableAddress, bech32_prefix
from attestation.request import Mode, RequestId
from attestation.statement import OutcomeKind
from relayer.errors import ConfigError, UnsupportedVm
from relayer.keys.keystore import Secret

_GROUP: Final = "xvm.tools"
"""Entry points: CAIP-2 namespace → the `VmTools` that serve it. Loaded when asked for: a VM's libraries are large."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a chain is reached: its gateway in the chain's own text form, and one RPC URL, which is believed."""

    chain: Chain
    rpc_url: str
    gateway: str

    def account_text(self, account: InteroperableAddress) -> str:
        """CAIP-10 of an account there; with the gateway's bech32 prefix where accounts have one."""
        return account.to_text(bech32_prefix(self.gateway))


@dataclass(frozen=True, slots=True)
class TypedCall:
    """A call as somebody typed it.

    `function` is named as the VM names functions; `data` is a call as it is, instead of a function and its arguments.
    `accounts` are what the call may touch, for VMs whose calls list that. `interface` is a file that tells how the
    target is called, in the format that the VM has for it. `gateway` is that of the target's chain in its own text
    form, empty if nothing is known of it.
    """

    target: InteroperableAddress
    asker: InteroperableAddress
    function: str | None = None
    arguments: Sequence[str] = ()
    data: bytes | None = None
    accounts: Sequence[str] = ()
    interface: Path | None = None
    is_own_account: bool = False
    gateway: str = ""


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
    """A request that was made. `fee` was paid, in the source chain's smallest unit.

    `kept_at` is the account that holds it until it ends, in the chain's own text form, where there is one to itself.
    """

    request_id: RequestId
    sender: InteroperableAddress
    fee: int
    place: Place
    kept_at: str = ""


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
    """The target VM's own encoding of one call. What is malformed raises `WrongUsage`, in words for who typed it."""

    def encode(self, mode: Mode) -> bytes:
        """The payload that asks for the call, or, of a QUERY, for what the call would give."""
        ...

    @property
    def result_types(self) -> str | None:
        """What the call returns, as far as its interface tells, as `decode_result` takes it."""
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
    """What the entry point of one VM names."""

    def account_text(self, secret: Secret) -> str:
        """The account of this key on the VM's chains, in their text form. Raises `ConfigError` if it is no such key."""
        ...

    def open_call(self, call: TypedCall) -> PayloadCodec:
        """The encoding of one call. Raises `WrongUsage`, or `ConfigError` for an interface file that cannot be read."""
        ...

    def open_source(self, endpoint: Endpoint, secret: Secret) -> SourceSession:
        """As the account with this key. Raises `ConfigError` if the chain is another, or has no gateway there."""
        ...

    def open_destination(self, endpoint: Endpoint) -> DestinationSession:
        """To look. Raises as `open_source`."""
        ...


def tools_for(namespace: str) -> VmTools:
    """The tools of the VM with this CAIP-2 namespace. Raises `UnsupportedVm`; `ConfigError` if a library is missing."""
    installed = entry_points(group=_GROUP)
    if namespace not in installed.names:
        known = ", ".join(sorted(installed.names))
        raise UnsupportedVm(f"the command line cannot ask on {namespace} chains; it can on {known}")
    try:
        found: VmTools = installed[namespace].load()
    except ModuleNotFoundError as missing:
        fault = f"asking on {namespace} chains needs {missing.name}: install its extra; `make setup` has ours"
        raise ConfigError([fault]) from None
    return found


def account_texts(secret: Secret) -> dict[str, str]:
    """The accounts of a key, by CAIP-2 namespace: of all VMs that are installed whole and take such a key."""
    found = {}
    for namespace in sorted(entry_points(group=_GROUP).names):
        try:
            found[namespace] = tools_for(namespace).account_text(secret)
        except ConfigError:
            continue
    return found
