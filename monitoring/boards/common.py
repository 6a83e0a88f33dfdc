"""What dashboards have in common: how they narrow and rate, and the panels that stand on more than one."""

from __future__ import annotations

from monitoring.panels import Panel

OF = 'state=~"$state"'
RATE = "$__rate_interval"


def quantile(share: str, metric: str, by: str, labels: str = OF) -> str:
    """Return the query for a quantile of a histogram."""
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket{{{labels}}}[{RATE}])))"


def since(metric: str) -> str:
    """Return the query for the seconds since the newest time that a State's workers show."""
    return f"time() - max by (state) ({metric}{{{OF}}})"


CONSERVATION = Panel(
    "Taken and not accounted for",
    (
        (
            f"sum by (state) (sharing_indicators_taken_total{{{OF}}} - sharing_indicators_accounted_total{{{OF}}})",
            "{{state}}",
        ),
        (f"max by (state) (sharing_conservation_broken_total{{{OF}}})", "{{state}} broken"),
    ),
    "short",
    "Nought, always: what was taken was decided or quarantined.",
    "figure",
    6,
)
OUTCOMES = Panel(
    "Indicators by outcome",
    ((f"sum by (state, outcome) (rate(sharing_indicators_total{{{OF}}}[{RATE}]))", "{{state}} {{outcome}}"),),
    "cps",
    "Each indicator counts once, under the freest outcome that a State has.",
)
QUARANTINE = Panel(
    "Quarantine by cause",
    (
        (f"sum by (state) (increase(sharing_indicators_quarantined_total{{{OF}}}[$__range]))", "{{state}} all"),
        (f"sum by (state, cause) (sharing_quarantined_total{{{OF}}})", "{{state}} {{cause}}"),
    ),
    "short",
    "What agencies must mend and publish anew.",
)
LATENCY = Panel(
    "From publishing to the committed notice",
    (
        (quantile("0.5", "sharing_notice_latency_seconds", "state, lane"), "{{state}} {{lane}} p50"),
        (quantile("0.99", "sharing_notice_latency_seconds", "state, lane"), "{{state}} {{lane}} p99"),
    ),
    "s",
    "A well gate stays below 0.05 s. A late urgent notice is alarmed from 10 s on, an ordinary one from 60 s.",
)
PACK = Panel(
    "Law that is applied",
    ((f"max by (state, version, sha256) (sharing_pack_info{{{OF}}})", ""),),
    "short",
    "One line for each gate; two mean that its workers differ.",
    "table",
    12,
)
