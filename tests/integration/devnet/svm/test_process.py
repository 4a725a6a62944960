"""The chain as a process: its command line, slots by the clock, programs that are there and that are deployed."""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Finalized, Processed
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import CreateAccountParams, create_account
from solders.sysvar import CLOCK, RENT
from solders.transaction import VersionedTransaction

from relayer.devnet.ports import free_ports
from relayer.devnet.svm.__main__ import main
from relayer.devnet.svm.chain import Chain, ChainSettings
from relayer.devnet.svm.programs import UPGRADEABLE_LOADER
from relayer.devnet.svm.server import ServerSettings, serving
from tests.integration.devnet.svm.cluster import MEMO, Cluster, readonly, signer, writable, writable_signer

CHUNK = 900


def code_of_memo() -> bytes:
    """A real program's ELF: that of the memo program, which the machine brings."""
    account = LiteSVM().get_account(MEMO)
    assert account is not None
    return bytes(account.data)


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    port, websocket_port = free_ports(2)
    command = ["-m", "relayer.devnet.svm", f"--port={port}", f"--ws-port={websocket_port}", *arguments]
    started = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    try:
        assert started.stdout is not None
        line = await asyncio.wait_for(started.stdout.readline(), 30)
        assert line.startswith(b"ready at ")
        yield started, f"http://127.0.0.1:{port}"
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


async def test_a_process_makes_slots_and_ends_when_told_to(tmp_path: Path) -> None:
    code, address, authority, rich = tmp_path / "memo.so", Pubkey.new_unique(), Pubkey.new_unique(), Keypair()
    code.write_bytes(code_of_memo())
    options = [f"--program={address}={code}", f"--upgrade-authority={authority}", f"--fund={rich.pubkey()}={10**10}"]
    async with process("--slot-seconds=0.05", "--finalized-after=2", *options) as (running, url):
        async with AsyncClient(url) as client:
            blockhash = (await client.get_latest_blockhash()).value.blockhash
            instruction = Instruction(address, b"a copy of memo", [])
            message = MessageV0.try_compile(rich.pubkey(), [instruction], [], blockhash)
            signature = (await client.send_transaction(VersionedTransaction(message, [rich]))).value
            (status,) = (await client.confirm_transaction(signature, Finalized, sleep_seconds=0.05)).value
            assert status is not None
            assert status.err is None
            found = (await client.get_transaction(signature, max_supported_transaction_version=0)).value
            assert found is not None
            assert found.transaction.meta is not None
            assert "Program log: a copy of memo" in (found.transaction.meta.log_messages or [])
        async with aiohttp.ClientSession() as session:
            call = {"jsonrpc": "2.0", "id": 1, "method": "devnet_skipSlots", "params": [1]}
            async with session.post(url, json=call) as response:
                assert (await response.json())["error"]["code"] == -32601
        running.terminate()
        assert await asyncio.wait_for(running.wait(), 10) == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "--port"),
        (["--port=70000"], "--port"),
        (["--port=20000", "--finalized-after=0"], "finalized_after"),
        (["--port=20000", "--kept-slots=1"], "slots are kept"),
        (["--port=20000", "--program=xyz=/nowhere"], "--program"),
        (["--port=20000", f"--program={MEMO}=/nowhere"], "No such file"),
        (["--port=20000", f"--program={MEMO}={sys.executable}"], "the address is taken"),
        (["--port=20000", f"--program={Pubkey.new_unique()}={__file__}"], "no ELF file"),
    ],
)
def test_wrong_arguments_are_named(arguments: Sequence[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


async def test_what_ends_the_slots_ends_the_server() -> None:
    class BrokenError(Exception):
        pass

    class Broken(Chain):
        def close_slot(self) -> None:
            raise BrokenError

    port, websocket_port = free_ports(2)
    settings = ServerSettings(port, websocket_port, slot_seconds=0.01, has_control=False)
    with pytest.RaisesGroup(BrokenError):
        async with serving(Broken(ChainSettings(), lambda: 0.0), settings):
            await asyncio.Event().wait()


async def test_a_port_that_is_taken_is_an_error(cluster: Cluster) -> None:
    taken = int(cluster.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        async with serving(cluster.chain, ServerSettings(taken, taken, slot_seconds=0, has_control=False)):
            pass


async def test_a_program_is_deployed_through_the_real_loader(cluster: Cluster) -> None:
    code, payer = code_of_memo(), cluster.payer.pubkey()
    buffer, program = Keypair(), Keypair()
    rent_of_buffer = await cluster.ask("getMinimumBalanceForRentExemption", 37 + len(code))
    account = CreateAccountParams(
        from_pubkey=payer,
        to_pubkey=buffer.pubkey(),
        lamports=rent_of_buffer,
        space=37 + len(code),
        owner=UPGRADEABLE_LOADER,
    )
    metas = [writable(buffer.pubkey()), signer(payer)]
    initialize = Instruction(UPGRADEABLE_LOADER, struct.pack("<I", 0), metas)
    await cluster.run(create_account(account), initialize, signers=[buffer])
    for start in range(0, len(code), CHUNK):
        chunk = code[start : start + CHUNK]
        write = struct.pack("<IIQ", 1, start, len(chunk)) + chunk
        await cluster.run(Instruction(UPGRADEABLE_LOADER, write, metas))
    data_address, _ = Pubkey.find_program_address([bytes(program.pubkey())], UPGRADEABLE_LOADER)
    rent = await cluster.ask("getMinimumBalanceForRentExemption", 36)
    account = CreateAccountParams(
        from_pubkey=payer, to_pubkey=program.pubkey(), lamports=rent, space=36, owner=UPGRADEABLE_LOADER
    )
    deploy = Instruction(
        UPGRADEABLE_LOADER,
        struct.pack("<IQ", 2, len(code)),
        [
            writable_signer(payer),
            writable(data_address),
            writable(program.pubkey()),
            writable(buffer.pubkey()),
            readonly(RENT),
            readonly(CLOCK),
            readonly(SYSTEM_PROGRAM),
            signer(payer),
        ],
    )
    await cluster.run(create_account(account), deploy, signers=[program])
    await cluster.advance()
    transaction = await cluster.build(Instruction(program.pubkey(), b"deployed", []))
    simulated = await cluster.client.simulate_transaction(transaction, commitment=Processed)
    assert "Program log: deployed" in (simulated.value.logs or [])
    signature = await cluster.send(transaction)
    assert (await cluster.ask("getSignatureStatuses", [signature]))["value"][0]["err"] is None
