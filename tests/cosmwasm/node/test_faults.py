"""What tests can have the chain do to its clients."""

from __future__ import annotations

import base64
from datetime import datetime

import pytest
from conftest import DENOM, OWNER, POOR, Devnet

from relayer.cosmos.bank import MsgSend
from relayer.cosmos.base import Coin
from relayer.devnet.cosmwasm.faults import MAX_LAG_BLOCKS

_GIFT = MsgSend(OWNER.address, POOR.address, (Coin(DENOM, "1"),))


async def _hashes(devnet: Devnet, last: int) -> list[str]:
    page = await devnet.result("blockchain", minHeight="1", maxHeight=str(last))
    return [meta["block_id"]["hash"] for meta in reversed(page["block_metas"])]


async def test_forged_blocks_have_other_hashes_and_are_linked(devnet: Devnet) -> None:
    for _ in range(5):
        await devnet.run(_GIFT)
    honest = await _hashes(devnet, 5)
    await devnet.result("devnet_forgeBlocks", first=3, behind=100)
    forged = await _hashes(devnet, 5)
    assert forged[:2] == honest[:2]
    assert not set(forged[2:]) & set(honest)
    for height in (3, 4, 5):
        block = await devnet.result("block", height=str(height))
        assert block["block"]["header"]["last_block_id"]["hash"] == forged[height - 2]
    assert (await devnet.result("block_by_hash", hash=base64.b64encode(bytes.fromhex(honest[3])).decode()))[
        "block"
    ] is None
    await devnet.result("devnet_forgeBlocks", first=0, behind=0)
    assert await _hashes(devnet, 5) == honest


async def test_a_block_forged_alone_is_not_what_the_next_one_names(devnet: Devnet) -> None:
    for _ in range(3):
        await devnet.node.advance()
    honest = await _hashes(devnet, 3)
    await devnet.result("devnet_forgeBlocks", first=2, behind=3)
    assert (await _hashes(devnet, 3))[1] != honest[1]
    child = await devnet.result("block", height="3")
    assert child["block"]["header"]["last_block_id"]["hash"] == honest[1]


async def test_lost_transactions_are_not_heard_of_unless_they_are_sent_again(devnet: Devnet) -> None:
    await devnet.result("devnet_loseTransactions", count=1)
    assert (await devnet.broadcast(OWNER.sign([_GIFT], 0)))["code"] == 0
    await devnet.node.advance()
    assert (await devnet.result("block"))["block"]["data"]["txs"] == []
    await devnet.run(_GIFT)


async def test_a_node_that_lags_shows_no_newer_block_transaction_or_state(devnet: Devnet) -> None:
    await devnet.run(_GIFT)
    await devnet.result("devnet_setLag", blocks=1)
    digest = await devnet.send(_GIFT)
    await devnet.node.advance()
    status = (await devnet.result("status"))["sync_info"]
    assert (status["latest_block_height"], status["catching_up"]) == ("1", True)
    assert "less than or equal" in await devnet.refusal("block", height="2")
    assert "not found" in await devnet.refusal("tx", hash=base64.b64encode(digest).decode())
    assert (await devnet.account(OWNER.address)).sequence == 1
    assert (await devnet.call("devnet_setLag", blocks=MAX_LAG_BLOCKS + 1))["error"]["code"] == -32602


async def test_time_can_be_moved_forward(devnet: Devnet) -> None:
    await devnet.node.advance()
    await devnet.result("devnet_advanceTime", seconds=3_600)
    assert await devnet.result("devnet_advanceBlocks", blocks=2) == "3"
    times = [
        datetime.fromisoformat((await devnet.result("header", height=str(height)))["header"]["time"])
        for height in (1, 2, 3)
    ]
    assert (times[1] - times[0]).total_seconds() >= 3_600
    assert times[2] > times[1]


@pytest.mark.parametrize("blocks", [-1, 1_001])
async def test_so_many_blocks_are_not_made_at_once(devnet: Devnet, blocks: int) -> None:
    assert (await devnet.call("devnet_advanceBlocks", blocks=blocks))["error"]["code"] == -32603
