"""The example counter runs on this chain, and is read without a transaction."""

from __future__ import annotations

import base64
import struct

from solders.pubkey import Pubkey

from relayer.devnet.svm.programs import place_program
from tests.integration.devnet.svm.cluster import Cluster, encoded
from tests.svm.program import idl

COUNTER = idl.EXAMPLES["counter"]
COUNT = Pubkey.find_program_address([b"counter"], COUNTER.address)[0]


async def test_the_counter_counts_and_a_simulation_reads_it(cluster: Cluster) -> None:
    program = COUNTER.address
    place_program(cluster.chain, program, (idl.FOLDER / "examples" / "counter.so").read_bytes(), None)
    accounts = {"payer": cluster.payer.pubkey(), "counter": COUNT}
    await cluster.run(
        COUNTER.instruction(program, "initialize", accounts, {}),
        COUNTER.instruction(program, "increment", accounts, {"amount": 300}),
    )
    await cluster.finalize()
    reading = await cluster.build(COUNTER.instruction(program, "read", accounts, {}), commitment="finalized")
    options = {"encoding": "base64", "sigVerify": False, "replaceRecentBlockhash": True, "commitment": "finalized"}
    told = (await cluster.ask("simulateTransaction", encoded(reading), options))["value"]
    assert (told["err"], told["returnData"]["programId"]) == (None, str(program))
    count = base64.b64decode(told["returnData"]["data"][0])
    assert count == struct.pack("<Q", 300)
