"""Metrics of one worker, fetched over HTTP: the data of `sharing top`. `rendering.py` draws them."""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from sharing.errors import InfrastructureError, SettingsError

RESPONSE_SECONDS_MAX = 3.0
BODY_SECONDS_MAX = 10.0
BODY_BYTES_MAX = 50_000_000
_PART_BYTES = 65_536
_URL_SHOWN_MAX = 80

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MetricsSample:
    """Metrics and readiness of a worker at one moment.

    Attributes:
        taken_at: Unix time in seconds.
        samples: Values by metric name, then by labels.
        ready: The checks of `/ready` by name, each with `ok` and `reason`.
    """

    taken_at: float
    samples: Mapping[str, Mapping[Labels, float]]
    ready: Mapping[str, Mapping[str, Any]]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels; 0 when there are none."""
        wanted = set(labels.items())
        return sum(value for present, value in self.samples.get(name, {}).items() if wanted <= set(present))

    def sum_by(self, name: str, label: str) -> dict[str, float]:
        """Return a metric's samples summed by one label, sorted by the value of the label."""
        sums: dict[str, float] = {}
        for labels, value in self.samples.get(name, {}).items():
            key = dict(labels)[label]
            sums[key] = sums.get(key, 0.0) + value
        return dict(sorted(sums.items()))

    def labels(self, name: str) -> dict[str, str]:
        """Return the labels of a metric with one sample; {} if the metric is missing."""
        return dict(next(iter(self.samples.get(name, {})), ()))


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """A firing alert, as Prometheus reports it."""

    name: str
    severity: str
    state: str
    summary: str
    runbook: str


@dataclass(frozen=True, slots=True)
class WorkerMetrics:
    """All that `sharing top` shows of a worker.

    Attributes:
        url: Base URL of the worker's HTTP endpoints.
        current: The latest sample.
        previous: An earlier sample, for rates; None at first.
        alerts: Firing alerts; None if Prometheus was not queried.
        trouble: Message of the last failed request; "" if there was none.
    """

    url: str
    current: MetricsSample
    previous: MetricsSample | None = None
    alerts: tuple[FiringAlert, ...] | None = None
    trouble: str = field(default="")

    def rate(self, name: str, **labels: str) -> float | None:
        """Return the increase of a counter per second; None without an earlier sample."""
        previous = self.previous
        if previous is None or self.current.taken_at <= previous.taken_at:
            return None
        increase = self.current.total(name, **labels) - previous.total(name, **labels)
        # Counters restart at zero when the worker restarts.
        return max(0.0, increase) / (self.current.taken_at - previous.taken_at)

    def quantile(self, fraction: float, metric: str, **labels: str) -> float | None:
        """Return a quantile of a histogram since the earlier sample, or since the worker started; None if it is empty.

        The result is the upper bound of the bucket that contains the quantile, so it is never too low.
        """
        all_time = dict(_read_buckets(self.current, metric, labels))
        earlier = dict(_read_buckets(self.previous, metric, labels)) if self.previous else {}
        recent = {bound: count - earlier.get(bound, 0.0) for bound, count in all_time.items()}
        for counts in (recent, all_time):
            total = counts.get(math.inf, 0.0)
            if total > 0:
                return next(bound for bound, count in sorted(counts.items()) if count >= fraction * total)
        return None


def fetch_sample(url: str, now: float) -> MetricsSample:
    """Fetch the metrics and the readiness of a worker.

    Args:
        url: Base URL, such as http://127.0.0.1:6066.
        now: Current Unix time in seconds.

    Raises:
        InfrastructureError: Nothing answers at the URL, or it is not a worker.
    """
    samples: dict[str, dict[Labels, float]] = {}
    try:
        for family in text_string_to_metric_families(_fetch_text(f"{url}/metrics")):
            for sample in family.samples:
                samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        ready = json.loads(_fetch_text(f"{url}/ready"))["checks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(
            f"no worker answers at {url} ({_describe_error(error)}). Is it running, with SHARING_WEB_PORT set? "
            "Give its address with --url http://HOST:PORT"
        ) from None
    if "sharing_indicators_read_total" not in samples:
        raise InfrastructureError(f"{url} is not a worker of a gate; give the address of one with --url")
    return MetricsSample(now, samples, ready)


def fetch_firing_alerts(url: str) -> tuple[FiringAlert, ...]:
    """Fetch the firing alerts from Prometheus, critical alerts first.

    Raises:
        InfrastructureError: Prometheus does not answer.
    """
    try:
        listed = json.loads(_fetch_text(f"{url}/api/v1/alerts"))["data"]["alerts"]
        alerts = [_parse_alert(alert) for alert in listed if alert["state"] == "firing"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"Prometheus does not answer at {url} ({_describe_error(error)})") from None
    return tuple(sorted(alerts, key=lambda alert: (alert.severity != "critical", alert.name, alert.state)))


def normalise_url(url: str, option: str) -> str:
    """Return a URL without a trailing slash.

    Args:
        url: The URL.
        option: The option it comes from, for the message.

    Raises:
        SettingsError: It is not an http or https URL, or contains a password, which messages would show.
    """
    example = "give one such as http://127.0.0.1:6066"
    try:
        parts = urllib.parse.urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        has_user = parts.username is not None
    except ValueError:  # a port that is none, or a bracket that is not closed
        is_valid, has_user = False, "@" in url
    if has_user:
        raise SettingsError(f"{option}: must not contain a user or password; {example}")
    if not is_valid or not url.isprintable() or " " in url:
        raise SettingsError(f"{option} {url[:_URL_SHOWN_MAX]!r} is not an http(s) URL; {example}")
    return url.rstrip("/")


def _parse_alert(alert: Any) -> FiringAlert:
    labels, annotations = alert["labels"], alert.get("annotations", {})
    return FiringAlert(
        labels["alertname"],
        labels.get("severity", ""),
        labels.get("state", ""),
        annotations.get("summary", ""),
        annotations.get("runbook", ""),
    )


def _fetch_text(url: str) -> str:
    """Return what is at a URL.

    Raises:
        OSError: Nothing answers, or no HTTP, or without an end.
        ValueError: It is no text.
    """
    try:
        with urllib.request.urlopen(url, timeout=RESPONSE_SECONDS_MAX) as response:  # noqa: S310 checked by `normalise_url`
            return _read_text(response)
    except urllib.error.HTTPError as error:
        if error.code != 503:  # noqa: PLR2004 a worker that is not ready returns 503 with the reasons
            raise
        return _read_text(error)
    except http.client.HTTPException as error:
        raise OSError(f"it answers, but not with HTTP: {type(error).__name__}") from None


def _read_text(response: Any) -> str:
    """Return the body of a response. One that never ends, as another program may send, is given up."""
    deadline, parts, size = time.monotonic() + BODY_SECONDS_MAX, [], 0
    while part := response.read1(_PART_BYTES):
        parts.append(part)
        size += len(part)
        if size > BODY_BYTES_MAX or time.monotonic() > deadline:
            raise OSError("its response does not end")
    return b"".join(parts).decode()


def _describe_error(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)


def _read_buckets(sample: MetricsSample, metric: str, labels: Mapping[str, str]) -> Iterator[tuple[float, float]]:
    wanted = set(labels.items())
    for present, value in sample.samples.get(f"{metric}_bucket", {}).items():
        if wanted <= set(present):
            yield float(dict(present)["le"]), value
