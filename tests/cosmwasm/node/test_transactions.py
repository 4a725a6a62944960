"""What becomes of transactions: checked as the Cosmos SDK checks them, paid for, run as a whole."""

from __future__ import annotations

import asyncio
import base64
import gzip

import pytest
from conftest import DENOM, FEE, FUNDS, OWNER, POOR, Devnet, attribute
from contract import echo_wasm

from relayer.cosmos.bank import BALANCE, MsgSend, QueryBalanceRequest, QueryBalanceResponse
from relayer.cosmos.base import AnyMessage, Coin
from relayer.cosmos.tx import (
    GET_TX,
    SIMULATE,
    GetTxRequest,
    GetTxResponse,
    SimulateRequest,
    SimulateResponse,
    TxMsgData,
    TxRaw,
)
from relayer.cosmos.wasm import MsgExecuteContractResponse, MsgStoreCode
from relayer.devnet.cosmwasm.limits import BLOCK_MAX_GAS
from relayer.devnet.cosmwasm.vm.gatekeeper import MAX_CODE_BYTES

_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _gift(amount: int = 5) -> MsgSend:
    return MsgSend(OWNER.address, POOR.address, (Coin(DENOM, str(amount)),))


async def _balance(devnet: Devnet, address: str) -> int:
    answer = await devnet.query(BALANCE, QueryBalanceRequest(address, DENOM))
    coin = QueryBalanceResponse.decode(base64.b64decode(answer["value"])).balance
    assert coin is not None
    return int(coin.amount)


async def test_coins_are_sent_and_the_fee_is_paid(devnet: Devnet) -> None:
    done = await devnet.run(_gift())
    assert (done["code"], done["codespace"], done["log"], done["gas_wanted"]) == (0, "", "", "400000")
    assert await _balance(devnet, POOR.address) == 5
    assert await _balance(devnet, OWNER.address) == FUNDS - FEE - 5
    account = await devnet.account(OWNER.address)
    assert (account.sequence, account.account_number) == (1, 0)
    assert account.pub_key is not None


async def test_a_contract_is_called_and_its_data_and_events_are_in_the_result(devnet: Devnet) -> None:
    contract = await devnet.deploy()
    done = await devnet.run(devnet.execute(b'{"do":1}'))
    (response,) = TxMsgData.decode(base64.b64decode(done["data"])).msg_responses
    assert response == AnyMessage.of(MsgExecuteContractResponse(b"here"))
    assert attribute(done["events"], "wasm-XVMSeen", "_contract_address") == contract
    assert attribute(done["events"], "wasm-XVMSeen", "what") == "this"
    assert attribute(done["events"], "wasm-XVMSeen", "msg_index") == "0"


async def test_a_transaction_whose_contract_refuses_pays_its_fee_and_uses_its_sequence(devnet: Devnet) -> None:
    await devnet.deploy()
    before = await _balance(devnet, OWNER.address)
    done = await devnet.run(devnet.execute(b'{"no":1}'))
    assert (done["code"], done["codespace"]) == (5, "wasm")
    assert done["log"] == "failed to execute message; message index: 0: NotToday: execute wasm contract failed"
    assert not [event for event in done["events"] if event["type"] == "execute"]
    assert attribute(done["events"], "tx", "acc_seq") == f"{OWNER.address}/{devnet.sequence - 1}"
    assert await _balance(devnet, OWNER.address) == before - FEE
    assert (await devnet.account(OWNER.address)).sequence == devnet.sequence


async def test_of_several_messages_all_happen_or_none(devnet: Devnet) -> None:
    await devnet.deploy()
    failed = await devnet.run(_gift(), devnet.execute(b'{"no":1}'))
    assert "message index: 1" in failed["log"]
    assert await _balance(devnet, POOR.address) == 0
    done = await devnet.run(_gift(), _gift(6), devnet.execute(b'{"do":1}'))
    assert await _balance(devnet, POOR.address) == 11
    indexes = [
        found["value"]
        for event in done["events"]
        for found in event["attributes"]
        if found["key"] == "msg_index" and event["type"] in ("transfer", "wasm")
    ]
    assert indexes == ["0", "1", "2"]


async def test_what_runs_out_of_gas_fails_with_code_11(devnet: Devnet) -> None:
    await devnet.deploy()
    done = await devnet.run(devnet.execute(b'{"loop":1}'))
    assert (done["code"], done["codespace"]) == (11, "sdk")
    assert done["log"].startswith("out of gas in location: ")
    assert done["log"].endswith(": out of gas")
    assert int(done["gas_used"]) >= 400_000


async def test_transactions_of_one_account_wait_in_the_order_of_their_sequences(devnet: Devnet) -> None:
    for _ in range(20):
        await devnet.send(_gift())
    assert (await devnet.result("num_unconfirmed_txs"))["n_txs"] == "20"
    await devnet.node.advance()
    assert (await devnet.result("num_unconfirmed_txs"))["n_txs"] == "0"
    results = (await devnet.result("block_results"))["txs_results"]
    assert [result["code"] for result in results] == [0] * 20


@pytest.mark.parametrize(
    ("code", "raw"),
    [
        pytest.param(2, b"\x0a\x01", id="no transaction"),
        pytest.param(2, TxRaw(b"\x0a\x02\x0a\x00", b"", (b"",)).encode(), id="an unknown message"),
        pytest.param(32, OWNER.sign([_gift()], 1), id="a later sequence"),
        pytest.param(4, OWNER.sign([_gift()], 0, chain_id="another"), id="another chain"),
        pytest.param(4, OWNER.sign([_gift()], 0, number=1), id="another account number"),
        pytest.param(13, OWNER.sign([_gift()], 0, fee=9_999), id="too low a fee"),
        pytest.param(13, OWNER.sign([_gift()], 0, fee=0), id="no fee"),
        pytest.param(5, OWNER.sign([_gift()], 0, fee=FUNDS + 1), id="more than there is"),
        pytest.param(11, OWNER.sign([_gift()], 0, gas=1_000), id="too little gas for its size"),
        pytest.param(41, OWNER.sign([_gift()], 0, gas=BLOCK_MAX_GAS + 1), id="more gas than a block has"),
        pytest.param(9, POOR.sign([MsgSend(POOR.address, OWNER.address, ())], 0), id="an account that is not there"),
        pytest.param(10, OWNER.sign([_gift(0)], 0), id="no coins"),
        pytest.param(18, OWNER.sign([], 0), id="no message"),
    ],
)
async def test_the_mempool_refuses_as_the_sdk_does(devnet: Devnet, code: int, raw: bytes) -> None:
    checked = await devnet.broadcast(raw)
    assert (checked["code"], checked["codespace"]) == (code, "sdk"), checked
    assert (await devnet.result("num_unconfirmed_txs"))["n_txs"] == "0"


async def test_security_nobody_speaks_for_another_account(devnet: Devnet) -> None:
    """SECURITY: the key must be that of the messages' account, and all messages must be of one account."""
    stolen = POOR.sign([_gift()], 0)
    assert (await devnet.broadcast(stolen))["code"] == 8
    mixed = POOR.sign([MsgSend(POOR.address, OWNER.address, (Coin(DENOM, "1"),)), _gift()], 0)
    assert (await devnet.broadcast(mixed))["code"] == 4


async def test_security_a_signature_has_one_form(devnet: Devnet) -> None:
    """SECURITY: with s in the upper half, anybody could make a second transaction of the first."""
    raw = TxRaw.decode(OWNER.sign([_gift()], 0))
    signature = raw.signatures[0]
    high = (_CURVE_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    forged = TxRaw(raw.body_bytes, raw.auth_info_bytes, (signature[:32] + high,)).encode()
    assert (await devnet.broadcast(forged))["code"] == 4


async def test_the_same_bytes_are_taken_once(devnet: Devnet) -> None:
    raw = OWNER.sign([_gift()], 0)
    await devnet.broadcast(raw)
    for _ in range(2):
        answer = await devnet.call("broadcast_tx_sync", tx=base64.b64encode(raw).decode())
        reason = {"code": -32603, "message": "Internal error", "data": "tx already exists in cache"}
        assert answer["error"] == reason
        await devnet.node.advance()


async def test_what_was_refused_may_come_again(devnet: Devnet) -> None:
    later = OWNER.sign([_gift()], 1)
    assert (await devnet.broadcast(later))["code"] == 32
    await devnet.send(_gift())
    assert (await devnet.broadcast(later))["code"] == 0


async def test_a_transaction_has_a_last_height(devnet: Devnet) -> None:
    await devnet.node.advance()
    await devnet.node.advance()
    assert (await devnet.broadcast(OWNER.sign([_gift()], 0, timeout_height=1)))["code"] == 30


async def test_packed_code_is_unpacked(devnet: Devnet) -> None:
    done = await devnet.run(MsgStoreCode(OWNER.address, gzip.compress(echo_wasm())), gas=2_000_000, fee=50_000)
    assert attribute(done["events"], "store_code", "code_id") == "1"


async def test_security_packed_code_unpacks_to_no_more_than_code_may_have(devnet: Devnet) -> None:
    """SECURITY: a small upload may unpack to more than any memory has."""
    bomb = gzip.compress(bytes(100 * MAX_CODE_BYTES))
    done = await devnet.run(MsgStoreCode(OWNER.address, bomb), gas=10**7, fee=250_000)
    assert (done["code"], done["codespace"]) == (2, "wasm")


async def test_a_simulation_says_what_would_be_and_changes_nothing(devnet: Devnet) -> None:
    await devnet.deploy()
    raw = OWNER.sign([devnet.execute(b'{"do":1}')], devnet.sequence, gas=1, fee=0, chain_id="unsigned")
    answer = await devnet.query(SIMULATE, SimulateRequest(tx_bytes=raw))
    simulated = SimulateResponse.decode(base64.b64decode(answer["value"]))
    assert simulated.gas_info is not None
    assert simulated.result is not None
    assert simulated.result.msg_responses == (AnyMessage.of(MsgExecuteContractResponse(b"here")),)
    done = await devnet.run(devnet.execute(b'{"do":1}'))
    assert abs(simulated.gas_info.gas_used - int(done["gas_used"])) < 500


async def test_a_simulation_of_what_would_fail_says_why(devnet: Devnet) -> None:
    await devnet.deploy()
    raw = OWNER.sign([devnet.execute(b'{"no":1}')], devnet.sequence)
    answer = await devnet.query(SIMULATE, SimulateRequest(tx_bytes=raw))
    assert (answer["code"], answer["codespace"]) == (6, "sdk")
    assert "NotToday: execute wasm contract failed" in answer["log"]
    early = OWNER.sign([devnet.execute(b'{"do":1}')], devnet.sequence + 1)
    assert "incorrect account sequence" in (await devnet.query(SIMULATE, SimulateRequest(tx_bytes=early)))["log"]


async def test_a_transaction_is_found_by_its_hash_and_by_its_events(devnet: Devnet) -> None:
    digest = await devnet.send(_gift())
    text = base64.b64encode(digest).decode()
    assert "not found" in await devnet.refusal("tx", hash=text)
    await devnet.node.advance()
    found = await devnet.result("tx", hash=text)
    assert (found["hash"], found["height"], found["index"]) == (digest.hex().upper(), "1", 0)
    answer = await devnet.query(GET_TX, GetTxRequest(digest.hex()))
    response = GetTxResponse.decode(base64.b64decode(answer["value"])).tx_response
    assert response is not None
    assert (response.txhash, response.height, response.code) == (digest.hex().upper(), 1, 0)
    for query in (f"transfer.recipient='{POOR.address}'", "tx.height=1", f"tx.hash='{digest.hex().upper()}'"):
        assert (await devnet.result("tx_search", query=query))["total_count"] == "1"
    assert (await devnet.result("tx_search", query="tx.height=2"))["txs"] == []


async def test_broadcast_tx_commit_waits_for_the_block(devnet: Devnet) -> None:
    raw = OWNER.sign([_gift()], 0)
    call = asyncio.create_task(devnet.result("broadcast_tx_commit", tx=base64.b64encode(raw).decode()))
    while (await devnet.result("num_unconfirmed_txs"))["n_txs"] == "0":
        pass
    await devnet.node.advance()
    done = await call
    assert (done["check_tx"]["code"], done["tx_result"]["code"], done["height"]) == (0, 0, "1")


async def test_what_a_block_makes_bad_waits_no_longer(devnet: Devnet) -> None:
    await devnet.send(_gift(FUNDS - FEE))
    making = devnet.chain.open_block()
    await devnet.send(_gift())
    (first,) = making.transactions
    making.deliver(first)
    assert (await devnet.result("num_unconfirmed_txs"))["n_txs"] == "2"
    devnet.chain.close_block(making)
    assert (await devnet.result("num_unconfirmed_txs"))["n_txs"] == "0"
