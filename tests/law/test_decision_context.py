"""A gate decides under the law, the day and the directory of the batch."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from processors.gate.gate import Gate
from sharing.model.directory import Directory
from sharing.model.vocabulary import Outcome
from sharing.packs.library import load_shipped_treaties
from tests.processors.gate.gate_fixtures import (
    DAY_MS,
    DIRECTORY,
    LAW,
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
        decide_outcome(gate, NOW_MS, make_directory(directory_entry("US", authority={"name": "n"}))) is Outcome.WITHHOLD
    )


def test_a_gate_session_lasts_as_long_as_its_decision_context() -> None:
    gate = Gate(LAW, load_shipped_treaties())
    gate.process_batch([make_message()], DIRECTORY, NOW_MS)
    session = gate._session
    gate.process_batch([make_message(2)], DIRECTORY, NOW_MS + 1)
    assert gate._session is session
    gate.process_batch([make_message(2)], DIRECTORY, NOW_MS + DAY_MS)
    assert gate._session is not session


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
