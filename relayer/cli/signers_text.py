"""Signer sets for people: a set, what the next one changes, and how far a rotation is.

Its job: lay out. Pure; it judges no set. SECURITY: whoever accepts a set reads this: every member is shown whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from attestation.schemes import scheme_of
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from attestation.signer_set_file import NumberedSet, parse_signer_set
from relayer.domain.signers import shown_text


def set_lines(numbered: NumberedSet) -> Iterator[str]:
    """A set, member by member."""
    signer_set = numbered.signer_set
    yield f"epoch        {numbered.epoch}"
    yield f"hash         0x{numbered.rotate.signer_set_hash.hex()}"
    yield f"scheme       {scheme_of(signer_set.scheme).name}"
    yield f"threshold    {signer_set.threshold} of {signer_set.total_weight}"
    yield f"valid until  {moment(signer_set.valid_until)}"
    yield f"grace        {signer_set.grace_seconds} s"
    yield from (f"  {_member(signer)}" for signer in signer_set.signers)


def difference_lines(present: SignerSet, following: SignerSet) -> Iterator[str]:
    """What the following set changes, a line each: - gone, + new, nothing for what stays."""
    former = {signer.key: signer for signer in present.signers}
    coming = {signer.key: signer for signer in following.signers}
    yield from (f"- {_member(signer)}" for key, signer in former.items() if coming.get(key) != signer)
    yield from (f"+ {_member(signer)}" for key, signer in coming.items() if former.get(key) != signer)
    for name, before, after in (
        ("scheme", present.scheme, following.scheme),
        ("threshold", present.threshold, following.threshold),
        ("total weight", present.total_weight, following.total_weight),
        ("valid until", moment(present.valid_until), moment(following.valid_until)),
        ("grace seconds", present.grace_seconds, following.grace_seconds),
    ):
        if before != after:
            yield f"~ {name}: {before} → {after}"
    if present.keys != following.keys and sorted(present.keys) == sorted(following.keys):
        yield "~ the order of the signers"


def replacement_lines(present: Mapping[str, SignerSet], following: SignerSet) -> Iterator[str]:
    """What the following set changes at the gateways of these chains (CAIP-2): once for each set that they have."""
    chains: dict[SignerSet, list[str]] = {}
    for chain, signer_set in present.items():
        chains.setdefault(signer_set, []).append(chain)
    for signer_set, having in chains.items():
        yield f"replaces 0x{signer_set_hash(signer_set).hex()} at {', '.join(having)}"
        yield from difference_lines(signer_set, following)


def coming_lines(gateways: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What the accepted sets change, from the answer of a node's API. Raises `AttestationError` if it lists no sets."""
    present: dict[SignerSet, dict[str, SignerSet]] = {}
    for gateway in gateways:
        if gateway["next"] is not None:
            following, former = (parse_signer_set(json.dumps(gateway[when]["set"])) for when in ("next", "current"))
            present.setdefault(following.signer_set, {})[gateway["chain"]] = former.signer_set
    for signer_set, replaced in present.items():
        yield f"next set 0x{signer_set_hash(signer_set).hex()}"
        yield from (f"  {line}" for line in replacement_lines(replaced, signer_set))


def status_lines(gateway: Mapping[str, Any], now: float) -> Iterator[str]:
    """How one gateway stands, from the answer of a node's API."""
    yield f"{gateway['gateway']}"
    current, following = gateway["current"], gateway["next"]
    if current is None:
        yield "  no signer set is known here yet"
        return
    days = (current["valid_until"] - now) / 86_400
    lapse = f"in {days:.1f} days" if days > 0 else "LAPSED: nothing of it is accepted any more"
    yield f"  now   epoch {current['epoch']}  {current['hash']}, valid until {moment(current['valid_until'])} ({lapse})"
    if following is None:
        yield f"  next  this node's operator accepted no set for epoch {current['epoch'] + 1} after this one"
    else:
        yield f"  next  epoch {following['epoch']}  {following['hash']}"
        yield f"        weight {following['weight']} of {following['threshold']} needed"
        for signer in following["signers"]:
            yield f"        {'signed    ' if signer['has_signed'] else 'not signed'}  {shown_text(signer['key'])}"
    for rival in gateway["rivals"]:
        yield f"  OTHER {shown_text(rival['signer'])} signed another set: {rival['hash']}"


def moment(seconds: int) -> str:
    """Seconds since the epoch in words; years that no calendar has, as they are."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def _member(signer: Signer) -> str:
    return f"0x{signer.key.hex()} weight {signer.weight} operator {operator_text(signer.operator)}"


def operator_text(operator: bytes) -> str:
    """The name in the 32 bytes if they are one, else their hex."""
    name = operator.rstrip(b"\0")
    if name.isascii() and (text := name.decode("ascii")).isprintable() and text:
        return text
    return f"0x{operator.hex()}"
