"""What contracts may ask of the chain, and of each other.

Its job: `QueryRequest` as wasmd answers it: the bank, other contracts, and no more. IBC, staking, distribution, gRPC
and custom queries are answered as a chain does that has none.

Source: `x/wasm/keeper/query_plugins.go` of CosmWasm/wasmd, `types/queries.go` of CosmWasm/wasmvm.
"""

from __future__ import annotations

import base64
from typing import Any, Final, NoReturn

import orjson

from relayer.devnet.cosmwasm.addresses import AddressFormat
from relayer.devnet.cosmwasm.bank import Bank
from relayer.devnet.cosmwasm.chain_errors import (
    SDK_INVALID_ADDRESS,
    SDK_INVALID_REQUEST,
    SDK_NOT_FOUND,
    UNDEFINED,
    WASM_EMPTY,
    WASM_INVALID,
    WASM_QUERY_DEPTH,
    ChainError,
    no_such_code,
)
from relayer.devnet.cosmwasm.code_registry import CodeRegistry
from relayer.devnet.cosmwasm.coins import coins_json
from relayer.devnet.cosmwasm.context import Context
from relayer.devnet.cosmwasm.contract_store import ContractStore
from relayer.devnet.cosmwasm.entry_points import EntryPoints, Target
from relayer.devnet.cosmwasm.gas_meter import GasMeter
from relayer.devnet.cosmwasm.gas_register import READ_CODE_GAS, READ_CONTRACT_GAS, READ_INFO_GAS
from relayer.devnet.cosmwasm.vm.gas import GAS_PER_SDK_GAS

MAX_QUERY_DEPTH: Final = 10


class Queries:
    """Reads only."""

    def __init__(self, addresses: AddressFormat, bank: Bank, registry: CodeRegistry) -> None:
        self._addresses = addresses
        self._bank = bank
        self._registry = registry
        self.entry_points: EntryPoints | None = None

    def answer(self, context: Context, request: bytes, gas_limit: int) -> bytes:
        """A `SystemResult` for a contract. Raises `OutOfGasError`."""
        try:
            asked = orjson.loads(request)
        except orjson.JSONDecodeError as error:
            return _invalid(str(error), request)
        if not isinstance(asked, dict):
            return _invalid("cannot unmarshal into QueryRequest", request)
        meter = GasMeter(gas_limit // GAS_PER_SDK_GAS)
        try:
            data = self._handle(context.deeper(meter), asked)
        except ChainError as error:
            if error.system_error is not None:
                return orjson.dumps({"error": error.system_error})
            return orjson.dumps({"ok": {"error": error.told_to_contracts()}})
        finally:
            context.meter.consume(meter.consumed, "contract sub-query")
        return orjson.dumps({"ok": {"ok": base64.b64encode(data or b"").decode()}})

    def smart(self, context: Context, address: bytes, message: bytes) -> bytes:
        """What a contract answers. Raises `ChainError` and `OutOfGasError`."""
        if context.query_depth > MAX_QUERY_DEPTH:
            raise ChainError(WASM_QUERY_DEPTH)
        context.meter.consume(READ_CONTRACT_GAS, "ReadFlat")
        text = self._addresses.text(address)
        contract = self._registry.contract(context.view, address, text)
        target = Target(address, text, self._registry.code(context.view, contract.code_id).checksum)
        assert self.entry_points is not None
        self.entry_points.charge_setup(context, target.checksum, "query")
        return self.entry_points.query(context, target, message)

    def _handle(self, context: Context, asked: dict[str, Any]) -> bytes:
        kind = next((name for name in _KINDS if asked.get(name) is not None), None)
        if kind is None:
            raise ChainError(UNDEFINED, system_error={"unknown": {}})
        fields = asked[kind]
        if kind == "bank" and isinstance(fields, dict):
            return orjson.dumps(self._bank_query(context, fields))
        if kind == "wasm" and isinstance(fields, dict):
            return self._wasm_query(context, fields)
        return _unsupported(kind)

    def _bank_query(self, context: Context, fields: dict[str, Any]) -> dict[str, Any]:
        for name in ("all_balances", "balance", "supply", "denom_metadata", "all_denom_metadata"):
            if isinstance(fields.get(name), dict):
                asked, kind = fields[name], name
                break
        else:
            _unsupported("unknown BankQuery variant")
        self._bank.charge_read(context)
        denom = str(asked.get("denom", ""))
        if kind == "all_balances":
            held = self._bank.balances(context.view, self._address(asked.get("address")))
            return {"amount": coins_json(held)}
        if kind == "balance":
            amount = self._bank.balance(context.view, self._address(asked.get("address")), denom)
            return {"amount": {"denom": denom, "amount": str(amount)}}
        if kind == "supply":
            return {"amount": {"denom": denom, "amount": str(self._bank.supply(context.view, denom))}}
        if kind == "denom_metadata":
            raise ChainError(SDK_NOT_FOUND, denom)
        return {"metadata": []}

    def _wasm_query(self, context: Context, fields: dict[str, Any]) -> bytes:
        for name in ("smart", "raw", "contract_info", "code_info", "raw_range"):
            if isinstance(fields.get(name), dict):
                asked, kind = fields[name], name
                break
        else:
            _unsupported("unknown WasmQuery variant")
        if kind == "code_info":
            return orjson.dumps(self._code_info(context, asked))
        address = self._address(asked.get("contract_addr"))
        if kind == "smart":
            return self.smart(context, address, _json_message(asked.get("msg")))
        if kind == "raw":
            return ContractStore(context, address).get(_base64(asked.get("key"))) or b""
        if kind == "contract_info":
            return orjson.dumps(self._contract_info(context, address))
        return orjson.dumps(_raw_range(context, address, asked))

    def _contract_info(self, context: Context, address: bytes) -> dict[str, Any]:
        context.meter.consume(READ_INFO_GAS, "ReadFlat")
        contract = self._registry.contract(context.view, address, self._addresses.text(address))
        info: dict[str, Any] = {"code_id": contract.code_id, "creator": contract.creator}
        if contract.admin:
            info["admin"] = contract.admin
        return {
            **info,
            "pinned": False,
            "ibc2_port": f"wasm2{self._addresses.text(address).removeprefix(self._addresses.prefix)}",
        }

    def _code_info(self, context: Context, asked: dict[str, Any]) -> dict[str, Any]:
        code_id = asked.get("code_id", 0)
        if not isinstance(code_id, int) or not code_id:
            raise ChainError(WASM_EMPTY, "code id")
        context.meter.consume(READ_CODE_GAS, "ReadFlat")
        code = self._registry.find_code(context.view, code_id)
        if code is None:
            raise no_such_code(code_id)
        return {"code_id": code_id, "creator": code.creator, "checksum": code.checksum.hex()}

    def _address(self, text: Any) -> bytes:
        try:
            return self._addresses.parse(text if isinstance(text, str) else "")
        except ValueError:
            raise ChainError(SDK_INVALID_ADDRESS, str(text)) from None


_KINDS: Final = ("bank", "custom", "ibc", "staking", "stargate", "grpc", "wasm", "distribution")
_MAX_RANGE: Final = 2**16


def _invalid(error: str, request: bytes) -> bytes:
    refused = {"error": error, "request": base64.b64encode(request).decode()}
    return orjson.dumps({"error": {"invalid_request": refused}})


def _unsupported(kind: str) -> NoReturn:
    raise ChainError(UNDEFINED, system_error={"unsupported_request": {"kind": kind}})


def _json_message(text: Any) -> bytes:
    message = _base64(text)
    try:
        orjson.loads(message)
    except orjson.JSONDecodeError:
        raise ChainError(WASM_INVALID, "json msg") from None
    return message


def _base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except (ValueError, TypeError) as error:
        raise ChainError(SDK_INVALID_REQUEST, str(error)) from None


def _raw_range(context: Context, address: bytes, asked: dict[str, Any]) -> dict[str, Any]:
    order, limit = asked.get("order"), asked.get("limit", 0)
    if order not in ("ascending", "descending"):
        raise ChainError(SDK_INVALID_REQUEST, f"unknown order {order}")
    if not isinstance(limit, int) or not 0 <= limit < _MAX_RANGE:
        raise ChainError(SDK_INVALID_REQUEST, "limit")
    start, end = (_base64(asked[name]) if asked.get(name) else None for name in ("start", "end"))
    cursor = ContractStore(context, address).scan(start, end, descending=order == "descending")
    found: list[list[str]] = []
    entry = cursor.advance()
    while entry is not None and len(found) < limit:
        found.append([base64.b64encode(part).decode() for part in entry])
        entry = cursor.advance()
    return {"data": found, "next_key": None if entry is None else base64.b64encode(entry[0]).decode()}
