"""Control methods: what tests make the chain do. They are there only where the process is started with `--faults`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relayer.devnet.svm.chain import Chain
from relayer.devnet.svm.faults import MAX_LAG_SLOTS, MAX_SECONDS_AHEAD, MAX_SKIPPED_SLOTS
from relayer.devnet.svm.methods.answering import Method
from relayer.devnet.svm.params import Params


def skip_slots(chain: Chain, params: Params) -> Any:
    """The next so many slots after the open one get no block."""
    chain.faults.slots_to_skip = params.integer(0, most=MAX_SKIPPED_SLOTS)


def set_lag(chain: Chain, params: Params) -> Any:
    """Answer as a node that is so many slots behind; 0 ends it."""
    chain.faults.lag_slots = params.integer(0, most=MAX_LAG_SLOTS)


def set_ahead(chain: Chain, params: Params) -> Any:
    """From the next slot on the chain's clock is so many seconds ahead; 0 has it stand still until it no longer is."""
    chain.faults.seconds_ahead = params.integer(0, most=MAX_SECONDS_AHEAD)


def hide_signatures(chain: Chain, params: Params) -> Any:
    """Leave transactions of the slots from one up to, not including, another out of the index by address."""
    chain.faults.hidden_signatures = range(params.integer(0), params.integer(1))


def hide_statuses(chain: Chain, params: Params) -> Any:
    """Answer for blocks of the slots from one up to, not including, another that their statuses are not there yet."""
    chain.faults.hidden_statuses = range(params.integer(0), params.integer(1))


CONTROL_METHODS: Final[Mapping[str, Method]] = {
    "devnet_hideSignatures": Method(2, hide_signatures),
    "devnet_hideStatuses": Method(2, hide_statuses),
    "devnet_setAhead": Method(1, set_ahead),
    "devnet_setLag": Method(1, set_lag),
    "devnet_skipSlots": Method(1, skip_slots),
}
