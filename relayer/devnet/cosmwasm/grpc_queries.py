"""Queries by gRPC path, as `abci_query` carries them.

Its job: from a request's bytes to a response's, at a height. Paths that are not here are unknown.

Source: baseapp/{abci,grpcrouter}.go of the Cosmos SDK 0.50; x/wasm/keeper/querier.go of wasmd.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from relayer.cosmos import accounts, bank, consensus, node, tx, wasm
from relayer.cosmos.base import AnyMessage, Coin
from relayer.cosmos.protobuf import MalformedProtobuf, Message
from relayer.devnet.cosmwasm.application import Application
from relayer.devnet.cosmwasm.block_json import Dialect, hex_text, time_text
from relayer.devnet.cosmwasm.blocks import Executed
from relayer.devnet.cosmwasm.chain_errors import ChainError, no_such_code, no_such_contract
from relayer.devnet.cosmwasm.code_registry import CodeInfo
from relayer.devnet.cosmwasm.crossvm.queries import crossvm_paths
from relayer.devnet.cosmwasm.limits import BLOCK_MAX_BYTES, BLOCK_MAX_GAS
from relayer.devnet.cosmwasm.merkle import HASH_BYTES
from relayer.devnet.cosmwasm.transactions import parse_transaction
from relayer.devnet.cosmwasm.tx_errors import SDK, TxError

_MAX_LISTED: Final = 100
"""Source: the Cosmos SDK's limit of a page."""

_EVERYBODY: Final = wasm.AccessConfig(3)
_UNKNOWN_REQUEST: Final = (6, "unknown request")
_INVALID_REQUEST: Final = (18, "invalid request")
_KEY_NOT_FOUND: Final = (22, "key not found")
_INVALID_HEIGHT: Final = (26, "invalid height")


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """What a query gave, of the state at `height`. Code 0 is success."""

    code: int
    codespace: str
    log: str
    value: bytes
    height: int


class _RefusedError(Exception):
    """A query that has no answer; the SDK's code for it, and its words."""

    def __init__(self, kind: tuple[int, str], reason: str) -> None:
        super().__init__(f"{reason}: {kind[1]}")
        self.code = kind[0]


class GrpcQueries:
    """Reads only."""

    def __init__(
        self, application: Application, dialect: Dialect, kept_states: int, find: Callable[[bytes], Executed | None]
    ) -> None:
        """`find` gives a transaction by its hash."""
        self._application = application
        self._keeper = application.keeper
        self._dialect = dialect
        self._kept_states = kept_states
        self._find = find
        self._paths: Mapping[str, tuple[type[Message], Callable[[Any, int | None], Message]]] = {
            accounts.ACCOUNT: (accounts.QueryAccountRequest, self._account),
            bank.ALL_BALANCES: (bank.QueryAllBalancesRequest, self._all_balances),
            bank.BALANCE: (bank.QueryBalanceRequest, self._balance),
            bank.SUPPLY_OF: (bank.QuerySupplyOfRequest, self._supply_of),
            consensus.CONSENSUS_PARAMS: (consensus.QueryParamsRequest, self._params),
            wasm.CODES: (wasm.QueryCodesRequest, self._codes),
            node.CONFIG: (node.ConfigRequest, self._config),
            tx.GET_TX: (tx.GetTxRequest, self._get_tx),
            tx.SIMULATE: (tx.SimulateRequest, self._simulate),
            wasm.CODE: (wasm.QueryCodeRequest, self._code),
            wasm.CODE_INFO: (wasm.QueryCodeInfoRequest, self._code_info),
            wasm.CONTRACT_INFO: (wasm.QueryContractInfoRequest, self._contract_info),
            wasm.RAW_CONTRACT_STATE: (wasm.QueryRawContractStateRequest, self._raw),
            wasm.SMART_CONTRACT_STATE: (wasm.QuerySmartContractStateRequest, self._smart),
            **crossvm_paths(self._keeper),
        }

    def answer(self, path: str, data: bytes, height: int, lowest_height: int) -> QueryAnswer:
        """Ask of the state at a height, which must be kept and not below the lowest."""
        committed = self._application.committed_height
        try:
            _require_kept(height, lowest_height, committed)
            value = self._answer(path, data, height, committed)
        except _RefusedError as refused:
            return QueryAnswer(refused.code, SDK, str(refused), b"", height)
        return QueryAnswer(0, "", "", value, height)

    def _answer(self, path: str, data: bytes, height: int, committed: int) -> bytes:
        known = self._paths.get(path)
        if known is None:
            raise _RefusedError(_UNKNOWN_REQUEST, "unknown query path")
        kind, handler = known
        try:
            return handler(kind.decode(data, is_lenient=True), self._application.at(height)).encode()
        except MalformedProtobuf as error:
            raise _RefusedError(_INVALID_REQUEST, str(error)) from None
        except KeyError:
            raise _pruned(height, committed) from None
        except (ChainError, TxError, ValueError) as error:
            # Before version 0.46 of the SDK every error of a module was an invalid request.
            old = self._dialect is Dialect.V034
            raise _RefusedError(_INVALID_REQUEST if old else _UNKNOWN_REQUEST, str(error)) from None

    def _smart(self, asked: wasm.QuerySmartContractStateRequest, at: int | None) -> Message:
        try:
            orjson.loads(asked.query_data)
        except ValueError:
            raise _invalid_argument("invalid query data") from None
        return wasm.QuerySmartContractStateResponse(self._keeper.query_smart(asked.address, asked.query_data, at))

    def _raw(self, asked: wasm.QueryRawContractStateRequest, at: int | None) -> Message:
        found = self._keeper.query_raw(asked.address, asked.query_data, at)
        return wasm.QueryRawContractStateResponse(found or b"")

    def _contract_info(self, asked: wasm.QueryContractInfoRequest, at: int | None) -> Message:
        found = self._keeper.contract_info(asked.address, at)
        if found is None:
            raise no_such_contract(asked.address)
        created = wasm.AbsoluteTxPosition(found.created_height, found.created_index)
        info = wasm.ContractInfo(found.code_id, found.creator, found.admin, found.label, created)
        return wasm.QueryContractInfoResponse(asked.address, info)

    def _code(self, asked: wasm.QueryCodeRequest, at: int | None) -> Message:
        found = self._keeper.code_info(asked.code_id, at)
        if found is None:
            raise no_such_code(asked.code_id)
        return wasm.QueryCodeResponse(_code_response(asked.code_id, found))

    def _codes(self, asked: wasm.QueryCodesRequest, at: int | None) -> Message:
        del asked
        newest = self._keeper.newest_code(at)
        listed = ((code_id, self._keeper.code_info(code_id, at)) for code_id in range(1, newest + 1)[:_MAX_LISTED])
        return wasm.QueryCodesResponse(tuple(_code_response(code_id, info) for code_id, info in listed if info))

    def _code_info(self, asked: wasm.QueryCodeInfoRequest, at: int | None) -> Message:
        found = self._keeper.code_info(asked.code_id, at)
        if found is None:
            raise no_such_code(asked.code_id)
        return wasm.QueryCodeInfoResponse(asked.code_id, found.creator, found.checksum, _EVERYBODY)

    def _account(self, asked: accounts.QueryAccountRequest, at: int | None) -> Message:
        found = self._keeper.account(asked.address, at)
        if found is None:
            text = f"rpc error: code = NotFound desc = account {asked.address} not found"
            raise _RefusedError(_KEY_NOT_FOUND, text)
        key = AnyMessage.of(tx.Secp256k1PubKey(found.public_key)) if found.public_key else None
        account = accounts.BaseAccount(asked.address, key, found.number, found.sequence)
        return accounts.QueryAccountResponse(AnyMessage.of(account))

    def _balance(self, asked: bank.QueryBalanceRequest, at: int | None) -> Message:
        amount = self._keeper.balance(asked.address, asked.denom, at)
        return bank.QueryBalanceResponse(Coin(asked.denom, str(amount)))

    def _all_balances(self, asked: bank.QueryAllBalancesRequest, at: int | None) -> Message:
        held = self._keeper.balances(asked.address, at)
        return bank.QueryAllBalancesResponse(tuple(Coin(denom, str(amount)) for denom, amount in held))

    def _supply_of(self, asked: bank.QuerySupplyOfRequest, at: int | None) -> Message:
        return bank.QuerySupplyOfResponse(Coin(asked.denom, str(self._keeper.supply(asked.denom, at))))

    def _config(self, asked: node.ConfigRequest, at: int | None) -> Message:
        del asked, at
        return node.ConfigResponse(str(self._application.gas_price), str(self._kept_states), "1", 0)

    def _params(self, asked: consensus.QueryParamsRequest, at: int | None) -> Message:
        del asked, at
        block = consensus.BlockParams(BLOCK_MAX_BYTES, BLOCK_MAX_GAS)
        return consensus.QueryParamsResponse(consensus.ConsensusParams(block))

    def _simulate(self, asked: tx.SimulateRequest, at: int | None) -> Message:
        del at
        raw = asked.tx_bytes
        if not raw and asked.tx is not None and asked.tx.body is not None and asked.tx.auth_info is not None:
            whole = asked.tx
            raw = tx.TxRaw(asked.tx.body.encode(), asked.tx.auth_info.encode(), whole.signatures).encode()
        if not raw:
            raise _invalid_argument("empty txBytes is not allowed")
        done = self._application.simulate(parse_transaction(raw))
        gas = tx.GasInfo(done.result.gas_wanted, done.result.gas_used)
        if done.result.code:
            told = f"With gas wanted: '{gas.gas_wanted}' and gas used: '{gas.gas_used}'"
            raise ValueError(f"{done.result.log} {told}")
        result = tx.SimulationResult(done.result.data, done.result.log, done.result.events, done.responses)
        return tx.SimulateResponse(gas, result)

    def _get_tx(self, asked: tx.GetTxRequest, at: int | None) -> Message:
        del at
        try:
            wanted = bytes.fromhex(asked.hash)
        except ValueError as error:
            raise _invalid_argument(str(error)) from None
        found = self._find(wanted) if len(wanted) == HASH_BYTES else None
        if found is None:
            raise _RefusedError(_KEY_NOT_FOUND, f"rpc error: code = NotFound desc = tx not found: {asked.hash[:64]}")
        result, whole = found.result, parse_transaction(found.tx).whole()
        response = tx.TxResponse(
            height=found.height,
            txhash=hex_text(found.hash),
            codespace=result.codespace,
            code=result.code,
            data=hex_text(result.data),
            raw_log=result.log,
            gas_wanted=result.gas_wanted,
            gas_used=result.gas_used,
            tx=AnyMessage.of(whole),
            timestamp=time_text(found.time_ns // 10**9 * 10**9),
            events=result.events,
        )
        return tx.GetTxResponse(whole, response)


def _code_response(code_id: int, found: CodeInfo) -> wasm.CodeInfoResponse:
    return wasm.CodeInfoResponse(code_id, found.creator, found.checksum, _EVERYBODY)


def _require_kept(height: int, lowest_height: int, committed: int) -> None:
    if height > committed:
        text = "cannot query with height in the future; please provide a valid height"
        raise _RefusedError(_INVALID_HEIGHT, text)
    if height < lowest_height:
        raise _pruned(height, committed)


def _pruned(height: int, committed: int) -> _RefusedError:
    text = f"failed to load state at height {height}; version does not exist (latest height: {committed})"
    return _RefusedError(_INVALID_REQUEST, text)


def _invalid_argument(reason: str) -> _RefusedError:
    return _RefusedError(_INVALID_REQUEST, f"rpc error: code = InvalidArgument desc = {reason}")
