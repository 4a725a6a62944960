"""Whether a chain can be served: endpoints, clock, contracts, signer set, money.

Its job: look at one chain through its VM's own adapter, the one that the relayer will use. It knows no VM.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from attestation.address import (
    InteroperableAddress,
    bech32_prefix,
    parse_account,
    parse_account_text,
    parse_chain_text,
)
from attestation.request import Mode, Request
from attestation.statement import OutcomeKind
from relayer.cli.checks.finding import Finding, fault, good, warning
from relayer.domain.blocks import BlockRef, Head
from relayer.domain.observations import EpochApplied
from relayer.domain.signers import signer_text
from relayer.errors import ConfigError, RpcUnavailable
from relayer.ports.vm import ChainSettings, OpenChain, VmRegistration

MAX_LAG_SECONDS: Final = 60.0
"""How far one endpoint may be behind another: a load balancer's worst node, not one that stands still."""

MAX_SKEW_SECONDS: Final = 15.0
"""How far a block may be ahead of our clock: chains refuse blocks from further ahead of theirs."""

MAX_AGE_BLOCKS: Final = 20
"""How many block times old the tip may be, and 60 s at least: beyond that the chain or the endpoint stands still."""

LOW_BALANCE_GAS: Final = 2_000_000
"""Gas that the wallet should be able to pay at today's price: a handful of small transactions."""

SHORT_VALIDITY_SECONDS: Final = 7 * 86_400
"""A signer set with less left than this is about to end: rotations take people."""

_PROBE_GAS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Node:
    """What the checks of a chain need to know of the node: its key, and its configured peers' keys."""

    key: bytes
    peer_keys: Collection[bytes]


async def examine_chain(
    settings: ChainSettings, vm: VmRegistration | None, node: Node, coin_decimals: int
) -> list[Finding]:
    """All findings of one chain."""
    subject = settings.name
    if vm is None:
        advice = "install the package that serves this namespace, or take the chain out"
        return [fault(subject, "VM", f"no installed VM serves {settings.caip2}", advice)]
    findings = await _examine_endpoints(settings, vm)
    try:
        chain = await vm.open_chain(settings)
    except ConfigError as error:
        # The endpoints' own findings name those that serve another chain.
        detail = "; ".join(error.faults)
        return [*findings, fault(subject, "endpoints agree", detail, "correct the configuration of this chain")]
    try:
        return [*findings, *await _examine_open(settings, chain, node, coin_decimals)]
    finally:
        await chain.close()


async def _examine_endpoints(settings: ChainSettings, vm: VmRegistration) -> list[Finding]:
    """Each endpoint alone: whether it answers, for this chain, and is up to date."""
    heads: dict[str, Head] = {}
    findings = []
    for number, url in enumerate(settings.rpc_urls):
        check = f"rpc_urls[{number}]"
        alone = replace(settings, rpc_urls=(url,), rpc_quorum=1, ws_urls=())
        started = time.monotonic()
        try:
            chain = await vm.open_chain(alone)
        except ConfigError as error:
            advice = f"name an endpoint of {settings.caip2}"
            findings.append(fault(settings.name, check, "; ".join(error.faults), advice))
            continue
        try:
            heads[check] = await chain.source.fetch_head()
            took = time.monotonic() - started
            detail = f"at block {heads[check].tip.number}, final {heads[check].final_number}, {took * 1000:.0f} ms"
            findings.append(good(settings.name, check, detail))
        except RpcUnavailable as error:
            findings.append(fault(settings.name, check, str(error), "check the URL, the provider, the network"))
        finally:
            await chain.close()
    return [*findings, *_lagging(settings, heads)]


def _lagging(settings: ChainSettings, heads: dict[str, Head]) -> list[Finding]:
    best = max((head.tip.number for head in heads.values()), default=0)
    allowed = max(2, int(MAX_LAG_SECONDS / settings.block_time_seconds))
    return [
        warning(settings.name, f"{check} lag", f"{best - head.tip.number} blocks behind the others", "ask its provider")
        for check, head in heads.items()
        if best - head.tip.number > allowed
    ]


async def _examine_open(settings: ChainSettings, chain: OpenChain, node: Node, coin_decimals: int) -> Sequence[Finding]:
    subject, check = settings.name, "endpoints agree"
    wanted = f"{settings.rpc_quorum} of {len(settings.rpc_urls)}"
    try:
        head = await chain.source.fetch_head()
    except RpcUnavailable as error:
        advice = "more endpoints must answer alike before anything is signed"
        return [fault(subject, check, f"{wanted} needed: {error}", advice)]
    findings = [good(subject, check, f"{wanted} needed, block {head.tip.number}, final {head.final_number}")]
    for name, look in (
        ("clock", partial(_examine_clock, settings, chain, head.tip)),
        ("contracts", partial(_examine_contracts, settings, chain, head.tip)),
        ("signer set", partial(_examine_signers, settings, chain, head.tip, node)),
        ("wallet", partial(_examine_wallet, settings, chain, coin_decimals)),
    ):
        try:
            findings += await look()
        except RpcUnavailable as error:
            findings.append(fault(subject, name, str(error), "the endpoints must answer this; ask their providers"))
    return findings


async def _examine_clock(settings: ChainSettings, chain: OpenChain, tip: BlockRef) -> list[Finding]:
    blocks = await chain.source.fetch_blocks(tip.number, tip.number)
    if not blocks:
        return [warning(settings.name, "clock", "the latest block changed meanwhile", "run it again")]
    age = time.time() - blocks[0].timestamp
    if -age > MAX_SKEW_SECONDS:
        detail = f"the latest block is {-age:.0f} s ahead of this machine's clock"
        return [fault(settings.name, "clock", detail, "set the clock, and keep it by NTP")]
    if age > max(MAX_LAG_SECONDS, MAX_AGE_BLOCKS * settings.block_time_seconds):
        detail = f"the latest block is {age:.0f} s old by this machine's clock"
        return [fault(settings.name, "clock", detail, "the chain or the endpoints stand still, or the clock is ahead")]
    return [good(settings.name, "clock", f"the latest block is {max(age, 0):.0f} s old")]


async def _examine_contracts(settings: ChainSettings, chain: OpenChain, tip: BlockRef) -> list[Finding]:
    """Whether there is code at the gateway's and the verifier's address: a QUERY of what has none is UNREACHED."""
    gateway = chain.source.gateway
    accounts = {
        "gateway": (settings.gateway, parse_account(gateway)),
        "verifier": (settings.verifier, parse_account_text(f"{settings.caip2}:{settings.verifier}")),
    }
    probes = [_probe(gateway, account) for _, account in accounts.values()]
    destination = chain.destination
    if destination.reads_history is True:
        answers = await destination.fetch_answers(tip, probes)
    else:
        answers = await destination.fetch_present_answers(probes)
    findings = []
    for (name, (text, _)), answer in zip(accounts.items(), answers, strict=True):
        if answer is None:
            advice = "the endpoints must have the state of the latest block; ask their providers"
            findings.append(fault(settings.name, name, f"the endpoints do not agree on {text}", advice))
        elif answer.kind is OutcomeKind.UNREACHED:
            advice = f"correct chains.{name} of {settings.name}"
            findings.append(fault(settings.name, name, f"{text} has no code", advice))
        else:
            findings.append(good(settings.name, name, text))
    verifier_fault = await chain.source.fetch_verifier_fault()
    if verifier_fault:
        findings.append(
            fault(settings.name, "gateway's verifier", verifier_fault, f"correct chains.verifier of {settings.name}")
        )
    return findings


def _probe(gateway: bytes, target: InteroperableAddress) -> Request:
    """An empty QUERY that only this program will ever see."""
    return Request(
        source_gateway=gateway,
        sender=gateway,
        destination_gateway=b"",
        target=target.to_bytes(),
        nonce=0,
        mode=Mode.QUERY,
        own_account=False,
        payload=b"",
        execution_gas_limit=_PROBE_GAS,
        callback_gas_limit=0,
        return_limit=0,
        expiry=0,
        ordered_after=0,
        origin=0,
        code_hash=bytes(32),
        dispute_blocks=0,
        metadata=b"",
    )


async def _examine_signers(settings: ChainSettings, chain: OpenChain, tip: BlockRef, node: Node) -> list[Finding]:
    subject, check = settings.name, "signer set"
    epochs = await chain.source.fetch_epochs(tip)
    if not epochs:
        advice = "install a signer set, and see that chains.verifier is right"
        return [fault(subject, check, "the verifier accepts no signer set now", advice)]
    newest = epochs[-1]
    findings = [_membership(subject, newest, node.key)]
    signer_set = newest.signer_set
    known = {node.key, *node.peer_keys}
    weight = signer_set.weight_of(known)
    strangers = [signer_text(key) for key in signer_set.keys if key not in known]
    if weight < signer_set.threshold:
        detail = f"this node and its peers weigh {weight} of the {signer_set.threshold} needed"
        findings.append(fault(subject, "quorum", detail, f"add [[peers]] for {', '.join(strangers)}"))
    elif strangers:
        findings.append(
            warning(subject, "quorum", f"{len(strangers)} signers are no peers", f"add {', '.join(strangers)}")
        )
    else:
        findings.append(good(subject, "quorum", f"{signer_set.threshold} of {signer_set.total_weight} needed"))
    return findings


def _membership(subject: str, newest: EpochApplied, key: bytes) -> Finding:
    check, remaining = "signer set", newest.valid_until - time.time()
    if newest.signer_set.index_of(key) is None:
        detail = f"{signer_text(key)} is not in epoch {newest.epoch}"
        return fault(subject, check, detail, "use the key that is, or have the set rotated to hold this one")
    detail = f"in epoch {newest.epoch}, valid for another {remaining / 86_400:.1f} days"
    if remaining < SHORT_VALIDITY_SECONDS:
        return warning(subject, check, detail, "rotate the signer set soon: afterwards nothing is accepted from it")
    return good(subject, check, detail)


async def _examine_wallet(settings: ChainSettings, chain: OpenChain, coin_decimals: int) -> list[Finding]:
    wallet, subject = chain.wallet, settings.name
    balance = await wallet.fetch_balance()
    bid = await wallet.fetch_fee_bid()
    account = InteroperableAddress(parse_chain_text(settings.caip2), wallet.address)
    detail = f"{account.to_text(bech32_prefix(settings.gateway))} holds {balance / 10**coin_decimals:.6g} coins"
    findings = []
    if balance == 0:
        findings.append(fault(subject, "wallet", detail, "send it coins: it pays for executions and callbacks"))
    elif balance < LOW_BALANCE_GAS * bid.expected_fee // wallet.fee_divisor:
        findings.append(warning(subject, "wallet", detail, "send it coins: they are used up after a few transactions"))
    else:
        findings.append(good(subject, "wallet", detail))
    if bid.expected_fee > wallet.max_fee_cap:
        price = f"{bid.expected_fee} a unit of gas, above the configured {wallet.max_fee_cap}"
        findings.append(warning(subject, "gas price", price, "raise max_fee_per_gas, or wait"))
    return findings
