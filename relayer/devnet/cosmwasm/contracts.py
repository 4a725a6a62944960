"""Carrying out messages: code, contracts, their admins, and money.

Its job: what a message must be, what it changes, its events, and its response. How contracts' own messages are sent is
in `submessages`.

Source: `x/wasm/keeper/keeper.go` and `msg_server.go`, `x/wasm/types/tx.go` and `validation.go` of CosmWasm/wasmd.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson

from relayer.cosmos.contract_address import classic_address, predictable_address
from relayer.cosmos.wasm import (
    MsgExecuteContractResponse,
    MsgInstantiateContract2Response,
    MsgInstantiateContractResponse,
    MsgMigrateContractResponse,
    MsgStoreCodeResponse,
)
from relayer.devnet.cosmwasm.addresses import AddressFormat
from relayer.devnet.cosmwasm.bank import Bank
from relayer.devnet.cosmwasm.chain_errors import (
    SDK_INVALID_COINS,
    SDK_INVALID_REQUEST,
    SDK_UNAUTHORIZED,
    UNDEFINED,
    WASM_ACCOUNT_EXISTS,
    WASM_CREATE_FAILED,
    WASM_DUPLICATE,
    WASM_EMPTY,
    WASM_INVALID,
    WASM_LIMIT,
    ChainError,
)
from relayer.devnet.cosmwasm.code_archive import is_compressed, uncompressed
from relayer.devnet.cosmwasm.code_registry import CodeInfo, CodeRegistry, ContractInfo, HistoryEntry
from relayer.devnet.cosmwasm.coins import Coins
from relayer.devnet.cosmwasm.context import Context
from relayer.devnet.cosmwasm.entry_points import EntryPoints, Target
from relayer.devnet.cosmwasm.events import CONTRACT_ADDRESS, Event
from relayer.devnet.cosmwasm.gas_register import (
    COMPILE_GAS_PER_BYTE,
    INSTANTIATE_GAS,
    READ_CODE_GAS,
    READ_CONTRACT_GAS,
    READ_INFO_GAS,
    UNCOMPRESS_GAS_PER_100_BYTES,
    WRITE_CODE_GAS,
    WRITE_INFO_GAS,
)
from relayer.devnet.cosmwasm.messages import (
    ClearAdmin,
    ExecuteContract,
    InstantiateContract,
    InstantiateContract2,
    Message,
    MessageResponse,
    MigrateContract,
    Send,
    StoreCode,
    UpdateAdmin,
)
from relayer.devnet.cosmwasm.responses import Response
from relayer.devnet.cosmwasm.vm.errors import CodeRefusedError
from relayer.devnet.cosmwasm.vm.machine import Machine

MAX_LABEL_BYTES: Final = 128
MAX_SALT_BYTES: Final = 64
_MIGRATE_ARGUMENTS_WITH_INFO: Final = 3

Sender = Callable[[Context, Target, Response], bytes | None]
"""Sends what a response holds; the data that is left of it and of replies."""


class Contracts:
    """All messages of this chain. The entries are in the context."""

    def __init__(
        self,
        machine: Machine,
        addresses: AddressFormat,
        bank: Bank,
        registry: CodeRegistry,
        entry_points: EntryPoints,
        send: Sender,
    ) -> None:
        self._machine = machine
        self._addresses = addresses
        self._bank = bank
        self._registry = registry
        self._entry_points = entry_points
        self._send = send

    def handle(self, context: Context, message: Message) -> MessageResponse:  # noqa: PLR0911 -- one each
        """Carry a message out. Raises `ChainError` and `OutOfGasError`; what it changed until then is still there."""
        match message:
            case ExecuteContract():
                return self._execute(context, message)
            case Send():
                return self._send_coins(context, message)
            case StoreCode():
                return self._store_code(context, message)
            case InstantiateContract():
                return self._instantiate_classic(context, message)
            case InstantiateContract2():
                return self._instantiate_predictable(context, message)
            case MigrateContract():
                return self._migrate(context, message)
            case UpdateAdmin():
                return self._update_admin(context, message)
            case ClearAdmin():
                return self._clear_admin(context, message)

    def target(self, context: Context, address: bytes) -> Target:
        """A contract with its code. Raises `ChainError`."""
        context.meter.consume(READ_CONTRACT_GAS, "ReadFlat")
        text = self._addresses.text(address)
        contract = self._registry.contract(context.view, address, text)
        return Target(address, text, self._registry.code(context.view, contract.code_id).checksum)

    def _store_code(self, context: Context, message: StoreCode) -> MessageResponse:
        self._account(message.sender, "sender")
        wasm = message.wasm
        try:
            if is_compressed(wasm):
                context.meter.consume(UNCOMPRESS_GAS_PER_100_BYTES * len(wasm) // 100, "Uncompress gzip bytecode")
                wasm = uncompressed(wasm)
            context.meter.consume(COMPILE_GAS_PER_BYTE * len(wasm), "wasm contract")
            report = self._machine.store(wasm)
        except CodeRefusedError as error:
            raise ChainError(WASM_CREATE_FAILED, str(error)) from None
        context.meter.consume(WRITE_CODE_GAS, "WriteFlat")
        code = CodeInfo(report.checksum, message.sender, report.entry_points, report.migrate_version)
        code_id = self._registry.add_code(context.state, code)
        attributes = [("code_checksum", report.checksum.hex()), ("code_id", str(code_id))]
        attributes += [("required_capability", name) for name in report.required_capabilities or ("",)]
        context.events.append(Event("store_code", attributes))
        answer = MsgStoreCodeResponse(code_id, report.checksum)
        return MessageResponse(answer.TYPE_URL, answer.encode(), code_id=code_id)

    def _instantiate_classic(self, context: Context, message: InstantiateContract) -> MessageResponse:
        self._require_instantiable(message)

        def place(_: bytes) -> bytes:
            return classic_address(message.code_id, self._registry.next_instance(context.state))

        return self._instantiate(context, message, place, MsgInstantiateContractResponse)

    def _instantiate_predictable(self, context: Context, message: InstantiateContract2) -> MessageResponse:
        self._require_instantiable(message)
        if not message.salt:
            raise ChainError(WASM_EMPTY, "salt: is required")
        if len(message.salt) > MAX_SALT_BYTES:
            raise ChainError(WASM_LIMIT, f"salt: cannot be longer than {MAX_SALT_BYTES} characters")
        fixed = message.message if message.fix_msg else b""

        def place(checksum: bytes) -> bytes:
            return predictable_address(checksum, self._account(message.sender, "sender"), message.salt, fixed)

        return self._instantiate(context, message, place, MsgInstantiateContract2Response)

    def _instantiate(
        self,
        context: Context,
        message: InstantiateContract | InstantiateContract2,
        place: Callable[[bytes], bytes],
        answer_type: type[MsgInstantiateContractResponse | MsgInstantiateContract2Response],
    ) -> MessageResponse:
        sender = self._account(message.sender, "sender")
        code = self._registry.code(context.view, message.code_id)
        self._entry_points.charge_setup(context, code.checksum, "instantiate")
        context.meter.consume(INSTANTIATE_GAS, "WriteFlat")
        address = place(code.checksum)
        text = self._addresses.text(address)
        if self._registry.find_contract(context.view, address) is not None:
            raise ChainError(WASM_DUPLICATE, "contract address already exists, try a different combination")
        account = self._bank.account(context.view, address)
        if account is not None and (account.sequence or account.public_key):
            raise ChainError(WASM_ACCOUNT_EXISTS, "address is claimed by external account")
        self._bank.open_account(context, address)
        self._move(context, sender, address, message.funds)
        target = Target(address, text, code.checksum)
        response = self._entry_points.instantiate(context, target, message.sender, message.funds, message.message)
        height, index = context.block.height, 0 if context.position is None else context.position.index
        context.meter.consume(WRITE_INFO_GAS, "WriteFlat")
        self._registry.set_contract(
            context.state,
            address,
            ContractInfo(message.code_id, message.sender, message.admin, message.label, height, index),
        )
        self._registry.add_history(
            context.state, address, HistoryEntry("init", message.code_id, height, index, message.message)
        )
        context.events.append(Event("instantiate", [(CONTRACT_ADDRESS, text), ("code_id", str(message.code_id))]))
        try:
            data = self._send(context, target, response)
        except ChainError as error:
            raise error.within("dispatch") from None
        answer = answer_type(text, data or b"")
        return MessageResponse(answer.TYPE_URL, answer.encode(), data, text)

    def _execute(self, context: Context, message: ExecuteContract) -> MessageResponse:
        sender, address = self._account(message.sender, "sender"), self._account(message.contract, "contract")
        self._require_funds(message.funds)
        self._require_json(message.message)
        target = self.target(context, address)
        self._entry_points.charge_setup(context, target.checksum, "execute")
        self._move(context, sender, address, message.funds)
        response = self._entry_points.execute(context, target, message.sender, message.funds, message.message)
        context.events.append(Event("execute", [(CONTRACT_ADDRESS, target.text)]))
        data = self._send(context, target, response)
        answer = MsgExecuteContractResponse(data or b"")
        return MessageResponse(answer.TYPE_URL, answer.encode(), data)

    def _migrate(self, context: Context, message: MigrateContract) -> MessageResponse:
        self._account(message.sender, "sender")
        address = self._account(message.contract, "contract")
        self._require_json(message.message)
        contract = self._owned(context, address, message.sender, "can not migrate")
        context.meter.consume(2 * READ_CODE_GAS, "ReadFlat")
        code = self._registry.find_code(context.view, message.code_id)
        if code is None:
            raise ChainError(SDK_INVALID_REQUEST, "unknown code")
        former = self._registry.code(context.view, contract.code_id)
        target = Target(address, message.contract, code.checksum)
        response = None
        if code.migrate_version is None or code.migrate_version != former.migrate_version:
            self._entry_points.charge_setup(context, code.checksum, "migrate")
            info = {"sender": message.sender, "old_migrate_version": former.migrate_version}
            has_info = self._machine.parameters(code.checksum, "migrate") == _MIGRATE_ARGUMENTS_WITH_INFO
            response = self._entry_points.migrate(context, target, message.message, info, has_info=has_info)
        height, index = context.block.height, 0 if context.position is None else context.position.index
        context.meter.consume(INSTANTIATE_GAS + WRITE_INFO_GAS, "WriteFlat")
        self._registry.move_to_code(context.state, address, contract, message.code_id)
        self._registry.add_history(
            context.state, address, HistoryEntry("migrate", message.code_id, height, index, message.message)
        )
        attributes = [("code_id", str(message.code_id)), (CONTRACT_ADDRESS, message.contract)]
        context.events.append(Event("migrate", attributes))
        data = None
        if response is not None:
            try:
                data = self._send(context, target, response)
            except ChainError as error:
                raise error.within("dispatch") from None
        answer = MsgMigrateContractResponse(data or b"")
        return MessageResponse(answer.TYPE_URL, answer.encode(), data)

    def _update_admin(self, context: Context, message: UpdateAdmin) -> MessageResponse:
        self._account(message.new_admin, "new admin")
        if message.sender == message.new_admin:
            raise ChainError(WASM_INVALID, "new admin is the same as the old")
        self._set_admin(context, message.sender, message.contract, message.new_admin)
        return MessageResponse("/cosmwasm.wasm.v1.MsgUpdateAdminResponse", b"")

    def _clear_admin(self, context: Context, message: ClearAdmin) -> MessageResponse:
        self._set_admin(context, message.sender, message.contract, "")
        return MessageResponse("/cosmwasm.wasm.v1.MsgClearAdminResponse", b"")

    def _set_admin(self, context: Context, sender: str, contract: str, admin: str) -> None:
        self._account(sender, "sender")
        address = self._account(contract, "contract")
        info = self._owned(context, address, sender, "can not modify contract")
        context.meter.consume(WRITE_INFO_GAS, "WriteFlat")
        self._registry.set_admin(context.state, address, info, admin)
        attributes = [(CONTRACT_ADDRESS, contract), ("new_admin_address", admin)]
        context.events.append(Event("update_contract_admin", attributes))

    def _send_coins(self, context: Context, message: Send) -> MessageResponse:
        sender = self._account(message.sender, "invalid from address")
        recipient = self._account(message.recipient, "invalid to address")
        if not message.amount:
            raise ChainError(SDK_INVALID_COINS)
        self._require_funds(message.amount)
        self._bank.transfer(context, sender, recipient, message.amount)
        return MessageResponse("/cosmos.bank.v1beta1.MsgSendResponse", b"")

    def _owned(self, context: Context, address: bytes, sender: str, what: str) -> ContractInfo:
        context.meter.consume(READ_INFO_GAS, "ReadFlat")
        contract = self._registry.find_contract(context.view, address)
        if contract is None:
            raise ChainError(SDK_INVALID_REQUEST, "unknown contract")
        # SECURITY: a contract's admin, and nobody else, can give it other code or another admin.
        if not contract.admin or contract.admin != sender:
            raise ChainError(SDK_UNAUTHORIZED, what)
        return contract

    def _move(self, context: Context, sender: bytes, address: bytes, funds: Coins) -> None:
        """Coins that go with a message; the bank's own `message` event is not passed on."""
        if not funds:
            return
        inner = context.with_events()
        self._bank.transfer(inner, sender, address, funds)
        context.events += [event for event in inner.events if event.type != "message"]

    def _require_instantiable(self, message: InstantiateContract | InstantiateContract2) -> None:
        self._account(message.sender, "sender")
        if not message.code_id:
            raise ChainError(SDK_INVALID_REQUEST, "code id is required")
        label = message.label
        if not label:
            raise ChainError(WASM_EMPTY, "label: is required")
        if len(label.encode()) > MAX_LABEL_BYTES:
            raise ChainError(WASM_LIMIT, f"label: cannot be longer than {MAX_LABEL_BYTES} characters")
        if label != label.strip():
            raise ChainError(WASM_INVALID, "label: label must not start/end with whitespaces")
        if not label.isprintable():
            raise ChainError(WASM_INVALID, "label: label must have printable characters only")
        self._require_funds(message.funds)
        if message.admin:
            self._account(message.admin, "admin")
        self._require_json(message.message)

    def _require_funds(self, funds: Coins) -> None:
        denoms = [denom for denom, _ in funds]
        if denoms != sorted(set(denoms)) or any(amount <= 0 for _, amount in funds):
            raise ChainError(SDK_INVALID_COINS, "funds")

    def _require_json(self, message: bytes) -> None:
        try:
            orjson.loads(message)
        except orjson.JSONDecodeError:
            raise ChainError(WASM_INVALID, "payload msg") from None

    def _account(self, text: str, what: str) -> bytes:
        try:
            return self._addresses.parse(text)
        except ValueError as error:
            raise ChainError(UNDEFINED, f"{what}: {error}") from None
