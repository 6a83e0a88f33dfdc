"""A State's officers as a process: they answer what they are asked, and sometimes rule what must change nothing.

`python -m tests.faults.sealed.officers '{"bootstrap": …, "state": …, …}'`, with the arguments of `Officers`. Each
ruling that the broker has confirmed has a line in the journal. What an officer does about an Ask depends on the seed.

Some answers also cover similar later Asks, for seconds, and some of these are ended before. Some Asks are
claimed and given up, and then it is the colleague who answers. What was sent is sometimes sent again.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from sharing.conversation.received_item import ReceivedItem
from sharing.conversation_state.entries import decode_entry
from sharing.errors import InfrastructureError
from sharing.kafka.conversation_reader import EntryTable, KeptEntry
from sharing.packs.library import find_law
from sharing.rulings.cover_ending import EndingCover
from sharing.testing.demo.desk import Entry, FoundAsk, list_open_asks
from tests.faults.sealed.officer_acts import OfficerActs, claim, find_barred, find_other
from tests.faults.sealed.officer_desk import CLERK, COLLEAGUE, JUDGE, OfficerDesk

BAD_SHARE: Final = 0.15
OPENED_SHARE: Final = 0.08
RESENT_SHARE: Final = 0.08
CLAIMED_SHARE: Final = 0.15
ENDED_SHARE: Final = 0.04
UNMATCHED_SHARE: Final = 0.02
COVERING_SHARE: Final = 0.08
UNCLAIMED_SHARE: Final = 0.7
"""Of what is done about an Ask that is claimed: the claim is given up."""

REPEATED_SHARE: Final = 0.1
FIRST_SHARE: Final = 0.5
RETRY_S: Final = 0.3

log = logging.getLogger("officers")


class Officers:
    """Rule until they are asked to stop.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        seed: Seed of the campaign.
        journal: File with the confirmed rulings, one per line.
        per_second: Rulings per second, at most.
        folder: Folder of the State's keys.
    """

    def __init__(self, bootstrap: str, state: str, seed: int, journal: str, per_second: float, folder: str) -> None:
        self._bootstrap, self._state, self._pause_s = bootstrap, state, 1 / per_second
        self._rng = random.Random(f"{seed}/{state}/{os.getpid()}")
        self._desk = OfficerDesk(bootstrap, state, Path(journal), Path(folder))
        self._acts = OfficerActs(bootstrap, state, self._rng)
        self._ruled: set[str] = set()
        self._given_up: dict[str, str] = {}
        self._covering: list[EndingCover] = []
        # Each is done at the beginning, so that a short campaign has all of them.
        self._first = [
            self._answer_partner, self._cover_one, self._resend_one, self._rule_badly, self._claim_one
        ]  # fmt: skip
        self._signals: list[int] = []

    def request_stop(self, number: int, _: object) -> None:
        """Stop after the current ruling."""
        self._signals.append(number)

    def run(self) -> None:
        """Rule; read everything again when the broker is unavailable."""
        while not self._signals:
            table: EntryTable[Entry] = EntryTable(self._bootstrap, self._state, decode_entry)
            try:
                with closing(table):
                    table.read()
                    while not self._signals:
                        table.follow(0.05)
                        self._rule_once(table)
                        time.sleep(self._pause_s)
            except InfrastructureError as error:
                log.warning("%s", error)
                time.sleep(RETRY_S)

    def _rule_once(self, table: EntryTable[Entry]) -> None:
        entries = list(table.entries.values())
        if self._first and self._rng.random() < FIRST_SHARE:
            before = self._desk.count
            self._first[0](entries)
            if self._desk.count > before:
                self._first.pop(0)
            return
        chance = self._rng.random()
        steps = (
            (OPENED_SHARE, self._open_one), (RESENT_SHARE, self._resend_one), (ENDED_SHARE, self._end_cover),
            (UNMATCHED_SHARE, self._cover_none), (CLAIMED_SHARE, self._claim_one), (COVERING_SHARE, self._cover_one),
        )  # fmt: skip
        for share, step in steps:
            chance -= share
            if chance < 0:
                step(entries)
                return
        self._answer_one(entries)

    def _list_waiting(self, entries: list[KeptEntry[Entry]]) -> list[tuple[KeptEntry[Entry], FoundAsk]]:
        waiting = [(kept, each) for kept in entries for each in list_open_asks(kept)]
        return [(kept, each) for kept, each in waiting if each.ask.nonce not in self._ruled]

    def _answer_partner(self, entries: list[KeptEntry[Entry]]) -> None:
        """Answer what another State asks, without an error: it says what became of the answer."""
        asked = [found for _, found in self._list_waiting(entries) if found.provider != self._state]
        if asked:
            self._write_answer(self._rng.choice(asked))

    def _answer_one(self, entries: list[KeptEntry[Entry]]) -> None:
        waiting = self._list_waiting(entries)
        if not waiting:
            return
        given_up = [each for each in waiting if each[1].ask.nonce in self._given_up]
        _, found = self._rng.choice(given_up if given_up and self._rng.random() < 0.5 else waiting)
        if self._rng.random() < BAD_SHARE:
            self._rule_badly(entries)
            return
        self._write_answer(found)

    def _write_answer(self, found: FoundAsk) -> None:
        act = self._acts.answer(found)
        self._ruled.add(found.ask.nonce)
        if act is None:
            return
        copies = 2 if self._rng.random() < REPEATED_SHARE else 1
        self._desk.write(self._choose_officer(found), act, {found.partition: found.item}, copies=copies)

    def _rule_badly(self, entries: list[KeptEntry[Entry]]) -> None:
        """Rule about an Ask in a way that must change nothing."""
        waiting = self._list_waiting(entries)
        if not waiting:
            return
        _, found = self._rng.choice(waiting)
        bad = self._acts.make_bad(found)
        if bad is not None:
            keys = {reference.partition: reference.item for reference in bad.act.asks}
            self._desk.write(bad.officer, bad.act, keys, must_fail=True, signer=bad.signer)

    def _choose_officer(self, found: FoundAsk) -> str:
        """Return who answers: not who published the item, and not who has given up a claim of it."""
        excluded = find_barred(found) or self._given_up.get(found.ask.nonce)
        return self._rng.choice([JUDGE, COLLEAGUE]) if excluded is None else find_other(excluded)

    def _open_one(self, entries: list[KeptEntry[Entry]]) -> None:
        """Recall an item of this State from those that have it, or withdraw it."""
        opened = self._acts.open(entries)
        if opened is not None:
            partition, act = opened
            officer = self._rng.choice([JUDGE, JUDGE, CLERK])
            self._desk.write(officer, act, {partition: act.item}, must_fail=officer == CLERK)

    def _resend_one(self, entries: list[KeptEntry[Entry]]) -> None:
        """Send again what was sent about an item; States that have received it have it once."""
        ordered = self._acts.resend(entries)
        if ordered is not None:
            partition, act = ordered
            officer = self._rng.choice([JUDGE, COLLEAGUE, JUDGE, CLERK])
            copies = 2 if self._rng.random() < REPEATED_SHARE else 1
            self._desk.write(officer, act, {partition: act.item}, must_fail=officer == CLERK, copies=copies)

    def _claim_one(self, entries: list[KeptEntry[Entry]]) -> None:
        """Claim an Ask; or give up the claim of it, also in another one's name, which changes nothing."""
        waiting = self._list_waiting(entries)
        if not waiting:
            return
        claimed = [found for _, found in waiting if found.ask.claimed_by is not None]
        if claimed and self._rng.random() < UNCLAIMED_SHARE:
            found = self._rng.choice(claimed)
            claimant = str(found.ask.claimed_by)
            officer = self._rng.choice([claimant, claimant, find_other(claimant)])
            self._desk.write(officer, claim(found, is_ended=True), {found.partition: found.item})
            if officer == claimant:
                self._given_up[found.ask.nonce] = claimant
            return
        _, found = self._rng.choice(waiting)
        self._desk.write(self._choose_officer(found), claim(found), {found.partition: found.item})

    def _cover_one(self, entries: list[KeptEntry[Entry]]) -> None:
        """Answer an Ask, and beforehand those that are like it and are put in the next seconds."""
        waiting = [each for each in self._list_waiting(entries) if each[1].ask.row.can_be_covered]
        if not waiting:
            return
        kept, found = self._rng.choice(waiting)
        self._ruled.add(found.ask.nonce)
        answered = self._acts.answer(found)
        act = None if answered is None else self._acts.cover(answered, found, kept)
        if act is not None:
            copies = 2 if self._rng.random() < REPEATED_SHARE else 1
            digest = self._desk.write(self._choose_officer(found), act, {found.partition: found.item}, copies=copies)
            self._covering.append(EndingCover(cover=digest, provider=found.provider, item=found.item))

    def _end_cover(self, entries: list[KeptEntry[Entry]]) -> None:
        """End one of the last answers that cover later Asks."""
        del entries
        if self._covering:
            ending = self._covering.pop()
            partition = 0  # the ruling goes to every partition
            self._desk.write(self._rng.choice([JUDGE, COLLEAGUE]), ending, {partition: ending.item})

    def _cover_none(self, entries: list[KeptEntry[Entry]]) -> None:
        """Answer an Ask that has ended, beforehand for Asks that do not exist."""
        ended = [each for kept in entries for each in _list_ended(kept)]
        if ended:
            found = self._rng.choice(ended)
            act = self._acts.cover_none(found)
            if act is not None:
                self._desk.write(self._rng.choice([JUDGE, COLLEAGUE]), act, {found.partition: found.item})


def _list_ended(kept: KeptEntry[Entry]) -> Iterator[FoundAsk]:
    """Yield the Asks of an entry that have ended, for the State's own people, of kinds that can be covered."""
    entry = kept.value
    is_theirs = not isinstance(entry, ReceivedItem)
    item, provider, asks = (
        (entry.item, entry.from_state, entry.asks)
        if isinstance(entry, ReceivedItem)
        else (entry.conversation.item, entry.conversation.state, entry.conversation.asks)
    )
    for ask in asks.values():
        if not ask.is_open and ask.row.can_be_covered and not (is_theirs and ask.row.asks_recipient):
            known = entry.conditions.get(ask.id) if isinstance(entry, ReceivedItem) else None
            yield FoundAsk(ask, provider, item, kept.partition, known)


def list_officers(state: str) -> dict[str, tuple[str, ...]]:
    """Return the officers of a State, with their roles."""
    roles = tuple(find_law(state).pack.approvers)
    return {JUDGE: roles, COLLEAGUE: roles, CLERK: ("CLERK",)}


def main() -> None:
    """Run a State's officers until SIGTERM."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    officers = Officers(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGTERM, officers.request_stop)
    officers.run()


if __name__ == "__main__":
    main()
