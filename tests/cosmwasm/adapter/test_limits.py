from __future__ import annotations

from typing import Any

import pytest

from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.limits import GasLimits
from tests.cosmwasm.adapter.scripted_comet import CometNode
from tests.unit.jsonrpc.scripted_node import NodeFault, serve_pool

CAP = 10_000_000


async def cap_at(*nodes: CometNode, quorum: int) -> int:
    async with serve_pool(*nodes, quorum=quorum) as pool:
        return await GasLimits(pool, CAP).fetch_gas_cap()


@pytest.mark.parametrize(("told", "cap"), [("-1", CAP), ("75000000", CAP), ("3000000", 3_000_000)])
async def test_the_lower_of_the_operators_cap_and_the_blocks_counts(told: str, cap: int) -> None:
    assert await cap_at(CometNode(block_gas=told), quorum=1) == cap


async def test_a_node_that_does_not_tell_leaves_the_operators_cap_and_is_asked_again() -> None:
    def silent(_: Any) -> Any:
        raise NodeFault(-32601, "Method not found")

    node = CometNode(block_gas="5")
    node.overrides["consensus_params"] = silent
    async with serve_pool(node, quorum=1) as pool:
        limits = GasLimits(pool, CAP)
        assert await limits.fetch_gas_cap() == CAP
        node.overrides.clear()
        assert await limits.fetch_gas_cap() == 5


async def test_the_chain_is_asked_once() -> None:
    node = CometNode(block_gas="5")
    async with serve_pool(node, quorum=1) as pool:
        limits = GasLimits(pool, CAP)
        assert [await limits.fetch_gas_cap() for _ in range(3)] == [5] * 3
    assert node.methods.count("consensus_params") == 1


async def test_security_one_endpoint_cannot_lower_the_cap() -> None:
    """SECURITY: nothing would fit a transaction, ever."""
    assert await cap_at(CometNode(block_gas="1"), CometNode(), CometNode(), quorum=2) == CAP


@pytest.mark.parametrize("told", ["0", "-2", "", 5, None, "9" * 40, "1e9"])
async def test_a_malformed_limit_is_no_answer(told: Any) -> None:
    with pytest.raises(RpcUnavailable):
        await cap_at(CometNode(block_gas=told), quorum=1)
