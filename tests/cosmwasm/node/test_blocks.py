"""Blocks: their hashes as CometBFT makes them, their links, and their JSON in both dialects."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from conftest import CHAIN_ID, DENOM, OWNER, POOR, Devnet, Starting
from Crypto.Signature import eddsa

from relayer.cosmos.bank import MsgSend
from relayer.cosmos.base import Coin, Timestamp
from relayer.devnet.cosmwasm.block_json import Dialect, time_text
from relayer.devnet.cosmwasm.chain import ChainSettings
from relayer.devnet.cosmwasm.headers import BlockId, HeaderFields, PartSetHeader, Version, vote_bytes
from relayer.devnet.cosmwasm.merkle import merkle_root

_GIFT = MsgSend(OWNER.address, POOR.address, (Coin(DENOM, "1"),))


def _sum(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def test_a_header_hashes_as_in_cometbfts_own_test() -> None:
    """Source: TestHeaderHash in types/block_test.go of CometBFT."""
    moment = datetime(2019, 10, 13, 16, 14, 44, tzinfo=UTC)
    fields = HeaderFields(
        Version(1, 2),
        "chainId",
        3,
        Timestamp(int(moment.timestamp())),
        BlockId(bytes(32), PartSetHeader(6, bytes(32))),
        _sum("last_commit_hash"),
        _sum("data_hash"),
        _sum("validators_hash"),
        _sum("next_validators_hash"),
        _sum("consensus_hash"),
        _sum("app_hash"),
        _sum("last_results_hash"),
        _sum("evidence_hash"),
        _sum("proposer_address")[:20],
    )
    assert fields.root().hex().upper() == "F740121F553B5418C3EFBD343C2DBFE9E007BB67B0D020A0741374BAB65242A4"


def test_the_root_of_a_list_is_that_of_rfc_6962() -> None:
    leaves = [bytes([number]) for number in range(5)]
    leaf = [hashlib.sha256(b"\0" + data).digest() for data in leaves]

    def inner(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\1" + left + right).digest()

    assert merkle_root([]) == hashlib.sha256(b"").digest()
    assert merkle_root(leaves) == inner(inner(inner(leaf[0], leaf[1]), inner(leaf[2], leaf[3])), leaf[4])


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (1_700_000_000_000_000_000, "2023-11-14T22:13:20Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_times_are_written_as_go_writes_them(time_ns: int, text: str) -> None:
    assert time_text(time_ns) == text


async def test_each_block_names_the_one_before_it(devnet: Devnet) -> None:
    for _ in range(4):
        await devnet.send(_GIFT)
        await devnet.node.advance()
    blocks = [await devnet.result("block", height=str(height)) for height in range(1, 5)]
    for parent, child in pairwise(blocks):
        assert child["block"]["header"]["last_block_id"] == parent["block_id"]
        assert child["block"]["last_commit"]["block_id"] == parent["block_id"]
        assert child["block"]["header"]["time"] > parent["block"]["header"]["time"]
    assert blocks[0]["block"]["header"]["last_block_id"]["hash"] == ""
    first = blocks[0]["block_id"]["hash"]
    assert (await devnet.result("block_by_hash", hash=base64.b64encode(bytes.fromhex(first)).decode())) == blocks[0]
    assert len({block["block_id"]["hash"] for block in blocks}) == 4


async def test_a_commit_is_signed_by_the_validator(devnet: Devnet) -> None:
    await devnet.node.advance()
    (validator,) = (await devnet.result("validators"))["validators"]
    signed = (await devnet.result("commit", height="1"))["signed_header"]
    (signature,) = signed["commit"]["signatures"]
    block = devnet.chain.block(1)
    assert block is not None
    document = vote_bytes(CHAIN_ID, 1, block.block_id, block.header.time_ns)
    raw = base64.b64decode(validator["pub_key"]["value"])
    verifier = eddsa.new(eddsa.import_public_key(raw), "rfc8032")
    verifier.verify(document, base64.b64decode(signature["signature"]))
    assert hashlib.sha256(raw).hexdigest()[:40].upper() == validator["address"] == signature["validator_address"]


async def test_a_header_commits_to_transactions_and_to_the_results_before_it(devnet: Devnet) -> None:
    digest = await devnet.send(_GIFT)
    await devnet.node.advance()
    await devnet.node.advance()
    first, second = [(await devnet.result("header", height=str(height)))["header"] for height in (1, 2)]
    assert first["data_hash"] == merkle_root([digest]).hex().upper()
    block = devnet.chain.block(1)
    assert block is not None
    assert second["last_results_hash"] == block.results_root().hex().upper()
    assert second["app_hash"] == block.app_hash.hex().upper()
    assert second["last_results_hash"] != first["last_results_hash"]


async def test_blockchain_lists_headers_from_the_newest_on(devnet: Devnet) -> None:
    for _ in range(25):
        await devnet.node.advance()
    page = await devnet.result("blockchain", minHeight="1", maxHeight="100")
    assert page["last_height"] == "25"
    assert [meta["header"]["height"] for meta in page["block_metas"]] == [str(height) for height in range(25, 5, -1)]
    assert "can't be greater" in await devnet.refusal("blockchain", minHeight="26", maxHeight="30")


@pytest.mark.parametrize("method", ["block", "block_results", "commit", "header", "validators", "consensus_params"])
async def test_heights_that_are_not_there_are_refused(devnet: Devnet, method: str) -> None:
    await devnet.node.advance()
    above = "height 2 must be less than or equal to the current blockchain height 1"
    assert await devnet.refusal(method, height="2") == above
    assert await devnet.refusal(method, height="0") == "height must be greater than 0, but got 0"
    await devnet.node.advance()
    await devnet.result("devnet_prune", height="2")
    assert await devnet.refusal(method, height="1") == "height 1 is not available, lowest height is 2"
    assert "error" not in await devnet.call(method, height=2)


async def test_results_have_the_form_of_version_038(devnet: Devnet) -> None:
    await devnet.send(_GIFT)
    await devnet.node.advance()
    results = await devnet.result("block_results", height="1")
    assert {"finalize_block_events", "app_hash"} <= set(results)
    assert _keys(results)[:2] == ["spender", "amount"]


async def test_results_have_the_form_of_version_034(start: Starting) -> None:
    async with start(ChainSettings(CHAIN_ID, dialect=Dialect.V034)) as devnet:
        await devnet.send(_GIFT)
        await devnet.node.advance()
        results = await devnet.result("block_results", height="1")
        assert {"begin_block_events", "end_block_events"} <= set(results)
        assert "finalize_block_events" not in results
        assert [base64.b64decode(key).decode() for key in _keys(results)[:2]] == ["spender", "amount"]
        assert "msg_index" not in {base64.b64decode(key).decode() for key in _keys(results)}


async def test_a_chain_remembers_its_newest_blocks(start: Starting) -> None:
    async with start(ChainSettings(CHAIN_ID, kept_blocks=300)) as devnet:
        digest = await devnet.send(_GIFT)
        for _ in range(302):
            await devnet.node.advance()
        status = (await devnet.result("status"))["sync_info"]
        assert (status["earliest_block_height"], status["latest_block_height"]) == ("3", "302")
        assert "not found" in await devnet.refusal("tx", hash=base64.b64encode(digest).decode())


def _keys(results: dict[str, Any]) -> list[str]:
    events = results["txs_results"][0]["events"]
    return [attribute["key"] for event in events for attribute in event["attributes"]]
