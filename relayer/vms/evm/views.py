"""Our contracts' views: the calls, and what they answer, parsed strictly.

Its job: one place for the encoding of each view that the relayer reads. Answers are an endpoint's word: malformed ones
are `RpcUnavailable`. It must not decide whose word counts.

Source: contracts/evm/src/interfaces, IXvmSource, IXvmDestination and IXvmVerifier.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from attestation.errors import AttestationError
from attestation.request import RequestId
from attestation.signer_set import SignerSet
from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.vms.evm import interface
from relayer.vms.evm.codec import decode_signer_set
from relayer.vms.evm.quantities import format_data, parse_data
from relayer.vms.evm.vm_faults import parse_revert
from relayer.vms.evm.words import WORD, MalformedAbi, Words
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result

PENDING: Final = 1
CANCELLED: Final = 3

_PENDING_REQUEST_WORDS: Final = 6
_ADDRESS: Final = 20
_CONSUMED: Final = interface.selector(interface.CONSUMED)
_VERIFIER: Final = interface.selector(interface.VERIFIER)
_PENDING_REQUEST: Final = interface.selector(interface.PENDING_REQUEST)
_UNKNOWN_EPOCH: Final = interface.selector(interface.UNKNOWN_EPOCH)
_CURRENT_EPOCH: Final = interface.selector(interface.CURRENT_EPOCH)
_SIGNER_SET: Final = interface.selector(interface.SIGNER_SET)


class PendingState(NamedTuple):
    """What a source gateway knows of a request: its `State`, and whether a transaction's own sender asked."""

    state: int
    is_eoa: bool


def at_block(ref: BlockRef) -> dict[str, object]:
    """The block parameter for exactly this block, and only while it is on the chain (EIP-1898)."""
    return {"blockHash": format_data(ref.hash), "requireCanonical": True}


def consumed_call(gateway: bytes, identifier: RequestId) -> RpcCall:
    """`consumed(id)` at the tip."""
    return _view(gateway, _CONSUMED + identifier, "latest")


def parse_consumed(answer: Any, endpoint: RpcEndpoint) -> bytes:
    """The slot word, 32 bytes."""
    return _words(answer, endpoint, 1).word(0)


def pending_call(gateway: bytes, identifier: RequestId) -> RpcCall:
    """`pendingRequest(id)` at the tip."""
    return _view(gateway, _PENDING_REQUEST + identifier, "latest")


def parse_pending(answer: Any, endpoint: RpcEndpoint) -> PendingState:
    """The parts of `PendingRequest` that a delivery depends on."""
    words = _words(answer, endpoint, _PENDING_REQUEST_WORDS)
    try:
        return PendingState(words.uint8(4), words.boolean(1))
    except MalformedAbi as error:
        raise _malformed(endpoint, error) from None


def verifier_call(gateway: bytes) -> RpcCall:
    """`verifier()` at the tip."""
    return _view(gateway, _VERIFIER, "latest")


def parse_verifier(answer: Any, endpoint: RpcEndpoint) -> bytes:
    """The 20-byte address; zero before the first, and where no gateway is deployed yet."""
    data = parse_data(require_result(answer, endpoint))
    if not data:
        return bytes(_ADDRESS)
    if len(data) != WORD or any(data[:-_ADDRESS]):
        raise _malformed(endpoint, "no address")
    return data[-_ADDRESS:]


def current_epoch_call(verifier: bytes, block: BlockRef) -> RpcCall:
    """`currentEpoch()` as of `block`."""
    return _view(verifier, _CURRENT_EPOCH, at_block(block))


def parse_current_epoch(answer: Any, endpoint: RpcEndpoint) -> int:
    """The newest epoch; 0 before the first, and where no verifier is deployed yet."""
    data = parse_data(require_result(answer, endpoint))
    if not data:
        return 0
    try:
        return Words(data, 0, 1).uint64(0)
    except MalformedAbi as error:
        raise _malformed(endpoint, error) from None


def signer_set_call(verifier: bytes, epoch: int, block: BlockRef) -> RpcCall:
    """`signerSet(epoch)` as of `block`."""
    return _view(verifier, _SIGNER_SET + epoch.to_bytes(WORD, "big"), at_block(block))


def parse_signer_set(answer: Any, endpoint: RpcEndpoint) -> tuple[SignerSet | None, int]:
    """The set, and the last second at which it verifies; no set where the epoch is another verifier's."""
    if isinstance(answer, RpcFault) and (parse_revert(answer) or b"").startswith(_UNKNOWN_EPOCH):
        return None, 0
    try:
        return decode_signer_set(parse_data(require_result(answer, endpoint)))
    except (MalformedAbi, AttestationError) as error:
        raise _malformed(endpoint, error) from None


def _view(contract: bytes, data: bytes, block: object) -> RpcCall:
    return RpcCall("eth_call", [{"to": format_data(contract), "data": format_data(data)}, block])


def _words(answer: Any, endpoint: RpcEndpoint, count: int) -> Words:
    data = parse_data(require_result(answer, endpoint))
    if len(data) != WORD * count:
        raise _malformed(endpoint, f"{len(data)} bytes")
    return Words(data, 0, count)


def _malformed(endpoint: RpcEndpoint, reason: object) -> RpcUnavailable:
    return RpcUnavailable(f"{endpoint.label} answered a view with malformed data: {reason}")
