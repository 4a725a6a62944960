"""The gateway program runs on this chain, and its events are read through the RPC."""

from __future__ import annotations

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from attestation.keccak import keccak256
from attestation.schemes import SECP256K1
from attestation.textcodecs import base58_decode
from relayer.devnet.svm.programs import UPGRADEABLE_LOADER, place_program
from tests.integration.devnet.svm.cluster import GENESIS_TIME, Cluster
from tests.svm.program import idl

PROGRAM = Pubkey(bytes(range(32)))
MAX_EVENT_CHARACTERS = 2_000


def address(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM)[0]


async def test_the_gateway_is_initialized_by_its_upgrade_authority_and_its_events_are_found(cluster: Cluster) -> None:
    owner, payer = Keypair(), cluster.payer.pubkey()
    code = (idl.FOLDER / "xvm_gateway.so").read_bytes()
    place_program(cluster.chain, PROGRAM, code, owner.pubkey())
    data_address, _ = Pubkey.find_program_address([bytes(PROGRAM)], UPGRADEABLE_LOADER)
    accounts = {
        "payer": payer,
        "owner": owner.pubkey(),
        "upgrade_authority": owner.pubkey(),
        "program_data": data_address,
        "config": address(b"config"),
        "event_authority": address(b"__event_authority"),
        "program": PROGRAM,
        "next_epoch": address(b"epoch", (1).to_bytes(8, "little")),
    }
    offices = {
        "genesis_hash": bytes(cluster.chain.genesis_hash),
        "guardian": payer,
        "treasury": payer,
        "max_pause_slots": 500,
    }
    await cluster.run(idl.instruction(PROGRAM, "initialize", accounts, offices), signers=[owner])
    await cluster.run(cluster.pay(owner.pubkey(), 10**10))
    await cluster.finalize()
    keys = [SECP256K1.signing_key(keccak256(b"signer %d" % number)).key for number in range(4)]
    signer_set = {
        "scheme": SECP256K1.number,
        "threshold": 3,
        "valid_until": GENESIS_TIME + 10**6,
        "grace_seconds": 86_400,
        "signers": [{"key": key, "weight": 1, "operator": keccak256(key)} for key in keys],
    }
    install = idl.instruction(PROGRAM, "install", accounts, {"signer_set": signer_set})
    signature = await cluster.run(install, signers=[owner])
    await cluster.finalize()
    listed, *_ = await cluster.ask("getSignaturesForAddress", str(PROGRAM))
    assert (listed["signature"], listed["err"]) == (signature, None)
    found = await cluster.ask("getTransaction", signature, {"maxSupportedTransactionVersion": 0})
    calls = [call for group in found["meta"]["innerInstructions"] for call in group["instructions"]]
    raw = [base58_decode(call["data"], MAX_EVENT_CHARACTERS) for call in calls]
    events = [idl.decode_event(data) for data in raw if data.startswith(idl.EVENT_TAG)]
    ((name, fields),) = events
    assert (name, fields["epoch"]) == ("XVMEpochApplied", 1)
    config = await cluster.client.get_account_info(accounts["config"])
    assert config.value is not None
    assert config.value.owner == PROGRAM
    listed_accounts = await cluster.client.get_program_accounts(PROGRAM, encoding="base64")
    assert {entry.pubkey for entry in listed_accounts.value} == {accounts["config"], accounts["next_epoch"]}
