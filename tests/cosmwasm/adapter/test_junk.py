"""Whatever an endpoint answers, reading it gives blocks or says that the endpoint is not one to build on."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayer.errors import RpcUnavailable
from tests.cosmwasm.adapter.comet_chain import CometChain, changing, endpoint_of, watched
from tests.cosmwasm.adapter.gateway_events import asking

METHODS = ("status", "blockchain", "block_results", "block", "abci_query")

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["0", "-1", "wasm-XVMCallRequested", "AB" * 32, str(2**63), "2027-01-15T08:00:00Z", "%"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, the whole of it first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = orjson.loads(orjson.dumps(value))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = by
    return copy


def make_chain(*, is_encoded: bool) -> CometChain:
    chain = CometChain(is_encoded=is_encoded)
    for number in range(4):
        chain.mine(asking(number), asking(9, code=5))
    return chain


async def read(chain: CometChain, method: str, data: st.DataObject) -> None:
    def spoil(answer: Any) -> Any:
        return replaced(answer, data.draw(st.sampled_from(places(answer))), data.draw(junk))

    async with watched(endpoint_of(chain, changing(method, spoil))) as reader:
        for look in (reader.fetch_head(), reader.fetch_news(0, 8), reader.fetch_epochs(chain.tip.ref)):
            try:
                await look
            except RpcUnavailable:
                continue


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(method=st.sampled_from(METHODS), is_encoded=st.booleans(), data=st.data())
def test_security_junk_anywhere_in_an_answer_ends_nothing(
    *, method: str, is_encoded: bool, data: st.DataObject
) -> None:
    """SECURITY: an endpoint is hostile input: its answers must not end the process."""
    asyncio.run(read(make_chain(is_encoded=is_encoded), method, data))
