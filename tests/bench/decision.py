"""Measures the decision alone, warm and cold, for 10 and for 193 recipients, and how long packs take to load."""

from __future__ import annotations

import datetime as dt
import time
import timeit
from typing import Any

from sharing.law.decision_context import DecisionContext
from sharing.law.filter import DisclosureFilter
from sharing.model.countries import COUNTRIES
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.times import to_milliseconds
from sharing.packs.library import find_law, list_pack_files, load_law
from sharing.serialization.codec import get_codec
from tests.bench.workload import make_indicators

WARM_ROUNDS = 20_000
COLD_ROUNDS = 200


def _make_directory(states: int) -> Directory:
    """Return a directory of States that have all declared an interest in illegal access."""
    codes = [code for code in sorted(COUNTRIES) if code != "CH"][:states]
    entries = {
        code: DirectoryEntry.parse(
            {
                "state": code,
                "announced_at": "2026-01-01T00:00:00Z",
                "authorities": [{"name": "contact point", "kind": "POLICE"}],
                "interests": [{"id": f"{code.lower()}-access", "offences": ["ILLEGAL_ACCESS"]}],
            }
        )
        for code in codes
    }
    return Directory(entries)


def measure_packs() -> dict[str, float]:
    """Return the milliseconds to load each shipped pack and make it ready to decide, by file name."""
    day = dt.date(2026, 11, 1)
    load_times = {}
    for path in list_pack_files():

        def load(path: Any = path) -> None:
            law = load_law(path)
            DisclosureFilter(law.pack, law.treaties, day, {})

        load_times[path.name] = min(timeit.repeat(load, number=1, repeat=5)) * 1e3
    return load_times


def measure_decision(states: int) -> dict[str, float]:
    """Return microseconds for one indicator: with a warm cache, with an empty one, and as the first of a context."""
    law = find_law("CH")
    record: dict[str, Any] = next(
        record
        for record in (get_codec("indicator").decode(value) for _, value in make_indicators(500, 1.0))
        if "ILLEGAL_ACCESS" in record["offence"]["codes"]
    )
    directory = _make_directory(states)
    now_ms = to_milliseconds(directory.entries["AD"].announced_at) + 86_400_000 * 300
    context = DecisionContext.open(law.pack, law.treaties, directory, now_ms)
    started = time.perf_counter()
    considered = len(context.decide(record, now_ms).recipients)
    first = time.perf_counter() - started
    if considered < states:
        raise ValueError(f"{considered} States were considered, not {states}")
    warm = min(timeit.repeat(lambda: context.decide(record, now_ms), number=WARM_ROUNDS, repeat=3)) / WARM_ROUNDS
    audience = context.finder.find_audience(record)

    def decide_cold() -> None:
        context.disclosure_filter.clear_verdicts()
        context.disclosure_filter.decide(record, audience, now_ms)

    cold = min(timeit.repeat(decide_cold, number=COLD_ROUNDS, repeat=3)) / COLD_ROUNDS
    return {"warm_us": warm * 1e6, "cold_us": cold * 1e6, "first_us": first * 1e6}
