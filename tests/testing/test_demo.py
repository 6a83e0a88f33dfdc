"""The demo on both brokers, started as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sharing.kafka.directory_topic import parse_entries
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from sharing.testing.demo.decision_replay import _can_pair, find_differing_decisions
from sharing.testing.demo.scenario import STATES, read_demo_cases
from sharing.testing.samples import sample_directory

NOW_MS = 1_793_000_000_000

CAUSES = [
    ("forged", "UNSEALED", "DE"),
    ("forged", "UNKNOWN_KEY", "DE"),
    ("replayed", "REPEATED", "DE"),
    ("readdressed", "WRONG_RECIPIENT", "FR"),
    ("directory", "UNSIGNED", "CH"),
    ("directory", "UNKNOWN_KEY", "CH"),
]
"""The attacks of the demo with keys, in order, with the cause of refusal and the State that refuses."""


CONVERSATIONS = [
    "accepted", "relaxed", "approved", "facts_supplied", "corrected", "recalled", "overdue", "standing",
]  # fmt: skip
"""What officers do in the demo, in order."""


def _run_demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("sharing")), "demo", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("SHARING_")},
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )


@pytest.mark.parametrize(
    ("broker", "options"),
    [
        ("embedded", ()),
        pytest.param("kafka", (), marks=pytest.mark.kafka),
        pytest.param("kafka", ("--secure",), marks=pytest.mark.kafka),  # certificates, keys, and attacks
    ],
)
def test_the_demo_adds_up(
    broker: str, options: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if broker == "kafka":
        request.getfixturevalue("kafka")  # skips the test if this machine cannot run a real Kafka
    result = _run_demo("--broker", broker, *options, "--json", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["broker"] == broker
    outcomes = ("disclosed", "offered", "held", "withheld", "quarantined")
    assert report["published"] == sum(report[name] for name in outcomes)
    assert report["replayed"] is True
    assert report["audit_verified"] is True
    assert report.get("proof_holds") is (True if options else None)
    assert report["conversation"] == dict.fromkeys(CONVERSATIONS, True)
    assert all(report[name] > 0 for name in ("disclosed", "offered", "held", "withheld")), report
    assert report["delivered"] == sum(counts["notices"] for counts in report["states"].values()) > 0
    assert set(STATES) <= set(report["states"])
    assert all(report["states"][state]["disclosed"] for state in STATES), "a sample profile lacks an answer"
    attacks = report.get("attacks", [])
    assert [(one["kind"], one["cause"], one["state"]) for one in attacks] == (CAUSES if options else [])
    assert report.get("refused") == (dict.fromkeys((kind for kind, _, _ in CAUSES), True) if options else None)
    output = " ".join(result.stderr.split())  # lines are wrapped to the width of the terminal
    assert output.count("refused by ") == len(attacks)
    for case in read_demo_cases():
        assert case.title in output


@pytest.fixture
def decided() -> tuple[Directory, list[Any], list[Any]]:
    """The Swiss demo cases: directory, indicators, and their decisions with encoded bytes."""
    directory = Directory({entry.state: entry for entry in parse_entries(*sample_directory())})
    law = find_law("CH")
    context = DecisionContext.open(law.pack, law.treaties, directory, NOW_MS)
    indicators = [case.indicator.to_record() for case in read_demo_cases() if case.indicator.source.state == "CH"]
    encoded = [get_codec("decision").encode(context.build_decision(one, NOW_MS).to_record()) for one in indicators]
    return directory, indicators, [(get_codec("decision").decode(raw), raw) for raw in encoded]


def test_correct_decisions_are_reproduced(decided: tuple[Directory, list[Any], list[Any]]) -> None:
    directory, indicators, decisions = decided
    assert find_differing_decisions(find_law("CH"), directory, indicators, decisions) == []


def test_missing_duplicate_and_altered_decisions_are_found(
    decided: tuple[Directory, list[Any], list[Any]],
) -> None:
    directory, indicators, decisions = decided
    law = find_law("CH")
    first = indicators[0]["id"]
    assert find_differing_decisions(law, directory, indicators, decisions[1:]) == [first]
    assert find_differing_decisions(law, directory, indicators, [*decisions, decisions[0]]) == [first]
    altered = (decisions[0][0], decisions[0][1].replace(b"IMAC", b"IMAD", 1))
    assert find_differing_decisions(law, directory, indicators, [altered, *decisions[1:]]) == [first]
    assert find_differing_decisions(law, directory, indicators[1:], decisions) == [first]


def test_agencies_may_share_an_id(decided: tuple[Directory, list[Any], list[Any]]) -> None:
    """A decision does not name the agency: it is paired with an indicator from which it can be reproduced."""
    directory, indicators, _ = decided
    law = find_law("CH")
    first, other = ({**one, "id": indicators[0]["id"], "version": 1} for one in indicators[:2])
    other["source"] = {**other["source"], "agency": "Another agency"}
    context = DecisionContext.open(law.pack, law.treaties, directory, NOW_MS)
    encode = get_codec("decision").encode
    (raw_first, raw_other) = (encode(context.build_decision(one, NOW_MS).to_record()) for one in (first, other))
    assert raw_first != raw_other
    decode = get_codec("decision").decode

    def find(*raws: bytes) -> list[str]:
        return find_differing_decisions(law, directory, [first, other], [(decode(raw), raw) for raw in raws])

    assert find(raw_first, raw_other) == find(raw_other, raw_first) == []
    assert find(raw_first, raw_first) == [first["id"]]
    assert find(raw_other) == find(raw_first, raw_other, raw_other) == [first["id"]]


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        ([], True), ([[0]], True), ([[]], False), ([[0, 1], [0]], True), ([[0], [0]], False),
        ([[0, 1], [0], [1, 2]], True), ([[0, 1], [0, 1], [0, 1]], False),
    ],
)  # fmt: skip
def test_each_decision_needs_a_cause_of_its_own(causes: list[list[int]], expected: bool) -> None:
    assert _can_pair(causes) is expected
