"""Definition of an alert, and its rendering as a Prometheus rule, on the real or on a compressed time scale.

In an expression, angle brackets mark the durations of the monitoring itself: `<15m>` becomes a duration, `<2m:seconds>`
a number of seconds. These and `hold` are multiplied by the time scale. Durations of the domain, such as the thirty days
before a pack expires, are written without brackets and never scaled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_SCALED_TIME = re.compile(r"<(?P<amount>\d+)(?P<unit>[smhd])(?P<as_number>:seconds)?>")
_OPERATOR = re.compile(r" (and|or|unless) ")
_SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MILLISECONDS_PER_UNIT = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


class AlertSeverity(StrEnum):
    """How soon an alert requires action."""

    CRITICAL = "critical"
    """Page the person on call: information does not flow, or may be wrong."""
    WARNING = "warning"
    """Handle it within the same working day."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alert.

    Attributes:
        name: Name in camel case, beginning with `Sharing` or `Kafka`.
        severity: How soon somebody must act.
        expr: PromQL, with scalable durations in angle brackets.
        hold: How long the expression must hold before the alert fires (`for`), such as `5m`; "" for immediately.
        summary: What is wrong.
        description: What it means for agencies, for the State, and for the receiving States.
    """

    name: str
    severity: AlertSeverity
    expr: str
    hold: str
    summary: str
    description: str

    @property
    def runbook(self) -> str:
        """Path of the runbook in the repository, derived from the alert's name."""
        words = re.findall(r"[A-Z][a-z]*", self.name.removeprefix("Sharing"))
        return f"docs/runbooks/{'-'.join(words).lower()}.md"


def render_rule(alert: AlertRule, time_scale: float = 1.0) -> dict[str, Any]:
    """Return the alert as an entry of a Prometheus rule file.

    Args:
        alert: The alert to render.
        time_scale: Factor for all durations of the monitoring; 1 in production, less in a test.
    """
    expr = _SCALED_TIME.sub(lambda match: _render_scaled_time(match, time_scale), alert.expr)
    rule: dict[str, Any] = {"alert": alert.name, "expr": _OPERATOR.sub(r"\n\1 ", expr)}
    if alert.hold:
        rule["for"] = _format_duration(_parse_seconds(alert.hold) * time_scale)
    rule["labels"] = {"severity": str(alert.severity)}
    rule["annotations"] = {"summary": alert.summary, "description": alert.description, "runbook": alert.runbook}
    return rule


def render_groups(groups: Iterable[tuple[str, Iterable[AlertRule]]], time_scale: float = 1.0) -> dict[str, Any]:
    """Return named groups of alerts as a Prometheus rule file."""
    return {
        "groups": [
            {"name": name, "rules": [render_rule(alert, time_scale) for alert in alerts]} for name, alerts in groups
        ]
    }


def _parse_seconds(duration: str) -> float:
    return float(duration[:-1]) * _SECONDS_PER_UNIT[duration[-1]]


def _render_scaled_time(match: re.Match[str], time_scale: float) -> str:
    seconds = float(match["amount"]) * _SECONDS_PER_UNIT[match["unit"]] * time_scale
    return f"{seconds:g}" if match["as_number"] else _format_duration(seconds)


def _format_duration(seconds: float) -> str:
    """Return a duration in the largest unit that results in a whole number."""
    milliseconds = max(1, round(seconds * 1_000))
    return next(f"{milliseconds // size}{unit}" for unit, size in _MILLISECONDS_PER_UNIT if milliseconds % size == 0)
