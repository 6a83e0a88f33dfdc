"""Tests of the checks of subscribers and logs, in memory."""

from __future__ import annotations

from collections import Counter

from tests.faults.contents import TopicContents
from tests.faults.gate_outputs import list_breaches
from tests.faults.reader_checker import (
    REPEATED_MAX,
    find_handling_violations,
    find_skipped_markers,
    find_unreported,
)
from tests.faults.violations import Breach


def test_an_unreadable_record_that_its_reader_does_not_report_is_found() -> None:
    messages = ["exchange.nl.notices/1@20: skipped", "exchange.nl.notices/1@2: skipped"]
    log = "exchange.nl.notices/1@20: skipped, not a readable notice: BAD_COMPRESSION"
    (violation,) = find_unreported(messages, log)
    assert violation.breach is Breach.LOST
    assert messages[1] in str(violation)


def test_notices_that_a_subscriber_did_not_handle_once_are_found(valid: TopicContents) -> None:
    once = Counter(str(record.data["id"]) for record in valid.list_notices("NL"))
    first = next(iter(once))
    assert find_handling_violations("NL", valid, once, 0) == []
    assert list_breaches(find_handling_violations("NL", valid, once - Counter([first]), 0)) == {Breach.LOST}
    assert list_breaches(find_handling_violations("NL", valid, once + Counter([first]), 0)) == {Breach.DUPLICATED}
    assert list_breaches(find_handling_violations("NL", valid, once + Counter(["else"]), 0)) == {Breach.UNFOUNDED}
    assert find_handling_violations("NL", valid, once + Counter({first: REPEATED_MAX}), 1) == []
    too_often = once + Counter({first: REPEATED_MAX + 1})
    assert list_breaches(find_handling_violations("NL", valid, too_often, 1)) == {Breach.DUPLICATED}


def test_skipped_markers_are_counted_once_for_each_transaction() -> None:
    message = (
        "2026-11-25T21:06:54.944Z [TxnMarkerSenderThread-1] INFO kafka.coordinator - Couldn't find leader endpoint for "
        "partitions HashSet(national.de.drafts-3) while trying to send transaction markers for national.de.gate.0, so"
    )
    log = f"{message}\n2026-11-25T21:06:55Z [main] WARN of something else, national.nl.gate.0\n{message}\n"
    assert find_skipped_markers(log) == Counter(DE=1)
