"""What is refused, and why, in the words of the RPC and of the runtime."""

from __future__ import annotations

from typing import Any

import pytest
from solders.pubkey import Pubkey

from relayer.devnet.svm.transaction_errors import ErrorJson, error_text
from tests.integration.devnet.svm.cluster import MEMO, Cluster

KEY = str(Pubkey.default())
SIGNATURE = "1" * 64


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("getBalance", ["xyz"], "Invalid param: Invalid"),
        ("getBalance", [7], "an address must be a string"),
        ("getBalance", ["1" * 1_000], "an address is too large"),
        ("getBalance", [KEY, 7], "parameter 1 must be an object"),
        ("getBalance", [KEY, {"commitment": "certain"}], "unknown commitment"),
        ("getBalance", [KEY, {"minContextSlot": -1}], "minContextSlot must be between 0"),
        ("getBalance", [KEY, {"minContextSlot": True}], "minContextSlot must be a whole number"),
        ("getTransaction", ["abc"], "Invalid param: WrongSize"),
        ("getTransaction", ["0OIl"], "invalid base58 encoding"),
        ("isBlockhashValid", ["xyz"], "Invalid param: Invalid"),
        ("getMultipleAccounts", [[KEY] * 101], "Too many inputs provided; max 100"),
        ("getMultipleAccounts", ["all"], "parameter 0 must be a list"),
        ("getSignatureStatuses", [[SIGNATURE] * 257], "Too many inputs provided; max 256"),
        ("getSignaturesForAddress", [KEY, {"limit": 0}], "limit must be between 1 and 1000"),
        ("getSignaturesForAddress", [KEY, {"commitment": "processed"}], "below `confirmed`"),
        ("getAccountInfo", [KEY, {"encoding": "base64+zstd"}], "encoding must be one of"),
        ("getAccountInfo", [KEY, {"dataSlice": []}], "dataSlice must be an object"),
        ("getAccountInfo", [KEY, {"dataSlice": {"offset": 1}}], "length must be a whole number"),
        ("getProgramAccounts", [KEY, {"filters": [{}]}], "a filter must be dataSize or memcmp"),
        ("getProgramAccounts", [KEY, {"filters": ["tokenAccountState"]}], "tokenAccountState is not supported"),
        ("getProgramAccounts", [KEY, {"filters": [{"dataSize": 1}] * 5}], "max 4"),
        ("getProgramAccounts", [KEY, {"filters": [{"memcmp": {"offset": 0, "bytes": [256]}}]}], "a byte must be"),
        ("getProgramAccounts", [KEY, {"filters": [{"memcmp": {"offset": 0, "bytes": [0] * 129}}]}], "128 bytes"),
        (
            "getProgramAccounts",
            [KEY, {"filters": [{"memcmp": {"offset": 0, "bytes": "AA", "encoding": "hex"}}]}],
            "memcmp's encoding",
        ),
        ("getProgramAccounts", [KEY, {"withContext": 1}], "withContext must be a boolean"),
        ("getBlock", [0, {"transactionDetails": "accounts"}], "not supported"),
        ("getBlocks", [0, 10**9], None),
        ("getBlocksWithLimit", [0, 10**9], "Limit too large; max 500000"),
        ("getFeeForMessage", ["AA=="], "failed to deserialize the message"),
        ("getFeeForMessage", ["A"], "invalid base64 encoding"),
        ("getTokenAccountBalance", [str(Pubkey(b"\x07" * 32))], "could not find account"),
        ("getTokenAccountBalance", [str(MEMO)], "not a Token account"),
        ("getTokenSupply", [str(Pubkey(b"\x07" * 32))], "could not find account"),
        ("getTokenSupply", [str(MEMO)], "not a Token mint"),
        ("getTokenAccountsByOwner", [KEY, {"mint": str(MEMO)}], "could not find mint"),
        ("getTokenAccountsByOwner", [KEY, {"programId": str(MEMO)}], "unrecognized Token program id"),
        ("getTokenAccountsByOwner", [KEY, {}], "an object of mint or programId"),
        ("requestAirdrop", [KEY, 10**18], "must be between"),
        ("sendTransaction", ["AAAA", {"encoding": "base64"}], "failed to deserialize"),
        ("sendTransaction", ["A" * 2_400, {"encoding": "base64"}], "decoded too large"),
        ("sendTransaction", ["A" * 3_000, {"encoding": "base64"}], "too large"),
        ("simulateTransaction", ["2", {"encoding": "json"}], "encoding must be one of base58, base64"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_named(
    cluster: Cluster, method: str, params: list[Any], words: str | None
) -> None:
    if words is None:
        assert await cluster.ask(method, *params)
        return
    fault = await cluster.fault_of(method, *params)
    assert fault.code == -32602
    assert words in fault.message


@pytest.mark.parametrize(
    ("error", "logs", "text"),
    [
        ("BlockhashNotFound", [], "Blockhash not found"),
        ("SomethingNew", [], "SomethingNew"),
        ({"InstructionError": [2, {"Custom": 258}]}, [], "Error processing Instruction 2: custom program error: 0x102"),
        (
            {"InstructionError": [0, "InvalidAccountData"]},
            ["Program x invoke [1]", "Program x failed: invalid account data for instruction"],
            "Error processing Instruction 0: invalid account data for instruction",
        ),
        ({"InstructionError": [0, "CallDepth"]}, [], "Error processing Instruction 0: CallDepth"),
        (
            {"InsufficientFundsForRent": {"account_index": 3}},
            [],
            "Transaction results in an account (3) with insufficient funds for rent",
        ),
        ({"DuplicateInstruction": 1}, [], "Transaction contains a duplicate instruction (1) that is not allowed"),
        ({"Another": 1}, [], '{"Another": 1}'),
    ],
)
def test_an_error_of_a_transaction_is_told_in_words(error: ErrorJson, logs: list[str], text: str) -> None:
    assert error_text(error, logs) == text


async def test_an_account_left_without_its_rent_is_told_by_its_place(cluster: Cluster) -> None:
    transaction = await cluster.build(cluster.pay(Pubkey.new_unique(), 1), commitment="finalized")
    simulated = await cluster.client.simulate_transaction(transaction)
    assert "account_index: 1" in str(simulated.value.err)


async def test_an_airdrop_can_name_its_blockhash(cluster: Cluster) -> None:
    to, blockhash = Pubkey.new_unique(), str(await cluster.blockhash())
    for _ in range(2):
        await cluster.ask("requestAirdrop", str(to), 10**9, {"recentBlockhash": blockhash})
    assert await cluster.balance(to) == 2 * 10**9
    fault = await cluster.fault_of("requestAirdrop", str(to), 10**9, {"recentBlockhash": KEY})
    assert (fault.code, fault.message) == (-32603, "Internal error: BlockhashNotFound")


async def test_prioritization_fees_are_listed_by_slot(cluster: Cluster) -> None:
    fees = await cluster.ask("getRecentPrioritizationFees", [KEY])
    assert fees[-1] == {"slot": await cluster.ask("getSlot", {"commitment": "confirmed"}), "prioritizationFee": 0}
