"""An EVM chain as JSON: blocks, logs and receipts with true hashes' shape and true blooms, for scripted nodes to tell.

Hashes are made up but linked: a block's depends on its parent, its place and its logs, so that forks differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from attestation.keccak import keccak256
from relayer.domain.blocks import BlockRef
from relayer.vms.evm.logs import Log
from relayer.vms.evm.quantities import format_data
from tests.unit.jsonrpc.scripted_node import NodeFault

GENESIS_SECONDS = 1_000


@dataclass
class JsonTransaction:
    """A transaction by its logs, none if it failed."""

    logs: tuple[Log, ...] = ()


@dataclass
class JsonBlock:
    number: int
    parent_hash: bytes
    timestamp: int
    transactions: tuple[JsonTransaction, ...]
    salt: str
    hash: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.hash = keccak256(
            repr((self.number, self.parent_hash, self.timestamp, self.transactions, self.salt)).encode()
        )

    @property
    def ref(self) -> BlockRef:
        return BlockRef(self.number, self.hash)

    def tx_hash(self, index: int) -> bytes:
        return keccak256(self.hash + bytes([index % 256, index // 256]))


class JsonChain:
    """Grows by `mine`. `answer` speaks JSON-RPC; heights below `finalized` steps under the tip are final."""

    def __init__(self, block_seconds: int = 10) -> None:
        self.block_seconds = block_seconds
        self.finalized_depth = 2
        self.blocks: list[JsonBlock] = []
        self.views: dict[tuple[bytes, bytes], Any] = {}
        self.mine()

    def mine(self, *transactions: JsonTransaction, timestamp: int | None = None, salt: str = "") -> JsonBlock:
        parent = self.blocks[-1] if self.blocks else None
        if timestamp is None:
            timestamp = parent.timestamp + self.block_seconds if parent else GENESIS_SECONDS
        block = JsonBlock(len(self.blocks), parent.hash if parent else bytes(32), timestamp, transactions, salt)
        self.blocks.append(block)
        return block

    def fork(self, depth: int) -> JsonChain:
        """A copy without the newest `depth` blocks."""
        twin = JsonChain.__new__(JsonChain)
        twin.__dict__ = {**self.__dict__, "blocks": self.blocks[: len(self.blocks) - depth]}
        return twin

    def answer(self, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_getBlockByNumber":
                return self.header(params[0])
            case "eth_getLogs":
                return self.logs(params[0])
            case "eth_getTransactionReceipt":
                return self.receipt(params[0])
            case "eth_getBlockReceipts":
                block = self.blocks[int(params[0], 16)]
                return [self._receipt(block, index) for index in range(len(block.transactions))]
        raise NodeFault(-32601, f"the method {method} does not exist")

    def header(self, tag: str) -> dict[str, Any] | None:
        if tag == "latest":
            number = len(self.blocks) - 1
        elif tag in {"finalized", "safe"}:
            number = len(self.blocks) - 1 - self.finalized_depth
        else:
            number = int(tag, 16)
        if not 0 <= number < len(self.blocks):
            return None
        block = self.blocks[number]
        return {
            "number": hex(number),
            "hash": format_data(block.hash),
            "parentHash": format_data(block.parent_hash),
            "timestamp": hex(block.timestamp),
            "logsBloom": format_data(bloom_of(*block.transactions)),
            "transactions": [format_data(block.tx_hash(index)) for index in range(len(block.transactions))],
        }

    def logs(self, criteria: dict[str, Any]) -> list[dict[str, Any]]:
        if "blockHash" in criteria:
            blocks = [block for block in self.blocks if format_data(block.hash) == criteria["blockHash"]]
            if not blocks:
                raise NodeFault(-32000, "unknown block")
        else:
            first, last = int(criteria["fromBlock"], 16), int(criteria["toBlock"], 16)
            if first >= len(self.blocks):
                raise NodeFault(-32602, "BlockOutOfRangeError")
            blocks = self.blocks[first : last + 1]
        return [
            log
            for block in blocks
            for index in range(len(block.transactions))
            for log in self._receipt(block, index)["logs"]
            if "address" not in criteria
            or (log["address"] in criteria["address"] and log["topics"] and log["topics"][0] in criteria["topics"][0])
        ]

    def receipt(self, tx_hash: str) -> dict[str, Any] | None:
        for block in self.blocks:
            for index in range(len(block.transactions)):
                if format_data(block.tx_hash(index)) == tx_hash:
                    return self._receipt(block, index)
        return None

    def _receipt(self, block: JsonBlock, index: int) -> dict[str, Any]:
        place = {
            "blockNumber": hex(block.number),
            "blockHash": format_data(block.hash),
            "transactionHash": format_data(block.tx_hash(index)),
            "transactionIndex": hex(index),
        }
        first = sum(len(transaction.logs) for transaction in block.transactions[:index])
        logs = [
            place
            | {
                "address": format_data(log.emitter),
                "topics": [format_data(topic) for topic in log.topics],
                "data": format_data(log.data),
                "logIndex": hex(first + offset),
                "removed": False,
            }
            for offset, log in enumerate(block.transactions[index].logs)
        ]
        return place | {"status": "0x1", "gasUsed": "0x5208", "effectiveGasPrice": "0x3", "logs": logs}


def bloom_of(*transactions: JsonTransaction) -> bytes:
    """The yellow paper's M3:2048, bit by bit."""
    bloom = bytearray(256)
    for transaction in transactions:
        for log in transaction.logs:
            for value in (log.emitter, *log.topics):
                digest = keccak256(value)
                for start in (0, 2, 4):
                    bit = int.from_bytes(digest[start : start + 2], "big") & 2047
                    bloom[255 - bit // 8] |= 1 << bit % 8
    return bytes(bloom)
