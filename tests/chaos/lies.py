"""How an endpoint of each kind of chain omits, forgets and swallows.

Its job: what is left of an answer. A lie is consistent in itself as far as that is easy.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Protocol

from attestation.keccak import keccak256
from attestation.textcodecs import base58_encode
from tests.chaos.plan import LieKind

Call = dict[str, Any]
AskChain = Callable[[list[Call]], Awaitable[list[Call]]]
"""The truth: a batch of calls, and their answers in any order."""

OLD_BY_BLOCKS = 7
"""How far behind a lying head is: below what honest endpoints call final."""

OLD_BY_SLOTS = 25


class Liar(Protocol):
    """Lies of one kind of chain. `list_method` tells what concerns us, `send_method` takes a transaction."""

    list_method: str
    send_method: str

    def taken(self, params: Any) -> Any:
        """What a node answers that takes the transaction that is sent so."""
        ...

    def omit(self, lie: LieKind, params: Any, listed: Any) -> Any:
        """What is left of an answer that was asked for so."""
        ...

    async def tell_old_heads(self, calls: list[Call], ask: AskChain) -> list[Call]:
        """The answers of a node that is behind."""
        ...


class EvmLiar:
    """Implements the port `Liar`."""

    list_method = "eth_getLogs"
    send_method = "eth_sendRawTransaction"

    def taken(self, params: Any) -> Any:
        """Its hash."""
        return f"0x{keccak256(bytes.fromhex(params[0][2:])).hex()}"

    def omit(self, lie: LieKind, params: Any, listed: Any) -> Any:
        """Logs."""
        span = params[0]
        if lie is LieKind.DROP_LOGS:
            # Whole transactions, so that what is left does not contradict their receipts.
            return [log for log in listed if int(log["transactionHash"][-1], 16) % 3]
        if "toBlock" in span:
            middle = (int(span["fromBlock"], 16) + int(span["toBlock"], 16)) // 2
            return [log for log in listed if int(log["blockNumber"], 16) <= middle]
        return listed[: len(listed) // 2]

    async def tell_old_heads(self, calls: list[Call], ask: AskChain) -> list[Call]:
        """Nothing above an older block."""
        (head,) = await ask([{"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}])
        old = max(int(head["result"], 16) - OLD_BY_BLOCKS, 0)
        for call in calls:
            call["params"] = [hex(old) if param == "latest" else param for param in call["params"]]
        answers = await ask(calls)
        methods = {call["id"]: call["method"] for call in calls}
        for answer in answers:
            result, method = answer.get("result"), methods[answer["id"]]
            if method == "eth_blockNumber":
                answer["result"] = hex(old)
            elif isinstance(result, list) and method in {"eth_getLogs", "eth_getBlockReceipts"}:
                answer["result"] = [item for item in result if int(item["blockNumber"], 16) <= old]
            elif isinstance(result, dict) and _height(result) > old:
                answer["result"] = None
        return answers


class SvmLiar:
    """Implements the port `Liar`."""

    list_method = "getSignaturesForAddress"
    send_method = "sendTransaction"

    def taken(self, params: Any) -> Any:
        """Its first signature, behind their number."""
        return base58_encode(base64.b64decode(params[0])[1:65])

    def omit(self, lie: LieKind, params: Any, listed: Any) -> Any:
        """Signatures here and there, or the end of a page."""
        del params
        if lie is LieKind.DROP_LOGS:
            return [entry for entry in listed if keccak256(entry["signature"].encode())[0] % 3]
        return listed[: len(listed) // 2]

    async def tell_old_heads(self, calls: list[Call], ask: AskChain) -> list[Call]:
        """Nothing above an older slot; accounts are as they are."""
        (head,) = await ask([{"jsonrpc": "2.0", "id": 1, "method": "getSlot", "params": [{"commitment": "finalized"}]}])
        old = max(head["result"] - OLD_BY_SLOTS, 0)
        answers = await ask(calls)
        asked = {call["id"]: call for call in calls}
        for answer in answers:
            if "result" in answer:
                _forget(asked[answer["id"]], answer, old)
        return answers


class CosmWasmLiar:
    """Implements the port `Liar`."""

    list_method = "block_results"
    send_method = "broadcast_tx_sync"

    def taken(self, params: Any) -> Any:
        """A check that found nothing."""
        name = sha256(base64.b64decode(params["tx"])).hexdigest().upper()
        return {"code": 0, "data": "", "log": "", "codespace": "", "hash": name}

    def omit(self, lie: LieKind, params: Any, listed: Any) -> Any:
        """Events of some transactions, or the last transactions of a block."""
        results = listed["txs_results"] or []
        if lie is LieKind.TRUNCATE:
            return {**listed, "txs_results": results[: len(results) // 2] or None}
        height = int(params["height"])
        kept = [
            {**result, "events": []} if (height + place) % 3 == 0 else result for place, result in enumerate(results)
        ]
        return {**listed, "txs_results": kept or None}

    async def tell_old_heads(self, calls: list[Call], ask: AskChain) -> list[Call]:
        """Nothing above an older block."""
        (status,) = await ask([{"jsonrpc": "2.0", "id": 1, "method": "status", "params": {}}])
        old = max(int(status["result"]["sync_info"]["latest_block_height"]) - OLD_BY_BLOCKS, 1)
        for call in calls:
            if call["method"] == "abci_query" and call["params"]["height"] == "0":
                call["params"]["height"] = str(old)
        answers = await ask(calls)
        asked = {call["id"]: call for call in calls}
        for answer in answers:
            if "result" in answer:
                _forget_heights(asked[answer["id"]], answer, old)
        return answers


def _forget_heights(call: Call, answer: Call, old: int) -> None:
    result, params = answer["result"], call["params"]
    match call["method"]:
        case "status":
            result["sync_info"]["latest_block_height"] = str(old)
        case "blockchain":
            result["last_height"] = str(old)
            result["block_metas"] = [meta for meta in result["block_metas"] if int(meta["header"]["height"]) <= old]
        case "block" | "block_results" | "abci_query" if int(params.get("height") or 0) > old:
            del answer["result"]
            told = f"height {params['height']} must be less than or equal to the current blockchain height {old}"
            answer["error"] = {"code": -32603, "message": "Internal error", "data": told}
        case "tx" if int(result["height"]) > old:
            del answer["result"]
            answer["error"] = {"code": -32603, "message": "Internal error", "data": f"tx ({params['hash']}) not found"}
        case _:
            pass


def _forget(call: Call, answer: Call, old: int) -> None:
    result = answer["result"]
    match call["method"]:
        case "getSlot":
            answer["result"] = min(result, old)
        case "getBlocks" | "getBlocksWithLimit":
            answer["result"] = [slot for slot in result if slot <= old]
        case "getBlock" if call["params"][0] > old:
            del answer["result"]
            answer["error"] = {"code": -32004, "message": f"Block not available for slot {call['params'][0]}"}
        case "getSignaturesForAddress":
            answer["result"] = [entry for entry in result if entry["slot"] <= old]
        case "getSignatureStatuses":
            statuses = result["value"]
            result["value"] = [status if status and status["slot"] <= old else None for status in statuses]
        case "getTransaction" if result and result["slot"] > old:
            answer["result"] = None
        case _:
            pass


def _height(result: dict[str, Any]) -> int:
    number = result.get("number") or result.get("blockNumber")
    return int(number, 16) if isinstance(number, str) else -1
