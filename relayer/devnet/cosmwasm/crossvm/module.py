"""What takes calls between VMs, and carries them out at the ends of later blocks.

Its job: the limits of the queue, the order, the states and the events. A message is submitted in one block, and the
pass at the end of the next one carries it out; what that pass does not come to is pending until a later one does, or
until it has waited too long. A call's coins are held meanwhile, and go back where it fails or times out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from eth_abi.abi import encode

from relayer.cosmos.crossvm import MsgCrossVMCallResponse
from relayer.crossvm.events import REQUEST, RESPONSE, TIMEOUT
from relayer.crossvm.limits import MAX_MESSAGE_SIZE, MAX_QUEUE_SIZE, QUEUE_TIMEOUT_BLOCKS
from relayer.crossvm.messages import State
from relayer.crossvm.precompile import PrecompileCall
from relayer.devnet.cosmwasm.addresses import AddressFormat, module_address
from relayer.devnet.cosmwasm.bank import Bank
from relayer.devnet.cosmwasm.chain_errors import SDK_INVALID_COINS, UNDEFINED, ChainError, ErrorKind
from relayer.devnet.cosmwasm.coins import coins_of
from relayer.devnet.cosmwasm.context import Context
from relayer.devnet.cosmwasm.contract_store import write_cost
from relayer.devnet.cosmwasm.crossvm.answerers import PLAYED, Answerer, Asked, TargetFailedError
from relayer.devnet.cosmwasm.crossvm.queue import Queue, QueuedMessage, QueueView
from relayer.devnet.cosmwasm.events import Event
from relayer.devnet.cosmwasm.messages import CrossVmCall, ExecuteContract, Message, MessageResponse, Send
from relayer.devnet.cosmwasm.state import State as Entries
from relayer.devnet.cosmwasm.state import View

VMS: Final = ("evm", "cosmwasm", "svm")

MESSAGE_GAS: Final = 1_000_000
"""Of one call of a contract, whoever paid for the message."""

MAX_TARGET_CHARACTERS: Final = 256

_INVALID: Final = ErrorKind("crossvm", 2, "invalid cross-VM message")
_TOO_LARGE: Final = ErrorKind("crossvm", 3, "message exceeds the maximum size")
_FULL: Final = ErrorKind("crossvm", 4, "message queue is full")


@dataclass(frozen=True, slots=True)
class CrossVmSettings:
    """The limits, how many messages a pass carries out at most, and who plays the VMs that are not there."""

    max_message_size: int = MAX_MESSAGE_SIZE
    max_queue_size: int = MAX_QUEUE_SIZE
    queue_timeout_blocks: int = QUEUE_TIMEOUT_BLOCKS
    messages_per_pass: int = 100
    denom: str = "uxvm"
    """Of the precompile's coins."""

    answerers: Mapping[str, Answerer] = field(default_factory=lambda: PLAYED)


class Outcome(Protocol):
    """What became of a transaction."""

    @property
    def code(self) -> int:
        """Zero where it succeeded."""

    @property
    def log(self) -> str:
        """Why it failed."""

    @property
    def events(self) -> Sequence[Event]:
        """Of its messages."""

    @property
    def responses(self) -> Sequence[MessageResponse]:
        """One a message."""


class Runner(Protocol):
    """Carries out messages of this chain as one transaction of the open block: all of them, or none."""

    def deliver(self, messages: Sequence[Message], *, gas_limit: int) -> Outcome:
        """Run them."""


class CrossVm:
    """The module. Entries are in contexts, or given."""

    def __init__(self, settings: CrossVmSettings, addresses: AddressFormat, bank: Bank) -> None:
        self.settings = settings
        self.messages_per_pass = settings.messages_per_pass
        self._addresses = addresses
        self._bank = bank
        self._account = module_address("crossvm")

    def at(self, view: View) -> QueueView:
        """Messages as they are seen there."""
        return QueueView(view)

    def submit(self, context: Context, call: CrossVmCall) -> MessageResponse:
        """Let a call wait for the next block's pass. Raises `ChainError` and `OutOfGasError`."""
        queue, sender = Queue(context.state), self._require_sound(call)
        if queue.length >= self.settings.max_queue_size:
            raise ChainError(_FULL, f"{queue.length} messages wait")
        context.meter.consume(write_cost(len(call.payload)), "WriteFlat")
        if call.funds:
            self._bank.transfer(context, sender, self._account, call.funds)
        message = QueuedMessage(
            number=queue.newest + 1,
            sender=call.sender,
            source_vm=call.source_vm,
            target_vm=call.target_vm,
            target_contract=call.target_contract,
            payload=call.payload,
            funds=call.funds,
            created_height=context.block.height,
        )
        queue.add(message)
        context.events.append(
            Event(
                REQUEST,
                [
                    ("message_id", message.id),
                    ("source_vm", message.source_vm),
                    ("target_vm", message.target_vm),
                    ("target_contract", message.target_contract),
                    ("sender", message.sender),
                ],
            )
        )
        response = MsgCrossVMCallResponse(message.id)
        return MessageResponse(response.TYPE_URL, response.encode())

    def end_block(self, runner: Runner, entries: Entries, height: int) -> list[Event]:
        """The pass at the end of a block, over those that came in earlier blocks, the oldest first."""
        queue, events, carried_out = Queue(entries), list[Event](), 0
        for message in list(queue.waiting()):
            if message.created_height >= height:
                break
            if height - message.created_height >= self.settings.queue_timeout_blocks:
                events += self._time_out(runner, queue, message, height)
            elif carried_out < self.messages_per_pass:
                carried_out += 1
                events += self._carry_out(runner, queue, message, height)
            elif message.status is State.SUBMITTED:
                queue.keep(replace(message, status=State.PENDING))
        return events

    def _carry_out(self, runner: Runner, queue: Queue, message: QueuedMessage, height: int) -> list[Event]:
        try:
            response, events = self._call(runner, message)
            done = replace(message, status=State.EXECUTED, response=response, executed_height=height)
        except TargetFailedError as error:
            done = replace(message, status=State.FAILED, error=str(error), executed_height=height)
            events = self._give_back(runner, message)
        queue.end(done)
        told = [("message_id", done.id), ("status", done.status.value), ("result", done.result)]
        return [*events, Event(RESPONSE, told)]

    def _call(self, runner: Runner, message: QueuedMessage) -> tuple[bytes, list[Event]]:
        """What the target answers, and what it told. Raises `TargetFailedError`."""
        if message.target_vm == "cosmwasm":
            execute = ExecuteContract(message.sender, message.target_contract, message.payload, message.funds)
            return self._execute(runner, message, execute)
        answer = self.settings.answerers[message.target_vm](
            Asked(message.sender, message.target_contract, message.payload)
        )
        if not isinstance(answer, PrecompileCall):
            return answer, []
        try:
            funds = coins_of({self.settings.denom: answer.funds})
        except ValueError as error:
            raise TargetFailedError(str(error)) from None
        execute = ExecuteContract(message.sender, answer.contract, answer.message, funds)
        data, events = self._execute(runner, message, execute)
        return encode(("bytes",), (data,)), events

    def _execute(self, runner: Runner, message: QueuedMessage, execute: ExecuteContract) -> tuple[bytes, list[Event]]:
        """A contract of this chain, with the coins that were held: all in one transaction, or nothing."""
        done = runner.deliver([*self._held(message), execute], gas_limit=MESSAGE_GAS)
        if done.code:
            raise TargetFailedError(done.log)
        return done.responses[-1].data or b"", list(done.events)

    def _time_out(self, runner: Runner, queue: Queue, message: QueuedMessage, height: int) -> list[Event]:
        queue.end(replace(message, status=State.TIMED_OUT, executed_height=height))
        told = [("message_id", message.id), ("source_vm", message.source_vm), ("target_vm", message.target_vm)]
        return [*self._give_back(runner, message), Event(TIMEOUT, told)]

    def _give_back(self, runner: Runner, message: QueuedMessage) -> list[Event]:
        held = self._held(message)
        return list(runner.deliver(held, gas_limit=MESSAGE_GAS).events) if held else []

    def _held(self, message: QueuedMessage) -> list[Message]:
        """The sending back of a message's coins, if it has any."""
        return [Send(self._addresses.text(self._account), message.sender, message.funds)] if message.funds else []

    def _require_sound(self, call: CrossVmCall) -> bytes:
        """The sender's bytes."""
        try:
            sender = self._addresses.parse(call.sender)
        except ValueError as error:
            raise ChainError(UNDEFINED, f"sender: {error}") from None
        for vm in (call.source_vm, call.target_vm):
            if vm not in VMS:
                raise ChainError(_INVALID, f"{vm[:40]!r} is no VM of this chain")
        if call.source_vm == call.target_vm:
            raise ChainError(_INVALID, "source and target VM must be different")
        if not 0 < len(call.target_contract) <= MAX_TARGET_CHARACTERS:
            raise ChainError(_INVALID, f"the target contract must have 1 to {MAX_TARGET_CHARACTERS} characters")
        if not call.payload:
            raise ChainError(_INVALID, "the payload is empty")
        if len(call.payload) > self.settings.max_message_size:
            raise ChainError(_TOO_LARGE, f"{len(call.payload)} bytes of {self.settings.max_message_size}")
        denoms = [denom for denom, _ in call.funds]
        if denoms != sorted(set(denoms)) or any(amount <= 0 for _, amount in call.funds):
            raise ChainError(SDK_INVALID_COINS, "funds")
        return sender
