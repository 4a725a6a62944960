"""Methods that find transactions.

Source: rpc/core/tx.go of CometBFT 0.38.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relayer.devnet.cosmwasm.block_json import executed_json
from relayer.devnet.cosmwasm.chain import Chain
from relayer.devnet.cosmwasm.merkle import HASH_BYTES
from relayer.devnet.cosmwasm.methods.answering import Method, page_of
from relayer.devnet.cosmwasm.params import Params
from relayer.devnet.cosmwasm.rpc_errors import internal_error, tx_not_found
from relayer.event_query import MalformedQuery, parse_query


def tx(chain: Chain, params: Params) -> Any:
    """A transaction by its hash."""
    params.flag("prove")
    wanted = params.data("hash", HASH_BYTES)
    found = chain.find(wanted)
    if found is None:
        raise tx_not_found(wanted)
    return executed_json(found, chain.settings.dialect)


def tx_search(chain: Chain, params: Params) -> Any:
    """Transactions whose events are as a query wants them."""
    params.flag("prove")
    order = params.text("order_by") or "asc"
    if order not in ("asc", "desc"):
        raise internal_error("expected order_by to be either `asc` or `desc` or empty")
    try:
        query = parse_query(params.text("query"))
    except MalformedQuery as error:
        raise internal_error(f"failed to parse query: {error}") from None
    found = [one for one in chain.executed() if query.matches(one.events)]
    if order == "desc":
        found.reverse()
    shown = [executed_json(found[place], chain.settings.dialect) for place in page_of(params, len(found))]
    return {"txs": shown, "total_count": str(len(found))}


TRANSACTION_METHODS: Final[Mapping[str, Method]] = {
    "tx": Method(("hash", "prove"), tx),
    "tx_search": Method(("query", "prove", "page", "per_page", "order_by"), tx_search, is_of_state=True),
}
