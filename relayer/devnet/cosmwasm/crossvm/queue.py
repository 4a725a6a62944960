"""Messages between VMs, and those of them that wait, in the chain's state.

Its job: keep and find. Numbers count from 1 in the order of acceptance, which is that of the queue. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relayer.cosmos import crossvm as proto
from relayer.cosmos.base import Coin
from relayer.crossvm.messages import State, message_id, payload_text
from relayer.devnet.cosmwasm.coins import Coins
from relayer.devnet.cosmwasm.state import State as Entries
from relayer.devnet.cosmwasm.state import View

_MESSAGES: Final = "crossvm_messages"
_WAITING: Final = "crossvm_waiting"
_SENDERS: Final = "crossvm_senders"
_COUNTERS: Final = "crossvm_counters"
_NEWEST: Final = "newest"
_LENGTH: Final = "length"
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message. `response` is of one that was executed, `error` of one that failed; no height is 0."""

    number: int
    sender: str
    source_vm: str
    target_vm: str
    target_contract: str
    payload: bytes
    funds: Coins
    created_height: int
    status: State = State.SUBMITTED
    executed_height: int = 0
    response: bytes = b""
    error: str = ""

    @property
    def id(self) -> str:
        """`crossvm-` and eight digits."""
        return message_id(self.number)

    @property
    def result(self) -> str:
        """As events and JSON-RPC have it: `0x` and hex, or the error's text."""
        return self.error or "0x" + self.response.hex()

    def _payload_text(self) -> str:
        # Instruction data is hex digits already.
        is_digits = self.target_vm == "svm" and self.payload.isascii()
        return "0x" + self.payload.decode().removeprefix("0x") if is_digits else payload_text(self.payload)

    def stored(self) -> proto.StoredMessage:
        """As queries by gRPC have it."""
        return proto.StoredMessage(
            id=self.id,
            source_vm=self.source_vm,
            target_vm=self.target_vm,
            sender=self.sender,
            target_contract=self.target_contract,
            payload=self.payload,
            funds=tuple(Coin(denom, str(amount)) for denom, amount in self.funds),
            status=self.status.value,
            created_height=self.created_height,
            executed_height=self.executed_height,
            response=self.response,
            error=self.error,
        )

    def json(self) -> dict[str, object]:
        """As JSON-RPC has it."""
        return {
            "message_id": self.id,
            "source_vm": self.source_vm,
            "target_vm": self.target_vm,
            "target_contract": self.target_contract,
            "sender": self.sender,
            "payload": self._payload_text(),
            "status": self.status.value,
            "result": self.result,
            "submitted_height": self.created_height,
            "executed_height": self.executed_height,
        }


class QueueView:
    """Messages as of a height."""

    def __init__(self, view: View) -> None:
        self._view = view

    @property
    def newest(self) -> int:
        """The number of the newest message; 0 before the first."""
        return self._view.get(_COUNTERS, _NEWEST) or 0

    @property
    def length(self) -> int:
        """How many wait."""
        return self._view.get(_COUNTERS, _LENGTH) or 0

    def find(self, number: int) -> QueuedMessage | None:
        """None for a number that was not given."""
        found: QueuedMessage | None = self._view.get(_MESSAGES, number)
        return found

    def waiting(self) -> Iterator[QueuedMessage]:
        """Those that wait, oldest first."""
        scan = self._view.scan(_WAITING, None, None, descending=False)
        while (entry := scan.peek()) is not None:
            yield self._at(entry[0])
            scan.step(entry[0])

    def of_sender(self, sender: str, most: int) -> list[QueuedMessage]:
        """An account's, newest first."""
        # Addresses have no slash; what follows it in ASCII ends the range.
        scan = self._view.scan(_SENDERS, sender.encode() + b"/", sender.encode() + b"0", descending=True)
        found: list[QueuedMessage] = []
        while len(found) < most and (entry := scan.peek()) is not None:
            found.append(self._at(entry[0][-_NUMBER_BYTES:]))
            scan.step(entry[0])
        return found

    def _at(self, place: bytes) -> QueuedMessage:
        found = self.find(int.from_bytes(place, "big"))
        assert found is not None, "what is listed is kept"
        return found


class Queue(QueueView):
    """Messages now, to be changed."""

    def __init__(self, entries: Entries) -> None:
        super().__init__(entries)
        self._entries = entries

    def add(self, message: QueuedMessage) -> None:
        """Let a new message wait behind all others."""
        place = message.number.to_bytes(_NUMBER_BYTES, "big")
        self._entries.put(_MESSAGES, message.number, message)
        self._entries.put(_WAITING, place, b"\x01")
        self._entries.put(_SENDERS, message.sender.encode() + b"/" + place, b"\x01")
        self._entries.put(_COUNTERS, _NEWEST, message.number)
        self._entries.put(_COUNTERS, _LENGTH, self.length + 1)

    def keep(self, message: QueuedMessage) -> None:
        """Keep a message that goes on waiting, as it is now."""
        self._entries.put(_MESSAGES, message.number, message)

    def end(self, message: QueuedMessage) -> None:
        """Keep a message that waits no more."""
        self.keep(message)
        self._entries.put(_WAITING, message.number.to_bytes(_NUMBER_BYTES, "big"), None)
        self._entries.put(_COUNTERS, _LENGTH, self.length - 1)
