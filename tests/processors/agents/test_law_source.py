"""The law in force for the conversation follows the pack, the day and the directory, and stays the same between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from processors.agents.law_source import LawSource
from processors.health.clock_check import BrokerTime
from processors.worker.conversation_composition import _make_horizon_clock
from sharing.packs.library import load_shipped_treaties
from sharing.relevance.nexus import no_geo_lookup
from tests.processors.gate.gate_fixtures import DAY_MS, DIRECTORY, LAW, NOW_MS, directory_entry, make_directory


def make_law() -> Any:
    return SimpleNamespace(pack=LAW, treaties=load_shipped_treaties())


def test_the_law_is_another_one_when_pack_day_or_directory_are() -> None:
    current = [make_law()]
    source = LawSource(lambda: current[0], no_geo_lookup, ("feed",))
    law = source.get_law_in_force(DIRECTORY, NOW_MS)
    assert source.get_law_in_force(DIRECTORY, NOW_MS + 1) is law
    law.require_day(NOW_MS)
    tomorrow = source.get_law_in_force(DIRECTORY, NOW_MS + DAY_MS)
    assert tomorrow is not law
    tomorrow.require_day(NOW_MS + DAY_MS)
    law = source.get_law_in_force(DIRECTORY, NOW_MS)
    current[0] = make_law()
    replaced = source.get_law_in_force(DIRECTORY, NOW_MS)
    assert replaced is not law
    other = make_directory(directory_entry("DE"))
    assert source.get_law_in_force(other, NOW_MS).context.directory is other


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, NOW_MS),
        (BrokerTime(NOW_MS - 90_000, 30_000), NOW_MS - 60_000),
        (BrokerTime(NOW_MS, 60_000), NOW_MS),
        (BrokerTime(NOW_MS - 90_000), NOW_MS),
    ],
)
def test_deadlines_act_by_the_clock_that_is_behind(known: BrokerTime | None, expected: int) -> None:
    broker_clock = cast("Any", SimpleNamespace(get_time=lambda: known))
    assert _make_horizon_clock(lambda: NOW_MS, broker_clock)() == expected
