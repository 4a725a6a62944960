"""What a Solana chain of a deployment takes and costs, as a destination and as a source.

Its job: from a plan and others' offers to the terms of routes. Pure. What a transaction costs besides compute units,
its signature and the rent of what it leaves behind, is priced as the compute units that cost as much.

Source: contracts/svm/README.md, Fees and Compute units; `are_terms_valid` of contracts/svm/src/control.h.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from relayer.ports.deployment import ChainPlan, DeploymentFailed, DeploymentPlan, Offer, exchange
from relayer.vms.svm.accounts import Terms
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS, SLOT_RENT

COIN_DECIMALS: Final = 9

_ADDRESS_LENGTHS: Final = 1 << 32
"""Bit 32: addresses of 32 bytes."""

_MAX_PAYLOAD_BYTES: Final = 8_192
_MAX_ANSWER_BYTES: Final = 8_192
"""What a call's data and an event hold, by the program."""

_MAX_RETURN_BYTES: Final = 65_536
"""As a destination: a program returns 1,024 at the most, and a query of an account as many as the protocol carries."""

_MAX_EXECUTION_GAS: Final = 1_300_000
"""Of the 1,400,000 compute units of a transaction the gateway's own part is left out."""

_MAX_CALLBACK_GAS: Final = 1_000_000
"""Of the same, for the outcome may be delivered in the callback's transaction."""

_EXECUTE_UNITS: Final = 40_000
_DELIVER_UNITS: Final = 60_000
"""Compute units besides the certificate, the target's and the handler's: measured, and a half more."""

_SIGNER_UNITS: Final = 27_000
"""Compute units of one recovered signature."""

_PIECE_BYTES: Final = 900
"""Of a payload that is staged; each piece is a transaction."""

_SIGNERS_LAMPORTS: Final = 10_000
"""Flat, per request, where the plan does not say."""

_DEFAULT_EXECUTION_GAS: Final = 500_000
"""What a request asks for that does not say, by the program."""

_GIGA: Final = 10**9
_GAS_OF_PRICES: Final = 10**6
"""Prices of the program are for so much gas."""

_MAX_GAS: Final = 1 << 24
_MAX_GAS_PER_BYTE: Final = 1_024
_MAX_PRICE: Final = 1 << 38
_BPS: Final = 10_000


def offer(plan: DeploymentPlan, chain: ChainPlan) -> Offer:
    """What this chain takes of others."""
    units = _EXECUTE_UNITS + _SIGNER_UNITS * len(plan.signer_set.signers)
    consumption = units + _as_units(2 * SIGNATURE_LAMPORTS + SLOT_RENT, chain)
    return Offer(
        coin_decimals=COIN_DECIMALS,
        address_lengths=_ADDRESS_LENGTHS,
        max_payload_bytes=_MAX_PAYLOAD_BYTES,
        max_return_bytes=_MAX_RETURN_BYTES,
        max_execution_gas=_MAX_EXECUTION_GAS,
        execution_overhead=consumption,
        execution_per_byte=math.ceil(Fraction(_as_units(SIGNATURE_LAMPORTS, chain), _PIECE_BYTES)) + 1,
        # As dear as to execute: the slot is kept either way.
        expire=consumption,
    )


def terms_to(plan: DeploymentPlan, chain: ChainPlan, other: ChainPlan, its: Offer) -> Terms:
    """What requests from this chain to another are asked for.

    Raises:
        DeploymentFailed: prices that the program does not take.
    """
    own = offer(plan, chain)
    execution_price = math.ceil(other.price_per_gigagas * exchange(chain, own, other, its) * _GAS_OF_PRICES / _GIGA)
    callback_price = math.ceil(Fraction(chain.price_per_gigagas * _GAS_OF_PRICES, _GIGA))
    delivery_units = _DELIVER_UNITS + _SIGNER_UNITS * len(plan.signer_set.signers)
    expired = Fraction(its.expire, its.execution_overhead + _DEFAULT_EXECUTION_GAS)
    if (
        its.execution_overhead > _MAX_GAS
        or its.execution_per_byte > _MAX_GAS_PER_BYTE
        or max(execution_price, callback_price) > _MAX_PRICE
    ):
        raise DeploymentFailed(
            f"{chain.name}: the program takes no terms with the costs of {other.name}; correct its price of gas"
        )
    return Terms(
        address_lengths=its.address_lengths,
        max_execution_gas=its.max_execution_gas,
        max_callback_gas=_MAX_CALLBACK_GAS,
        min_expiry_seconds=plan.terms.min_expiry_seconds,
        default_expiry_seconds=plan.terms.default_expiry_seconds,
        max_expiry_seconds=plan.terms.max_expiry_seconds,
        deadline_slots=chain.deadline_blocks(plan.terms),
        max_deadline_slots=max(plan.terms.max_deadline_blocks, chain.deadline_blocks(plan.terms)),
        execution_price=execution_price,
        execution_overhead_gas=its.execution_overhead,
        execution_gas_per_byte=its.execution_per_byte,
        callback_price=callback_price,
        delivery_lamports=3 * SIGNATURE_LAMPORTS + _as_lamports(delivery_units, chain),
        signers_lamports=_SIGNERS_LAMPORTS if chain.signers_fee is None else chain.signers_fee,
        max_payload_bytes=min(its.max_payload_bytes, _MAX_PAYLOAD_BYTES),
        max_return_bytes=min(its.max_return_bytes, _MAX_ANSWER_BYTES),
        expire_bps=min(_BPS, math.ceil(expired * _BPS)),
        is_open=True,
        takes_queries=plan.terms.allows_queries,
    )


def _as_units(lamports: int, chain: ChainPlan) -> int:
    return math.ceil(Fraction(lamports * _GIGA, chain.price_per_gigagas))


def _as_lamports(units: int, chain: ChainPlan) -> int:
    return math.ceil(Fraction(units * chain.price_per_gigagas, _GIGA))
