"""Filters, query helpers, and panels that several dashboards share."""

from __future__ import annotations

from monitoring.panels import Panel

STATES = 'state=~"$state"'
INTERVAL = "$__rate_interval"
"""The label matcher and the interval that Grafana fills in."""


def quantile(quantile_value: str, metric: str, by: str, labels: str = STATES) -> str:
    """Return the query for a quantile of a histogram."""
    buckets = f"rate({metric}_bucket{{{labels}}}[{INTERVAL}])"
    return f"histogram_quantile({quantile_value}, sum by ({by}, le) ({buckets}))"


def seconds_since(metric: str) -> str:
    """Return the query for the seconds since a timestamp metric's newest value among a State's workers."""
    return f"time() - max by (state) ({metric}{{{STATES}}})"


CONSERVATION = Panel(
    "Records not accounted for",
    (
        (
            (
                f"sum by (state) (sharing_indicators_read_total{{{STATES}}} "
                f"- sharing_indicators_accounted_total{{{STATES}}})"
            ),
            "{{state}}",
        ),
        (f"max by (state) (sharing_conservation_broken_total{{{STATES}}})", "{{state}} unbalanced batches"),
    ),
    "short",
    "Always 0: every record that a gate reads is decided or quarantined.",
    "figure",
    6,
)
OUTCOMES = Panel(
    "Indicators by outcome",
    ((f"sum by (state, outcome) (rate(sharing_indicators_total{{{STATES}}}[{INTERVAL}]))", "{{state}} {{outcome}}"),),
    "cps",
    "Each indicator counts once, under the most permissive outcome of any State.",
)
QUARANTINE = Panel(
    "Quarantined records by cause",
    (
        (f"sum by (state) (increase(sharing_indicators_quarantined_total{{{STATES}}}[$__range]))", "{{state}} all"),
        (f"sum by (state, cause) (sharing_quarantined_total{{{STATES}}})", "{{state}} {{cause}}"),
    ),
    "short",
    "Records that agencies must correct and publish again.",
)
LATENCY = Panel(
    "Latency from publishing to the committed notice",
    (
        (quantile("0.5", "sharing_notice_latency_seconds", "state, lane"), "{{state}} {{lane}} p50"),
        (quantile("0.99", "sharing_notice_latency_seconds", "state, lane"), "{{state}} {{lane}} p99"),
    ),
    "s",
    "Normally below 0.05 s. Alerts fire at a p99 above 10 s for urgent notices and above 60 s for ordinary ones.",
)
PACK = Panel(
    "Law pack in force",
    ((f"max by (state, version, sha256) (sharing_pack_info{{{STATES}}})", ""),),
    "short",
    "One row per gate. Two rows mean that its workers apply different packs.",
    "table",
    12,
)
