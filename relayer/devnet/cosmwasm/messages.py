"""The messages that this chain carries out, whether a transaction or a contract sends them.

Source: `proto/cosmwasm/wasm/v1/tx.proto` of CosmWasm/wasmd, `cosmos/bank/v1beta1/tx.proto` of cosmos/cosmos-sdk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from relayer.cosmos.crossvm import CALL_TYPE_URL
from relayer.devnet.cosmwasm.coins import Coins


@dataclass(frozen=True, slots=True)
class StoreCode:
    """Store code, as it is or as a gzip archive."""

    type_url: ClassVar[str] = "/cosmwasm.wasm.v1.MsgStoreCode"

    sender: str
    wasm: bytes


@dataclass(frozen=True, slots=True)
class InstantiateContract:
    """Make a contract of stored code. `admin` is empty for nobody."""

    type_url: ClassVar[str] = "/cosmwasm.wasm.v1.MsgInstantiateContract"

    sender: str
    code_id: int
    label: str
    message: bytes
    admin: str = ""
    funds: Coins = ()


@dataclass(frozen=True, slots=True)
class InstantiateContract2:
    """The same, at an address that sender, code and salt give."""

    type_url: ClassVar[str] = "/cosmwasm.wasm.v1.MsgInstantiateContract2"

    sender: str
    code_id: int
    label: str
    message: bytes
    salt: bytes
    admin: str = ""
    funds: Coins = ()
    fix_msg: bool = False


@dataclass(frozen=True, slots=True)
class ExecuteContract:
    """Call a contract."""

    type_url: ClassVar[str] = "/cosmwasm.wasm.v1.MsgExecuteContract"

    sender: str
    contract: str
    message: bytes
    funds: Coins = ()


@dataclass(frozen=True, slots=True)
class MigrateContract:
    """Give a contract other code."""

    type_url: ClassVar[str] = "/cosmwasm.wasm.v1.MsgMigrateContract"

    sender: str
    contract: str
    code_id: int
    message: bytes


@dataclass(frozen=True, slots=True)
class UpdateAdmin:
    """Give a contract another admin."""

    type_url: ClassVar[str] = "/cosmwasm.wasm.v1.MsgUpdateAdmin"

    sender: str
    contract: str
    new_admin: str


@dataclass(frozen=True, slots=True)
class ClearAdmin:
    """Give up a contract's admin for good."""

    type_url: ClassVar[str] = "/cosmwasm.wasm.v1.MsgClearAdmin"

    sender: str
    contract: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send coins."""

    type_url: ClassVar[str] = "/cosmos.bank.v1beta1.MsgSend"

    sender: str
    recipient: str
    amount: Coins


@dataclass(frozen=True, slots=True)
class CrossVmCall:
    """Let a contract of another VM be called. Transactions may hold it; contracts send none."""

    type_url: ClassVar[str] = CALL_TYPE_URL

    sender: str
    source_vm: str
    target_vm: str
    target_contract: str
    payload: bytes
    funds: Coins = ()


Message = (
    StoreCode
    | InstantiateContract
    | InstantiateContract2
    | ExecuteContract
    | MigrateContract
    | UpdateAdmin
    | ClearAdmin
    | Send
)
"""What contracts may send as well."""

TransactionMessage = Message | CrossVmCall


@dataclass(frozen=True, slots=True)
class MessageResponse:
    """What a message returns: its type and its bytes, in protocol buffers."""

    type_url: str
    value: bytes
    data: bytes | None = None
    """Of those that call a contract: what the contract returned, which is within `value` as well."""

    address: str = ""
    """Of those that make a contract: where it is."""

    code_id: int = 0
    """Of stored code."""
