"""The transactions of a deployment, in their order. Pure: from a plan to calldata; it reaches no chain.

Source: contracts/evm/README.md, section Deploying; the numbers below are that table's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from web3 import Web3
from web3.contract import Contract

from attestation.address import checksum_address
from attestation.keccak import keccak256
from relayer.domain.finality import FinalityTag
from relayer.ports.deployment import ChainPlan, Deployed, DeploymentFailed, DeploymentPlan, Offer, exchange
from relayer.vms.evm.contract_artifacts import load_artifact
from relayer.vms.evm.verifiers import VERIFIERS, Verifier

MAX_EXECUTION_GAS: Final = 10_000_000
MAX_CALLBACK_GAS: Final = 10_000_000
MAX_PAYLOAD_BYTES: Final = 65_536
MAX_RETURN_BYTES: Final = 65_536
"""The protocol's caps: a route may bring as much as any."""

EVM_ADDRESS_LENGTHS: Final = 1 << 20
"""Bit 20: addresses of 20 bytes."""

COIN_DECIMALS: Final = 18

_SIGNERS_WEI: Final = 10**12
"""Flat, per request, where the plan does not say."""

_NOBODY: Final = bytes(20)

_MAX_OVERHEAD_GAS: Final = 2**32 - 1
_MAX_GAS_PER_BYTE: Final = 2**16 - 1
"""What the contract's fields hold; Source: IXvmRoutes.Price."""

_CREATE_GAS: Final = 53_000
_CALLDATA_GAS_PER_BYTE: Final = 18
"""EIP-2028's 16 for a byte that is not zero, EIP-3860's 2 for a word of creation code, rounded up."""
_CODE_GAS_PER_BYTE: Final = 200
_CONSTRUCTOR_GAS: Final = 2_500_000
"""What a constructor may use: the gateway's creates the executor and the accounts. Unused gas is not paid."""

_BATCH_WINDOW_BLOCKS: Final = 1
"""Each block its own batch."""

_FINALITY_NUMBERS: Final = {FinalityTag.FINALIZED: 0, FinalityTag.SAFE: 1}
_FINALITY_DEPTH: Final = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction. `to` None creates a contract. `gas_limit` None: estimate it."""

    name: str
    to: bytes | None
    data: bytes
    value: int = 0
    gas_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Contracts:
    """One chain's contracts, 20-byte addresses."""

    routes: bytes
    registry: bytes
    gateway: bytes
    verifier: bytes


def created_contracts(plan: DeploymentPlan) -> tuple[str, ...]:
    """The contracts of each chain, in the order of their creation."""
    return ("XvmRoutes", "XvmRegistry", "XvmGateway", _verifier(plan).contract)


def creation_steps(network: DeploymentPlan, plan: ChainPlan, deployer: bytes, addresses: Contracts) -> Iterator[Step]:
    """Steps 1 to 4. `addresses` are where the contracts will be, which follows from the deployer's nonces."""
    treasury, guardian = plan.treasury or plan.owner or deployer, plan.guardian or _NOBODY
    block_milliseconds = max(1, round(plan.block_time_seconds * 1000))
    all_arguments = (
        (deployer, guardian, plan.max_pause_blocks, plan.quote_validity_blocks, block_milliseconds),
        (deployer,),
        (deployer, guardian, plan.max_pause_blocks, treasury, addresses.routes, addresses.registry),
        (addresses.gateway, deployer),
    )
    for name, arguments in zip(created_contracts(network), all_arguments, strict=True):
        artifact = load_artifact(name)
        data = _contract(name).constructor(*map(_argument, arguments)).data_in_transaction
        yield Step(
            name=f"create {name}",
            to=None,
            data=_bytes(data),
            gas_limit=_CREATE_GAS
            + _CALLDATA_GAS_PER_BYTE * len(artifact.creation_code)
            + _CODE_GAS_PER_BYTE * artifact.deployed_length
            + _CONSTRUCTOR_GAS,
        )


def proof_steps(plan: DeploymentPlan, own: Contracts) -> Iterator[Step]:
    """What the verifier must know of the keys before step 7: nothing, unless all at once do not fit a transaction."""
    verifier = _verifier(plan)
    signers, count = _signers(plan), verifier.keys_per_proof
    if count is None or len(signers) <= count:
        return
    for start in range(0, len(signers), count):
        yield _call(own.verifier, verifier.contract, "prove", signers[start : start + count])


def configuration_steps(
    plan: DeploymentPlan, chain: ChainPlan, own: Contracts, deployed: Mapping[str, Deployed]
) -> Iterator[Step]:
    """Steps 5 to 13, and the plan's grants. They do not depend on one another.

    `deployed` are those of all chains of the plan, by CAIP-2. Raises `DeploymentFailed` for costs that no route holds.
    """
    yield _call(own.gateway, "XvmGateway", "setVerifier", own.verifier)
    yield _call(own.gateway, "XvmGateway", "setSenderLimit", chain.sender_window_blocks, chain.sender_max_requests)
    signer_set = plan.signer_set
    yield _call(
        own.verifier,
        _verifier(plan).contract,
        "install",
        (signer_set.scheme, signer_set.threshold, signer_set.valid_until, signer_set.grace_seconds, _signers(plan)),
    )
    for other in plan.others(chain):
        yield from _route_steps(plan, chain, other, own, deployed)
    for any_chain in plan.chains:
        yield _record_chain(own, any_chain, deployed[any_chain.caip2])
        for other in plan.others(any_chain):
            source = any_chain.account(deployed[any_chain.caip2].gateway)
            for destination in (other.account(deployed[other.caip2].gateway), other.chain.to_bytes()):
                windows = (_BATCH_WINDOW_BLOCKS, _BATCH_WINDOW_BLOCKS, 0, 0)
                yield _call(own.registry, "XvmRegistry", "recordRoute", source, destination, windows)
    for operator in plan.operators:
        yield _call(
            own.registry, "XvmRegistry", "setOperator", operator.name, (operator.endpoint, _argument(operator.payout))
        )
    for grant in chain.grants:
        yield Step(f"fund {checksum_address(grant.account)}", grant.account, b"", grant.amount)


def handover_steps(plan: DeploymentPlan, chain: ChainPlan, deployer: bytes, own: Contracts) -> Iterator[Step]:
    """Step 14: nothing if the deployer stays the owner. The new owner calls `acceptOwnership` on each."""
    if chain.owner in {None, deployer}:
        return
    addresses = (own.routes, own.registry, own.gateway, own.verifier)
    for name, address in zip(created_contracts(plan), addresses, strict=True):
        yield _call(address, name, "transferOwnership", chain.owner)


def _verifier(plan: DeploymentPlan) -> Verifier:
    return VERIFIERS[plan.signer_set.scheme]


def _signers(plan: DeploymentPlan) -> list[tuple[bytes, int, bytes]]:
    """The signers as the contract takes them."""
    return [(signer.key, signer.weight, signer.operator) for signer in plan.signer_set.signers]


def offer(plan: DeploymentPlan) -> Offer:
    """What an EVM chain of this network takes."""
    gas = _verifier(plan).terms
    return Offer(
        coin_decimals=COIN_DECIMALS,
        address_lengths=EVM_ADDRESS_LENGTHS,
        max_payload_bytes=MAX_PAYLOAD_BYTES,
        max_return_bytes=MAX_RETURN_BYTES,
        max_execution_gas=MAX_EXECUTION_GAS,
        execution_overhead=gas.execution_overhead,
        execution_per_byte=gas.execution_per_byte,
        expire=gas.expire,
    )


def _route_steps(
    plan: DeploymentPlan, chain: ChainPlan, other: ChainPlan, own: Contracts, deployed: Mapping[str, Deployed]
) -> Iterator[Step]:
    terms, gas, its = plan.terms, _verifier(plan).terms, deployed[other.caip2].offer
    if max(its.execution_overhead, its.expire) > _MAX_OVERHEAD_GAS or its.execution_per_byte > _MAX_GAS_PER_BYTE:
        raise DeploymentFailed(
            f"{chain.name}: no route holds the costs of {other.name} at its price of gas; raise it in the plan"
        )
    other_gateway = other.account(deployed[other.caip2].gateway)
    outbound = (
        other_gateway,
        terms.allows_queries,
        its.address_lengths,
        min(its.max_payload_bytes, MAX_PAYLOAD_BYTES),
        min(its.max_return_bytes, MAX_RETURN_BYTES),
        min(its.max_execution_gas, MAX_EXECUTION_GAS),
        MAX_CALLBACK_GAS,
        terms.min_expiry_seconds,
        terms.max_expiry_seconds,
        terms.default_expiry_seconds,
        chain.deadline_blocks(terms),
        max(terms.max_deadline_blocks, chain.deadline_blocks(terms)),
    )
    price = (
        int(other.price_per_gigagas * exchange(chain, offer(plan), other, its)),
        chain.price_per_gigagas,
        _SIGNERS_WEI if chain.signers_fee is None else chain.signers_fee,
        its.execution_overhead,
        gas.callback_overhead,
        its.expire,
        its.execution_per_byte,
        gas.callback_per_byte,
        gas.margin_bps,
        gas.query_bps,
    )
    destination = other.chain.to_bytes()
    yield _call(own.routes, "XvmRoutes", "setOutbound", destination, outbound)
    yield _call(own.routes, "XvmRoutes", "setPrice", destination, price)
    yield _call(own.routes, "XvmRoutes", "setInbound", other_gateway, True)  # noqa: FBT003 - the contract's argument


def _record_chain(own: Contracts, chain: ChainPlan, its: Deployed) -> Step:
    rule = chain.finality
    number = _FINALITY_DEPTH if rule.tag is None else _FINALITY_NUMBERS[rule.tag]
    record = (chain.account(its.gateway), number, rule.depth_blocks or 0, 0)
    return _call(own.registry, "XvmRegistry", "recordChain", chain.chain.to_bytes(), record)


def _call(to: bytes, contract: str, function: str, *arguments: Any) -> Step:
    data = _bytes(_contract(contract).encode_abi(function, args=[_argument(argument) for argument in arguments]))
    return Step(f"{contract}.{function} {keccak256(data).hex()[:8]}", to, data)


def _contract(name: str) -> type[Contract]:
    return Web3().eth.contract(abi=load_artifact(name).abi, bytecode=load_artifact(name).creation_code)


def _argument(value: Any) -> Any:
    """Addresses as the library takes them: a bare 20 bytes is one; ERC-7930 bytes and names are longer."""
    return checksum_address(value) if isinstance(value, bytes) and len(value) == 20 else value  # noqa: PLR2004


def _bytes(data: Any) -> bytes:
    return bytes.fromhex(str(data).removeprefix("0x"))
