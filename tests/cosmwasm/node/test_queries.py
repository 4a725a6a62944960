"""Questions to the application by gRPC path, at any height that is kept."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest
from conftest import CHAIN_ID, DENOM, FUNDS, OWNER, POOR, Devnet, Starting
from contract import echo_wasm
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.cosmos.accounts import ACCOUNT, QueryAccountRequest
from relayer.cosmos.bank import (
    ALL_BALANCES,
    BALANCE,
    SUPPLY_OF,
    MsgSend,
    QueryAllBalancesRequest,
    QueryAllBalancesResponse,
    QueryBalanceRequest,
    QueryBalanceResponse,
    QuerySupplyOfRequest,
    QuerySupplyOfResponse,
)
from relayer.cosmos.base import Coin
from relayer.cosmos.consensus import CONSENSUS_PARAMS, BlockParams, QueryParamsRequest, QueryParamsResponse
from relayer.cosmos.node import CONFIG, ConfigRequest, ConfigResponse
from relayer.cosmos.wasm import (
    CODE,
    CODE_INFO,
    CODES,
    CONTRACT_INFO,
    RAW_CONTRACT_STATE,
    SMART_CONTRACT_STATE,
    QueryCodeInfoRequest,
    QueryCodeInfoResponse,
    QueryCodeRequest,
    QueryCodeResponse,
    QueryCodesRequest,
    QueryCodesResponse,
    QueryContractInfoRequest,
    QueryContractInfoResponse,
    QueryRawContractStateRequest,
    QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
)
from relayer.devnet.cosmwasm.block_json import Dialect
from relayer.devnet.cosmwasm.chain import Chain, ChainSettings
from relayer.devnet.cosmwasm.limits import BLOCK_MAX_BYTES, BLOCK_MAX_GAS

_GIFT = MsgSend(OWNER.address, POOR.address, (Coin(DENOM, "5"),))


_CHAIN = Chain(ChainSettings(CHAIN_ID), lambda: 1_700_000_000.0)


async def test_a_contract_answers(devnet: Devnet) -> None:
    contract = await devnet.deploy()
    answer = await devnet.query(SMART_CONTRACT_STATE, QuerySmartContractStateRequest(contract, b'{"do":1}'))
    assert (answer["code"], answer["height"]) == (0, "2")
    assert QuerySmartContractStateResponse.decode(base64.b64decode(answer["value"])).data == b'{"yes":true}'


@pytest.mark.parametrize(
    ("message", "log"),
    [
        (b'{"no":1}', "NotToday: query wasm contract failed: unknown request"),
        (b'{"loop":1}', "out of gas in location: "),
        (b"no json", "rpc error: code = InvalidArgument desc = invalid query data: invalid request"),
    ],
)
async def test_a_question_that_fails_says_why(devnet: Devnet, message: bytes, log: str) -> None:
    contract = await devnet.deploy()
    answer = await devnet.query(SMART_CONTRACT_STATE, QuerySmartContractStateRequest(contract, message))
    assert (answer["codespace"], answer["value"]) == ("sdk", None)
    assert answer["log"].startswith(log)


async def test_old_nodes_call_what_fails_an_invalid_request(start: Starting) -> None:
    async with start(ChainSettings(CHAIN_ID, dialect=Dialect.V034)) as devnet:
        answer = await devnet.query(CONTRACT_INFO, QueryContractInfoRequest(OWNER.address))
        assert (answer["code"], answer["codespace"]) == (18, "sdk")


async def test_where_there_is_no_contract_that_is_said(devnet: Devnet) -> None:
    for path, request in (
        (SMART_CONTRACT_STATE, QuerySmartContractStateRequest(OWNER.address, b"{}")),
        (RAW_CONTRACT_STATE, QueryRawContractStateRequest(OWNER.address, b"key")),
        (CONTRACT_INFO, QueryContractInfoRequest(OWNER.address)),
    ):
        answer = await devnet.query(path, request)
        assert (answer["code"], answer["codespace"]) == (6, "sdk")
        assert answer["log"] == f"address {OWNER.address}: no such contract: unknown request"


async def test_contracts_and_codes_are_told_of(devnet: Devnet) -> None:
    contract = await devnet.deploy()
    found = await devnet.query(CONTRACT_INFO, QueryContractInfoRequest(contract))
    info = QueryContractInfoResponse.decode(base64.b64decode(found["value"])).contract_info
    assert info is not None
    assert (info.code_id, info.creator, info.admin, info.label) == (1, OWNER.address, "", "echo")
    assert info.created is not None
    assert info.created.block_height == 2
    checksum = hashlib.sha256(echo_wasm()).digest()
    found = await devnet.query(CODE_INFO, QueryCodeInfoRequest(1))
    assert QueryCodeInfoResponse.decode(base64.b64decode(found["value"])).checksum == checksum
    found = await devnet.query(CODE, QueryCodeRequest(1))
    code = QueryCodeResponse.decode(base64.b64decode(found["value"])).code_info
    assert code is not None
    assert code.data_hash == checksum
    found = await devnet.query(CODES, QueryCodesRequest())
    assert [one.data_hash for one in QueryCodesResponse.decode(base64.b64decode(found["value"])).code_infos] == [
        checksum
    ]
    assert "no such code" in (await devnet.query(CODE_INFO, QueryCodeInfoRequest(2)))["log"]


async def test_the_state_of_a_height_stays_what_it_was(devnet: Devnet) -> None:
    for _ in range(3):
        await devnet.run(_GIFT)
    request = QueryBalanceRequest(POOR.address, DENOM)
    for height, amount in ((1, "5"), (2, "10"), (3, "15"), (0, "15")):
        answer = await devnet.query(BALANCE, request, height)
        balance = QueryBalanceResponse.decode(base64.b64decode(answer["value"])).balance
        assert balance == Coin(DENOM, amount)
        assert answer["height"] == str(height or 3)
    assert (await devnet.account(OWNER.address, 2)).sequence == 2


async def test_heights_without_a_state_are_refused(start: Starting) -> None:
    async with start(ChainSettings(CHAIN_ID, kept_states=3)) as devnet:
        for _ in range(8):
            await devnet.node.advance()
        request = QueryAccountRequest(OWNER.address)
        future = await devnet.query(ACCOUNT, request, 9)
        assert (future["code"], future["codespace"]) == (26, "sdk")
        assert "cannot query with height in the future" in future["log"]
        pruned = await devnet.query(ACCOUNT, request, 1)
        assert (pruned["code"], pruned["codespace"]) == (18, "sdk")
        assert pruned["log"].startswith("failed to load state at height 1; version does not exist (latest height: 8)")
        await devnet.result("devnet_prune", height=7)
        assert (await devnet.query(ACCOUNT, request, 6))["code"] == 18
        assert (await devnet.query(ACCOUNT, request, 7))["code"] == 0


async def test_money_and_accounts_are_told_of(devnet: Devnet) -> None:
    await devnet.run(_GIFT)
    held = await devnet.query(ALL_BALANCES, QueryAllBalancesRequest(POOR.address))
    assert QueryAllBalancesResponse.decode(base64.b64decode(held["value"])).balances == (Coin(DENOM, "5"),)
    supply = await devnet.query(SUPPLY_OF, QuerySupplyOfRequest(DENOM))
    assert QuerySupplyOfResponse.decode(base64.b64decode(supply["value"])).amount == Coin(DENOM, str(FUNDS))
    nobody = await devnet.query(ACCOUNT, QueryAccountRequest("wasm1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqmyxm0v"))
    assert nobody["code"] != 0
    stranger = await devnet.query(ACCOUNT, QueryAccountRequest("no address"))
    assert (stranger["code"], stranger["codespace"]) == (6, "sdk")


async def test_the_least_gas_price_is_told(devnet: Devnet) -> None:
    answer = await devnet.query(CONFIG, ConfigRequest())
    config = ConfigResponse.decode(base64.b64decode(answer["value"]))
    assert config.minimum_gas_price == "0.025000000000000000uxvm"


async def test_the_bounds_of_blocks_are_told(devnet: Devnet) -> None:
    answer = await devnet.query(CONSENSUS_PARAMS, QueryParamsRequest())
    params = QueryParamsResponse.decode(base64.b64decode(answer["value"])).params
    assert params is not None
    assert params.block == BlockParams(BLOCK_MAX_BYTES, BLOCK_MAX_GAS)


async def test_a_path_that_is_not_there_is_unknown(devnet: Devnet) -> None:
    answer = await devnet.query("/cosmos.gov.v1.Query/Proposals", ConfigRequest())
    assert (answer["code"], answer["log"]) == (6, "unknown query path: unknown request")


async def test_questions_are_answered_between_the_transactions_of_a_block(devnet: Devnet) -> None:
    for _ in range(10):
        await devnet.send(_GIFT)
    making = asyncio.create_task(devnet.node.advance())
    answer = await devnet.query(BALANCE, QueryBalanceRequest(POOR.address, DENOM))
    balance = QueryBalanceResponse.decode(base64.b64decode(answer["value"])).balance
    assert balance is not None
    assert balance.amount in ("0", "50")
    await making


@settings(deadline=None)
@given(
    path=st.sampled_from([ACCOUNT, BALANCE, CODE, SMART_CONTRACT_STATE, "/cosmos.tx.v1beta1.Service/Simulate"]),
    data=st.binary(max_size=80),
)
def test_any_bytes_are_answered(path: str, data: bytes) -> None:
    answer = _CHAIN.query(path, data, 0)
    assert (answer.code == 0) == (answer.log == "")
