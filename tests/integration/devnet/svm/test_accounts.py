"""Accounts: encodings, slices, filters."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from solana.rpc.models import MemcmpOpts
from solders.account import Account
from solders.pubkey import Pubkey
from solders.sysvar import CLOCK

from attestation.textcodecs import base58_encode
from tests.integration.devnet.svm.cluster import GENESIS_TIME, Cluster

PROGRAM = Pubkey.new_unique()
SMALL, LARGE = bytes(range(40)), bytes(range(200))


@pytest.fixture
def placed(cluster: Cluster) -> dict[str, Pubkey]:
    keys = {"small": Pubkey.new_unique(), "large": Pubkey.new_unique()}
    cluster.chain.place(keys["small"], Account(10**9, SMALL, PROGRAM))
    cluster.chain.place(keys["large"], Account(10**9, LARGE, PROGRAM))
    return keys


async def data_of(cluster: Cluster, key: Pubkey, **options: Any) -> Any:
    return (await cluster.ask("getAccountInfo", str(key), options))["value"]["data"]


async def test_data_is_written_in_the_encoding_that_is_asked_for(cluster: Cluster, placed: dict[str, Pubkey]) -> None:
    in_base64 = [base64.b64encode(SMALL).decode(), "base64"]
    assert await data_of(cluster, placed["small"], encoding="base64") == in_base64
    assert await data_of(cluster, placed["small"], encoding="jsonParsed") == in_base64
    assert await data_of(cluster, placed["small"], encoding="base58") == [base58_encode(SMALL), "base58"]
    assert await data_of(cluster, placed["small"]) == base58_encode(SMALL)


async def test_a_slice_is_only_a_part_and_the_space_is_whole(cluster: Cluster, placed: dict[str, Pubkey]) -> None:
    options = {"encoding": "base64", "dataSlice": {"offset": 190, "length": 100}}
    account = (await cluster.ask("getAccountInfo", str(placed["large"]), options))["value"]
    assert account["data"] == [base64.b64encode(LARGE[190:]).decode(), "base64"]
    assert account["space"] == 200


async def test_long_data_has_no_base58(cluster: Cluster, placed: dict[str, Pubkey]) -> None:
    fault = await cluster.fault_of("getAccountInfo", str(placed["large"]), {"encoding": "base58"})
    assert fault.code == -32600
    assert "less than 128 bytes, please use Base64" in fault.message


async def test_an_account_that_is_not_there_is_null(cluster: Cluster) -> None:
    missing = str(Pubkey.new_unique())
    assert (await cluster.ask("getAccountInfo", missing))["value"] is None
    assert (await cluster.ask("getMultipleAccounts", [missing, str(PROGRAM)]))["value"] == [None, None]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], {"small", "large"}),
        ([{"dataSize": 40}], {"small"}),
        ([{"memcmp": {"offset": 39, "bytes": base58_encode(b"\x27\x28")}}], {"large"}),
        ([{"memcmp": {"offset": 38, "bytes": "Jic=", "encoding": "base64"}}], {"small", "large"}),
        ([{"memcmp": {"offset": 0, "bytes": [0, 1, 2]}}, {"dataSize": 200}], {"large"}),
        ([{"dataSize": 41}], set()),
    ],
)
async def test_a_program_s_accounts_are_those_that_pass_all_filters(
    cluster: Cluster, placed: dict[str, Pubkey], filters: list[Any], found: set[str]
) -> None:
    options = {"encoding": "base64", "filters": filters, "withContext": True}
    answer = await cluster.ask("getProgramAccounts", str(PROGRAM), options)
    assert {entry["pubkey"] for entry in answer["value"]} == {str(placed[name]) for name in found}


async def test_solana_py_reads_programs_accounts(cluster: Cluster, placed: dict[str, Pubkey]) -> None:
    filters = [40, MemcmpOpts(offset=0, bytes=base58_encode(SMALL[:4]))]
    (found,) = (await cluster.client.get_program_accounts(PROGRAM, encoding="base64", filters=filters)).value
    assert (found.pubkey, found.account.data) == (placed["small"], SMALL)
    several = (await cluster.client.get_multiple_accounts(list(placed.values()), encoding="base64")).value
    assert [account is not None and account.data for account in several] == [SMALL, LARGE]


async def test_the_clock_sysvar_is_that_of_the_slot(cluster: Cluster) -> None:
    for commitment in ("processed", "confirmed", "finalized"):
        slot = await cluster.ask("getSlot", {"commitment": commitment})
        (data, _) = await data_of(cluster, CLOCK, encoding="base64", commitment=commitment)
        raw = base64.b64decode(data)
        read = int.from_bytes(raw[:8], "little"), int.from_bytes(raw[32:40], "little")
        assert read == (slot, GENESIS_TIME)
