"""The example counter of a CosmWasm chain, which the load calls and asks.

Its job: put it there, encode calls of it, read its count.

Source: contracts/cosmwasm/examples/counter.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import aiohttp
import orjson

from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.cosmos.wasm import (
    MsgInstantiateContract,
    MsgInstantiateContractResponse,
    MsgStoreCode,
    MsgStoreCodeResponse,
)
from relayer.devnet.cosmwasm.bench.sending import Account, fetch_answer, transact

EXECUTION_GAS: Final = 200_000
"""The counter takes some 70,000, and as much to be started."""

ANSWER_HASH: Final = keccak256(b'{"count":"0"}')
"""Of what a query is told where nobody counts."""

_QUESTION: Final[Mapping[str, Any]] = {"count": {}}
_CODE_GAS: Final = 10_000_000


class CosmWasmTarget:
    """The counter, which `bring` makes. `text` is its bech32."""

    def __init__(self) -> None:
        self.text = ""

    async def bring(self, http: aiohttp.ClientSession, url: str, owner: Account) -> None:
        """Store the code and make one of it. Raises `CallReverted`."""
        code = (files("relayer.devnet.cosmwasm") / "artifacts" / "counter.wasm").read_bytes()
        storing = owner.sign(MsgStoreCode(owner.text, code), _CODE_GAS)
        (stored,) = await transact(http, url, [storing], MsgStoreCodeResponse)
        making = MsgInstantiateContract(owner.text, "", stored.code_id, "counter", b"{}")
        (made,) = await transact(http, url, [owner.sign(making, _CODE_GAS)], MsgInstantiateContractResponse)
        self.text = made.address

    def payload(self, mode: Mode) -> bytes:
        """Of a request: raise it by one, or ask for the count."""
        return orjson.dumps({"increment": {"by": "1"}} if mode is Mode.CALL else _QUESTION)

    async def fetch_count(self, http: aiohttp.ClientSession, url: str) -> int:
        """What it counted."""
        return int((await fetch_answer(http, url, self.text, _QUESTION))["count"])
