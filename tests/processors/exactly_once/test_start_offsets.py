"""Where a worker starts, for every combination of what the group, the state store and the log say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.exactly_once.start_offsets import (
    CommittedOffset,
    LogMismatchError,
    LogPosition,
    PartitionLog,
    choose_start_offset,
    join_mismatches,
)
from sharing.errors import InfrastructureError
from sharing.kafka.reset_command import ResetCommand

NOW, BEFORE, UNKNOWN = "now", "before", ""
LOG = PartitionLog("in", 0, NOW, first=10, end=100, has_store=True, changelog_id=NOW)


@pytest.mark.parametrize(
    ("committed", "recorded", "start"),
    [
        (None, None, 10),  # a new partition
        (CommittedOffset(40, NOW), LogPosition(NOW, 40), 40),
        (CommittedOffset(10, NOW), LogPosition(NOW, 10), 10),
        (CommittedOffset(100, NOW), LogPosition(NOW, 100), 100),
        (CommittedOffset(40, NOW), LogPosition(NOW, 50), 50),  # the broker lost the newer group offset
        (CommittedOffset(40, BEFORE), LogPosition(NOW, 50), 50),
        (CommittedOffset(40, BEFORE), LogPosition(BEFORE, 40), 10),  # the topic was created again
        (None, LogPosition(BEFORE, 40), 10),
        (CommittedOffset(500, BEFORE), LogPosition(BEFORE, 500), 10),
        (CommittedOffset(70, None), LogPosition(NOW, 40), 70),  # a person has set the offset
        (CommittedOffset(20, None), LogPosition(NOW, 40), 20),
        (CommittedOffset(20, None), LogPosition(BEFORE, 40), 20),
        (CommittedOffset(20, None), None, 20),
        (CommittedOffset(40, UNKNOWN), LogPosition(UNKNOWN, 40), 40),  # the embedded broker
    ],
)
def test_a_worker_starts_where_nothing_is_lost_or_repeated(
    committed: CommittedOffset | None, recorded: LogPosition | None, start: int
) -> None:
    assert choose_start_offset(LOG._replace(committed=committed, recorded=recorded), "group") == start


NO_STATE = r"the state store does not fit to in\[0\].* lost entries"
CUT = r"in\[0\] ends at offset 100, before the offset 101"
DELETED = r"in\[0\] begins at offset 10, after the offset 9"


@pytest.mark.parametrize(
    ("committed", "recorded", "offset", "problem"),
    [
        (None, LogPosition(NOW, 40), 40, r"group g has no offset for in\[0\] any more.* up to offset 40"),
        (CommittedOffset(40, NOW), None, 40, NO_STATE),
        (CommittedOffset(50, NOW), LogPosition(NOW, 40), 50, NO_STATE),
        (CommittedOffset(50, NOW), LogPosition(BEFORE, 40), 50, NO_STATE),
        (CommittedOffset(50, NOW, BEFORE), LogPosition(NOW, 50), 50, NO_STATE),
        (CommittedOffset(50, BEFORE), None, 10, NO_STATE),
        (CommittedOffset(101, NOW), LogPosition(NOW, 101), 100, CUT),
        (CommittedOffset(101, NOW), LogPosition(NOW, 40), 100, rf"{CUT}.* lost entries"),
        (CommittedOffset(101, NOW), None, 100, rf"{CUT}.* lost entries"),
        (CommittedOffset(90, NOW), LogPosition(NOW, 101), 100, CUT),
        (CommittedOffset(101, None), LogPosition(NOW, 40), 100, CUT),
        (CommittedOffset(9, NOW), LogPosition(NOW, 9), 10, DELETED),
        (CommittedOffset(9, None), None, 10, DELETED),
    ],
)
def test_a_worker_refuses_to_guess(
    committed: CommittedOffset | None, recorded: LogPosition | None, offset: int, problem: str
) -> None:
    with pytest.raises(LogMismatchError, match=problem) as refusal:
        choose_start_offset(LOG._replace(committed=committed, recorded=recorded), "g")
    assert refusal.value.offset == offset


MISMATCHES = [LogMismatchError(LOG._replace(partition=number), 40 + number, f"p{number}") for number in range(2)]


def test_one_message_names_all_partitions_with_commands_that_can_be_pasted() -> None:
    command = ResetCommand("b1:9092,b2:9092", {}, "group of CH")
    start = "kafka-consumer-groups.sh --bootstrap-server b1:9092,b2:9092 --group 'group of CH'"
    assert str(join_mismatches(MISMATCHES, command)) == (
        "p0; p1. Nothing is read. Decide where to continue (--to-offset N or --to-earliest), set it while no worker of "
        f"the group runs, and start the worker: {start} --topic in:0 --reset-offsets --to-offset 40 --execute; "
        f"{start} --topic in:1 --reset-offsets --to-offset 41 --execute"
    )


def test_the_commands_name_a_file_with_the_certificate_where_brokers_want_one() -> None:
    command = ResetCommand("b:9093", {"security.protocol": "SSL"}, "g")
    message = str(join_mismatches(MISMATCHES[:1], command))
    assert "b:9093 --command-config client.properties --group g" in message
    assert "(client.properties has the settings of a Java client with this client's certificate" in message


def test_without_a_state_store_the_group_alone_decides() -> None:
    log = LOG._replace(has_store=False)
    assert choose_start_offset(log, "g") == 10
    assert choose_start_offset(log._replace(committed=CommittedOffset(40, NOW)), "g") == 40
    assert choose_start_offset(log._replace(committed=CommittedOffset(40, BEFORE)), "g") == 10


ids = st.sampled_from([NOW, BEFORE, UNKNOWN])
offsets = st.integers(0, 120)


@given(
    committed=st.none() | st.builds(CommittedOffset, offsets, st.none() | ids),
    recorded=st.none() | st.builds(LogPosition, ids, offsets),
    has_store=st.booleans(),
)
def test_a_start_is_always_in_the_log_and_skips_nothing_unprocessed(
    committed: CommittedOffset | None, recorded: LogPosition | None, has_store: bool
) -> None:
    log = LOG._replace(committed=committed, recorded=recorded if has_store else None, has_store=has_store)
    try:
        start = choose_start_offset(log, "g")
    except InfrastructureError:
        return
    assert log.first <= start <= log.end
    told = {committed.offset} if committed is not None else set()
    processed = {log.recorded.next_offset} if log.recorded is not None else set()
    assert start in {log.first} | told | processed
    if committed is not None and committed.topic_id == NOW:
        assert start >= committed.offset, "what the group has processed in this log is processed again"
