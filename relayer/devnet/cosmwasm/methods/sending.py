"""Methods that take transactions.

Source: rpc/core/mempool.go of CometBFT 0.38.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relayer.devnet.cosmwasm.block_json import Dialect, Json, base64_text, hex_text, result_json
from relayer.devnet.cosmwasm.blocks import Executed, TxResult
from relayer.devnet.cosmwasm.chain import Chain, Checked
from relayer.devnet.cosmwasm.mempool import MempoolError
from relayer.devnet.cosmwasm.methods.answering import Method
from relayer.devnet.cosmwasm.params import Params
from relayer.devnet.cosmwasm.rpc_errors import internal_error

_MAX_LISTED: Final = 100
_LISTED: Final = 30
_NOTHING: Final = TxResult(0, "", "", b"", 0, 0, ())


def take(chain: Chain, raw: bytes) -> Checked:
    """Check a transaction, and let it wait for a block if it is good. Raises `RpcError`: it is not looked at."""
    try:
        return chain.take(raw)
    except MempoolError as error:
        raise internal_error(str(error)) from None


def broadcast_tx_sync(chain: Chain, params: Params) -> Any:
    """Check a transaction and let it wait; what the check gave."""
    return checked_json(take(chain, params.data("tx")))


def broadcast_tx_async(chain: Chain, params: Params) -> Any:
    """The same, without what the check gave."""
    checked = take(chain, params.data("tx"))
    return checked_json(Checked(checked.hash, _NOTHING))


def check_tx(chain: Chain, params: Params) -> Any:
    """Check a transaction and do nothing."""
    return result_json(chain.check(params.data("tx")).result, chain.settings.dialect)


def unconfirmed_txs(chain: Chain, params: Params) -> Any:
    """What waits, the oldest first."""
    limit = params.integer("limit")
    limit = _LISTED if limit is None or limit < 1 else min(limit, _MAX_LISTED)
    listed = [base64_text(transaction.raw) for transaction in chain.mempool][:limit]
    return _waiting_json(chain, len(listed), listed)


def num_unconfirmed_txs(chain: Chain, params: Params) -> Any:
    """How many wait."""
    del params
    return _waiting_json(chain, len(chain.mempool), None)


def checked_json(checked: Checked) -> Json:
    """What a check gave, as those that send get it."""
    result = checked.result
    return {
        "code": result.code,
        "data": hex_text(result.data),
        "log": result.log,
        "codespace": result.codespace,
        "hash": hex_text(checked.hash),
    }


def committed_json(checked: Checked, executed: Executed | None, dialect: Dialect) -> Json:
    """What a check and, if it was good, a block gave."""
    name = "deliver_tx" if dialect is Dialect.V034 else "tx_result"
    return {
        "check_tx": result_json(checked.result, dialect),
        name: result_json(_NOTHING if executed is None else executed.result, dialect),
        "hash": hex_text(checked.hash),
        "height": str(0 if executed is None else executed.height),
    }


def _waiting_json(chain: Chain, count: int, listed: list[str] | None) -> Json:
    total = {"total": str(len(chain.mempool)), "total_bytes": str(chain.mempool.total_bytes)}
    return {"n_txs": str(count), **total, "txs": listed}


SENDING_METHODS: Final[Mapping[str, Method]] = {
    "broadcast_tx_async": Method(("tx",), broadcast_tx_async, is_of_state=True),
    "broadcast_tx_sync": Method(("tx",), broadcast_tx_sync, is_of_state=True),
    "check_tx": Method(("tx",), check_tx, is_of_state=True),
    "num_unconfirmed_txs": Method((), num_unconfirmed_txs, is_of_state=True),
    "unconfirmed_txs": Method(("limit",), unconfirmed_txs, is_of_state=True),
}
