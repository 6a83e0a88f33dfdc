"""A gate decides under the law, the day and the directory of the batch."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from processors.gate.gate import Gate
from sharing.columnar import decoding
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.model.vocabulary import Outcome
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from tests.processors.gate.gate_fixtures import (
    DAY_MS,
    DIRECTORY,
    LAW,
    NEVER_COLUMNAR,
    NOON,
    NOW_MS,
    PACK,
    decode_by_topic,
    directory_entry,
    make_directory,
    make_message,
    make_pack,
    process_messages,
)

MIDNIGHT_MS = NOW_MS + DAY_MS // 2


def decide_outcome(gate: Gate, now_ms: int, directory: Directory = DIRECTORY) -> Outcome:
    (outcome,) = gate.process_batch([make_message()], directory, now_ms).outcomes
    return outcome


def test_the_law_changes_at_midnight_utc() -> None:
    gate = Gate(LAW, load_shipped_treaties())
    assert decide_outcome(gate, NOW_MS) is Outcome.DISCLOSE
    assert decide_outcome(gate, MIDNIGHT_MS - 1) is Outcome.DISCLOSE
    assert decide_outcome(gate, MIDNIGHT_MS) is Outcome.WITHHOLD
    assert decide_outcome(gate, MIDNIGHT_MS - 1) is Outcome.DISCLOSE  # the clock was set back


def test_a_directory_entry_ends_at_its_expiry() -> None:
    end = NOON + dt.timedelta(hours=1)
    directory = make_directory(directory_entry("US", valid_until=end.isoformat()))
    gate = Gate(LAW, load_shipped_treaties())
    end_ms = int(end.timestamp() * 1000)
    assert decide_outcome(gate, NOW_MS, directory) is Outcome.DISCLOSE
    assert decide_outcome(gate, end_ms - 1, directory) is Outcome.DISCLOSE
    assert decide_outcome(gate, end_ms, directory) is Outcome.WITHHOLD
    assert decide_outcome(gate, end_ms + 1, directory) is Outcome.WITHHOLD


def test_an_interest_ends_with_its_entry() -> None:
    end = NOON + dt.timedelta(hours=1)
    france = directory_entry("FR", valid_until=end.isoformat(), interests=[{"id": "i", "types": ["domain-name"]}])
    gate = Gate(LAW, load_shipped_treaties())
    for now_ms, considered in ((NOW_MS, ["FR"]), (int(end.timestamp() * 1000), [])):
        (decision,) = decode_by_topic(gate.process_batch([make_message(nexus=[])], make_directory(france), now_ms))[
            "national.ch.decisions"
        ]
        assert [recipient["state"] for recipient in decision["recipients"]] == considered


def test_a_changed_directory_is_used_at_once() -> None:
    gate = Gate(LAW, load_shipped_treaties())
    assert decide_outcome(gate, NOW_MS, make_directory()) is Outcome.WITHHOLD
    assert decide_outcome(gate, NOW_MS, make_directory(directory_entry("US"))) is Outcome.DISCLOSE
    assert (
        decide_outcome(gate, NOW_MS, make_directory(directory_entry("US", authorities=[{"name": "n"}])))
        is Outcome.WITHHOLD
    )


def test_a_gate_session_lasts_as_long_as_its_decision_context() -> None:
    gate = Gate(LAW, load_shipped_treaties())
    gate.process_batch([make_message()], DIRECTORY, NOW_MS)
    session = gate._session
    gate.process_batch([make_message(2)], DIRECTORY, NOW_MS + 1)
    assert gate._session is session
    gate.process_batch([make_message(2)], DIRECTORY, NOW_MS + DAY_MS)
    assert gate._session is not session


def test_a_renewed_entry_ends_no_context_and_its_new_expiry_counts() -> None:
    end = NOON + dt.timedelta(hours=1)
    end_ms = int(end.timestamp() * 1000)
    gate = Gate(LAW, load_shipped_treaties())
    assert decide_outcome(gate, NOW_MS, make_directory(directory_entry("US", valid_until=end.isoformat()))) is (
        Outcome.DISCLOSE
    )
    session = gate._session
    longer = make_directory(directory_entry("US", announced_at="2026-02-01T00:00:00Z"))
    for now_ms in (NOW_MS, end_ms - 1, end_ms, end_ms + 1):
        assert decide_outcome(gate, now_ms, longer) is Outcome.DISCLOSE
        assert gate._session is session
    sooner = NOON + dt.timedelta(minutes=1)
    shorter = make_directory(directory_entry("US", valid_until=sooner.isoformat()))
    assert decide_outcome(gate, int(sooner.timestamp() * 1000) - 1, shorter) is Outcome.DISCLOSE
    assert gate._session is session
    assert decide_outcome(gate, int(sooner.timestamp() * 1000), shorter) is Outcome.WITHHOLD
    assert gate._session is not session


def with_topics(directory: Directory, *states: str) -> Directory:
    return Directory(directory.entries, receiving_states=frozenset(states))


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR], ids=["columnar", "record by record"])
def test_a_state_without_topics_gets_nothing_and_is_told_why(
    columnar_min: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BULK_MIN", 2)
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min)
    nexus = [{"state": state, "reason": "r"} for state in ("DE", "US", "BR")]
    batch = [make_message(number, nexus=nexus) for number in (1, 2)]
    for receiving, outcomes in (
        (("DE", "FR", "US"), {"DE": "DISCLOSE", "US": "DISCLOSE", "BR": "WITHHOLD"}),
        (("DE", "FR"), {"DE": "DISCLOSE", "US": "WITHHOLD", "BR": "WITHHOLD"}),
        ((), {"DE": "WITHHOLD", "US": "WITHHOLD", "BR": "WITHHOLD"}),
        (("DE", "FR", "US"), {"DE": "DISCLOSE", "US": "DISCLOSE", "BR": "WITHHOLD"}),  # created without a restart
    ):
        outputs = decode_by_topic(gate.process_batch(batch, with_topics(DIRECTORY, *receiving), NOW_MS))
        sent = {topic.split(".")[1].upper() for topic in outputs if topic.startswith("exchange.")}
        assert sent == {state for state, outcome in outcomes.items() if outcome == "DISCLOSE"}
        decisions = outputs["national.ch.decisions"]
        assert len(decisions) == len(batch)
        for decision in decisions:
            recipients = {recipient["state"]: recipient for recipient in decision["recipients"]}
            assert {state: recipient["outcome"] for state, recipient in recipients.items()} == outcomes
            for state in ("DE", "US"):
                rules = [rule["id"] for rule in recipients[state]["rules"]]
                assert (rules == ["bus.no-topics"]) is (state not in receiving)


def test_without_topics_equal_items_still_share_one_verdict() -> None:
    context = DecisionContext.open(LAW, load_shipped_treaties(), with_topics(DIRECTORY, "DE"), NOW_MS)
    records = [get_codec("indicator").decode(make_message(number).value()) for number in (1, 2)]
    first, second = (context.decide(record, NOW_MS) for record in records)
    assert first is second


def test_a_context_ends_when_other_states_have_topics() -> None:
    context = DecisionContext.open(LAW, load_shipped_treaties(), with_topics(DIRECTORY, "DE"), NOW_MS)
    assert context.is_valid_for(with_topics(DIRECTORY, "DE"), NOW_MS)
    assert not context.is_valid_for(with_topics(DIRECTORY, "DE", "US"), NOW_MS)
    assert not context.is_valid_for(DIRECTORY, NOW_MS)


def test_retention_is_evaluated_at_the_instant_of_the_batch() -> None:
    gate = Gate(LAW, load_shipped_treaties())
    message = make_message(retain_until="2026-03-01T12:00:01Z")
    outcomes = [
        next(iter(gate.process_batch([message], DIRECTORY, now_ms).outcomes))
        for now_ms in (NOW_MS, NOW_MS + 999, NOW_MS + 1000)
    ]
    assert outcomes == [Outcome.DISCLOSE, Outcome.DISCLOSE, Outcome.WITHHOLD]


def test_a_clock_before_the_law_withholds_everything() -> None:
    long_ago = int(dt.datetime(1999, 1, 1, tzinfo=dt.UTC).timestamp() * 1000)
    assert process_messages(make_message(), now_ms=long_ago).outcomes == Counter([Outcome.WITHHOLD])


def test_decisions_under_a_reworded_law_differ_only_in_its_hash() -> None:
    reworded = make_pack(PACK + "# a remark\n")
    first, second = (
        decode_by_topic(process_messages(make_message(), pack=pack))["national.ch.decisions"][0]
        for pack in (LAW, reworded)
    )
    assert first["pack"]["sha256"] != second["pack"]["sha256"]
    assert first["recipients"] == second["recipients"]
