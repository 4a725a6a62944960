"""Calling contracts' entry points: what they are told, what their answers cost, and what becomes of their failures.

Its job: the arguments, the gas between transaction and machine, and the errors of a call. It sends no messages.

Source: `execute`, `reply`, `QuerySmart` and `consumeRuntimeGas` in `x/wasm/keeper/keeper.go` of CosmWasm/wasmd.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson

from relayer.devnet.cosmwasm.addresses import AddressFormat
from relayer.devnet.cosmwasm.chain_errors import (
    WASM_EXECUTE_FAILED,
    WASM_INSTANTIATE_FAILED,
    WASM_MIGRATION_FAILED,
    WASM_QUERY_FAILED,
    WASM_VM_ERROR,
    ChainError,
    ErrorKind,
)
from relayer.devnet.cosmwasm.coins import Coins, coins_json
from relayer.devnet.cosmwasm.context import Context
from relayer.devnet.cosmwasm.contract_store import ContractStore
from relayer.devnet.cosmwasm.gas_meter import OutOfGasError
from relayer.devnet.cosmwasm.gas_register import INSTANCE_AGAIN_GAS, INSTANCE_GAS
from relayer.devnet.cosmwasm.responses import (
    ContractRefusedError,
    MalformedResponseError,
    Response,
    parse_query_response,
    parse_response,
)
from relayer.devnet.cosmwasm.vm.backend import Storage
from relayer.devnet.cosmwasm.vm.errors import VmError, VmOutOfGasError
from relayer.devnet.cosmwasm.vm.gas import GAS_PER_SDK_GAS
from relayer.devnet.cosmwasm.vm.machine import Machine

_Parsed = TypeVar("_Parsed")
Querier = Callable[[Context, bytes, int], bytes]
"""Answers a contract's query, as JSON, within so much CosmWasm gas."""

_RAN_OUT: Final = "Wasm engine function execution"
_FAILURES: Final[dict[str, ErrorKind]] = {
    "instantiate": WASM_INSTANTIATE_FAILED,
    "execute": WASM_EXECUTE_FAILED,
    "reply": WASM_EXECUTE_FAILED,
    "migrate": WASM_MIGRATION_FAILED,
    "query": WASM_QUERY_FAILED,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A contract that is called, and the code that it runs."""

    address: bytes
    text: str
    checksum: bytes


class EntryPoints:
    """Calls into the machine. `chain_id` is what contracts are told."""

    def __init__(self, machine: Machine, addresses: AddressFormat, chain_id: str, querier: Querier) -> None:
        self._machine = machine
        self._addresses = addresses
        self._chain_id = chain_id
        self._querier = querier

    def charge_setup(self, context: Context, checksum: bytes, entry: str) -> None:
        """For bringing code up: less when the transaction has run it before. Raises `OutOfGasError`."""
        is_loaded = context.loaded is not None and checksum in context.loaded
        if context.loaded is not None:
            context.loaded.add(checksum)
        context.meter.consume(INSTANCE_AGAIN_GAS if is_loaded else INSTANCE_GAS, f"Loading CosmWasm module: {entry}")

    def instantiate(self, context: Context, target: Target, sender: str, funds: Coins, message: bytes) -> Response:
        """Raises `ChainError` and `OutOfGasError`, as all of these."""
        arguments = [self._env(context, target), _info(sender, funds), message]
        return self._call(context, target, "instantiate", arguments, parse_response)

    def execute(self, context: Context, target: Target, sender: str, funds: Coins, message: bytes) -> Response:
        """Of a transaction's or of a contract's message."""
        arguments = [self._env(context, target), _info(sender, funds), message]
        return self._call(context, target, "execute", arguments, parse_response)

    def migrate(
        self, context: Context, target: Target, message: bytes, info: dict[str, Any], *, has_info: bool
    ) -> Response:
        """With what it is told of its former self, if the code takes that."""
        arguments = [self._env(context, target), message]
        return self._call(
            context, target, "migrate", [*arguments, orjson.dumps(info)] if has_info else arguments, parse_response
        )

    def reply(self, context: Context, target: Target, reply: dict[str, Any]) -> Response:
        """What became of a submessage."""
        return self._call(context, target, "reply", [self._env(context, target), orjson.dumps(reply)], parse_response)

    def query(self, context: Context, target: Target, message: bytes) -> bytes:
        """It cannot write."""
        return self._call(context, target, "query", [self._env(context, target), message], parse_query_response)

    def _call(
        self,
        context: Context,
        target: Target,
        entry: str,
        arguments: list[bytes],
        parse: Callable[[bytes], _Parsed],
    ) -> _Parsed:
        backend = _Backend(context, ContractStore(context, target.address), self._addresses, self._querier)
        limit = context.meter.remaining * GAS_PER_SDK_GAS
        try:
            outcome = self._machine.run(target.checksum, entry, arguments, backend, limit, is_readonly=entry == "query")
        except VmOutOfGasError:
            context.meter.consume(context.meter.remaining, _RAN_OUT)
            raise OutOfGasError(_RAN_OUT) from None
        except VmError as error:
            self._consume(context, error.gas_used)
            raise ChainError(WASM_VM_ERROR, str(error)) from None
        self._consume(context, outcome.gas_used)
        try:
            return parse(outcome.data)
        except MalformedResponseError as error:
            raise ChainError(WASM_VM_ERROR, str(error)) from None
        except ContractRefusedError as error:
            raise ChainError(_FAILURES[entry], str(error), is_deterministic=True) from None

    def _consume(self, context: Context, gas_used: int) -> None:
        context.meter.consume(gas_used // GAS_PER_SDK_GAS, "wasm contract")
        if not context.meter.remaining:
            raise OutOfGasError(_RAN_OUT)

    def _env(self, context: Context, target: Target) -> bytes:
        position = context.position
        transaction = None
        if position is not None:
            transaction = {"index": position.index, "hash": base64.b64encode(position.hash).decode()}
        block = {
            "height": context.block.height,
            "time": str(context.block.time_ns),
            "chain_id": self._chain_id,
        }
        return orjson.dumps({"block": block, "transaction": transaction, "contract": {"address": target.text}})


def _info(sender: str, funds: Coins) -> bytes:
    return orjson.dumps({"sender": sender, "funds": coins_json(funds)})


class _Backend:
    """What a running contract reaches: its own entries, addresses, and queries in the same context."""

    def __init__(self, context: Context, storage: ContractStore, addresses: AddressFormat, querier: Querier) -> None:
        self._context = context
        self._storage = storage
        self._addresses = addresses
        self._querier = querier

    @property
    def storage(self) -> Storage:
        return self._storage

    def sdk_gas(self) -> int:
        return self._context.meter.consumed

    def canonicalize(self, address: str) -> bytes:
        return self._addresses.parse(address)

    def humanize(self, address: bytes) -> str:
        return self._addresses.text(address)

    def query(self, request: bytes, gas_limit: int) -> bytes:
        return self._querier(self._context, request, gas_limit)
