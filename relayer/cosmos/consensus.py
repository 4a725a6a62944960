"""The parameters of consensus, as a chain tells them.

Source: cosmos/consensus/v1/query.proto of the Cosmos SDK 0.50; cometbft/types/params.proto of CometBFT 0.38.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.cosmos.protobuf import Message, i64, one

CONSENSUS_PARAMS: Final = "/cosmos.consensus.v1.Query/Params"


@dataclass(frozen=True, slots=True)
class QueryParamsRequest(Message):
    """`QueryParamsRequest`."""


@dataclass(frozen=True, slots=True)
class BlockParams(Message):
    """`BlockParams`: what bounds a block, in bytes and in gas; -1 for no bound."""

    max_bytes: int = i64(1)
    max_gas: int = i64(2)


@dataclass(frozen=True, slots=True)
class ConsensusParams(Message):
    """`ConsensusParams`, as far as it is of blocks."""

    block: BlockParams | None = one(1, BlockParams)


@dataclass(frozen=True, slots=True)
class QueryParamsResponse(Message):
    """`QueryParamsResponse`."""

    params: ConsensusParams | None = one(1, ConsensusParams)
