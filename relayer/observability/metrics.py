"""Every metric of the relayer, in one place.

Its job: names, labels and buckets. Whoever does the work counts it here; this module starts no server, and each
`Metrics` has a registry of its own, so that two nodes in one process do not add up.

Label values come from closed sets: configured chains (CAIP-2), configured peers (`peer_label`), endpoint indices, and
the names of enums and error codes. SECURITY: never a request id, an address or anything else that a stranger picks:
each new value costs memory for ever. What is not in the configuration is `UNKNOWN`.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from relayer.domain.signers import signer_text

# A second sample beside each counter, which nobody asks for. The library has no types for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of what `Metrics.render` gives."""

UNKNOWN = "unknown"
"""The label of a chain that is not configured here (a request without a route names any)."""

_FAST_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""One exchange or one stage round: from a local call to our longest timeout."""

_SLOW_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 7200.0)
"""What waits for other people or for blocks: a quorum, a request from asking to callback."""

_BATCH_LEAVES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""A batch has 1 to 256 statements."""

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
"""What the text form appends to a metric's name, by its type."""


class Metrics:
    """The metrics of one node. Times in seconds, sizes in bytes, money and gas in the chain's smallest unit."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests()
        self._chains()
        self._attestations()
        self._money()
        self._peers()
        self.build = Gauge(
            "xvm_build_info",
            "Always 1; the labels say what runs.",
            ("version", "python_version"),
            registry=self.registry,
        )

    def render(self) -> bytes:
        """The Prometheus text form of everything, of media type `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def names(self) -> frozenset[str]:
        """Every sample name that can appear, so that dashboards and alerts can be checked against it."""
        return frozenset(
            family.name + suffix for family in self.registry.collect() for suffix in _SUFFIXES.get(family.type, ("",))
        )

    def _requests(self) -> None:
        self.request_transitions = Counter(
            "xvm_request_transitions_total",
            "Requests that reached a status.",
            ("source_chain", "destination_chain", "mode", "status"),
            registry=self.registry,
        )
        self.request_duration = Histogram(
            "xvm_request_duration_seconds",
            "From the timestamp of the block that holds a request to its end.",
            ("source_chain", "destination_chain", "mode", "status"),
            buckets=_SLOW_SECONDS,
            registry=self.registry,
        )
        self.stage_duration = Histogram(
            "xvm_stage_duration_seconds",
            "One round of a stage that had work: claim, decide, commit and perform.",
            ("stage", "chain"),
            buckets=_FAST_SECONDS,
            registry=self.registry,
        )
        self.stage_errors = Counter(
            "xvm_stage_errors_total",
            "Errors that a stage met, by the error's code.",
            ("stage", "chain", "code"),
            registry=self.registry,
        )
        self.outbox_depth = Gauge(
            "xvm_outbox_depth", "Effects that are still to be performed.", ("chain", "effect"), registry=self.registry
        )
        self.requests_in_flight = Gauge(
            "xvm_requests_in_flight",
            "Requests that this node's open transactions carry.",
            ("chain", "purpose"),
            registry=self.registry,
        )

    def _chains(self) -> None:
        self.chain_head = Gauge(
            "xvm_chain_head_number",
            "Height of the tip that enough endpoints have reached.",
            ("chain",),
            registry=self.registry,
        )
        self.chain_final = Gauge(
            "xvm_chain_final_number",
            "Highest height that the chain's finality rule calls final.",
            ("chain",),
            registry=self.registry,
        )
        self.chain_lag = Gauge(
            "xvm_chain_lag_blocks",
            "Final blocks of the chain that this node has not taken in yet.",
            ("chain",),
            registry=self.registry,
        )
        self.chain_halted = Gauge(
            "xvm_chain_halted",
            "1 while a contradiction on the chain has stopped all work on it, else 0.",
            ("chain",),
            registry=self.registry,
        )
        self.signer_set_valid_until = Gauge(
            "xvm_signer_set_valid_until_seconds",
            "Last second, since the Unix epoch, at which the gateway accepts its newest signer set.",
            ("chain",),
            registry=self.registry,
        )
        self.dropped_logs = Counter(
            "xvm_chain_dropped_logs_total",
            "Logs of our contracts that said something impossible and were left out.",
            ("chain",),
            registry=self.registry,
        )
        self.rpc_calls = Counter(
            "xvm_rpc_calls_total", "Calls sent to an endpoint.", ("chain", "endpoint"), registry=self.registry
        )
        self.rpc_errors = Counter(
            "xvm_rpc_errors_total",
            "Exchanges with an endpoint that failed, by the error's code.",
            ("chain", "endpoint", "code"),
            registry=self.registry,
        )
        self.rpc_duration = Histogram(
            "xvm_rpc_duration_seconds",
            "One exchange with an endpoint, of one call or of a batch.",
            ("chain", "endpoint"),
            buckets=_FAST_SECONDS,
            registry=self.registry,
        )

    def _attestations(self) -> None:
        self.attestations_signed = Counter(
            "xvm_attestations_signed_total",
            "Batches that this node signed, by verifying chain.",
            ("chain", "kind"),
            registry=self.registry,
        )
        self.attestations_received = Counter(
            "xvm_attestations_received_total",
            "Attestations of peers whose signature verified.",
            ("peer",),
            registry=self.registry,
        )
        self.attestations_rejected = Counter(
            "xvm_attestations_rejected_total",
            "Attestations of peers that were refused, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self.quorum_duration = Histogram(
            "xvm_quorum_duration_seconds",
            "From this node's own signature over a batch to its quorum.",
            ("chain", "kind"),
            buckets=_SLOW_SECONDS,
            registry=self.registry,
        )
        self.certificates = Counter(
            "xvm_certificates_total",
            "Certificates built from a quorum, by verifying chain.",
            ("chain", "kind"),
            registry=self.registry,
        )
        self.batch_leaves = Histogram(
            "xvm_batch_leaves",
            "Statements in a signed batch.",
            ("kind",),
            buckets=_BATCH_LEAVES,
            registry=self.registry,
        )
        self.guard_conflicts = Counter(
            "xvm_guard_conflicts_total",
            "Times the signing guard refused a second leaf under one key.",
            registry=self.registry,
        )
        self.evidence = Counter(
            "xvm_evidence_total", "Evidence found against signers, by offence.", ("offence",), registry=self.registry
        )

    def _money(self) -> None:
        self.transactions = Counter(
            "xvm_transactions_total",
            "Own transactions that reached a status.",
            ("chain", "purpose", "status"),
            registry=self.registry,
        )
        self.gas_used = Counter(
            "xvm_gas_used_total",
            "Gas that own mined transactions used, in the chain's gas unit.",
            ("chain", "purpose"),
            registry=self.registry,
        )
        self.gas_cost = Counter(
            "xvm_gas_cost_total",
            "What own mined transactions paid for gas, in the chain's smallest unit.",
            ("chain", "purpose"),
            registry=self.registry,
        )
        self.wallet_balance = Gauge(
            "xvm_wallet_balance",
            "Balance of the account that pays, in the chain's smallest unit.",
            ("chain",),
            registry=self.registry,
        )

    def _peers(self) -> None:
        self.peer_up = Gauge(
            "xvm_peer_up", "1 while the peer answers heartbeats, else 0.", ("peer",), registry=self.registry
        )
        self.peer_clock_offset = Gauge(
            "xvm_peer_clock_offset_seconds",
            "The peer's clock minus ours, as of its last answer.",
            ("peer",),
            registry=self.registry,
        )
        self.peer_exchanges = Counter(
            "xvm_peer_exchanges_total",
            "Exchanges that this node began, by kind and result.",
            ("peer", "kind", "result"),
            registry=self.registry,
        )
        self.peer_exchange_duration = Histogram(
            "xvm_peer_exchange_duration_seconds",
            "One answered exchange that this node began.",
            ("peer", "kind"),
            buckets=_FAST_SECONDS,
            registry=self.registry,
        )
        self.peer_bytes = Counter(
            "xvm_peer_bytes_total",
            "Bytes of peer messages, without HTTP, by direction (sent, received).",
            ("peer", "direction"),
            registry=self.registry,
        )
        self.peer_queue_dropped = Counter(
            "xvm_peer_queue_dropped_total",
            "Attestations dropped from a peer's outgoing queue; the peer catches up by cursor.",
            ("peer",),
            registry=self.registry,
        )
        self.peer_messages_refused = Counter(
            "xvm_peer_messages_refused_total",
            "Incoming peer messages that were refused, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self.connections_refused = Counter(
            "xvm_api_connections_refused_total",
            "Connections closed because too many were open: at once, or silent ones for the next.",
            registry=self.registry,
        )


def peer_label(key: bytes) -> str:
    """The `peer` label of a configured peer: its signer key, as people are shown it."""
    return signer_text(key)
