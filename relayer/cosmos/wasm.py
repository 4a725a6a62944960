"""Messages and queries of the module that runs contracts.

Source: cosmwasm/wasm/v1/{tx,query,types}.proto of wasmd 0.5x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.cosmos.base import AnyMessage, Coin
from relayer.cosmos.protobuf import Message, blob, flag, many, one, text, texts, u32, u64

SMART_CONTRACT_STATE: Final = "/cosmwasm.wasm.v1.Query/SmartContractState"
RAW_CONTRACT_STATE: Final = "/cosmwasm.wasm.v1.Query/RawContractState"
CONTRACT_INFO: Final = "/cosmwasm.wasm.v1.Query/ContractInfo"
CODE: Final = "/cosmwasm.wasm.v1.Query/Code"
CODES: Final = "/cosmwasm.wasm.v1.Query/Codes"
CODE_INFO: Final = "/cosmwasm.wasm.v1.Query/CodeInfo"


@dataclass(frozen=True, slots=True)
class AccessConfig(Message):
    """`AccessConfig`: who may instantiate a code; 1 nobody, 3 everybody, 4 any of these addresses."""

    permission: int = u32(1)
    addresses: tuple[str, ...] = texts(3)


@dataclass(frozen=True, slots=True)
class MsgStoreCode(Message):
    """`MsgStoreCode`: upload a code, plain or gzipped."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgStoreCode"
    sender: str = text(1)
    wasm_byte_code: bytes = blob(2)
    instantiate_permission: AccessConfig | None = one(5, AccessConfig)


@dataclass(frozen=True, slots=True)
class MsgStoreCodeResponse(Message):
    """`MsgStoreCodeResponse`; `checksum` is the SHA-256 of the plain code."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgStoreCodeResponse"
    code_id: int = u64(1)
    checksum: bytes = blob(2)


@dataclass(frozen=True, slots=True)
class MsgInstantiateContract(Message):
    """`MsgInstantiateContract`; `msg` is JSON."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgInstantiateContract"
    sender: str = text(1)
    admin: str = text(2)
    code_id: int = u64(3)
    label: str = text(4)
    msg: bytes = blob(5)
    funds: tuple[Coin, ...] = many(6, Coin)


@dataclass(frozen=True, slots=True)
class MsgInstantiateContractResponse(Message):
    """`MsgInstantiateContractResponse`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgInstantiateContractResponse"
    address: str = text(1)
    data: bytes = blob(2)


@dataclass(frozen=True, slots=True)
class MsgInstantiateContract2(Message):
    """`MsgInstantiateContract2`: the address follows from code, creator and salt, and from `msg` with `fix_msg`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgInstantiateContract2"
    sender: str = text(1)
    admin: str = text(2)
    code_id: int = u64(3)
    label: str = text(4)
    msg: bytes = blob(5)
    funds: tuple[Coin, ...] = many(6, Coin)
    salt: bytes = blob(7)
    fix_msg: bool = flag(8)


@dataclass(frozen=True, slots=True)
class MsgInstantiateContract2Response(Message):
    """`MsgInstantiateContract2Response`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgInstantiateContract2Response"
    address: str = text(1)
    data: bytes = blob(2)


@dataclass(frozen=True, slots=True)
class MsgExecuteContract(Message):
    """`MsgExecuteContract`; `msg` is JSON."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgExecuteContract"
    sender: str = text(1)
    contract: str = text(2)
    msg: bytes = blob(3)
    funds: tuple[Coin, ...] = many(5, Coin)


@dataclass(frozen=True, slots=True)
class MsgExecuteContractResponse(Message):
    """`MsgExecuteContractResponse`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgExecuteContractResponse"
    data: bytes = blob(1)


@dataclass(frozen=True, slots=True)
class MsgMigrateContract(Message):
    """`MsgMigrateContract`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgMigrateContract"
    sender: str = text(1)
    contract: str = text(2)
    code_id: int = u64(3)
    msg: bytes = blob(4)


@dataclass(frozen=True, slots=True)
class MsgMigrateContractResponse(Message):
    """`MsgMigrateContractResponse`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgMigrateContractResponse"
    data: bytes = blob(1)


@dataclass(frozen=True, slots=True)
class MsgUpdateAdmin(Message):
    """`MsgUpdateAdmin`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgUpdateAdmin"
    sender: str = text(1)
    new_admin: str = text(2)
    contract: str = text(3)


@dataclass(frozen=True, slots=True)
class MsgUpdateAdminResponse(Message):
    """`MsgUpdateAdminResponse`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgUpdateAdminResponse"


@dataclass(frozen=True, slots=True)
class MsgClearAdmin(Message):
    """`MsgClearAdmin`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgClearAdmin"
    sender: str = text(1)
    contract: str = text(3)


@dataclass(frozen=True, slots=True)
class MsgClearAdminResponse(Message):
    """`MsgClearAdminResponse`."""

    TYPE_URL = "/cosmwasm.wasm.v1.MsgClearAdminResponse"


@dataclass(frozen=True, slots=True)
class QuerySmartContractStateRequest(Message):
    """`QuerySmartContractStateRequest`; `query_data` is JSON."""

    address: str = text(1)
    query_data: bytes = blob(2)


@dataclass(frozen=True, slots=True)
class QuerySmartContractStateResponse(Message):
    """`QuerySmartContractStateResponse`; `data` is JSON."""

    data: bytes = blob(1)


@dataclass(frozen=True, slots=True)
class QueryRawContractStateRequest(Message):
    """`QueryRawContractStateRequest`; `query_data` is a key of the contract's storage."""

    address: str = text(1)
    query_data: bytes = blob(2)


@dataclass(frozen=True, slots=True)
class QueryRawContractStateResponse(Message):
    """`QueryRawContractStateResponse`; empty where there is nothing."""

    data: bytes = blob(1)


@dataclass(frozen=True, slots=True)
class QueryContractInfoRequest(Message):
    """`QueryContractInfoRequest`."""

    address: str = text(1)


@dataclass(frozen=True, slots=True)
class AbsoluteTxPosition(Message):
    """`AbsoluteTxPosition`."""

    block_height: int = u64(1)
    tx_index: int = u64(2)


@dataclass(frozen=True, slots=True)
class ContractInfo(Message):
    """`ContractInfo`."""

    code_id: int = u64(1)
    creator: str = text(2)
    admin: str = text(3)
    label: str = text(4)
    created: AbsoluteTxPosition | None = one(5, AbsoluteTxPosition)
    ibc_port_id: str = text(6)
    extension: AnyMessage | None = one(7, AnyMessage)


@dataclass(frozen=True, slots=True)
class QueryContractInfoResponse(Message):
    """`QueryContractInfoResponse`."""

    address: str = text(1)
    contract_info: ContractInfo | None = one(2, ContractInfo)


@dataclass(frozen=True, slots=True)
class QueryCodeRequest(Message):
    """`QueryCodeRequest`."""

    code_id: int = u64(1)


@dataclass(frozen=True, slots=True)
class CodeInfoResponse(Message):
    """`CodeInfoResponse`; `data_hash` is the code's SHA-256."""

    code_id: int = u64(1)
    creator: str = text(2)
    data_hash: bytes = blob(3)
    instantiate_permission: AccessConfig | None = one(6, AccessConfig)


@dataclass(frozen=True, slots=True)
class QueryCodeResponse(Message):
    """`QueryCodeResponse`; `data` is the code."""

    code_info: CodeInfoResponse | None = one(1, CodeInfoResponse)
    data: bytes = blob(2)


@dataclass(frozen=True, slots=True)
class QueryCodesRequest(Message):
    """`QueryCodesRequest`, of one page."""


@dataclass(frozen=True, slots=True)
class QueryCodesResponse(Message):
    """`QueryCodesResponse`, of one page."""

    code_infos: tuple[CodeInfoResponse, ...] = many(1, CodeInfoResponse)


@dataclass(frozen=True, slots=True)
class QueryCodeInfoRequest(Message):
    """`QueryCodeInfoRequest`."""

    code_id: int = u64(1)


@dataclass(frozen=True, slots=True)
class QueryCodeInfoResponse(Message):
    """`QueryCodeInfoResponse`: the same without the code; wasmd 0.53 and later."""

    code_id: int = u64(1)
    creator: str = text(2)
    checksum: bytes = blob(3)
    instantiate_permission: AccessConfig | None = one(4, AccessConfig)
