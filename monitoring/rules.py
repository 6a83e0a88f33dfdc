"""What an alert is, and how its rule is written for Prometheus: as it is, or in a faster time for a rehearsal.

In an expression a time stands in angle brackets: `<15m>` becomes a duration, `<2m:seconds>` a number of seconds. Both
are shortened by a rehearsal's scale, as `wait` is. What is no matter of the watch, such as the thirty days before a
pack expires, is written without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_TIME = re.compile(r"<(?P<amount>\d+)(?P<unit>[smhd])(?P<number>:seconds)?>")
_OPERATOR = re.compile(r" (and|or|unless) ")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


class AlertSeverity(StrEnum):
    """Who is told, and how soon."""

    CRITICAL = "critical"
    """Somebody is woken: information does not flow, or what flows may be wrong."""
    WARNING = "warning"
    """Somebody looks at it the same working day."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alert.

    Attributes:
        name: In camel case, beginning with `Sharing` or `Kafka`.
        severity: See there.
        expr: PromQL with times in angle brackets.
        wait: How long the expression holds before the alert fires, such as `5m`; "" for at once.
        summary: What is wrong.
        meaning: What it means for the parties: agencies, the State, the States that receive.
    """

    name: str
    severity: AlertSeverity
    expr: str
    wait: str
    summary: str
    meaning: str

    @property
    def runbook(self) -> str:
        """Path of its page in the repository."""
        words = re.findall(r"[A-Z][a-z]*", self.name.removeprefix("Sharing"))
        return f"docs/runbooks/{'-'.join(words).lower()}.md"


def render_rule(alert: AlertRule, scale: float = 1.0) -> dict[str, Any]:
    """Return the rule, as it stands in Prometheus' rule files.

    Args:
        alert: What it is about.
        scale: 1 for the watch; less for a rehearsal in which all times of the watch are that much shorter.
    """
    expr = _TIME.sub(lambda found: _write(found, scale), alert.expr)
    rule: dict[str, Any] = {"alert": alert.name, "expr": _OPERATOR.sub(r"\n\1 ", expr)}
    if alert.wait:
        rule["for"] = _duration(_read(alert.wait) * scale)
    rule["labels"] = {"severity": str(alert.severity)}
    rule["annotations"] = {"summary": alert.summary, "description": alert.meaning, "runbook": alert.runbook}
    return rule


def render_rules(groups: Iterable[tuple[str, Iterable[AlertRule]]], scale: float = 1.0) -> dict[str, Any]:
    """Return groups of alerts as a document for Prometheus."""
    return {
        "groups": [{"name": name, "rules": [render_rule(alert, scale) for alert in alerts]} for name, alerts in groups]
    }


def _read(text: str) -> float:
    return float(text[:-1]) * _SECONDS[text[-1]]


def _write(found: re.Match[str], scale: float) -> str:
    seconds = float(found["amount"]) * _SECONDS[found["unit"]] * scale
    return f"{seconds:g}" if found["number"] else _duration(seconds)


def _duration(seconds: float) -> str:
    """Return a duration in the largest unit in which it is whole."""
    milliseconds = max(1, round(seconds * 1_000))
    return next(f"{milliseconds // size}{unit}" for unit, size in _UNITS if milliseconds % size == 0)
