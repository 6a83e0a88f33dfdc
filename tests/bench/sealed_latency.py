"""Measures the time from publication to the notice in the hands of a subscriber, where everything is sealed.

Four processes with keys: a publisher, which seals; the gate of CH, which opens, decides, seals and signs; the worker of
NL, which verifies, opens and seals again for its inbox; and a subscriber of NL, which opens. So two transactions lie
between. Records are due at fixed instants, as in `tests.bench.latency`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from sharing.clients.inbox_reader import InboxReader
from sharing.clients.subscriber import Subscriber
from tests.bench.bench_cluster import GATE_ARGUMENTS, BenchCluster
from tests.bench.latency import WARM_S, compute_percentiles
from tests.bench.names import STATE
from tests.bench.sealed_publisher import PublishingPlan
from tests.bench.sealed_states import SealedStates

RECIPIENT: Final = "NL"
WINDOW_S: Final = 30.0
"""Seconds of a window of the warm-up."""
WINDOWS_MAX: Final = 12
"""Four loops write small transactions to 859 topics, and the broker's JVM takes minutes to compile what they need."""
STEADY: Final = 0.95
"""The warm-up ends when the p99 of a window is no longer below this share of the lowest of the windows before."""

_WARM_RATE: Final = 1_000
_LEAD_S: Final = 0.5
_FIRST_S: Final = 180.0
_QUIET_S: Final = 3.0
_POLL_S: Final = 0.05


def measure_sealed_latency(
    cluster: BenchCluster,
    states: SealedStates,
    rates: Sequence[int],
    seconds: float,
    disclosed_share: float,
    *,
    window_s: float = WINDOW_S,
    windows_max: int = WINDOWS_MAX,
) -> dict[str, Any]:
    """Return for each rate the percentiles in milliseconds, and the number of notices; and of `warm_up` its windows.

    Args:
        cluster: The cluster; its topics are emptied first.
        states: The States.
        rates: Rates in indicators per second.
        seconds: Duration of each rate after its warm-up.
        disclosed_share: Share of the indicators that result in notices to the Netherlands.
        window_s: Seconds of each window of the warm-up, at a thousand indicators per second.
        windows_max: Largest number of windows; the warm-up ends earlier once they get no faster.
    """
    states.reset(signed=True)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                cluster.run_python(GATE_ARGUMENTS, f"latency-{state}", _make_environment(states, state))
            )
            for state in (STATE, RECIPIENT)
        ]
        arrivals = stack.enter_context(_subscribe(cluster.bootstrap, states))
        percentiles: dict[str, Any] = {"warm_up": []}
        for number in range(windows_max):
            waits = _measure_waits(cluster, states, arrivals, _WARM_RATE, window_s, 1_000 + number, disclosed_share)
            window = compute_percentiles(waits)
            is_steady = any(window["p99"] > STEADY * before["p99"] for before in percentiles["warm_up"])
            percentiles["warm_up"].append(window)
            if is_steady:
                break
        for number, rate in enumerate(rates):
            waits = _measure_waits(cluster, states, arrivals, rate, WARM_S + seconds, 100 + number, disclosed_share)
            percentiles[str(rate)] = compute_percentiles(waits)
        for worker in workers:
            worker.check_running()
        return percentiles


def _make_environment(states: SealedStates, state: str) -> Mapping[str, str]:
    return {**states.get_environment(state), "SHARING_STATE": state}


@contextmanager
def _subscribe(bootstrap: str, states: SealedStates) -> Iterator[dict[str, float]]:
    """Run the subscriber during the block; yield when each notice was handed over, by the id of its indicator."""
    keys = states.keys.states[RECIPIENT]
    arrivals: dict[str, float] = {}
    with (
        InboxReader.open(
            bootstrap, RECIPIENT, keys.reader_file, keys.reader_passphrase_file, states.keys.trust_file
        ) as reader,
        Subscriber(bootstrap, RECIPIENT, reader=reader) as subscriber,
    ):

        def receive() -> None:
            for notice in subscriber:
                arrivals.setdefault(notice.indicator_id, time.perf_counter())

        thread = threading.Thread(target=receive, name="subscriber", daemon=True)
        thread.start()
        try:
            yield arrivals
        finally:
            subscriber.close()
            thread.join(_FIRST_S)


def _measure_waits(
    cluster: BenchCluster,
    states: SealedStates,
    arrivals: Mapping[str, float],
    rate: int,
    seconds: float,
    seed: int,
    share: float,
) -> list[float]:
    """Publish at a rate; return the latency of each notice in seconds, without the warm-up.

    Raises:
        RuntimeError: The publisher failed.
        TimeoutError: No notice arrived.
    """
    plan = PublishingPlan(cluster.bootstrap, str(states.keys.trust_file), rate, int(rate * seconds), share, seed)
    command = [sys.executable, "-m", "tests.bench.sealed_publisher", json.dumps(plan._asdict())]
    before = len(arrivals)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as publisher:
        assert publisher.stdin is not None
        assert publisher.stdout is not None
        publisher.stdout.readline()
        started_at = time.perf_counter() + _LEAD_S
        publisher.stdin.write(f"{started_at}\n")
        publisher.stdin.flush()
        if publisher.wait():
            raise RuntimeError(f"the publisher ended with {publisher.returncode}")
    _wait_until_quiet(arrivals, before)
    due = plan.list_due(started_at)
    measured_from = started_at + min(WARM_S, seconds / 2)
    return [
        arrived - due[indicator]
        for indicator, arrived in list(arrivals.items())
        if indicator in due and due[indicator] >= measured_from
    ]


def _wait_until_quiet(arrivals: Mapping[str, float], before: int) -> None:
    """Wait until the notices of a run have arrived: which indicators are disclosed is not known here."""
    deadline = time.monotonic() + _FIRST_S
    count, changed_at = len(arrivals), time.monotonic()
    while count == before or time.monotonic() < changed_at + _QUIET_S:
        if time.monotonic() > deadline and count == before:
            raise TimeoutError(f"no notice arrived within {_FIRST_S:g} s")
        time.sleep(_POLL_S)
        if len(arrivals) > count:
            count, changed_at = len(arrivals), time.monotonic()
