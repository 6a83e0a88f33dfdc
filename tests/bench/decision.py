"""The decision alone, warm and cold, for 10 and for 193 recipients; and how long packs take to read."""

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
from sharing.packs.library import find_law, pack_files, read_law
from sharing.serialization.codec import codec_of
from tests.bench.workload import make_indicators

WARM_ROUNDS = 20_000
COLD_ROUNDS = 200


def _directory(states: int) -> Directory:
    """Return a directory of States that all declared an interest in illegal access."""
    codes = [code for code in sorted(COUNTRIES) if code != "CH"][:states]
    entries = {
        code: DirectoryEntry.read(
            {
                "state": code,
                "announced_at": "2026-01-01T00:00:00Z",
                "authority": {"name": "contact point", "kind": "POLICE"},
                "interests": [{"id": f"{code.lower()}-access", "offences": ["ILLEGAL_ACCESS"]}],
            }
        )
        for code in codes
    }
    return Directory(entries, len(entries))


def measure_packs() -> dict[str, float]:
    """Return milliseconds in which each shipped pack is read and ready to decide, by its file's name."""
    day = dt.date(2026, 11, 1)
    found = {}
    for place in pack_files():

        def ready(place: Any = place) -> None:
            law = read_law(place)
            DisclosureFilter(law.pack, law.treaties, day, {})

        found[place.name] = min(timeit.repeat(ready, number=1, repeat=5)) * 1e3
    return found


def measure(states: int) -> dict[str, float]:
    """Return microseconds for one indicator: with a warm memo, with it emptied, and as the first of a sitting."""
    law = find_law("CH")
    record: dict[str, Any] = next(
        record
        for record in (codec_of("indicator").decode(value) for _, value in make_indicators(500, 1.0))
        if "ILLEGAL_ACCESS" in record["offence"]["codes"]
    )
    directory = _directory(states)
    now_ms = to_milliseconds(directory.entries["AD"].announced_at) + 86_400_000 * 300
    sitting = DecisionContext.open(law.pack, law.treaties, directory, now_ms)
    started = time.perf_counter()
    considered = len(sitting.decide(record, now_ms).recipients)
    first = time.perf_counter() - started
    if considered < states:
        raise ValueError(f"{considered} States considered, not {states}")
    warm = min(timeit.repeat(lambda: sitting.decide(record, now_ms), number=WARM_ROUNDS, repeat=3)) / WARM_ROUNDS
    audience = sitting.finder.find(record)

    def decide_cold() -> None:
        sitting.law.forget()
        sitting.law.decide(record, audience, now_ms)

    cold = min(timeit.repeat(decide_cold, number=COLD_ROUNDS, repeat=3)) / COLD_ROUNDS
    return {"warm_us": warm * 1e6, "cold_us": cold * 1e6, "first_us": first * 1e6}
