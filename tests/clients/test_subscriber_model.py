"""For any order of hand-outs, commits, faults and kills, a subscriber does what a naive reading of its promise says.

The promise: what is committed was handled or skipped; nothing is lost; in one life nothing that was handled is
delivered again, and with `remember` not in the next one either; no version of an item follows a later one.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sharing.clients.subscriber import Subscriber
from sharing.kafka import group_commits, group_consumer, group_offsets, lanes
from sharing.model.notice import Notice
from sharing.topology.topics import NOTICES, URGENT
from tests.clients.fake_cluster import PARTITIONS, FakeCluster, query_no_ids
from tests.kafka.topic_io import notice_bytes

STATE = "DE"
TOPICS = {"ordinary": NOTICES.topic(STATE), "urgent": URGENT.topic(STATE)}
GROUPS = {TOPICS["ordinary"]: "exchange.de.subscriber", TOPICS["urgent"]: "exchange.de.subscriber.urgent"}
ITEMS = ("a", "b", "c")
JUNK = b"no notice"


class HandlerError(Exception):
    """The handler of the test fails."""


class SubscriberMachine(RuleBasedStateMachine):
    """A subscriber, its cluster, and what a naive reader notes about both."""

    remembers = False

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.cluster = FakeCluster()
        self.folder = tempfile.TemporaryDirectory()
        self.written: dict[bytes, tuple[str, str, int]] = {}  # id, item and version, by record
        self.places: dict[str, tuple[str, int, int]] = {}  # of records whose order shows
        self.open_now: set[str] = set()  # delivered in this batch
        self.handled: Counter[str] = Counter()  # by id, in all lives
        self.handled_now: set[str] = set()  # in this life, or in the file
        self.newest: dict[str, int] = {}  # version delivered last, by item, as far as this life or the file knows it
        self.newest_handled: dict[str, int] = {}
        self.handled_in_life: set[str] = set()
        self.has_moved = False  # the partitions, in this life
        self.subscriber: Subscriber | None = None
        for module, name, value in (
            (group_consumer, "make_consumer", self.cluster.make_consumer),
            (group_consumer, "make_admin", lambda *_: None),
            (group_offsets, "query_topic_ids", query_no_ids),
            (group_commits, "SEND_SECONDS", 0.0),
            (group_commits, "SEND_MAX", 3),
            (group_commits, "UNCONFIRMED_MAX", 5),
            (group_commits, "UNCONFIRMED_SECONDS_MAX", float("inf")),
            (group_commits, "_RETRY_SECONDS", 0.0),
            (group_consumer, "FETCH_MAX", 4),
            (lanes, "_SERVE_SECONDS", 0.0),
        ):
            self.patch.setattr(module, name, value)
        self.patch.setattr(
            "sharing.clients.subscriber.look_up_topics", lambda *_: dict.fromkeys(TOPICS.values(), PARTITIONS)
        )

    def teardown(self) -> None:
        self.patch.undo()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        self.open()

    def open(self) -> None:
        remember = Path(self.folder.name) / "handed-out" if self.remembers else None
        self.subscriber = Subscriber("none", STATE, stop_at_end=True, remember=remember, on_unreadable=lambda _: None)
        self.handled_in_life, self.has_moved = set(), False
        if not self.remembers:
            self.handled_now, self.newest = set(), {}
        else:
            self.newest = dict(self.newest_handled)

    # What the test does to the cluster.

    @rule(
        lane=st.sampled_from(sorted(TOPICS)), partition=st.integers(0, PARTITIONS - 1), item=st.sampled_from(ITEMS),
        version=st.integers(1, 3),
    )  # fmt: skip
    def write(self, lane: str, partition: int, item: str, version: int) -> None:
        """Write a version of an item. The same version has the same id, wherever and however often it is written."""
        identity = f"{item}/{version}"
        data = notice_bytes(
            STATE, f"{item}.example", identity=identity, item_id=item, indicator_id=item, version=version
        )
        self.written[data] = identity, item, version
        self.cluster.logs[TOPICS[lane], partition].append(data)

    @rule(lane=st.sampled_from(sorted(TOPICS)), partition=st.integers(0, PARTITIONS - 1), count=st.integers(1, 7))
    def write_new(self, lane: str, partition: int, count: int) -> None:
        """Write items of which there is nothing else, so that their order shows."""
        log = self.cluster.logs[TOPICS[lane], partition]
        for _ in range(count):
            item = f"new {len(self.written)}"
            data = notice_bytes(STATE, identity=item, item_id=item, indicator_id=item)
            self.written[data] = item, item, 1
            self.places[item] = TOPICS[lane], partition, len(log)
            log.append(data)

    @rule(lane=st.sampled_from(sorted(TOPICS)), partition=st.integers(0, PARTITIONS - 1))
    def write_junk(self, lane: str, partition: int) -> None:
        self.cluster.logs[TOPICS[lane], partition].append(JUNK)

    @rule(answers=st.booleans(), refusals=st.integers(0, 2))
    def change_broker(self, answers: bool, refusals: int) -> None:
        self.cluster.answers, self.cluster.refusals = answers, refusals

    @rule()
    def rebalance(self) -> None:
        self.cluster.rebalance()
        self.has_moved = True

    # What the program does.

    @rule(count=st.integers(1, 4), handles_last=st.booleans())
    def iterate(self, count: int, handles_last: bool) -> None:
        """Take some notices in a loop; leave the last one with `break`, or ask for one more."""
        assert self.subscriber is not None
        taken: list[Notice] = []
        for notice in self.subscriber:
            if taken:
                self.note_handled(taken[-1])
            self.check_delivered(notice)
            if len(taken) == count:
                break  # delivered, and not handled
            taken.append(notice)
            if len(taken) == count and not handles_last:
                break
        else:
            if taken:
                self.note_handled(taken[-1])

    @rule(fails_at=st.one_of(st.none(), st.integers(1, 3)))
    def run_handler(self, fails_at: int | None) -> None:
        assert self.subscriber is not None
        calls: list[Notice] = []

        def handle(notice: Notice) -> None:
            self.check_delivered(notice)
            calls.append(notice)
            if len(calls) == fails_at:
                raise HandlerError
            self.note_handled(notice)

        self.expect_end(partial(self.subscriber.run, handle), calls, fails_at)

    @rule(fails_at=st.one_of(st.none(), st.integers(1, 2)), batch_max=st.integers(1, 5))
    def run_batches(self, fails_at: int | None, batch_max: int) -> None:
        assert self.subscriber is not None
        calls: list[list[Notice]] = []

        def handle(batch: list[Notice]) -> None:
            assert 1 <= len(batch) <= batch_max
            assert len({notice.id for notice in batch}) == len(batch)
            self.open_now.clear()
            for notice in batch:
                self.check_delivered(notice)
                self.open_now.add(notice.id)
            self.open_now.clear()
            calls.append(batch)
            if len(calls) == fails_at:
                raise HandlerError
            for notice in batch:
                self.note_handled(notice)

        self.expect_end(partial(self.subscriber.run_batches, handle, batch_max), calls, fails_at)

    @staticmethod
    def expect_end(run: Any, calls: list[Any], fails_at: int | None) -> None:
        try:
            run()
        except HandlerError:
            assert len(calls) == fails_at

    @rule()
    def kill(self) -> None:
        """End the process without a word, and start it again. The operating system closes its files."""
        assert self.subscriber is not None
        self.cluster.kill()
        memory = self.subscriber._memory
        if memory is not None:
            os.close(memory._file)
        self.open()

    @rule()
    def restart(self) -> None:
        """Close and open: all that was handled is committed."""
        assert self.subscriber is not None
        self.subscriber.close()
        self.check_all_is_committed()
        self.open()

    @precondition(lambda self: bool(self.written))
    @rule()
    def drain(self) -> None:
        """Read all that is there: nothing is lost."""
        assert self.subscriber is not None
        for notice in self.subscriber:
            self.check_delivered(notice)
            self.note_handled(notice)
        for identity, item, version in self.written.values():
            newest = max(other for _, name, other in self.written.values() if name == item)
            assert self.handled[identity] or version < newest, f"{identity} was lost"

    # What a naive reader notes.

    def check_delivered(self, notice: Notice) -> None:
        assert notice.id not in self.handled_now, f"{notice.id} was handled, and is delivered again"
        assert notice.version >= self.newest.get(notice.item_id, 0), f"{notice.id} follows a later version"
        self.newest[notice.item_id] = notice.version
        if notice.id in self.places:
            topic, partition, offset = self.places[notice.id]
            for data in self.cluster.logs[topic, partition][:offset]:
                earlier = self.written.get(data, ("",))[0]
                is_done = earlier not in self.places or self.handled[earlier] or earlier in self.open_now
                assert is_done, f"{notice.id} is delivered before {earlier}"

    def note_handled(self, notice: Notice) -> None:
        self.handled[notice.id] += 1
        self.handled_in_life.add(notice.id)
        self.handled_now.add(notice.id)
        self.newest_handled[notice.item_id] = max(notice.version, self.newest_handled.get(notice.item_id, 0))

    def check_all_is_committed(self) -> None:
        """After a close, no record that was handled in this life is the next one; if no partition moved meanwhile."""
        records = Counter(data for log in self.cluster.logs.values() for data in log)
        for (topic, partition), log in self.cluster.logs.items():
            committed = max(0, self.cluster.committed.get((GROUPS[topic], topic, partition), 0))
            for data in log[committed : committed + 1]:
                is_handled = data != JUNK and self.written[data][0] in self.handled_in_life
                assert not is_handled or self.has_moved or records[data] > 1

    @invariant()
    def what_is_committed_was_handled_or_is_passed_over(self) -> None:
        for (group, topic, partition), offset in self.cluster.committed.items():
            assert group == GROUPS[topic]
            for data in self.cluster.logs[topic, partition][:offset]:
                if data == JUNK:
                    continue
                identity, item, version = self.written[data]
                later = max((other for _, name, other in self.written.values() if name == item), default=0)
                assert self.handled[identity] or version < later, f"{identity} was committed, and not handled"


class RememberingMachine(SubscriberMachine):
    """The same with a file."""

    remembers = True


TestSubscriber = SubscriberMachine.TestCase
TestRemembering = RememberingMachine.TestCase
EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "60"))
TestSubscriber.settings = TestRemembering.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
