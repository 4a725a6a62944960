"""Block headers as an endpoint gives them, and what their logs bloom says.

Its job: parse `eth_getBlockByNumber` without transactions, strictly. A bloom can only tell that a log is not there; it
is used to notice that an endpoint left logs out, never to conclude that there are any.

Source: Ethereum yellow paper, 4.3.1 (M3:2048); ethereum/execution-apis.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from attestation.keccak import keccak256
from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.vms.evm.quantities import parse_count, parse_data, parse_hash
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.jsonrpc.stamps import Stamp

_BLOOM_LENGTH: Final = 256
_BLOOM_BITS: Final = 8 * _BLOOM_LENGTH
_REMEMBERED_BITS: Final = 1024  # most emitters and topics come again and again


class Header(NamedTuple):
    """One block of one fork. `bloom` is a 2048-bit number, 0 where a chain keeps none.

    `transactions` is the JSON that stood there, meant to be the transactions' hashes: untrusted, to be compared only.
    """

    stamp: Stamp
    bloom: int
    transactions: Any

    @property
    def ref(self) -> BlockRef:
        """Which block it is."""
        return self.stamp.ref

    @property
    def is_empty(self) -> bool:
        """Whether it has no transactions."""
        return bool(self.transactions == [])


def header_call(block: int | str) -> RpcCall:
    """The call for the header at a height, or at a tag such as `latest`."""
    return RpcCall("eth_getBlockByNumber", [hex(block) if isinstance(block, int) else block, False])


def parse_header(answer: Any, number: int | None = None) -> Header | None:
    """The header, or None where the endpoint knows no such block. `number` is the height that was asked for, if any.

    Raises `RpcUnavailable` if it is malformed or another block's.
    """
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise RpcUnavailable("an endpoint answered with a malformed header")
    height = parse_count(answer.get("number"))
    if number not in {None, height}:
        raise RpcUnavailable(f"an endpoint answered with header {height} instead of {number}")
    bloom = parse_data(answer.get("logsBloom"))
    if len(bloom) != _BLOOM_LENGTH:
        raise RpcUnavailable("an endpoint answered with a malformed bloom")
    return Header(
        stamp=Stamp(
            ref=BlockRef(height, parse_hash(answer.get("hash"))),
            parent_hash=parse_hash(answer.get("parentHash")),
            timestamp=parse_count(answer.get("timestamp")),
        ),
        bloom=int.from_bytes(bloom, "big"),
        transactions=answer.get("transactions"),
    )


class BloomFilter:
    """Whether a block may hold logs of one of these (emitter, topic) pairs: 20-byte addresses, 32-byte topics."""

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._masks: Final = tuple(bloom_bits(emitter) | bloom_bits(topic) for emitter, topic in pairs)

    def may_hold(self, header: Header) -> bool:
        """False only if there is no such log. A bloom of zeros in a block with transactions says nothing."""
        if header.is_empty:
            return False
        bloom = header.bloom
        return not bloom or any(bloom & mask == mask for mask in self._masks)


@lru_cache(_REMEMBERED_BITS)
def bloom_bits(value: bytes) -> int:
    """The three bits, of 2048, that an emitter or a topic sets."""
    digest = keccak256(value)
    mask = 0
    for start in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[start : start + 2], "big") % _BLOOM_BITS)
    return mask
