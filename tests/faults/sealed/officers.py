"""A State's officers as a process: they answer what they are asked, and sometimes rule what must change nothing.

`python -m tests.faults.sealed.officers '{"bootstrap": …, "state": …, "seed": …, "journal": …, "per_second": …}'`. Each
ruling that the broker has confirmed has a line in the journal. What an officer does about an Ask depends on the seed.
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
from typing import Any, Final

from sharing.conversation.receiver import ReceivedItem
from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus
from sharing.conversation_state.entries import decode_entry
from sharing.errors import InfrastructureError, InputError
from sharing.kafka.conversation_reader import EntryTable
from sharing.kafka.ruling_writer import write_ruling
from sharing.law.facts import FACTS
from sharing.packs.library import find_law
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Answering, Opening, Ruling
from sharing.rulings.signing import read_digest, sign_ruling
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from sharing.testing.demo.desk import Entry, FoundAsk, list_open_asks, make_answering
from tests.faults.sealed.officer_journal import JournaledRuling
from tests.secure.secure_states import read_now
from tests.trust.trust_fixtures import make_signer

JUDGE, COLLEAGUE, CLERK = "judge", "colleague", "clerk"
"""Officers with every role of the State's law, and one without any."""

APPROVING_RULES: Final = {"DE": "de.stpo-160a", "NL": "nl.sv-218"}
"""The rule that holds what the campaign publishes."""

BAD_SHARE: Final = 0.15
OPENED_SHARE: Final = 0.08
REPEATED_SHARE: Final = 0.1
RETRY_S: Final = 0.3
LASTS_MS: Final = 3_600_000

log = logging.getLogger("officers")

_ANSWERS: Final[dict[AskKind, tuple[Answer, ...]]] = {
    AskKind.ACCEPT: (Answer.ACCEPTED, Answer.ACCEPTED, Answer.ACCEPTED, Answer.DECLINED, Answer.CANNOT_COMPLY),
    AskKind.APPROVE: (Answer.APPROVED, Answer.APPROVED, Answer.REFUSED),
    AskKind.REDECIDE: (Answer.PROVIDE_ANYWAY, Answer.WITHDRAW),
    AskKind.SUPPLY_FACT: (Answer.SUPPLIED, Answer.SUPPLIED, Answer.NOT_KNOWN),
    AskKind.ACK_RECALL: (Answer.ACKNOWLEDGED,),
    AskKind.CONFIRM_IN_WRITING: (Answer.CONFIRMED,),
}


class Officers:
    """Rule until they are asked to stop.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        seed: Seed of the campaign.
        journal: File with the confirmed rulings, one per line.
        per_second: Rulings per second, at most.
    """

    def __init__(self, bootstrap: str, state: str, seed: int, journal: str, per_second: float) -> None:
        self._bootstrap, self._state, self._pause_s = bootstrap, state, 1 / per_second
        self._rng = random.Random(f"{seed}/{state}/{os.getpid()}")
        self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._ruled: set[str] = set()
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
        if self._rng.random() < OPENED_SHARE:
            self._open_one(table)
            return
        waiting = [each for kept in table.entries.values() for each in list_open_asks(kept)]
        waiting = [each for each in waiting if each.ask.nonce not in self._ruled]
        if not waiting:
            return
        found = self._rng.choice(waiting)
        if self._rng.random() < BAD_SHARE:
            for officer, bad, signer in self._list_bad(found):
                self._write(officer, bad, found.item, found.partition, must_fail=True, signer=signer)
            return
        act = self._answer(found)
        self._ruled.add(found.ask.nonce)
        if act is not None:
            copies = 2 if self._rng.random() < REPEATED_SHARE else 1
            self._write(self._rng.choice([JUDGE, COLLEAGUE]), act, found.item, found.partition, copies=copies)

    def _answer(self, found: FoundAsk) -> Answering | None:
        kind = found.ask.kind
        answer = self._rng.choice(_ANSWERS[kind])
        parts: dict[str, Any] = {}
        if kind is AskKind.APPROVE:
            parts["rule"] = APPROVING_RULES.get(self._state)
        if answer is Answer.REFUSED:
            parts["grounds"] = (RefusalGround.LIVE_CASE,)
        if answer is Answer.SUPPLIED:
            parts["facts"] = tuple(self._supply(found))
        try:
            return make_answering(found, answer, **parts)
        except (InputError, ValueError) as error:
            log.warning("nothing is answered about %s: %s", found.ask.id, error)
            return None

    def _supply(self, found: FoundAsk) -> Iterator[RuledFact]:
        for name in sorted(found.ask.facts):
            values = sorted(value for value in FACTS[name].values if value != "UNKNOWN")
            value = "NO" if "NO" in values else self._rng.choice(values or ["3"])
            yield RuledFact(name=name, values=(value,))

    def _list_bad(self, found: FoundAsk) -> Iterator[tuple[str, Answering, str]]:
        """Yield a ruling that must change nothing: who rules, what, and whose key signs it."""
        act = self._answer(found)
        if act is None:
            return
        (reference,) = act.asks
        stale = act.model_copy(update={"asks": (reference.model_copy(update={"nonce": 32 * "0"}),)})
        bad = [(JUDGE, act, f"{self._state} {CLERK}"), (JUDGE, stale, ""), ("nobody", act, f"{self._state} {JUDGE}")]
        if found.ask.role is not None:
            bad.append((CLERK, act, ""))
        yield self._rng.choice(bad)

    def _open_one(self, table: EntryTable[Entry]) -> None:
        """Recall an item of the own State from those that have it, or withdraw it."""
        held = [
            (kept.partition, kept.value.conversation.item)
            for kept in table.entries.values()
            if not isinstance(kept.value, ReceivedItem)
            and any(True for _ in kept.value.conversation.list_deliveries(DeliveryStatus.SENT))
        ]
        if not held:
            return
        partition, item = self._rng.choice(sorted(held))
        opens = self._rng.choice([OpeningKind.RECALL, OpeningKind.RECALL, OpeningKind.WITHDRAWAL])
        act = Opening(opens=opens, provider=self._state, item=item, partition=partition)
        officer = self._rng.choice([JUDGE, JUDGE, CLERK])
        self._write(officer, act, item, partition, must_fail=officer == CLERK)

    def _write(
        self,
        officer: str,
        act: Answering | Opening,
        item: str,
        partition: int,
        *,
        must_fail: bool = False,
        signer: str = "",
        copies: int = 1,
    ) -> None:
        now = read_now()
        ruling = Ruling(
            state=self._state, officer=officer, signed_at=now, expires_at=now + LASTS_MS, text="as asked", act=act
        )
        value = sign_ruling(ruling, make_signer(signer or f"{self._state} {officer}"))
        said = str(act.answer if isinstance(act, Answering) else act.opens)
        for _ in range(copies):
            offset = write_ruling(self._bootstrap, self._state, value, {partition: item})[partition]
            line = JournaledRuling(read_digest(value, self._state), partition, offset, said, must_fail)
            os.write(self._journal, line.to_line())


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
