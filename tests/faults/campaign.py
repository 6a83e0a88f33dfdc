"""Runs rounds of faults on a bus under load and then checks its topics; in chapters, each on a new bus."""

from __future__ import annotations

import bisect
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path

from sharing.topology.topics import DIRECTORY, INDICATORS
from tests.faults.agency import read_numbers
from tests.faults.bus import Bus
from tests.faults.checker import find_gate_violations, find_violations
from tests.faults.contents import TopicContents
from tests.faults.drain import RemainingWork, drain_work
from tests.faults.findings import SKIPPED_MARKERS, Findings, count_records
from tests.faults.injections import inject_fault
from tests.faults.partner import count_new_subscribers, read_handled
from tests.faults.reader_checker import find_handling_violations, find_skipped_markers, find_unreported
from tests.faults.records import read_records
from tests.faults.schedule import BROKERS, STATES, Fault, plan_faults
from tests.faults.sealed.check import SealedCheck, publish_again, send_again
from tests.faults.sealed.kinds import plan_sealed_faults
from tests.faults.sealed.openings import Openings
from tests.faults.violations import Breach, Violation

START_S = 240.0
RETIRE_S = 180.0
SETTLED_S = 2.0
"""After which a loop that has read everything has written what follows from it."""


@dataclass
class Chapter:
    """Rounds of faults on one bus.

    Args:
        bus: The running bus.
        faults: The faults, one per round.
        on_round: Called with number and fault when a round begins.
    """

    bus: Bus
    faults: list[Fault]
    on_round: Callable[[int, Fault], None] = lambda *_: None
    _round_started_ms: list[int] = field(default_factory=list)

    def wait_for_gates(self) -> None:
        """Wait until every gate processes records."""
        bus = self.bus
        for state in STATES:
            bus.wait_until(lambda state=state: self._is_working(state), f"the gate of {state} works", START_S)  # type: ignore[misc]  # bound immediately

    def wait_for_published(self, count: int) -> None:
        """Wait until agencies have published this many items: on a slow machine, the faults alone are soon over."""
        journals = [self.bus.get_journal("agency", state) for state in STATES]
        self.bus.wait_until(
            lambda: sum(len(read_numbers(journal)) for journal in journals) >= count, "enough is published", START_S
        )

    def run(self) -> None:
        """Wait until all gates work, inject the faults, repair them, and wait until all records are processed."""
        bus = self.bus
        self.wait_for_gates()
        for number, fault in enumerate(self.faults, 1):
            self._round_started_ms.append(time.time_ns() // 1_000_000)
            self.on_round(number, fault)
            inject_fault(bus, fault)
            bus.supervise_for(fault.pause_s)
        self._drain()

    def read_records(self) -> dict[str, TopicContents]:
        """Return the content of the topics, by providing State; opened where it is sealed."""
        bus = self.bus
        open_value = None if bus.states is None else Openings(bus.states).open_value
        records = read_records(
            bus.bootstrap, STATES, bus.recipients, open_value=open_value, deleted_logs=bus.deleted_logs
        )
        if bus.states is not None:
            for state, contents in records.items():  # the rest is what the inbox refused
                own = INDICATORS.topic(state)
                contents.quarantined = [record for record in contents.quarantined if record.data["topic"] == own]
        return records

    def check_records(self, records: Mapping[str, TopicContents]) -> Findings:
        """Return the violations and the counts."""
        findings = Findings(
            faults=Counter(str(fault.kind) for fault in self.faults),
            failures=list(self.bus.failures),
            not_injected=list(self.bus.not_injected),
        )
        skipped = find_skipped_markers(self.bus.cluster.read_logs())
        is_single_broker = self.bus.cluster.size == 1
        findings.counts[SKIPPED_MARKERS] = skipped.total()
        findings.counts["elections of leaders"] = self.bus.cluster.count_elections()
        sealed = None if self.bus.states is None else SealedCheck(self.bus)
        conversations = {} if sealed is None else sealed.find_conversation_violations(records)
        for state, contents in records.items():
            accepted = self.bus.find_accepted(state)
            handled = read_handled(self.bus.get_journal("partner", state))
            restarts = self._count_new_subscribers(state)
            if sealed is None:
                violations = find_violations(state, contents, accepted)
                violations += find_handling_violations(state, contents, handled, restarts)
                violations += self._find_unreported(state, contents)
            else:
                contents = _leave_out_amendments(contents)  # noqa: PLW2901 what its agency has published
                violations = find_gate_violations(state, contents, accepted)
                violations += sealed.find_violations(state, handled, restarts) + conversations[state]
                findings.counts += sealed.count_refusals(state) + sealed.count_acts(state)
            for violation in violations:
                is_torn = is_single_broker and state in skipped and violation.breach is not Breach.LEAKED
                (findings.torn if is_torn else findings.violations).append((self._find_round(violation), violation))
            findings.counts += count_records(state, contents, accepted, handled)
        findings.counts += self.bus.exits
        findings.counts += self._count_log_messages()
        return findings

    def _is_working(self, state: str) -> bool:
        journal = self.bus.get_journal("agency", state)
        return journal.exists() and 0 <= self.bus.offsets[state].count_unprocessed() < len(read_numbers(journal))

    def _drain(self) -> None:
        """Repair all faults; wait until gates and subscribers have processed everything, then stop all processes."""
        bus = self.bus
        bus.repair()
        bus.cluster.start()
        bus.wait_until_healthy()
        for child in [*bus.agencies.values(), *bus.officers.values()]:
            self._check_exit_code(child.name, child.stop())
        drain_work(bus, [self._make_gate_work(state) for state in STATES])
        if bus.states is not None:
            self._drain_inboxes()
        bus.wait_until(
            lambda: not any(gate.is_alive() for gate in bus.replaced_gates), "replaced gates have ended", RETIRE_S
        )
        for child in [*bus.gates.values(), *bus.extra_workers.values()]:
            if child.is_alive():
                self._check_exit_code(child.name, child.stop())
        received = self._list_received()
        drain_work(bus, [self._make_partner_work(state, received[state]) for state in STATES])
        for child in bus.partners.values():
            self._check_exit_code(child.name, child.stop())

    def _list_received(self) -> dict[str, AbstractSet[str]]:
        """Return the ids of the notices that each State's subscriber must handle."""
        if self.bus.states is not None:
            return SealedCheck(self.bus).list_received()
        contents = self.read_records()
        return {state: {str(record.data["id"]) for record in contents[state].list_notices(state)} for state in STATES}

    def _drain_inboxes(self) -> None:
        """Wait for the inboxes; let what they refused during a fault be published again, and wait once more."""
        bus = self.bus
        self._drain_conversations()
        check = SealedCheck(bus)
        again, items = check.list_refused_numbers(), check.list_refused_items()
        for state, numbers in again.items():
            publish_again(bus, state, numbers)
        for state, refused in items.items():
            send_again(bus, state, refused)
        if any(again.values()) or any(items.values()):
            self._drain_conversations()

    def _drain_conversations(self) -> None:
        """Wait until all loops of all States have nothing left: what one writes, another may have to answer."""
        while True:
            for make in (self._make_gate_work, self._make_inbox_work):
                drain_work(self.bus, [make(state) for state in STATES])
            self.bus.supervise_for(SETTLED_S)
            left = [self.bus.offsets[state].count_unprocessed() + self.bus.count_unopened(state) for state in STATES]
            if not any(left) or self.bus.failures:
                return

    def _make_gate_work(self, state: str) -> RemainingWork:
        return self._make_worker_work(state, self.bus.offsets[state].count_unprocessed)

    def _make_inbox_work(self, state: str) -> RemainingWork:
        return self._make_worker_work(state, lambda: self.bus.count_unopened(state))

    def _make_worker_work(self, state: str, count_left: Callable[[], int]) -> RemainingWork:
        workers = [
            worker for worker in (self.bus.gates[state], self.bus.extra_workers.get(state)) if worker is not None
        ]
        return RemainingWork("gate", count_left, [worker for worker in workers if worker.is_alive()])

    def _make_partner_work(self, state: str, ids: AbstractSet[str]) -> RemainingWork:
        journal = self.bus.get_journal("partner", state)
        return RemainingWork("partner", lambda: len(ids - read_handled(journal).keys()), [self.bus.partners[state]])

    def _check_exit_code(self, name: str, code: int) -> None:
        if code not in {0, -signal.SIGTERM}:  # a start in progress ends without a code
            self.bus.failures.append(f"{name} ended on SIGTERM with code {code}")

    def _find_unreported(self, state: str, contents: TopicContents) -> list[Violation]:
        """Return the unreadable records that the State's subscriber or gate left out without a word."""
        notices = [f"{reference}: skipped" for reference in contents.unreadable[state]]
        entries = [
            f"{DIRECTORY.topic(announcer)}: record at partition 0, offset {offset} ignored"
            for announcer, offsets in self.bus.directory_bombs.items()
            for offset in offsets
        ]
        subscriber_log = self.bus.partners[state].log.read_text(errors="replace")
        return [
            *find_unreported(notices, subscriber_log),
            *find_unreported(entries, self.bus.read_gate_logs(state)),
        ]

    def _count_new_subscribers(self, state: str) -> int:
        child = self.bus.partners[state]
        return child.start_count - 1 + count_new_subscribers(child.log)

    def _find_round(self, violation: Violation) -> int:
        return bisect.bisect_right(self._round_started_ms, violation.at_ms) if violation.at_ms else 0

    def _count_log_messages(self) -> Counter[str]:
        """Count messages in the gates' logs which show that faults had an effect."""
        logs = "".join(self.bus.read_gate_logs(state) for state in STATES)
        messages = {
            "transactions aborted": "a transaction is aborted",
            "gates fenced": "fenced: another process",
            "gates stuck in librdkafka": "librdkafka call has not returned",
            "gates stopped by a wrong clock": "the clock is wrong",
            "partitions of topics created again": "was deleted and created again since it was last read",
        }
        return Counter({name: logs.count(text) for name, text in messages.items()})


def run_chapter(
    folder: Path,
    seed: int,
    rounds: int,
    on_round: Callable[[int, Fault], None] = lambda *_: None,
    *,
    brokers: int = BROKERS,
    secure: bool = False,
) -> Findings:
    """Run rounds of faults on a new bus.

    Args:
        folder: Empty folder for all files.
        seed: Seed of the schedule and of the published items. The timing within a process does not depend on it.
        rounds: Number of faults.
        on_round: Called with number and fault when a round begins.
        brokers: Number of brokers.
        secure: Whether the States have keys; then most faults are of keys and seals.
    """
    plan = plan_sealed_faults if secure else plan_faults
    with Bus(folder, seed, brokers=brokers, secure=secure) as bus:
        chapter = Chapter(bus, plan(seed, rounds, brokers), on_round)
        chapter.run()
        findings = chapter.check_records(chapter.read_records())
        if findings.violations or findings.torn:
            bus.cluster.copy_data(folder / "data")
        return findings


def derive_chapter_seed(seed: int, number: int) -> int:
    """Return the seed of a chapter of a campaign."""
    return random.Random(f"{seed}/{number}").getrandbits(32)


def _leave_out_amendments(contents: TopicContents) -> TopicContents:
    """Return the contents without the decisions on what officers have amended."""
    return replace(contents, decisions=[record for record in contents.decisions if not record.data["amendment"]])
