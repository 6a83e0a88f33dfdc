"""One worker's figures, from two looks at its pages: what `sharing top` shows, apart from how."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from sharing.errors import InfrastructureError, SettingsError

ANSWER_SECONDS_MAX = 3.0

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MetricsSample:
    """What a worker's pages said at one moment.

    Attributes:
        at: When, as Unix time in seconds.
        samples: By name, then by labels.
        ready: What `/ready` said: each check with `ok` and `reason`.
    """

    at: float
    samples: Mapping[str, Mapping[Labels, float]]
    ready: Mapping[str, Mapping[str, Any]]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels; 0 when there are none."""
        wanted = set(labels.items())
        return sum(value for found, value in self.samples.get(name, {}).items() if wanted <= set(found))

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return a metric's samples, added up by one label, in the order of its values."""
        sums: dict[str, float] = {}
        for found, value in self.samples.get(name, {}).items():
            key = dict(found)[label]
            sums[key] = sums.get(key, 0.0) + value
        return dict(sorted(sums.items()))

    def labels(self, name: str) -> dict[str, str]:
        """Return the labels of a metric that has one sample; none when it is not there."""
        return dict(next(iter(self.samples.get(name, {})), ()))


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """An alert that fires, as Prometheus says it."""

    name: str
    severity: str
    state: str
    summary: str
    runbook: str


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """What is known of a worker.

    Attributes:
        url: Of its pages.
        now: The look at hand.
        before: An earlier one, for rates; None at first.
        alerts: Those that fire; None where Prometheus was not asked.
        trouble: Why something could not be asked, in a sentence; "" when all went well.
    """

    url: str
    now: MetricsSample
    before: MetricsSample | None = None
    alerts: tuple[FiringAlert, ...] | None = None
    trouble: str = field(default="")

    def rate(self, name: str, **labels: str) -> float | None:
        """Return how much a counter grew in a second; None while there is nothing to compare with."""
        before = self.before
        if before is None or self.now.at <= before.at:
            return None
        grown = self.now.total(name, **labels) - before.total(name, **labels)
        # A worker that was started anew counts from nought.
        return max(0.0, grown) / (self.now.at - before.at)

    def quantile(self, share: float, metric: str, **labels: str) -> float | None:
        """Return a histogram's quantile since the earlier look, else since the worker started; None without any.

        The upper bound of the bucket in which it lies, so never too low.
        """
        whole = dict(_buckets(self.now, metric, labels))
        earlier = dict(_buckets(self.before, metric, labels)) if self.before else {}
        recent = {bound: count - earlier.get(bound, 0.0) for bound, count in whole.items()}
        for counts in (recent, whole):
            total = counts.get(math.inf, 0.0)
            if total > 0:
                return next(bound for bound, count in sorted(counts.items()) if count >= share * total)
        return None


def look(url: str, now: float) -> MetricsSample:
    """Ask a worker's pages.

    Args:
        url: Such as http://127.0.0.1:6066.
        now: As Unix time in seconds.

    Raises:
        InfrastructureError: Nothing answers there, or something that is no worker.
    """
    samples: dict[str, dict[Labels, float]] = {}
    try:
        for family in text_string_to_metric_families(_get(f"{url}/metrics")):
            for sample in family.samples:
                samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        ready = json.loads(_get(f"{url}/ready"))["checks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(
            f"no worker answers at {url} ({_reason(error)}); is it started, with SHARING_WEB_PORT? "
            "Give its address with --url http://HOST:PORT"
        ) from None
    if "sharing_indicators_taken_total" not in samples:
        raise InfrastructureError(f"what answers at {url} is no gate's worker; give its address with --url")
    return MetricsSample(now, samples, ready)


def firing_alerts(url: str) -> tuple[FiringAlert, ...]:
    """Ask Prometheus which alerts fire, the critical ones first.

    Raises:
        InfrastructureError: It does not answer.
    """
    try:
        found = json.loads(_get(f"{url}/api/v1/alerts"))["data"]["alerts"]
        alerts = [_read_alert(one) for one in found if one["state"] == "firing"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"Prometheus does not answer at {url} ({_reason(error)})") from None
    return tuple(sorted(alerts, key=lambda alert: (alert.severity != "critical", alert.name, alert.state)))


def check_url(url: str, option: str) -> str:
    """Return an address without a slash at its end.

    Raises:
        SettingsError: It is none of http or https.
    """
    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"{option} {url!r} is no address; give one such as http://127.0.0.1:6066")
    return url.rstrip("/")


def _read_alert(found: Any) -> FiringAlert:
    labels, notes = found["labels"], found.get("annotations", {})
    return FiringAlert(
        labels["alertname"],
        labels.get("severity", ""),
        labels.get("state", ""),
        notes.get("summary", ""),
        notes.get("runbook", ""),
    )


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310 `check_url` has seen it
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        if error.code != 503:  # noqa: PLR2004 the code of a worker that is not ready, which says why
            raise
        return error.read().decode()


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)


def _buckets(seen: MetricsSample, metric: str, labels: Mapping[str, str]) -> Iterator[tuple[float, float]]:
    wanted = set(labels.items())
    for found, value in seen.samples.get(f"{metric}_bucket", {}).items():
        if wanted <= set(found):
            yield float(dict(found)["le"]), value
