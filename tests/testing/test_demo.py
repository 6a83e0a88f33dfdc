"""The demonstration, as a person starts it, on both brokers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sharing.kafka.directory_topic import read_entries
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.packs.library import find_law
from sharing.serialization.codec import codec_of
from sharing.testing.demo.decision_replay import find_differences
from sharing.testing.demo.scenario import STATES, telling_cases
from sharing.testing.samples import sample_directory

NOW_MS = 1_793_000_000_000


def _demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("sharing")), "demo", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("SHARING_")},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.parametrize(
    ("broker", "more"),
    [
        ("embedded", ()),
        pytest.param("kafka", (), marks=pytest.mark.kafka),
        pytest.param("kafka", ("--secure",), marks=pytest.mark.kafka),  # each party under its own certificate
    ],
)
def test_the_demonstration_adds_up(
    broker: str, more: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if broker == "kafka":
        request.getfixturevalue("kafka")  # settles whether a real Kafka can be had here
    done = _demo("--broker", broker, *more, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["broker"] == broker
    parts = ("disclosed", "offered", "held", "withheld", "quarantined")
    assert report["published"] == sum(report[name] for name in parts)
    assert report["minutes_verified"] is True
    assert all(report[name] > 0 for name in ("disclosed", "offered", "held", "withheld")), report
    assert report["delivered"] == sum(one["notices"] for one in report["states"].values()) > 0
    assert set(STATES) <= set(report["states"])
    told = " ".join(done.stderr.split())  # lines are wrapped at the width of the terminal
    for case in telling_cases():
        assert case.title in told


@pytest.fixture
def decided() -> tuple[Directory, list[Any], list[Any]]:
    """What Switzerland decides on its telling cases: directory, indicators, and decisions with their bytes."""
    directory = Directory({entry.state: entry for entry in read_entries(*sample_directory())}, 6)
    law = find_law("CH")
    sitting = DecisionContext.open(law.pack, law.treaties, directory, NOW_MS)
    indicators = [case.indicator.to_wire() for case in telling_cases() if case.indicator.source.state == "CH"]
    encoded = [codec_of("decision").encode(sitting.decision(one, NOW_MS).to_wire()) for one in indicators]
    return directory, indicators, [(codec_of("decision").decode(raw), raw) for raw in encoded]


def test_replaying_finds_nothing_where_all_is_well(decided: tuple[Directory, list[Any], list[Any]]) -> None:
    directory, indicators, decisions = decided
    assert find_differences(find_law("CH"), directory, indicators, decisions) == []


def test_replaying_finds_a_missing_a_doubled_and_an_altered_decision(
    decided: tuple[Directory, list[Any], list[Any]],
) -> None:
    directory, indicators, decisions = decided
    law = find_law("CH")
    first = indicators[0]["id"]
    assert find_differences(law, directory, indicators, decisions[1:]) == [first]
    assert find_differences(law, directory, indicators, [*decisions, decisions[0]]) == [first]
    altered = (decisions[0][0], decisions[0][1].replace(b"IMAC", b"IMAD", 1))
    assert find_differences(law, directory, indicators, [altered, *decisions[1:]]) == [first]
    assert find_differences(law, directory, indicators[1:], decisions) == [first]
