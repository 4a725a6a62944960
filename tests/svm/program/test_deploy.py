"""The committed program goes through the chain's own loader, which verifies every instruction, and is initialized."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

from relayer.devnet.svm.apart import run_apart
from tests.svm.program import idl
from tests.svm.program.ledger import GENESIS, LOADER, SYSTEM, address, keypair

RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
PIECE = 900


def plain() -> LiteSVM:
    return LiteSVM()


def like_mainnet() -> LiteSVM:
    bare = LiteSVM.default().with_mainnet_features().with_builtins().with_lamports(10**18)
    return bare.with_sysvars().with_default_programs().with_sigverify(True).with_blockhash_check(True)  # noqa: FBT003


def meta(key: Pubkey, flags: str = "") -> AccountMeta:
    return AccountMeta(key, is_signer="s" in flags, is_writable="w" in flags)


@pytest.mark.parametrize("make", [plain, like_mainnet])
def test_the_program_is_deployed_and_initialized_by_its_upgrade_authority(make: Callable[[], LiteSVM]) -> None:
    svm = make()
    payer, buffer, program = (keypair(name) for name in ("deployer", "buffer", "program"))
    svm.airdrop(payer.pubkey(), 10**12)

    def send(*steps: Instruction, signers: tuple[Keypair, ...] = ()) -> None:
        message = Message.new_with_blockhash(list(steps), payer.pubkey(), svm.latest_blockhash())
        transaction = Transaction([payer, *signers], message, svm.latest_blockhash())
        done = run_apart(lambda: svm.send_transaction(transaction))
        assert not isinstance(done, FailedTransactionMetadata), done

    def make_account(key: Keypair, length: int, first: Instruction) -> None:
        lamports = svm.minimum_balance_for_rent_exemption(length)
        params = CreateAccountParams(
            from_pubkey=payer.pubkey(), to_pubkey=key.pubkey(), lamports=lamports, space=length, owner=LOADER
        )
        send(create_account(params), first, signers=(key,))

    elf = (idl.FOLDER / "xvm_gateway.so").read_bytes()
    make_account(
        buffer,
        37 + len(elf),
        Instruction(LOADER, struct.pack("<I", 0), [meta(buffer.pubkey(), "w"), meta(payer.pubkey())]),
    )
    for offset in range(0, len(elf), PIECE):
        piece = elf[offset : offset + PIECE]
        write = struct.pack("<IIQ", 1, offset, len(piece)) + piece
        send(Instruction(LOADER, write, [meta(buffer.pubkey(), "w"), meta(payer.pubkey(), "s")]))
    code = address(bytes(program.pubkey()), program=LOADER)
    deploy = [
        meta(payer.pubkey(), "sw"),
        meta(code, "w"),
        meta(program.pubkey(), "w"),
        meta(buffer.pubkey(), "w"),
        meta(RENT),
        meta(CLOCK),
        meta(SYSTEM),
        meta(payer.pubkey(), "s"),
    ]
    make_account(program, 36, Instruction(LOADER, struct.pack("<IQ", 2, 2 * len(elf)), deploy))
    svm.warp_to_slot(svm.get_clock().slot + 5)
    svm.expire_blockhash()
    config = address(b"config", program=program.pubkey())
    accounts = {
        "payer": payer.pubkey(),
        "config": config,
        "upgrade_authority": payer.pubkey(),
        "program_data": code,
    }
    args = {"genesis_hash": GENESIS, "guardian": payer.pubkey(), "treasury": payer.pubkey(), "max_pause_slots": 9}
    send(idl.instruction(program.pubkey(), "initialize", accounts, args))
    account = svm.get_account(config)
    assert account is not None
    assert idl.decode_account("Config", bytes(account.data))["owner"] == payer.pubkey()
