"""Rounds of faults on a bus under load, then the checks; in chapters, each on a bus of its own."""

from __future__ import annotations

import bisect
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.agency import read_numbers
from tests.faults.bus import Bus
from tests.faults.checker import (
    Breach,
    Item,
    Violation,
    count_outcomes,
    find_handling_violations,
    find_skipped_markers,
    find_violations,
)
from tests.faults.drain import AtWork, work_through
from tests.faults.gate_process import STATES as ALL_STATES
from tests.faults.injections import IN_SYNC, SYNC_S, do
from tests.faults.partner import begins_anew, read_handled
from tests.faults.records import Records, read_records
from tests.faults.schedule import BROKERS, STATES, Fault, plan
from tests.faults.workload import item

SKIPPED = "transactions without markers, by the broker"
"""Of `Findings.counts`."""
START_S = 180.0
RETIRE_S = 60.0


@dataclass
class Findings:
    """What a chapter came to.

    Attributes:
        faults: How many of each kind.
        counts: Of accepted indicators, records, notices and the like.
        violations: Each with the round, counted from 1, in which it shows; 0 where that is not known.
        complaints: What processes did that they must not.
        torn: Violations of a State of whose transactions the only broker says itself that it left out markers;
            likewise. Content that reached the wrong State is never among them, and of several brokers nothing is.
    """

    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, Violation]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    torn: list[tuple[int, Violation]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations and not self.complaints


@dataclass
class Chapter:
    """Faults done to one bus.

    Args:
        bus: Started.
        faults: One a round.
        on_round: Told of each round when it begins.
    """

    bus: Bus
    faults: list[Fault]
    on_round: Callable[[int, Fault], None] = lambda *_: None
    _began_ms: list[int] = field(default_factory=list)

    def wait_for_gates(self) -> None:
        """Wait until every gate works."""
        bus = self.bus
        for state in STATES:
            bus.wait_until(lambda state=state: self._works(state), f"the gate of {state} works", START_S)  # type: ignore[misc]  # bound at once

    def run(self) -> None:
        """Wait until all gates work, do the faults, mend them, and let everything be worked through."""
        bus = self.bus
        self.wait_for_gates()
        for number, fault in enumerate(self.faults, 1):
            self._began_ms.append(time.time_ns() // 1_000_000)
            self.on_round(number, fault)
            do(bus, fault)
            bus.pass_time(fault.then_s)
        self._drain()

    def read(self) -> dict[str, Records]:
        """Return what stands on the topics, by providing State."""
        return read_records(self.bus.bootstrap, STATES, ALL_STATES)

    def check(self, records: Mapping[str, Records]) -> Findings:
        """Return what is not as promised, and how much there was of everything."""
        findings = Findings(
            faults=Counter(str(fault.kind) for fault in self.faults), complaints=list(self.bus.complaints)
        )
        skipped = find_skipped_markers(self.bus.cluster.said())
        alone = self.bus.cluster.size == 1
        findings.counts[SKIPPED] = skipped.total()
        findings.counts["elections of leaders"] = self.bus.cluster.elections()
        for state, own in records.items():
            accepted = self._accepted(state)
            found = find_violations(state, own, accepted)
            handled, again = read_handled(self.bus.journal("partner", state)), self._again(state)
            found += find_handling_violations(state, own, handled, again)
            for each in found:
                torn = alone and state in skipped and each.breach is not Breach.LEAKED
                (findings.torn if torn else findings.violations).append((self._round_of(each), each))
            findings.counts += _count(state, own, accepted, handled)
        findings.counts += self.bus.ends
        findings.counts += self._count_words()
        return findings

    def _works(self, state: str) -> bool:
        decided = self.bus.journal("agency", state).exists()
        return decided and 0 <= self.bus.backlog(state) < len(read_numbers(self.bus.journal("agency", state)))

    def _drain(self) -> None:
        """Mend everything; let gates and subscribers come to the end, then end all in good order."""
        bus = self.bus
        bus.mend()
        bus.cluster.start()
        bus.wait_until(bus.cluster.in_sync, IN_SYNC, SYNC_S)
        for child in bus.agencies.values():
            self._end(child.name, child.stop())
        work_through(bus, [self._gate_at_work(state) for state in STATES])
        bus.wait_until(lambda: not any(one.alive() for one in bus.retired), "who was replaced has ended", RETIRE_S)
        for child in [*bus.gates.values(), *bus.extras.values()]:
            if child.alive():
                self._end(child.name, child.stop())
        came = self.read()
        work_through(bus, [self._partner_at_work(state, came[state]) for state in STATES])
        for child in bus.partners.values():
            self._end(child.name, child.stop())

    def _gate_at_work(self, state: str) -> AtWork:
        workers = [one for one in (self.bus.gates[state], self.bus.extras.get(state)) if one is not None]
        return AtWork("gate", lambda: self.bus.backlog(state), [one for one in workers if one.alive()])

    def _partner_at_work(self, state: str, came: Records) -> AtWork:
        ids, journal = {str(entry.data["id"]) for entry in came.received(state)}, self.bus.journal("partner", state)
        return AtWork("partner", lambda: len(ids - read_handled(journal).keys()), [self.bus.partners[state]])

    def _end(self, name: str, code: int) -> None:
        if code:
            self.bus.complaints.append(f"{name} ended on SIGTERM with {code}")

    def _accepted(self, state: str) -> set[Item]:
        items = (item(self.bus.seed, state, number) for number in read_numbers(self.bus.journal("agency", state)))
        return {(each.id, each.version) for each in items}

    def _again(self, state: str) -> int:
        child = self.bus.partners[state]
        return child.starts - 1 + begins_anew(child.log)

    def _round_of(self, violation: Violation) -> int:
        return bisect.bisect_right(self._began_ms, violation.at_ms) if violation.at_ms else 0

    def _count_words(self) -> Counter[str]:
        """Return how often the gates' logs tell of what is to be told: that the faults were felt."""
        gates = [*self.bus.gates.values(), *self.bus.extras.values(), *self.bus.retired]
        logs = "".join(gate.log.read_text(errors="replace") for gate in gates if gate.log.exists())
        words = {"transactions aborted": "a transaction is aborted", "gates fenced": "fenced: another process"}
        stuck = {"gates stuck in librdkafka": "librdkafka has not returned"}
        return Counter({name: logs.count(text) for name, text in {**words, **stuck}.items()})


def run_chapter(
    folder: Path,
    seed: int,
    rounds: int,
    on_round: Callable[[int, Fault], None] = lambda *_: None,
    *,
    brokers: int = BROKERS,
) -> Findings:
    """Run so many rounds on a bus of its own.

    Args:
        folder: Empty; for everything that is written.
        seed: Of the schedule, and of what is published. It does not determine when what happens inside of it.
        rounds: How many faults.
        on_round: Told of each round when it begins.
        brokers: How many the cluster has.
    """
    with Bus(folder, seed, brokers=brokers) as bus:
        chapter = Chapter(bus, plan(seed, rounds, brokers), on_round)
        chapter.run()
        findings = chapter.check(chapter.read())
        if findings.violations or findings.torn:
            bus.cluster.keep_data(folder / "data")
        return findings


def chapter_seed(seed: int, number: int) -> int:
    """Return the seed of a chapter of a campaign."""
    return random.Random(f"{seed}/{number}").getrandbits(32)


def tally(findings: Findings) -> dict[str, int]:
    """Return how many violations there are of each kind; `failed` counts complaints, `torn` the broker's."""
    kinds = Counter(violation.breach for _, violation in findings.violations)
    return {
        **{str(breach): kinds[breach] for breach in Breach},
        "failed": len(findings.complaints),
        "torn": len(findings.torn),
    }


def _count(state: str, records: Records, accepted: set[Item], handled: Counter[str]) -> Counter[str]:
    received = records.received(state)
    distinct = {(entry.data["id"], entry.data["version"]) for entry in records.indicators if not entry.poison}
    sound = sum(not entry.poison for entry in records.indicators)
    return Counter(
        {
            "accepted": len(accepted),
            "records": len(records.indicators),
            "published again": sound - len(distinct),
            "notices": len(received),
            "handled": len(handled),
            "handled again": handled.total() - len(handled),
            **{outcome.lower(): count for outcome, count in count_outcomes(records).items()},
        }
    )
