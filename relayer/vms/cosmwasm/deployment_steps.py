"""The transactions of a deployment on a CosmWasm chain, in their order, and what such a chain takes and costs.

Its job: from a plan to messages. Pure; it reaches no chain.

Source: contracts/cosmwasm/README.md; contracts/cosmwasm/schema.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from attestation.keccak import keccak256
from relayer.cosmos.bank import MsgSend
from relayer.cosmos.base import Coin
from relayer.cosmos.protobuf import Message
from relayer.cosmos.wasm import MsgExecuteContract, MsgInstantiateContract2, MsgStoreCode
from relayer.ports.deployment import ChainPlan, Deployed, DeploymentFailed, DeploymentPlan, Offer, exchange
from relayer.vms.cosmwasm.contract_code import ACCOUNT, GATEWAY, load_code
from relayer.vms.cosmwasm.messages import format_signer_set

STORE_GATEWAY: Final = f"store {GATEWAY}"
STORE_ACCOUNT: Final = f"store {ACCOUNT}"
INSTANTIATE: Final = f"instantiate {GATEWAY}"

_LABEL: Final = "xvm gateway"

_COIN_DECIMALS: Final = 6
"""Where the plan does not say."""

_ADDRESS_LENGTHS: Final = 1 << 20 | 1 << 32
"""Bits 20 and 32: contracts' addresses have 32 bytes on most chains, on some 20."""

_MAX_EXECUTION_GAS: Final = 10_000_000
_MAX_CALLBACK_GAS: Final = 10_000_000
_MAX_PAYLOAD_BYTES: Final = 65_536
_MAX_RETURN_BYTES: Final = 65_536
"""The protocol's caps: a route may bring as much as any."""

_KEPT_RETURN_BYTES: Final = 16_384
"""Of an answer given here. SECURITY: gas for keeping it is paid for, used or not, and stands in no price but the
overhead: with more, a request beside others would cost more than it brings, and have them all held."""

_SIGNERS_FEE: Final = 1_000
"""Flat, per request, where the plan does not say: a thousandth of a coin of six decimals."""

_EXECUTION_OVERHEAD: Final = 720_000
_CALLBACK_OVERHEAD: Final = 520_000
_EXPIRE: Final = 480_000
_EXECUTION_PER_BYTE: Final = 36
_CALLBACK_PER_BYTE: Final = 40
"""Gas that relayers offer besides a request's own limits, which here is what they pay for, used or not: as
`relayer.vms.cosmwasm.gas` bounds it, for a batch of one under a set of four."""

_MARGIN_BPS: Final = 1_000
_QUERY_BPS: Final = 200
"""Of a call's price, for the same gas: a query's is burnt by every signer's node, and by no chain."""

_MAX_OVERHEAD_GAS: Final = 2**32 - 1
_MAX_GAS_PER_BYTE: Final = 2**16 - 1
"""What the contract's fields hold."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of one message."""

    name: str
    message: Message


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A code on the chain: its number, and the SHA-256 of the wasm."""

    code_id: int
    checksum: bytes

    @property
    def salt(self) -> bytes:
        """Of the gateway that is made of it: a code that is stored anew gives another gateway."""
        return self.code_id.to_bytes(8, "big")


def coin_decimals(chain: ChainPlan) -> int:
    """Of the coin that fees are paid in."""
    return _COIN_DECIMALS if chain.coin_decimals is None else chain.coin_decimals


def offer(chain: ChainPlan) -> Offer:
    """What a CosmWasm chain takes of others."""
    return Offer(
        coin_decimals=coin_decimals(chain),
        address_lengths=_ADDRESS_LENGTHS,
        max_payload_bytes=_MAX_PAYLOAD_BYTES,
        max_return_bytes=_KEPT_RETURN_BYTES,
        max_execution_gas=_MAX_EXECUTION_GAS,
        execution_overhead=_EXECUTION_OVERHEAD,
        execution_per_byte=_EXECUTION_PER_BYTE,
        expire=_EXPIRE,
    )


def storing_steps(deployer: str) -> Iterator[Step]:
    """Both codes. Zipped, for nodes take no transaction of more than a megabyte in base64."""
    for name, code in ((STORE_GATEWAY, GATEWAY), (STORE_ACCOUNT, ACCOUNT)):
        # The time is left out, so that the same code gives the same bytes.
        yield Step(name, MsgStoreCode(sender=deployer, wasm_byte_code=gzip.compress(load_code(code), mtime=0)))


def instantiation_step(
    chain: ChainPlan, deployer: bytes, gateway: bytes, gateway_code: StoredCode, account_code: StoredCode
) -> Step:
    """The gateway, at the address that follows from its code and salt, and under its own administration."""
    message = {
        "owner": chain.account_text(deployer),
        **_offices(chain, deployer),
        "fee_denom": chain.fee_denom,
        "max_pause_blocks": chain.max_pause_blocks,
        "quote_validity_blocks": chain.quote_validity_blocks,
        "block_milliseconds": max(1, round(chain.block_time_seconds * 1000)),
        "sender_window_blocks": chain.sender_window_blocks,
        "sender_max_requests": chain.sender_max_requests,
        "account_code_id": str(account_code.code_id),
        "account_checksum": _hex(account_code.checksum),
    }
    return Step(
        INSTANTIATE,
        MsgInstantiateContract2(
            sender=chain.account_text(deployer),
            admin=chain.account_text(gateway),
            code_id=gateway_code.code_id,
            label=_LABEL,
            msg=orjson.dumps(message),
            salt=gateway_code.salt,
        ),
    )


def configuration_steps(
    plan: DeploymentPlan, chain: ChainPlan, deployer: bytes, deployed: Mapping[str, Deployed]
) -> Iterator[Step]:
    """All settings, and the plan's grants. They do not depend on one another.

    `deployed` are those of all chains of the plan, by CAIP-2. Raises `DeploymentFailed` for costs that no route holds.
    """
    gateway, signer_set = deployed[chain.caip2].gateway, plan.signer_set
    limit = {"window_blocks": chain.sender_window_blocks, "max_requests": chain.sender_max_requests}
    settings: list[tuple[str, dict[str, Any]]] = [
        ("install", {"set": format_signer_set(signer_set)}),
        ("set_offices", _offices(chain, deployer)),
        ("set_sender_limit", limit),
    ]
    for other in plan.others(chain):
        settings += _route(plan, chain, other, deployed[other.caip2])
    for name, fields in settings:
        yield _call(chain, deployer, gateway, name, fields)
    for grant in chain.grants:
        to = chain.account_text(grant.account)
        coins = (Coin(str(chain.fee_denom), str(grant.amount)),)
        yield Step(f"fund {to}", MsgSend(chain.account_text(deployer), to, coins))


def handover_steps(chain: ChainPlan, deployer: bytes, gateway: bytes) -> Iterator[Step]:
    """Nothing if the deployer stays the owner. The new owner sends `accept_ownership`."""
    if chain.owner in {None, deployer}:
        return
    assert chain.owner is not None
    yield _call(chain, deployer, gateway, "transfer_ownership", {"to": chain.account_text(chain.owner)})


def _offices(chain: ChainPlan, deployer: bytes) -> dict[str, str | None]:
    return {
        "guardian": None if chain.guardian is None else chain.account_text(chain.guardian),
        "treasury": chain.account_text(chain.treasury or chain.owner or deployer),
    }


def _route(
    plan: DeploymentPlan, chain: ChainPlan, other: ChainPlan, its: Deployed
) -> Iterator[tuple[str, dict[str, Any]]]:
    terms, there = plan.terms, its.offer
    if max(there.execution_overhead, there.expire) > _MAX_OVERHEAD_GAS or there.execution_per_byte > _MAX_GAS_PER_BYTE:
        raise DeploymentFailed(
            f"{chain.name}: no route holds the costs of {other.name} at its price of gas; raise it in the plan"
        )
    destination, gateway = _hex(other.chain.to_bytes()), _hex(other.account(its.gateway))
    route = {
        "destination_gateway": gateway,
        "queries": terms.allows_queries,
        "address_lengths": str(there.address_lengths),
        "max_payload_bytes": min(there.max_payload_bytes, _MAX_PAYLOAD_BYTES),
        "max_return_bytes": min(there.max_return_bytes, _MAX_RETURN_BYTES),
        "max_execution_gas": min(there.max_execution_gas, _MAX_EXECUTION_GAS),
        "max_callback_gas": _MAX_CALLBACK_GAS,
        "min_expiry_seconds": terms.min_expiry_seconds,
        "max_expiry_seconds": terms.max_expiry_seconds,
        "default_expiry_seconds": terms.default_expiry_seconds,
        "deadline_blocks": chain.deadline_blocks(terms),
        "max_deadline_blocks": max(terms.max_deadline_blocks, chain.deadline_blocks(terms)),
    }
    # Of cheap gas a coin of few decimals has a handful of units: rounded up, or requests would be carried at a loss.
    price = {
        "execution_price": str(math.ceil(other.price_per_gigagas * exchange(chain, offer(chain), other, there))),
        "callback_price": str(chain.price_per_gigagas),
        "signers_fee": str(_SIGNERS_FEE if chain.signers_fee is None else chain.signers_fee),
        "execution_overhead_gas": there.execution_overhead,
        "callback_overhead_gas": _CALLBACK_OVERHEAD,
        "expire_gas": there.expire,
        "execution_gas_per_byte": there.execution_per_byte,
        "callback_gas_per_byte": _CALLBACK_PER_BYTE,
        "margin_bps": _MARGIN_BPS,
        "query_bps": _QUERY_BPS,
    }
    yield "set_outbound", {"chain": destination, "route": route}
    yield "set_price", {"chain": destination, "price": price}
    yield "set_inbound", {"source_gateway": gateway, "registered": True}


def _call(chain: ChainPlan, deployer: bytes, gateway: bytes, name: str, fields: dict[str, Any]) -> Step:
    """A message to the gateway. Its digest tells it from one that a changed plan asks for."""
    message = orjson.dumps({name: fields})
    called = MsgExecuteContract(sender=chain.account_text(deployer), contract=chain.account_text(gateway), msg=message)
    return Step(f"{name} {keccak256(message).hex()[:8]}", called)


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"
