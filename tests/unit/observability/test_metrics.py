"""Names and labels of the metrics."""

from __future__ import annotations

import re

from prometheus_client import Counter, Gauge, Histogram

from relayer.observability.metrics import Metrics, peer_label

UNITS = (
    "_seconds",
    "_bytes_total",
    "_total",
    "_blocks",
    "_number",
    "_leaves",
    "_info",
    "_up",
    "_in_flight",
    "_halted",
    "_depth",
    "_balance",
)


def _collectors(metrics: Metrics) -> list[Counter | Gauge | Histogram]:
    return [value for value in vars(metrics).values() if isinstance(value, Counter | Gauge | Histogram)]


def test_every_metric_has_the_prefix_a_help_text_and_a_known_ending() -> None:
    for metric in _collectors(Metrics()):
        (family,) = metric.describe()
        exposed = f"{family.name}_total" if isinstance(metric, Counter) else family.name
        assert re.fullmatch(r"xvm(_[a-z]+)+", exposed)
        assert exposed.endswith(UNITS)
        assert family.documentation.endswith(".")


def test_security_no_label_is_an_identifier_that_a_stranger_picks() -> None:
    """SECURITY: a label with unbounded values is a memory leak that anybody can open."""
    allowed = {
        "source_chain", "destination_chain", "chain", "mode", "status", "stage", "code", "effect", "endpoint", "kind",
        "peer", "reason", "offence", "purpose", "result", "direction", "version", "python_version",
    }  # fmt: skip
    for metric in _collectors(Metrics()):
        assert set(metric._labelnames) <= allowed


def test_two_nodes_in_one_process_count_apart() -> None:
    ours, theirs = Metrics(), Metrics()
    ours.guard_conflicts.inc()
    assert b"xvm_guard_conflicts_total 1.0" in ours.render()
    assert b"xvm_guard_conflicts_total 0.0" in theirs.render()


def test_names_are_the_names_that_the_text_form_has() -> None:
    metrics = Metrics()
    for metric in _collectors(metrics):
        child = metric.labels(*("x" for _ in metric._labelnames)) if metric._labelnames else metric
        if isinstance(child, Histogram):
            child.observe(1)
        else:
            child.inc()
    samples = {line.split("{")[0].split(" ")[0] for line in metrics.render().decode().splitlines() if line[0] != "#"}
    assert samples == metrics.names()


def test_a_peer_is_labelled_by_its_key() -> None:
    assert peer_label(b"\xab" * 20) == "0x" + "ab" * 20
