"""What the stages know of the node's state, as a snapshot for those who only look. It asks nobody anything."""

from __future__ import annotations

from relayer.domain.blocks import BlockRef
from relayer.ports.chain import Chain
from relayer.ports.node_status import ChainStatus
from relayer.stages.desk import Desk


def chain_status(desk: Desk, chain: Chain) -> ChainStatus:
    """One chain as of its last look."""
    tip = desk.tips[chain.caip2]
    head: BlockRef | None = None if tip.head is None else tip.head.tip
    return ChainStatus(
        caip2=chain.caip2,
        name=chain.name,
        gateway=chain.gateway,
        tip=head,
        final_number=-1 if tip.head is None else tip.head.final_number,
        taken_in_number=tip.final_number,
        halt=desk.halted.get(chain.caip2),
        rival_rotations=tuple(
            (signer, rotate)
            for (gateway, signer), rotate in sorted(desk.rival_rotations.items())
            if gateway == chain.gateway
        ),
        reads_history=desk.chains[chain.caip2].destination.reads_history,
    )
