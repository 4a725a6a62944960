# ruff: noqa: N818 -- the names are the protocol's words, and attestation and the contracts name theirs alike
"""Every error a relayer raises on purpose.

Its job: one tree, so that whoever catches knows whether to retry, to give up on one item, to halt one chain, or to
refuse to start. Adapters translate their libraries' errors into these at their edge; anything else is a bug and ends
the process. It must not import anything of the relayer.
"""

from __future__ import annotations

from typing import ClassVar


class RelayerError(Exception):
    """Base of all of them. `code` is the persisted reason and the metric label; it never changes once released."""

    code: ClassVar[str] = "relayer_error"


class TransientError(RelayerError):
    """Worth another try, with capped and jittered backoff."""

    code = "transient"


class RpcUnavailable(TransientError):
    """An RPC endpoint did not answer, answered garbage, or too few endpoints agreed."""

    code = "rpc_unavailable"


class RpcDisagreement(RpcUnavailable):
    """Endpoints of one chain gave different answers and no answer had the configured number of voices."""

    code = "rpc_disagreement"


class PeerUnavailable(TransientError):
    """A peer did not answer in time."""

    code = "peer_unavailable"


class StoreConflict(TransientError):
    """A compare-and-set found another status than the one decided on; decide again on what is there now."""

    code = "store_conflict"


class StoreUnavailable(TransientError):
    """The database did not take or give something: its disk is full, its server is away, another process holds it."""

    code = "store_unavailable"


class RejectedError(RelayerError):
    """Never retried: the input itself is wrong."""

    code = "rejected"


class UnsupportedVm(RejectedError):
    """No registered VM serves this address namespace."""

    code = "unsupported_vm"


class FeeBelowQuote(RejectedError):
    """The chain would not take the request for this fee."""

    code = "fee_below_quote"


class PeerMessageInvalid(RejectedError):
    """A peer's message does not parse, is not signed by a peer, or exceeds a named limit."""

    code = "peer_message_invalid"


class ResumptionRefused(RejectedError):
    """A halted chain cannot be taken up again, or not yet; the text says why."""

    code = "resumption_refused"


class CallReverted(RejectedError):
    """A call that we prepared would revert; `error_name` is the contract's named error where it has one."""

    code = "call_reverted"

    def __init__(self, error_name: str, data: bytes = b"") -> None:
        super().__init__(f"the call would revert with {error_name}")
        self.error_name = error_name
        self.data = data


class ConsistencyError(RelayerError):
    """The world contradicts itself: that chain halts, never the others, and somebody is paged."""

    code = "consistency"


class ReorgBelowFinality(ConsistencyError):
    """The block at a height that was final here is another one now. Hashes are 32 bytes."""

    code = "reorg_below_finality"

    def __init__(self, chain_name: str, number: int, held_hash: bytes, found_hash: bytes) -> None:
        super().__init__(
            f"{chain_name}: block {number} was final here as 0x{held_hash.hex()}, and is 0x{found_hash.hex()} now"
        )
        self.number = number
        self.held_hash = held_hash
        self.found_hash = found_hash


class ConflictingAttestation(ConsistencyError):
    """This operator was about to sign a second leaf under a guard key that already has one.

    The attesting stage leaves that batch unsigned and goes on: its other leaves are signed when the batch is split.
    """

    code = "conflicting_attestation"


class ConfigError(RelayerError):
    """The configuration cannot be run; `faults` names every fault at once, each with what to do about it."""

    code = "config"

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
