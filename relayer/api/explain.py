"""One paragraph in plain words: where a request stands, what it waits for, and what anybody can do about it.

Its job: turn what the store knows into sentences, with the command to type. Pure, and never an input of anything: the
words may change with every release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from attestation.address import parse_account, parse_interoperable_address
from attestation.errors import MalformedAddress
from attestation.statement import OutcomeKind
from relayer.api.account_texts import AccountTexts
from relayer.api.views import hash_text
from relayer.domain.rounds import ROUND_SECONDS
from relayer.domain.route import Route
from relayer.domain.signers import signer_text
from relayer.domain.status import ENDS, Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.node_status import ChainStatus
from relayer.ports.signer import Attestation
from relayer.ports.store import OwnTransaction, StoredEpoch, TransactionStatus, Transition
from relayer.ports.vm import GatewayCommands

MAX_SHOWN_DATA_BYTES: Final = 1_024
"""Return data that is written into a command; longer ones do not fit a shell's line and are in `return_data` anyhow."""

_KINDS: Final = {
    OutcomeKind.EXECUTED: "was executed",
    OutcomeKind.REVERTED: "reverted, or ran out of its gas",
    OutcomeKind.UNREACHED: "could not be reached: no code, another code hash, or a forbidden target",
    OutcomeKind.EXPIRED: "was not executed before it expired",
    OutcomeKind.DUPLICATE: "had been consumed by an earlier attempt",
}

_HOLDS: Final = {
    "fee_below_cost": "its fee does not cover what the transaction would cost now",
    "wallet_balance_too_low": "this node's paying account cannot bear the transaction; its operator must fund it",
    "window_full": "as many requests of its route as this node's operator wants are in open transactions already",
    "PredecessorOpen": "it is ordered after a request that has neither been executed nor expired yet",
}

_REJECTIONS: Final = {
    "no_route": "no relayer route leads from its gateway to where it is to go",
    "malformed": "it breaks a rule of the protocol, which no gateway of this version emits",
}

_TAKEOVER: Final = "if the one whose turn it is does not, the next one takes over."

_OPEN_TRANSACTIONS: Final = frozenset({TransactionStatus.SIGNED, TransactionStatus.MINED})


@dataclass(frozen=True, slots=True)
class Facts:
    """What the paragraph is made of.

    `epoch` is the signer set that must sign the batch in question (Execute before the receipt, Outcome after it), the
    verifying gateway's newest, and `attestations` are those over that batch; `chains` by CAIP-2, `commands` by its
    namespace; `now` in wall-clock seconds.
    """

    request: TrackedRequest
    route: Route | None
    transitions: Sequence[Transition]
    transactions: Sequence[OwnTransaction]
    attestations: Sequence[Attestation]
    epoch: StoredEpoch | None
    chains: Mapping[str, ChainStatus]
    commands: Mapping[str, GatewayCommands]
    accounts: AccountTexts
    now: float


def explain(facts: Facts) -> str:
    """The paragraph."""
    sentences = [*_standing(facts), _given_up(facts), *_since(facts), *_halts(facts)]
    return " ".join(sentence for sentence in sentences if sentence)


def _standing(facts: Facts) -> Sequence[str]:  # noqa: C901, PLR0911, PLR0912 - one case a status
    """Where it stands and what it waits for; empty sentences are left out."""
    request, source, destination = facts.request, _source(facts), _destination(facts)
    match request.status:
        case Status.OBSERVED:
            return (
                f"The request stands in block {request.block.number} of {source}, which is not final yet.",
                _finality(facts, source, request.block.number),
                "Nothing needs to be done.",
            )
        case Status.FINAL if request.is_call:
            return (f"The request is final on {source} and waits for a quorum of signers.", _quorum(facts))
        case Status.FINAL:
            return (f"The question is final on {source}.", *_reading(facts, destination), "Nothing needs to be done.")
        case Status.CERTIFIED:
            return (
                "A quorum of signers attests the request.",
                f"It waits for a relayer to execute it on {destination}; {_TAKEOVER}",
            )
        case Status.EXECUTION_HELD:
            held = f"A quorum attests the request, but this node does not execute it now: {_hold(facts)}"
            return (held, _lapse(facts))
        case Status.DISPATCHED:
            sent = _in_transaction(destination, request.execute_tx_hash)
            return (f"The request was sent to {destination}{sent} and waits to be mined there.", _pending(facts))
        case Status.LANDED:
            return (_what_became(facts), "The block with the receipt is not final yet.", _receipt_finality(facts))
        case Status.CONCLUDED:
            return (_what_became(facts), "That waits for a quorum of signers.", _quorum(facts))
        case Status.ATTESTED:
            return (
                _what_became(facts),
                "A quorum attests it.",
                f"It waits for a relayer to run the callback on {source}; {_TAKEOVER}",
            )
        case Status.CALLBACK_HELD:
            held = f"A quorum attests it, but this node does not deliver it now: {_hold(facts)}"
            return (_what_became(facts), held)
        case Status.SUBMITTED:
            sent = _in_transaction(source, request.callback_tx_hash)
            return (
                _what_became(facts),
                f"Its callback was sent to {source}{sent} and waits to be final there.",
                _pending(facts),
            )
        case Status.DELIVERED:
            return (f"The request is done: its callback ran on {source}.", _what_became(facts))
        case Status.HANDLER_FAILED:
            gas = request.request.callback_gas_limit
            return (_what_became(facts), f"Its callback on {source}, with {gas} gas, did not succeed.", _replay(facts))
        case Status.CANCELLED:
            return (
                f"The requester took the request back on {source}; there is no callback.",
                _what_became(facts) if request.conclusion else "",
            )
        case Status.ORPHANED:
            return (
                f"The block of {source} that held the request left the chain before it was final.",
                "If the same transaction is mined again, the request is taken up again; else it never happened.",
                "The requester can look for the transaction and send it again.",
            )
        case Status.REJECTED:
            reason = _REJECTIONS.get(request.hold_reason, request.hold_reason)
            return (
                f"The request can never end here: {reason}.",
                "No relayer with the same routes will serve it, and nothing but another request can change that.",
            )
        case _:
            assert_never(request.status)


def _given_up(facts: Facts) -> str:
    """What follows from a cancel while the request is open."""
    if facts.request.returned_fee is None or facts.request.status in ENDS:
        return ""
    return (
        f"The requester took it back on {_source(facts)}, so there will be no callback; it may have been executed, or "
        f"may be yet. What is left of its fee, {facts.request.fee_left} of the chain's smallest unit, pays whoever "
        "executed it once the outcome is shown there, or can be taken back with `reclaim` 7 days after the cancel."
    )


def _in_transaction(chain: str, tx_hash: bytes) -> str:
    return f" in transaction {hash_text(chain, tx_hash)}" if tx_hash else ""


def _since(facts: Facts) -> list[str]:
    """How long it has been so, and in all."""
    if not facts.transitions:
        return []
    last, first = facts.transitions[-1], facts.transitions[0]
    if facts.request.status in ENDS:
        return [f"It took {_duration(last.at - first.at)} from first sight."]
    so_far, in_all = _duration(facts.now - last.at), _duration(facts.now - first.at)
    return [f"It has been so for {so_far}, and was first seen {in_all} ago."]


def _halts(facts: Facts) -> list[str]:
    """Chains of this route on which this node has stopped working."""
    if facts.route is None or facts.request.status in ENDS:
        return []
    return [
        f"This node has halted {chain.caip2} ({chain.halt_reason}): it signs and sends nothing about it until its "
        f"operator has looked, with `xvm chain halts`, and taken it up again, with `xvm chain resume {chain.name}`."
        for name in dict.fromkeys((facts.route.source_chain, facts.route.destination_chain))
        if (chain := facts.chains.get(name)) is not None and chain.halt_reason
    ]


def _reading(facts: Facts, destination: str) -> Sequence[str]:
    chain = facts.chains.get(destination)
    if chain is None or chain.reads_history:
        return (
            f"It is answered as of the last block of {destination} not later than the one that asked.",
            "Once a later block there is final, a quorum of signers must give the same answer.",
        )
    return (
        f"What {destination} says can only be read as it is now: signers name in turn what they read,",
        f"{ROUND_SECONDS} seconds each, until a quorum has read the same since the question became final.",
    )


def _source(facts: Facts) -> str:
    if facts.route is not None:
        return facts.route.source_chain
    return _chain_of(facts.request.request.source_gateway)


def _destination(facts: Facts) -> str:
    if facts.route is not None:
        return facts.route.destination_chain
    return _chain_of(facts.request.request.target)


def _chain_of(address: bytes) -> str:
    try:
        return str(parse_interoperable_address(address).chain)
    except MalformedAddress:
        return "an unknown chain"


def _finality(facts: Facts, name: str, number: int) -> str:
    chain = facts.chains.get(name)
    if chain is None:
        return ""
    missing = number - chain.final_number
    if missing > 0:
        return (
            f"{missing} more {_plural(missing, 'block')} of {name} must become final (it is at {chain.final_number})."
        )
    return "It is final on the chain by now and about to be taken in."


def _receipt_finality(facts: Facts) -> str:
    conclusion = facts.request.conclusion
    return "" if conclusion is None else _finality(facts, _destination(facts), conclusion.outcome.height)


def _quorum(facts: Facts) -> str:
    """How far the quorum is, and who is missing."""
    if facts.epoch is None:
        return "This node has not signed its batch yet, or does not know the verifying gateway's signers."
    signer_set, epoch = facts.epoch.signer_set, facts.epoch.epoch
    signed = {attestation.signer for attestation in facts.attestations if attestation.epoch == epoch}
    weight = signer_set.weight_of(signed)
    missing = [signer_text(key) for key in signer_set.keys if key not in signed]
    text = f"Signers with weight {weight} of the {signer_set.threshold} needed have signed for epoch {epoch}."
    if not missing:
        return text
    return (
        f"{text} Not yet: {', '.join(missing)}. Their operators can see why with `xvm doctor`; "
        "the others need do nothing."
    )


def _hold(facts: Facts) -> str:
    reason = facts.request.hold_reason
    text = f"{_hold_text(reason)}. It is looked at again from time to time."
    # A gateway takes no more fee for what was cancelled.
    if reason != "fee_below_cost" or facts.request.returned_fee is not None:
        return text
    return f"{text} {_add_fee(facts)}"


def _lapse(facts: Facts) -> str:
    """What becomes of a call that nobody executes."""
    left = facts.request.request.expiry - facts.now
    if left <= 0:
        return "It is past its expiry, so that it ends as EXPIRED."
    return f"If nobody executes it within {_duration(left)}, it ends as EXPIRED."


def _hold_text(reason: str) -> str:
    return _HOLDS.get(reason, f"it would fail with {reason}")


def _add_fee(facts: Facts) -> str:
    request = facts.request
    gateway, commands = _gateway_commands(facts)
    if gateway is None or commands is None:
        return "Anybody can add to the fee at the source gateway."
    command = commands.add_fee(gateway, request.request_id)
    return f"Its fee is {request.fee}, in the chain's smallest unit; anybody can add to it: `{command}`."


def _replay(facts: Facts) -> str:
    request, conclusion = facts.request, facts.request.conclusion
    if conclusion is None:
        return "Anybody who knows the outcome can replay the callback at the source gateway."
    gateway, commands = _gateway_commands(facts)
    if gateway is None or commands is None or len(conclusion.return_data) > MAX_SHOWN_DATA_BYTES:
        return "Anybody can replay it with more gas, at the source gateway and with this outcome."
    gas = 2 * request.request.callback_gas_limit
    command = commands.replay(gateway, conclusion.outcome, conclusion.return_data, gas)
    return f"Anybody can replay it with more gas, here twice as much: `{command}`."


def _gateway_commands(facts: Facts) -> tuple[str | None, GatewayCommands | None]:
    """The request's gateway as CAIP-10, and what its VM's people type there."""
    data = facts.request.request.source_gateway
    try:
        chain = parse_account(data).chain
    except MalformedAddress:
        return None, None
    return facts.accounts.caip10(data), facts.commands.get(chain.namespace)


def _pending(facts: Facts) -> str:
    """What this node's own open transaction for the request looks like."""
    open_ones = [item for item in facts.transactions if item.status in _OPEN_TRANSACTIONS]
    if not open_ones:
        return ""
    last = open_ones[-1]
    if last.status is TransactionStatus.MINED and last.mined is not None:
        return f"It is mined in block {last.mined.number}. {_finality(facts, last.chain, last.mined.number)}"
    tries = len(last.attempts)
    return f"It was offered {tries} {_plural(tries, 'time')} so far, each at a higher price. Nothing needs to be done."


def _what_became(facts: Facts) -> str:
    conclusion = facts.request.conclusion
    if conclusion is None:
        return ""
    if facts.request.is_call:
        told = f"The call {_KINDS[conclusion.outcome.kind]} on {_destination(facts)}, block {conclusion.outcome.height}"
        reason = _why_unexecuted(facts) if conclusion.outcome.kind is OutcomeKind.EXPIRED else ""
        return f"{told}; this node had not executed it because {reason}." if reason else f"{told}."
    verb = "was answered" if conclusion.outcome.kind is OutcomeKind.EXECUTED else "failed"
    if conclusion.outcome.round:
        return f"The question {verb} in round {conclusion.outcome.round} on {_destination(facts)}."
    return f"The question {verb} as of block {conclusion.outcome.height} of {_destination(facts)}."


def _why_unexecuted(facts: Facts) -> str:
    """What this node last held the execution back for; empty if it never did."""
    held = [step.reason for step in facts.transitions if step.after is Status.EXECUTION_HELD and step.reason]
    return _hold_text(held[-1]) if held else ""


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _duration(seconds: float) -> str:
    """Two units at the most: people read it."""
    whole = max(int(seconds), 0)
    if whole < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{max(seconds, 0.0):.1f} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - minutes in an hour
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
