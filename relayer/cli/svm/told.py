"""What the gateway told and was told in one transaction.

Its job: its events, and the data of the transaction's own instructions to it, out of a transaction as an endpoint gives
it. It fetches nothing.

Source: contracts/svm/xvm_gateway.idl.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey

from attestation.request import RequestId
from attestation.statement import OutcomeKind
from attestation.textcodecs import base58_decode
from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.svm.borsh import Borsh, MalformedBorsh
from relayer.vms.svm.codec import event_discriminator
from relayer.vms.svm.mentions import Mention
from relayer.vms.svm.self_calls import parse_self_calls
from relayer.vms.svm.values import parse_signature

_DISCRIMINATOR_LENGTH: Final = 8
_MAX_DATA_CHARACTERS: Final = 2_048
"""In base58: of an instruction, whose transaction has 1,232 bytes."""

_DELIVER: Final = 0x10
_CALLBACK: Final = 0x11
_APPEND: Final = 0x1A
_USE_STAGE: Final = 0x1C

REQUESTED: Final = event_discriminator("XVMCallRequested")
CONCLUDED: Final = event_discriminator("XVMCallConcluded")
CALLED_BACK: Final = event_discriminator("XVMCallbackDelivered")
CANCELLED: Final = event_discriminator("XVMCancelled")


class CalledBack(NamedTuple):
    """The fields of `XVMCallbackDelivered` that are told."""

    kind: OutcomeKind
    success: bool
    return_data_hash: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that names the gateway.

    `events` begin with their discriminators; `instructions`, each with its accounts, with their tags.
    """

    slot: int
    signature: str
    events: tuple[bytes, ...]
    instructions: tuple[tuple[tuple[str, ...], bytes], ...]

    def fields(self, event: bytes) -> Iterator[Borsh]:
        """The fields of each event with this discriminator."""
        for data in self.events:
            if data.startswith(event):
                yield Borsh(data[_DISCRIMINATOR_LENGTH:])

    @property
    def appended(self) -> Iterator[tuple[str, int, bytes]]:
        """What was written into stages: the stage, the offset, the piece."""
        for accounts, data in self.instructions:
            if data[0] == _APPEND:
                borsh = Borsh(data[1:])
                yield accounts[0], borsh.u32(), borsh.sized()

    @property
    def used_stages(self) -> list[str]:
        """The stages that held an instruction of this transaction's."""
        return [accounts[0] for accounts, data in self.instructions if data[0] == _USE_STAGE]


def transaction_call(signature: str) -> RpcCall:
    """The call for a confirmed transaction."""
    options = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0, "encoding": "json"}
    return RpcCall("getTransaction", [signature, options])


def parse_transaction(answer: Any, slot: int, signature: str, gateway: Pubkey) -> Transaction:
    """The transaction. Raises `RpcUnavailable` if the endpoint has it not, or writes it in another way."""
    mention = Mention(slot, parse_signature(signature))
    events = parse_self_calls(answer, mention, gateway)
    if events is None:
        raise RpcUnavailable(f"the endpoint does not show transaction {signature}")
    message = answer["transaction"]["message"]
    keys = message["accountKeys"]
    instructions = []
    for instruction in message["instructions"]:
        data = base58_decode(instruction["data"], _MAX_DATA_CHARACTERS)
        # What a lookup table names is none of the accounts that matter here.
        named = tuple(keys[index] for index in instruction["accounts"] if index < len(keys))
        if keys[instruction["programIdIndex"]] == str(gateway) and data:
            instructions.append((named, data))
    return Transaction(slot, signature, tuple(events), tuple(instructions))


def read_kind(borsh: Borsh) -> OutcomeKind:
    """A kind of outcome. Raises `MalformedBorsh`."""
    number = borsh.u8()
    if number >= len(OutcomeKind):
        raise MalformedBorsh("an unknown kind")
    return OutcomeKind(number)


def find_called_back(transaction: Transaction, request_id: RequestId) -> CalledBack | None:
    """What the callback of a request said, if it is in this transaction."""
    for borsh in transaction.fields(CALLED_BACK):
        if borsh.word() == request_id:
            return CalledBack(read_kind(borsh), borsh.boolean(), borsh.word())
    return None


def read_return_data(instruction: bytes) -> bytes | None:
    """The data of a `callback`, None for any other instruction."""
    return Borsh(instruction[1:]).sized() if instruction[:1] == bytes([_CALLBACK]) else None


def read_cut(instruction: bytes, request_id: RequestId) -> bool | None:
    """Whether a `deliver` says that the return data of this request were cut, None for any other instruction."""
    borsh = Borsh(instruction[1:])
    if instruction[:1] != bytes([_DELIVER]) or borsh.word() != request_id:
        return None
    borsh.u8()
    return borsh.boolean()
