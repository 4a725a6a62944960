"""Messages of transactions as the keeper takes them."""

from __future__ import annotations

from typing import assert_never

from relayer.cosmos.bank import MsgSend
from relayer.cosmos.crossvm import MsgCrossVMCall
from relayer.cosmos.wasm import (
    MsgClearAdmin,
    MsgExecuteContract,
    MsgInstantiateContract,
    MsgInstantiateContract2,
    MsgMigrateContract,
    MsgStoreCode,
    MsgUpdateAdmin,
)
from relayer.devnet.cosmwasm import messages
from relayer.devnet.cosmwasm.amounts import amounts_of
from relayer.devnet.cosmwasm.coins import coins_of

ChainMessage = (
    MsgClearAdmin
    | MsgCrossVMCall
    | MsgExecuteContract
    | MsgInstantiateContract
    | MsgInstantiateContract2
    | MsgMigrateContract
    | MsgSend
    | MsgStoreCode
    | MsgUpdateAdmin
)
"""What transactions of this chain may hold."""


def signer_of(message: ChainMessage) -> str:
    """Who must have signed it."""
    return message.from_address if isinstance(message, MsgSend) else message.sender


def call_of(message: ChainMessage) -> messages.TransactionMessage:
    """The same for the keeper. Raises `TxError`: coins are malformed."""
    call: messages.TransactionMessage
    match message:
        case MsgSend(sender, recipient, amount):
            call = messages.Send(sender, recipient, coins_of(amounts_of(amount)))
        case MsgExecuteContract(sender, contract, msg, funds):
            call = messages.ExecuteContract(sender, contract, msg, coins_of(amounts_of(funds)))
        case MsgInstantiateContract(sender, admin, code_id, label, msg, funds):
            call = messages.InstantiateContract(sender, code_id, label, msg, admin, coins_of(amounts_of(funds)))
        case MsgInstantiateContract2(sender, admin, code_id, label, msg, funds, salt, fix_msg):
            coins = coins_of(amounts_of(funds))
            call = messages.InstantiateContract2(sender, code_id, label, msg, salt, admin, coins, fix_msg)
        case MsgMigrateContract(sender, contract, code_id, msg):
            call = messages.MigrateContract(sender, contract, code_id, msg)
        case MsgUpdateAdmin(sender, new_admin, contract):
            call = messages.UpdateAdmin(sender, contract, new_admin)
        case MsgClearAdmin(sender, contract):
            call = messages.ClearAdmin(sender, contract)
        case MsgStoreCode(sender, wasm):
            call = messages.StoreCode(sender, wasm)
        case MsgCrossVMCall(sender, source_vm, target_vm, target_contract, payload, funds):
            coins = coins_of(amounts_of(funds))
            call = messages.CrossVmCall(sender, source_vm, target_vm, target_contract, payload, coins)
        case _:
            assert_never(message)
    return call
