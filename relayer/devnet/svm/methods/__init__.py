"""The RPC's methods, a file a subject: each takes the chain and untrusted parameters, and gives its result's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from relayer.devnet.svm.methods.accounts import ACCOUNT_METHODS
from relayer.devnet.svm.methods.answering import Method
from relayer.devnet.svm.methods.cluster import CLUSTER_METHODS
from relayer.devnet.svm.methods.ledger import LEDGER_METHODS
from relayer.devnet.svm.methods.sending import SENDING_METHODS
from relayer.devnet.svm.methods.token_accounts import TOKEN_METHODS

METHODS: Final[Mapping[str, Method]] = {
    **ACCOUNT_METHODS,
    **CLUSTER_METHODS,
    **LEDGER_METHODS,
    **SENDING_METHODS,
    **TOKEN_METHODS,
}
"""By the name that clients call."""
