"""Sending contracts' messages, and telling them what became of it.

Its job: each submessage on its own: its limit of gas, its undoing, its events, its reply.

Source: `x/wasm/keeper/msg_dispatcher.go`, `handler_plugin.go`, and `handleContractResponse` and `reply` in `keeper.go`
of CosmWasm/wasmd.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from relayer.devnet.cosmwasm.addresses import AddressFormat
from relayer.devnet.cosmwasm.bank import Bank
from relayer.devnet.cosmwasm.chain_errors import (
    SDK_OUT_OF_GAS,
    WASM_CALL_DEPTH,
    WASM_EMPTY,
    WASM_INVALID,
    WASM_VM_ERROR,
    ChainError,
)
from relayer.devnet.cosmwasm.code_registry import CodeRegistry
from relayer.devnet.cosmwasm.context import Context
from relayer.devnet.cosmwasm.contracts import Contracts
from relayer.devnet.cosmwasm.entry_points import EntryPoints, Target
from relayer.devnet.cosmwasm.events import CONTRACT_ADDRESS, Event, contract_events
from relayer.devnet.cosmwasm.gas_meter import GasMeter, OutOfGasError
from relayer.devnet.cosmwasm.gas_register import event_gas, reply_gas
from relayer.devnet.cosmwasm.messages import MessageResponse
from relayer.devnet.cosmwasm.responses import (
    Burn,
    MalformedResponseError,
    Response,
    SubMessage,
    parse_message,
)
from relayer.devnet.cosmwasm.vm.machine import Machine

MAX_CALL_DEPTH: Final = 100


class Submessages:
    """Between contracts' responses and the messages in them."""

    def __init__(
        self,
        machine: Machine,
        addresses: AddressFormat,
        bank: Bank,
        registry: CodeRegistry,
        entry_points: EntryPoints,
    ) -> None:
        self._bank = bank
        self._entry_points = entry_points
        self.contracts = Contracts(machine, addresses, bank, registry, entry_points, self.send)

    def send(self, context: Context, target: Target, response: Response) -> bytes | None:
        """Its events, then its messages, one after the other. The last reply with data has the last word.

        Raises:
            ChainError: a message failed whose contract did not ask to hear of it, or a reply did.
            OutOfGasError: the context's meter ran out.
        """
        context.meter.consume(event_gas(response.attributes, response.events), "Custom contract event attributes")
        context.events += contract_events(target.text, response.attributes, response.events)
        context.call_depth += 1
        if context.call_depth > MAX_CALL_DEPTH:
            raise ChainError(WASM_CALL_DEPTH)
        data = response.data
        for submessage in response.messages:
            answered = self._dispatch(context, target, submessage)
            data = data if answered is None else answered
        context.call_depth -= 1
        return data

    def _dispatch(self, context: Context, target: Target, submessage: SubMessage) -> bytes | None:
        if not submessage.reply_on:
            raise ChainError(WASM_INVALID, "replyOn value")
        context.state.open_layer()
        try:
            events, response = self._attempt(context, target, submessage)
        except ChainError as error:
            context.state.drop_layer()
            if submessage.reply_on in ("success", "never"):
                raise
            result: dict[str, Any] = {"error": error.told_to_contracts()}
            return self._reply(context, target, submessage, result, [])
        except BaseException:
            context.state.drop_layer()
            raise
        context.state.keep_layer()
        events = [event for event in events if event.type != "message"]
        context.events += events
        told = events if "wasm" in submessage.message else []
        for event in told:
            # wasmd sorts what it tells the contract in the place where the transaction's own events are.
            event.attributes.sort(key=lambda attribute: attribute[0].encode())
        if submessage.reply_on in ("error", "never"):
            return None
        return self._reply(context, target, submessage, {"ok": _success(told, response)}, told)

    def _attempt(
        self, context: Context, target: Target, submessage: SubMessage
    ) -> tuple[list[Event], MessageResponse | None]:
        """Its events and its response. Raises `ChainError` and `OutOfGasError`."""
        limit = submessage.gas_limit
        if limit is None or limit >= context.meter.remaining:
            inner = context.with_events()
            return inner.events, self._deliver(inner, target, submessage)
        inner = context.with_meter(GasMeter(limit))
        try:
            response = self._deliver(inner, target, submessage)
        except OutOfGasError:
            # SECURITY: the limit that the contract set was hit, not the transaction's: the contract goes on.
            context.meter.consume(limit, "Sub-Message OutOfGas panic")
            raise ChainError(SDK_OUT_OF_GAS, "SubMsg hit gas limit") from None
        except ChainError:
            context.meter.consume(inner.meter.consumed, "From limited Sub-Message")
            raise
        context.meter.consume(inner.meter.consumed, "From limited Sub-Message")
        return inner.events, response

    def _deliver(self, context: Context, target: Target, submessage: SubMessage) -> MessageResponse | None:
        try:
            message = parse_message(target.text, submessage.message)
        except MalformedResponseError as error:
            raise ChainError(WASM_VM_ERROR, str(error)) from None
        if message is None:
            return None
        if isinstance(message, Burn):
            if not message.amount:
                raise ChainError(WASM_EMPTY, "amount")
            self._bank.burn(context, target.address, message.amount)
            return None
        return self.contracts.handle(context, message)

    def _reply(
        self, context: Context, target: Target, submessage: SubMessage, result: dict[str, Any], events: list[Event]
    ) -> bytes | None:
        reply: dict[str, Any] = {"gas_used": 0, "id": submessage.id, "result": result}
        if submessage.payload:
            reply["payload"] = base64.b64encode(submessage.payload).decode()
        try:
            # Its code may be other code by now: it may have migrated itself.
            current = self.contracts.target(context, target.address)
            context.meter.consume(reply_gas(events), "Loading CosmWasm module: reply")
            response = self._entry_points.reply(context, current, reply)
            context.events.append(Event("reply", [(CONTRACT_ADDRESS, target.text)]))
            return self.send(context, current, response)
        except ChainError as error:
            raise error.within("reply") from None


def _success(events: list[Event], response: MessageResponse | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "events": [
            {
                "type": event.type,
                "attributes": [{"key": key, "value": value} for key, value in event.attributes],
            }
            for event in events
        ],
        "msg_responses": [],
    }
    if response is not None:
        value = base64.b64encode(response.value).decode()
        told["msg_responses"] = [{"type_url": response.type_url, "value": value}]
        if value:
            told["data"] = value
    return told
