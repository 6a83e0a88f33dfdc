"""What the desk counts: requests, sign-ins, open pages, and since when the broker is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


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

    def watch(self, count_sessions: Callable[[], int], read_away_seconds: Callable[[], float]) -> None:
        """Add what is read when the metrics are.

        Args:
            count_sessions: Returns how many officers' sessions there are.
            read_away_seconds: Returns for how many seconds the broker is away; 0 while it is not.
        """
        sessions = Gauge("sharing_desk_sessions", "Sessions of officers.", registry=self.registry)
        sessions.set_function(count_sessions)
        away = Gauge("sharing_desk_broker_away_seconds", "For how long the broker is away.", registry=self.registry)
        away.set_function(read_away_seconds)

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
