"""Tests of the checker, in memory: what is owed of an input topic that was deleted."""

from __future__ import annotations

from sharing.ids import make_quarantine_id
from sharing.topology.topics import INDICATORS
from tests.faults.checker import find_violations
from tests.faults.contents import DeletedLog, TopicContents
from tests.faults.gate_outputs import list_breaches
from tests.faults.item_agencies import get_item
from tests.faults.records import add_deleted_logs
from tests.faults.violations import Breach


def delete_log(contents: TopicContents, next_offset: int) -> DeletedLog:
    """Let the indicators belong to a deleted topic, of which the gate says that it has processed it up to an offset."""
    accepted = frozenset(get_item(record) for record in contents.indicators if not record.poison)
    log = DeletedLog("old", contents.indicators, accepted)
    contents.indicators = []
    add_deleted_logs(contents, [log], {("old", 0): next_offset, ("other", 0): 1_000_000})
    return log


def test_what_was_processed_of_a_deleted_topic_is_owed_and_the_rest_is_not(contents: TopicContents) -> None:
    end = len(contents.indicators)
    unread = contents.indicators[3]._replace(offset=end, data={**contents.indicators[3].data, "id": "unread"})
    contents.indicators.append(unread)
    log = delete_log(contents, end)
    assert contents.deleted == {("unread", 1)}
    assert find_violations("CH", contents, log.accepted) == []
    lost = contents.decisions.pop(3)
    assert list_breaches(find_violations("CH", contents, log.accepted)) >= {Breach.LOST}
    contents.decisions.insert(3, lost)
    contents.decisions.append(lost._replace(data={**lost.data, "indicator_id": "unread"}))
    assert Breach.UNFOUNDED in list_breaches(find_violations("CH", contents, log.accepted))


def test_an_indicator_that_is_confirmed_after_its_topic_was_deleted_is_owed(contents: TopicContents) -> None:
    log = delete_log(contents, len(contents.indicators))
    assert find_violations("CH", contents, log.accepted) == []
    assert list_breaches(find_violations("CH", contents, log.accepted | {("later", 1)})) == {Breach.LOST}


def test_invalid_records_at_the_same_offset_of_two_logs_are_quarantined_twice(contents: TopicContents) -> None:
    first = next(record for record in contents.indicators if record.poison)
    contents.indicators.append(first)
    assert Breach.LOST in list_breaches(find_violations("CH", contents))
    identity = make_quarantine_id(INDICATORS.topic("CH"), first.partition, first.offset)
    contents.quarantined += [record for record in contents.quarantined if record.data["id"] == identity]
    assert find_violations("CH", contents) == []
    contents.quarantined += [record for record in contents.quarantined if record.data["id"] == identity][:1]
    assert Breach.DUPLICATED in list_breaches(find_violations("CH", contents))
