"""What the desk counts, such as requests and sign-ins; and what is read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


def _read_zero() -> float:
    return 0.0


class DeskReadings(NamedTuple):
    """What is read at each scrape.

    Attributes:
        count_sessions: Returns how many officers' sessions there are.
        read_away_seconds: Returns for how many seconds the broker is away; 0 while it is not.
        read_silent_seconds: Returns for how many seconds each thread that follows a topic has heard nothing from the
            broker, by its name.
        read_ruling_wait: Returns for how many seconds the oldest ruling waits for the worker; 0 if none does.
        count_unrecorded: Returns how often content was not shown, because that could not be recorded.
    """

    count_sessions: Callable[[], float] = _read_zero
    read_away_seconds: Callable[[], float] = _read_zero
    read_silent_seconds: Callable[[], Mapping[str, float]] = dict
    read_ruling_wait: Callable[[], float] = _read_zero
    count_unrecorded: Callable[[], float] = _read_zero


class DeskMetrics:
    """The metrics of one desk. No label holds a value of an item or the id of an officer.

    Args:
        registry: Where they are registered; a registry of their own by default.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._requests = Counter(
            "sharing_desk_requests_total",
            "Requests, by method and status.",
            ["method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "sharing_desk_request_seconds",
            "Seconds until a response began.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._sign_ins = Counter(
            "sharing_desk_sign_ins_total", "Tries to sign in, by result.", ["result"], registry=self.registry
        )

    def watch(self, readings: DeskReadings) -> None:
        """Add what is read at each scrape."""
        self.registry.register(_ReadingsCollector(readings))

    def count_request(self, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method if method in _METHODS else "OTHER", str(status)).inc()
        self._seconds.observe(seconds)

    def count_sign_in(self, result: str) -> None:
        """Count a try to sign in.

        Args:
            result: `signed_in`, `refused` or `too_many`.
        """
        self._sign_ins.labels(result).inc()


class _ReadingsCollector(Collector):
    def __init__(self, readings: DeskReadings) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        readings = self._readings
        yield GaugeMetricFamily("sharing_desk_sessions", "Sessions of officers.", readings.count_sessions())
        yield GaugeMetricFamily(
            "sharing_desk_broker_away_seconds", "For how long the broker is away.", readings.read_away_seconds()
        )
        silent = GaugeMetricFamily(
            "sharing_desk_silent_seconds",
            "For how long what follows a topic has heard nothing from the broker.",
            labels=["follower"],
        )
        for name, seconds in readings.read_silent_seconds().items():
            silent.add_metric([name], seconds)
        yield silent
        yield GaugeMetricFamily(
            "sharing_desk_ruling_wait_seconds",
            "For how long the oldest ruling waits for the worker.",
            readings.read_ruling_wait(),
        )
        yield CounterMetricFamily(
            "sharing_desk_views_unrecorded", "Views refused, as they were not recorded.", readings.count_unrecorded()
        )
