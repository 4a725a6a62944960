"""Transactions: what lands, what it leaves behind, and what is refused in which words."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from solana.exceptions import SolanaRpcException
from solana.rpc.commitment import Finalized, Processed
from solana.rpc.core import RPCException
from solders.address_lookup_table_account import (
    AddressLookupTable,
    AddressLookupTableAccount,
)
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import CreateAccountParams, create_account
from solders.sysvar import CLOCK
from solders.token import ID as TOKEN_PROGRAM
from solders.token.associated import get_associated_token_address
from solders.transaction import Transaction, VersionedTransaction

from attestation.textcodecs import base58_encode
from tests.integration.devnet.svm.cluster import Cluster, encoded, memo, readonly, signer, writable, writable_signer

TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
ATA_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
V0 = {"maxSupportedTransactionVersion": 0, "commitment": "confirmed"}
LAMPORTS = 10**9


async def make_mint(cluster: Cluster, decimals: int) -> Pubkey:
    mint, payer = Keypair(), cluster.payer.pubkey()
    rent = await cluster.ask("getMinimumBalanceForRentExemption", 82)
    account = CreateAccountParams(
        from_pubkey=payer, to_pubkey=mint.pubkey(), lamports=rent, space=82, owner=TOKEN_PROGRAM
    )
    initialize = Instruction(TOKEN_PROGRAM, bytes([20, decimals]) + bytes(payer) + b"\0", [writable(mint.pubkey())])
    await cluster.run(create_account(account), initialize, signers=[mint])
    return mint.pubkey()


def open_token_account(payer: Pubkey, owner: Pubkey, mint: Pubkey) -> tuple[Pubkey, Instruction]:
    address = get_associated_token_address(owner, mint)
    keys = (owner, mint, SYSTEM_PROGRAM, TOKEN_PROGRAM)
    metas = [writable_signer(payer), writable(address)]
    return address, Instruction(ATA_PROGRAM, b"\x01", [*metas, *(readonly(key) for key in keys)])


def token_instruction(tag: int, amount: int, source: Pubkey, target: Pubkey, authority: Pubkey) -> Instruction:
    metas = [writable(source), writable(target), signer(authority)]
    return Instruction(TOKEN_PROGRAM, struct.pack("<BQ", tag, amount), metas)


async def test_a_transfer_moves_lamports_and_takes_the_fee(cluster: Cluster) -> None:
    to = Pubkey.new_unique()
    before = await cluster.balance(cluster.payer.pubkey())
    signature = await cluster.run(cluster.pay(to, LAMPORTS))
    await cluster.advance()
    assert await cluster.balance(to) == LAMPORTS
    assert await cluster.balance(cluster.payer.pubkey()) == before - LAMPORTS - 5_000
    meta = (await cluster.ask("getTransaction", signature, V0))["meta"]
    assert (meta["err"], meta["fee"]) == (None, 5_000)
    assert meta["preBalances"][:2] == [before, 0]
    assert meta["postBalances"][:2] == [before - LAMPORTS - 5_000, LAMPORTS]


async def test_unmodified_solana_py_sends_confirms_and_reads(cluster: Cluster) -> None:
    client, to = cluster.client, Pubkey.new_unique()
    assert await client.is_connected()
    transaction = await cluster.build(cluster.pay(to, LAMPORTS), memo("hello"), commitment="finalized")
    assert (await client.simulate_transaction(transaction, sig_verify=True)).value.err is None
    signature = (await client.send_transaction(transaction)).value
    await cluster.finalize()
    confirmed = await client.confirm_transaction(signature, Finalized)
    assert confirmed.value[0] is not None
    assert confirmed.value[0].err is None
    for encoding in ("json", "jsonParsed", "base64", "base58"):
        found = (await client.get_transaction(signature, encoding, max_supported_transaction_version=0)).value
        assert found is not None
        assert found.transaction.meta is not None
        assert found.transaction.meta.fee == 5_000
    block = (await client.get_block(found.slot, max_supported_transaction_version=0)).value
    assert block is not None
    assert block.transactions is not None
    assert len(block.transactions) == 1
    (listed,) = (await client.get_signatures_for_address(to)).value
    assert (listed.signature, listed.memo) == (signature, "[5] hello")
    assert (await client.get_balance(to)).value == LAMPORTS
    found_account = (await client.get_account_info(to)).value
    assert found_account is not None
    assert found_account.lamports == LAMPORTS
    assert (await client.get_epoch_info()).value.absolute_slot == (await client.get_slot()).value
    assert (await client.get_version()).value.solana_core
    await client.get_genesis_hash()
    await client.get_identity()
    await client.get_first_available_block()
    await client.get_recent_prioritization_fees()
    assert (await client.get_block_time(found.slot)).value == found.block_time
    assert (await client.get_blocks(found.slot, found.slot)).value == [found.slot]
    assert (await client.get_block_height()).value > 0
    assert (await client.get_transaction_count()).value >= 2


async def test_solana_py_gets_the_error_of_a_failed_preflight(cluster: Cluster) -> None:
    transaction = await cluster.build(cluster.pay(Pubkey.new_unique(), 10**15), commitment="finalized")
    with pytest.raises((RPCException, SolanaRpcException)) as refused:
        await cluster.client.send_transaction(transaction)
    assert "custom program error: 0x1" in str(refused.value.args)


async def test_tokens_and_a_memo_are_moved_and_shown(cluster: Cluster) -> None:
    payer, other = cluster.payer.pubkey(), Pubkey.new_unique()
    mint = await make_mint(cluster, 6)
    ours, open_ours = open_token_account(payer, payer, mint)
    theirs, open_theirs = open_token_account(payer, other, mint)
    await cluster.run(open_ours, open_theirs, token_instruction(7, 5_000_000, mint, ours, payer))
    signature = await cluster.run(token_instruction(3, 1_250_000, ours, theirs, payer), memo("rent", payer))
    await cluster.finalize()
    amount = (await cluster.ask("getTokenAccountBalance", str(theirs)))["value"]
    assert amount == {"amount": "1250000", "decimals": 6, "uiAmount": 1.25, "uiAmountString": "1.25"}
    assert (await cluster.ask("getTokenSupply", str(mint)))["value"]["uiAmountString"] == "5"
    (held,) = (
        await cluster.ask("getTokenAccountsByOwner", str(other), {"mint": str(mint)}, {"encoding": "jsonParsed"})
    )["value"]
    assert held["pubkey"] == str(theirs)
    assert held["account"]["data"]["parsed"]["info"]["tokenAmount"] == amount
    meta = (await cluster.ask("getTransaction", signature, V0))["meta"]
    amounts = {entry["owner"]: entry["uiTokenAmount"]["amount"] for entry in meta["postTokenBalances"]}
    assert amounts == {str(payer): "3750000", str(other): "1250000"}
    (listed, *_) = await cluster.ask("getSignaturesForAddress", str(theirs))
    assert (listed["signature"], listed["memo"]) == (signature, "[4] rent")
    client = cluster.client
    assert (await client.get_token_supply(mint)).value.amount == "5000000"
    assert (await client.get_token_account_balance(theirs)).value.ui_amount_string == "1.25"


async def test_inner_instructions_and_logs_are_those_of_the_runtime(cluster: Cluster) -> None:
    payer = cluster.payer.pubkey()
    mint = await make_mint(cluster, 0)
    _, open_account = open_token_account(payer, payer, mint)
    transaction = await cluster.build(open_account)
    simulated = await cluster.ask(
        "simulateTransaction",
        encoded(transaction),
        {"encoding": "base64", "commitment": "processed", "innerInstructions": True},
    )
    signature = await cluster.send(transaction)
    await cluster.advance()
    meta = (await cluster.ask("getTransaction", signature, {**V0, "encoding": "json"}))["meta"]
    parsed = (await cluster.ask("getTransaction", signature, {**V0, "encoding": "jsonParsed"}))["meta"]
    assert simulated["value"]["logs"] == meta["logMessages"]
    assert simulated["value"]["innerInstructions"] == parsed["innerInstructions"]
    (group,) = meta["innerInstructions"]
    assert group["index"] == 0
    assert {call["stackHeight"] for call in group["instructions"]} == {2}


async def test_a_program_s_return_data_is_shown(cluster: Cluster) -> None:
    mint = await make_mint(cluster, 0)
    size_of_account = Instruction(TOKEN_PROGRAM, bytes([21]), [readonly(mint)])
    transaction = await cluster.build(size_of_account)
    settings = {"encoding": "base64", "commitment": "processed"}
    simulated = (await cluster.ask("simulateTransaction", encoded(transaction), settings))["value"]
    assert simulated["returnData"] == {"programId": str(TOKEN_PROGRAM), "data": ["pQAAAAAAAAA=", "base64"]}
    signature = await cluster.send(transaction)
    await cluster.advance()
    assert (await cluster.ask("getTransaction", signature, V0))["meta"]["returnData"] == simulated["returnData"]


async def test_a_lookup_table_is_made_extended_and_used(cluster: Cluster) -> None:
    payer, to = cluster.payer.pubkey(), Pubkey.new_unique()
    recent_slot = await cluster.ask("getSlot", {"commitment": "finalized"})
    table, bump = Pubkey.find_program_address([bytes(payer), struct.pack("<Q", recent_slot)], TABLE_PROGRAM)
    metas = [writable(table), signer(payer), writable_signer(payer)]
    metas.append(readonly(SYSTEM_PROGRAM))
    create = Instruction(TABLE_PROGRAM, struct.pack("<IQB", 0, recent_slot, bump), metas)
    extend = Instruction(TABLE_PROGRAM, struct.pack("<IQ", 2, 1) + bytes(to), metas)
    await cluster.run(create, extend)
    # Addresses are there from the next slot on.
    await cluster.advance()
    account = cluster.chain.account(table, cluster.chain.ledger.open.slot)
    assert account is not None
    known = AddressLookupTableAccount(table, AddressLookupTable.deserialize(account.data).addresses)
    transaction = await cluster.build(cluster.pay(to, LAMPORTS), tables=[known])
    assert to not in transaction.message.account_keys
    signature = await cluster.send(transaction)
    await cluster.advance()
    assert await cluster.balance(to) == LAMPORTS
    meta = (await cluster.ask("getTransaction", signature, V0))["meta"]
    assert meta["loadedAddresses"] == {"writable": [str(to)], "readonly": []}
    (listed,) = await cluster.ask("getSignaturesForAddress", str(to), {"commitment": "confirmed"})
    assert listed["signature"] == signature
    parsed = await cluster.ask("getTransaction", signature, {**V0, "encoding": "jsonParsed"})
    sources = {key["pubkey"]: key["source"] for key in parsed["transaction"]["message"]["accountKeys"]}
    assert sources[str(to)] == "lookupTable"


async def test_a_lookup_table_that_is_not_there_is_named(cluster: Cluster) -> None:
    to = Pubkey.new_unique()
    missing = AddressLookupTableAccount(Pubkey.new_unique(), [to])
    transaction = await cluster.build(cluster.pay(to, LAMPORTS), tables=[missing])
    settings = {"encoding": "base64", "preflightCommitment": "processed"}
    fault = await cluster.fault_of("sendTransaction", encoded(transaction), settings)
    assert (fault.code, fault.data["err"]) == (-32002, "AddressLookupTableNotFound")


async def test_the_fee_of_a_message_is_what_is_charged(cluster: Cluster) -> None:
    for budget in ([], [set_compute_unit_price(1_234_567)], [set_compute_unit_limit(7), set_compute_unit_price(10**6)]):
        transaction = await cluster.build(*budget, cluster.pay(Pubkey.new_unique(), LAMPORTS))
        fee = (await cluster.client.get_fee_for_message(transaction.message, Processed)).value
        before = await cluster.balance(cluster.payer.pubkey())
        await cluster.send(transaction, skipPreflight=True)
        assert before - await cluster.balance(cluster.payer.pubkey()) - fee in (LAMPORTS, 0)


async def test_legacy_transactions_need_no_version_and_others_do(cluster: Cluster) -> None:
    blockhash = await cluster.blockhash()
    instruction = cluster.pay(Pubkey.new_unique(), LAMPORTS)
    message = Message.new_with_blockhash([instruction], cluster.payer.pubkey(), blockhash)
    old = await cluster.send(VersionedTransaction.from_legacy(Transaction([cluster.payer], message, blockhash)))
    new = await cluster.run(instruction)
    await cluster.advance()
    assert "version" not in await cluster.ask("getTransaction", old, {"commitment": "confirmed"})
    assert (await cluster.ask("getTransaction", old, V0))["version"] == "legacy"
    assert (await cluster.ask("getTransaction", new, V0))["version"] == 0
    fault = await cluster.fault_of("getTransaction", new, {"commitment": "confirmed"})
    assert fault.code == -32015
    assert "Transaction version (0) is not supported by the requesting client" in fault.message


async def test_a_failed_preflight_gives_error_logs_and_units(cluster: Cluster) -> None:
    transaction = await cluster.build(cluster.pay(Pubkey.new_unique(), 10**15))
    settings = {"encoding": "base64", "preflightCommitment": "processed"}
    fault = await cluster.fault_of("sendTransaction", encoded(transaction), settings)
    assert fault.code == -32002
    assert fault.message == ("Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1")
    assert fault.data["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert fault.data["unitsConsumed"] == 150
    assert fault.data["logs"][-1].endswith("failed: custom program error: 0x1")
    statuses = await cluster.ask("getSignatureStatuses", [str(transaction.signatures[0])])
    assert statuses["value"] == [None]


async def test_without_preflight_a_failing_transaction_lands_and_pays(cluster: Cluster) -> None:
    before = await cluster.balance(cluster.payer.pubkey())
    signature = await cluster.send(await cluster.build(cluster.pay(Pubkey.new_unique(), 10**15)), skipPreflight=True)
    await cluster.advance()
    (status,) = (await cluster.ask("getSignatureStatuses", [signature]))["value"]
    assert status["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert status["status"] == {"Err": status["err"]}
    assert await cluster.balance(cluster.payer.pubkey()) == before - 5_000


async def test_without_preflight_what_cannot_pay_is_never_heard_of_again(cluster: Cluster) -> None:
    cluster.payer = Keypair()
    signature = await cluster.send(await cluster.build(memo("nothing")), skipPreflight=True)
    await cluster.finalize()
    assert (await cluster.ask("getSignatureStatuses", [signature]))["value"] == [None]


async def test_the_faults_of_payers_are_told_in_the_runtime_s_words(cluster: Cluster) -> None:
    cluster.payer = Keypair()
    transaction = await cluster.build(memo("nothing"))
    settings = {"encoding": "base64", "preflightCommitment": "processed"}
    fault = await cluster.fault_of("sendTransaction", encoded(transaction), settings)
    assert (fault.code, fault.data["err"]) == (-32002, "AccountNotFound")
    assert fault.message.endswith("Attempt to debit an account but found no record of a prior credit.")


@pytest.mark.parametrize("skips", [True, False])
async def test_a_wrong_signature_is_refused_with_and_without_preflight(cluster: Cluster, skips: bool) -> None:  # noqa: FBT001
    good = await cluster.build(memo("mine"))
    forged = VersionedTransaction.populate(good.message, [Keypair().sign_message(b"another")])
    fault = await cluster.fault_of("sendTransaction", encoded(forged), {"encoding": "base64", "skipPreflight": skips})
    assert (fault.code, fault.message) == (-32003, "Transaction signature verification failure")
    settings = {"encoding": "base64", "commitment": "processed"}
    fault = await cluster.fault_of("simulateTransaction", encoded(forged), {**settings, "sigVerify": True})
    assert fault.code == -32003
    assert (await cluster.ask("simulateTransaction", encoded(forged), settings))["value"]["err"] is None


async def test_the_same_transaction_lands_once(cluster: Cluster) -> None:
    to = Pubkey.new_unique()
    transaction = await cluster.build(cluster.pay(to, LAMPORTS))
    signature = await cluster.send(transaction)
    settings = {"encoding": "base64", "preflightCommitment": "processed"}
    fault = await cluster.fault_of("sendTransaction", encoded(transaction), settings)
    assert (fault.code, fault.data["err"]) == (-32002, "AlreadyProcessed")
    assert await cluster.send(transaction, skipPreflight=True) == signature
    assert await cluster.balance(to) == LAMPORTS


async def test_a_blockhash_is_good_for_150_blocks_and_no_more(cluster: Cluster) -> None:
    answer = (await cluster.ask("getLatestBlockhash", {"commitment": "processed"}))["value"]
    in_time, late = await cluster.build(memo("in time")), await cluster.build(memo("late"))
    at_commitment = {"commitment": "processed"}
    height = await cluster.ask("getBlockHeight", at_commitment)
    await cluster.advance(answer["lastValidBlockHeight"] - height)
    assert await cluster.ask("getBlockHeight", at_commitment) == answer["lastValidBlockHeight"]
    assert (await cluster.ask("isBlockhashValid", answer["blockhash"], at_commitment))["value"] is True
    await cluster.send(in_time)
    await cluster.advance()
    assert (await cluster.ask("isBlockhashValid", answer["blockhash"], at_commitment))["value"] is False
    settings: dict[str, Any] = {"encoding": "base64", "preflightCommitment": "processed"}
    fault = await cluster.fault_of("sendTransaction", encoded(late), settings)
    assert (fault.code, fault.message) == (-32002, "Transaction simulation failed: Blockhash not found")
    signature = await cluster.send(late, skipPreflight=True)
    assert (await cluster.ask("getSignatureStatuses", [signature]))["value"] == [None]
    replaced = await cluster.ask(
        "simulateTransaction",
        encoded(late),
        {"encoding": "base64", "commitment": "processed", "replaceRecentBlockhash": True},
    )
    assert replaced["value"]["err"] is None
    assert replaced["value"]["replacementBlockhash"]["blockhash"] == str(await cluster.blockhash())


async def test_a_blockhash_is_unknown_to_older_states(cluster: Cluster) -> None:
    transaction = await cluster.build(memo("early"), commitment="processed")
    fault = await cluster.fault_of("sendTransaction", encoded(transaction), {"encoding": "base64"})
    assert (fault.code, fault.data["err"]) == (-32002, "BlockhashNotFound")


async def test_a_simulation_shows_accounts_as_they_would_be_and_changes_nothing(cluster: Cluster) -> None:
    to = Pubkey.new_unique()
    transaction = await cluster.build(cluster.pay(to, LAMPORTS), commitment="finalized")
    wanted = {"addresses": [str(to), str(Pubkey.new_unique())], "encoding": "base64"}
    simulated = await cluster.ask(
        "simulateTransaction", encoded(transaction), {"encoding": "base64", "accounts": wanted}
    )
    account, missing = simulated["value"]["accounts"]
    assert account["lamports"] == LAMPORTS
    assert missing is None
    assert await cluster.balance(to) == 0


async def test_a_simulation_runs_upon_the_state_of_its_commitment(cluster: Cluster) -> None:
    poor = Keypair()
    await cluster.ask("requestAirdrop", str(poor.pubkey()), LAMPORTS)
    rich, cluster.payer = cluster.payer, poor
    transaction = await cluster.build(memo("who pays"), commitment="finalized")
    verdicts = {}
    for commitment in ("processed", "finalized"):
        settings = {"encoding": "base64", "commitment": commitment}
        verdicts[commitment] = (await cluster.ask("simulateTransaction", encoded(transaction), settings))["value"][
            "err"
        ]
    assert verdicts == {"processed": None, "finalized": "AccountNotFound"}
    assert await cluster.balance(poor.pubkey()) == LAMPORTS
    assert await cluster.balance(rich.pubkey()) > LAMPORTS


async def test_a_simulation_of_an_older_state_has_its_clock_and_leaves_the_newest(cluster: Cluster) -> None:
    keys = [readonly(CLOCK), writable(Pubkey.new_unique())]
    # A transfer's further accounts are loaded and not looked at.
    pay = cluster.pay(Pubkey.new_unique(), LAMPORTS)
    loads_clock = Instruction(pay.program_id, bytes(pay.data), [*pay.accounts, *keys])
    transaction = await cluster.build(loads_clock, commitment="finalized")
    before = await cluster.ask("getAccountInfo", str(CLOCK), {"encoding": "base64", "commitment": "processed"})
    settings = {"encoding": "base64", "accounts": {"addresses": [str(CLOCK)]}}
    simulated = (await cluster.ask("simulateTransaction", encoded(transaction), settings))["value"]
    assert simulated["err"] is None
    shown = int.from_bytes(base64.b64decode(simulated["accounts"][0]["data"][0])[:8], "little")
    assert shown == await cluster.ask("getSlot")
    after = await cluster.ask("getAccountInfo", str(CLOCK), {"encoding": "base64", "commitment": "processed"})
    assert after == before


async def test_base58_is_the_encoding_of_transactions_by_default(cluster: Cluster) -> None:
    transaction = await cluster.build(memo("old style"), commitment="finalized")
    assert await cluster.ask("sendTransaction", base58_encode(bytes(transaction))) == str(transaction.signatures[0])
