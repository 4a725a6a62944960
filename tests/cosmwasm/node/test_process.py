"""`python -m relayer.devnet.cosmwasm`: it says when it can be asked, makes blocks, and ends when it is told to."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from conftest import OWNER, POOR, Signer

from relayer.devnet.cosmwasm.__main__ import main
from relayer.devnet.ports import free_ports

COUNTER = Path(__file__).parents[3] / "contracts/cosmwasm/examples/counter.wasm"


async def test_a_process_makes_blocks_until_it_is_told_to_end() -> None:
    (port,) = free_ports(1)
    arguments = ["--port", str(port), "--block-time", "0.02", "--chain-id", "chain-9", "--fund", f"{OWNER.address}=77"]
    arguments += ["--contract", f"{OWNER.address}={COUNTER}"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relayer.devnet.cosmwasm", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        assert line == f"ready at http://127.0.0.1:{port}, chain chain-9\n"
        assert (await process.stdout.readline()).decode().startswith(f"{COUNTER} at wasm1")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}/websocket") as socket,
        ):
            await socket.send_json(
                {"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": ["tm.event='NewBlock'"]}
            )
            for _ in range(3):
                await socket.receive_str()
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "26657", "--block-time", "-1"],
        ["--port", "26657", "--min-gas-price", "cheap"],
        ["--port", "26657", "--comet", "0.37"],
        ["--port", "26657", "--fund", "nobody=5"],
        ["--port", "26657", "--fund", f"{Signer(bytes([9]) * 32).address}=0"],
        ["--port", "26657", "--contract", f"{OWNER.address}=/no/such/file.wasm"],
        ["--port", "26657", "--contract", f"{OWNER.address}={__file__}"],
        ["--port", "26657", "--kept-blocks", "1"],
        ["--port", "26657", "--kept-states", "0"],
        ["--port", "26657", "--fund", f"{POOR.address.replace('wasm', 'cosmos')}=5"],
    ],
)
def test_what_cannot_be_run_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
