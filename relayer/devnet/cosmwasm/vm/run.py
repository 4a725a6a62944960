"""One call of an entry point: its instance, its gas, and what its imports work on.

Its job: keep the books of gas between fuel and host, and carry bytes in and out. What the imports do stands in
`imports`; which code may run at all, in `gatekeeper`.

Source: `Environment`, `process_gas_info` and `call_raw` in `packages/vm/src` of CosmWasm/cosmwasm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wasmtime import Func, Instance, Memory, Store, Trap, TrapCode, WasmtimeError

from relayer.devnet.cosmwasm.vm import gas
from relayer.devnet.cosmwasm.vm.backend import Backend, Cursor
from relayer.devnet.cosmwasm.vm.errors import VmError, VmOutOfGasError
from relayer.devnet.cosmwasm.vm.host_work import HostWork
from relayer.devnet.cosmwasm.vm.instance_access import call_function, find_export
from relayer.devnet.cosmwasm.vm.memory import GuestMemory

MAX_RESULT_BYTES: Final = 2 * 1024 * 1024
"""Of what an entry point returns. A chain reads up to 64 MiB, of which a parser in Python would make gigabytes."""

_MAX_DEPTH: Final = 2
"""An entry point, and `allocate` when an import hands something over; no deeper."""

_U32: Final = 0xFFFF_FFFF


class Run:
    """A contract that is being called."""

    def __init__(self, store: Store, backend: Backend, gas_limit: int, work: HostWork, *, is_readonly: bool) -> None:
        self.backend = backend
        self.is_readonly = is_readonly
        self.cursors: list[Cursor] = []
        self._store = store
        self._work = work
        self._gas_limit = gas_limit
        self._fuel = 0
        self._external = 0
        self._depth = 0
        self._memory: GuestMemory | None = None
        self._functions: dict[str, Func] = {}

    def open(self, instance: Instance, entry: str) -> None:
        """Take an instance, and give it the fuel. Raises `VmError` where it lacks what it must export."""
        memory = find_export(self._store, instance, "memory")
        if not isinstance(memory, Memory):
            raise VmError("Could not get memory 'memory'")
        self._memory = GuestMemory(memory, self._store)
        for name in ("allocate", "deallocate", entry):
            function = find_export(self._store, instance, name)
            if not isinstance(function, Func):
                raise VmError(f"Error resolving Wasm function: Could not get export: {name}")
            self._functions[name] = function
        self._fuel = -(-self._gas_limit // gas.GAS_PER_FUEL)
        self._store.set_fuel(self._fuel)

    def call(self, entry: str, arguments: Sequence[bytes]) -> bytes:
        """What the entry point returns. Raises `VmError`, `VmOutOfGasError`, and whatever the backend raises."""
        pointers = [self.hand_over(argument) for argument in arguments]
        result = self._invoke(entry, *pointers)
        data = self.read(result, MAX_RESULT_BYTES)
        self._invoke("deallocate", result, results=0)
        self.charge(gas.DESERIALIZE_BYTE * len(data))
        return data

    @property
    def memory(self) -> GuestMemory:
        """Raises `VmError` before the instance is there: code that runs at its start has no host."""
        if self._memory is None:
            raise VmError("Uninitialized Context Data: wasmer_instance")
        return self._memory

    def used(self) -> int:
        """CosmWasm gas so far, without what the transaction's own meter has counted."""
        return min(self._gas_limit, (self._fuel - self._store.get_fuel()) * gas.GAS_PER_FUEL) - self._external

    def left(self) -> int:
        """CosmWasm gas that is still there."""
        return self._store.get_fuel() * gas.GAS_PER_FUEL

    def charge(self, cost: int) -> None:
        """Take CosmWasm gas. Raises `VmOutOfGasError`."""
        fuel = self._store.get_fuel() - -(-cost // gas.GAS_PER_FUEL)
        self._store.set_fuel(max(0, fuel))
        if fuel < 0:
            raise VmOutOfGasError

    def charge_work(self, cost: int) -> None:
        """Take CosmWasm gas for what the host is about to compute. Raises `VmOutOfGasError` and `VmError`."""
        self.charge(cost)
        self._work.spend_for(cost)

    def charge_external(self, sdk_gas_before: int) -> None:
        """Take what the transaction's meter has counted since. Raises `VmOutOfGasError`."""
        cost = (self.backend.sdk_gas() - sdk_gas_before) * gas.GAS_PER_SDK_GAS
        self._external += cost
        self.charge(cost)

    def read(self, pointer: int, limit: int) -> bytes:
        """A region, at its price."""
        self.charge(gas.read_region_cost(self.memory.region_length(pointer)))
        return self.memory.read(pointer, limit)

    def write(self, pointer: int, data: bytes) -> None:
        """Fill a region that the contract has prepared, at its price."""
        self.charge(gas.WRITE_REGION.of(len(data)))
        self.memory.write(pointer, data)

    def hand_over(self, data: bytes) -> int:
        """A region in the contract's memory with these bytes, which the contract then owns."""
        pointer = self._invoke("allocate", len(data))
        if pointer == 0:
            raise VmError("Got a zero Wasm address")
        self.write(pointer, data)
        return pointer

    def _invoke(self, name: str, *arguments: int, results: int = 1) -> int:
        if self._depth == _MAX_DEPTH:
            raise VmError("Maximum call depth exceeded.")
        self._depth += 1
        try:
            return call_function(self._store, self._functions[name], arguments, results) & _U32
        except Trap as trap:
            if trap.trap_code is TrapCode.OUT_OF_FUEL:
                self._store.set_fuel(0)
                raise VmOutOfGasError from None
            raise VmError(f"Wasmer runtime error: {_first_line(trap.message)}") from None
        except WasmtimeError as error:
            # A function of another type than the call's is found out here.
            raise VmError(f"Error executing Wasm: {_first_line(str(error))}") from None
        finally:
            self._depth -= 1


def _first_line(text: str) -> str:
    """Without the addresses and offsets of a backtrace."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
