"""A Solana chain of the devnet by its RPC: transactions that one account pays, accounts, blocks.

Its job: sign, send, wait and fetch. It believes the chain, and looks at what is confirmed.

Source: agave's JSON-RPC.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import requests
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.devnet.demo.chains import AskRefused

_RPC_SECONDS: Final = 10
_MINED_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
_COMPUTE_UNITS: Final = 400_000
_CONFIRMED: Final = {"commitment": "confirmed"}
_LEGIBLE: Final = {"encoding": "json", "maxSupportedTransactionVersion": 0, **_CONFIRMED}


class SvmRpc:
    """The chain at this URL, used by this account. What sends raises `AskRefused`."""

    def __init__(self, url: str, payer: Keypair) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._payer = payer

    def fetch_slot(self) -> int:
        """The newest confirmed one."""
        return int(self._call("getSlot", _CONFIRMED))

    def fetch_blocks(self, first: int, last: int) -> list[tuple[int, Mapping[str, Any]]]:
        """Confirmed blocks of these slots, each with its slot; slots may have none."""
        slots = self._call("getBlocks", first, last, _CONFIRMED)
        return [(int(slot), self._call("getBlock", slot, {**_LEGIBLE, "rewards": False})) for slot in slots]

    def fetch_transaction(self, signature: bytes) -> Mapping[str, Any]:
        """A confirmed transaction, as `json`."""
        found: Mapping[str, Any] = self._call("getTransaction", str(Signature(signature)), _LEGIBLE)
        return found

    def fetch_data(self, key: Pubkey) -> bytes | None:
        """Of an account; None if there is none."""
        found = self._call("getAccountInfo", str(key), {"encoding": "base64", **_CONFIRMED})["value"]
        return None if found is None else base64.b64decode(found["data"][0])

    def fetch_rent(self, size: int) -> int:
        """Lamports that keep an account of so many bytes."""
        return int(self._call("getMinimumBalanceForRentExemption", size))

    def send(self, instructions: Sequence[Instruction], *signers: Keypair) -> bytes:
        """Send one transaction, which succeeds in simulation; its signature."""
        recent = self._call("getLatestBlockhash", _CONFIRMED)["value"]["blockhash"]
        limited = [set_compute_unit_limit(_COMPUTE_UNITS), *instructions]
        message = MessageV0.try_compile(self._payer.pubkey(), limited, [], Hash.from_string(recent))
        transaction = VersionedTransaction(message, [self._payer, *signers])
        text = base64.b64encode(bytes(transaction)).decode()
        self._call("sendTransaction", text, {"encoding": "base64", "preflightCommitment": "processed"})
        return bytes(transaction.signatures[0])

    def wait(self, signature: bytes) -> None:
        """Until the transaction is confirmed."""
        text, deadline = str(Signature(signature)), time.monotonic() + _MINED_SECONDS
        while time.monotonic() < deadline:
            (status,) = self._call("getSignatureStatuses", [text])["value"]
            if status is not None and status["err"] is not None:
                raise AskRefused(f"transaction {text} failed: {status['err']}")
            if status is not None and status["confirmationStatus"] != "processed":
                return
            time.sleep(_LOOK_SECONDS)
        raise AskRefused(f"transaction {text} is not there after {_MINED_SECONDS:g} s")

    def _call(self, method: str, *params: object) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self._session.post(self._url, json=body, timeout=_RPC_SECONDS).json()
        if "error" in answer:
            logs = (answer["error"].get("data") or {}).get("logs") or ()
            raise AskRefused(f"{method}: {'; '.join([answer['error']['message'], *logs])}")
        return answer["result"]
