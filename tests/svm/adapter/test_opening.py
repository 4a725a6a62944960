"""A Solana chain put together, and a node that has none."""

from __future__ import annotations

import asyncio
import sys

import pytest

from relayer.errors import ConfigError
from relayer.vms.svm import registration
from tests.svm.adapter.relaying import PAYEE, executions
from tests.svm.adapter.test_connect import settings_for
from tests.svm.adapter.test_executing import ANSWER
from tests.svm.adapter.world import RELAYER, World
from tests.svm.program.ledger import PROBE, SOLANA, inbound_request, payload
from tests.unit.jsonrpc.scripted_node import serve


async def test_a_chain_is_opened_with_its_sides_and_its_wallet() -> None:
    world = World()
    world.open()
    node = world.endpoint()
    node.overrides["getGenesisHash"] = lambda _: SOLANA.reference_text
    asked = inbound_request(PROBE, payload(ANSWER))
    async with serve(node):
        chain = await registration.open_chain(settings_for(node))
        assert chain.source.caip2 == chain.destination.caip2 == str(SOLANA)
        assert chain.wallet.address == bytes(RELAYER.pubkey())
        assert chain.destination.reads_history is False
        look = await chain.destination.prepare_execute([executions(world, asked)], PAYEE)
        assert len(look.groundwork) == 1
        assert (await chain.source.prepare_deliver([])).calls == ()
        assert await chain.source.fetch_verifier_fault() == ""
        await chain.close()


async def run(code: str) -> str:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().strip()


async def test_a_node_without_solana_chains_does_not_need_the_library() -> None:
    asked = "print('solana' in registered_vms(), 'solders' in sys.modules)"
    assert await run(f"import sys; from relayer.service import registered_vms; {asked}") == "True False"


async def test_without_the_library_a_solana_chain_is_a_fault_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith(("solders", "relayer.vms.svm."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "solders", None)
    with pytest.raises(ConfigError) as caught:
        await registration.open_chain(settings_for())
    (fault,) = caught.value.faults
    assert fault == f"{SOLANA} needs solders: install the extra `svm`"
