"""Every limit and delay of the stages, named, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StageSettings:
    """All in seconds unless the name says otherwise. The defaults suit chains with blocks of seconds."""

    takeover_seconds: float = 4.0
    """How long each rank waits for the one before it: a few blocks, so that a late one is not paid twice."""

    split_seconds: float = 20.0
    """How long a whole batch is given to find its quorum: longer than peers differ in seeing a block final."""

    hold_recheck_seconds: float = 30.0
    """How often what does not pay is looked at again; prices move on this scale."""

    window_requests: int = 1_000
    """Requests of one route in flight in our own transactions, executions and deliveries each: what a stuck chain can
    hold of our money at a time."""

    window_recheck_seconds: float = 2.0
    """When what found the window full is looked at again: a block or two."""

    unsignable_recheck_seconds: float = 2.0
    """When to look again at a batch whose gateway's epochs are not known yet (its chain is not reached), or halted."""

    settle_recheck_seconds: float = 10.0
    """When to look again at what the tip says somebody else has done; the final block normally tells earlier."""

    backoff_first_seconds: float = 0.5
    backoff_cap_seconds: float = 30.0
    """Capped so that a recovered endpoint is used within half a minute."""

    costly_backoff_cap_seconds: float = 3_600.0
    """The same where each attempt is paid for: what fails for a week costs some 180 fees, and not 40,000."""

    claim_limit: int = 1024
    """Effects taken in one step: four full batches, what one large transaction and one database commit carry well."""

    resign_limit: int = 8192
    """Batches signed again when an epoch is applied, of each kind: what hours of full blocks leave unlanded."""

    max_blocks_per_step: int = 64
    """Blocks taken in per commit while catching up: bounds memory and the time of one transaction."""

    open_transactions_limit: int = 16
    """Own transactions per chain that are sent and not mined; nodes' pools refuse long queues of one account."""

    unsequenced_transactions_limit: int = 1_000
    """The same where transactions do not queue: each carries one request or so, and a route's window bounds those."""

    groundwork_recheck_seconds: float = 0.5
    """When to look whether what goes before has been mined: about a block of the chains that need it."""

    resend_seconds: float = 15.0
    """A transaction that is not mined is handed to the endpoints again after this long; pools forget."""

    replace_seconds: float = 45.0
    """And replaced at a higher price after this long."""

    replacement_percent: int = 113
    """Of the last bid. Nodes want at least 110; the rest is room for rounding."""

    deposit_seconds: float = 300.0
    """How often what is lent is looked at: much of it comes back at a time, and nodes list accounts unwillingly."""

    max_attempts: int = 12
    """Replacements of one transaction above the market; 1.13^12 is 4.3 times that, past which an operator must look."""

    catch_up_seconds: float = 5.0
    """How often peers are asked for what a lost push would have told, unless there is no sign that one was lost."""

    unknown_roots_per_signer: int = 4096
    """Early attestations kept per peer for batches not born here yet; what does not fit comes again by cursor."""

    unknown_root_seconds: float = 120.0
    """After this long an attestation over a root that we did not build is suspicious: its statements are asked for."""
