"""What can be true of a recipient and the day together: every State on every day, with what makes no difference merged.

Treaties, memberships and assessments are functions of the State and the day, and so are not free: the search goes
over real States on real days. Days are cut where something changes, so one day of each stretch stands for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, pairwise

from sharing.law.constraints import Operator, Test
from sharing.law.facts import FACTS, FactValue
from sharing.law.pack import Pack
from sharing.law.recipients import RecipientBook
from sharing.law.treaties import Period, TreatyTable
from sharing.model.vocabulary import OffenceCode

CODES = "offence.codes"
DUAL = "recipient.dual_criminality"
_DAY = dt.timedelta(days=1)
_FAR = dt.date.max

OFFENCES = tuple(map(str, OffenceCode))


@dataclass(frozen=True, slots=True)
class World:
    """What is true of a State throughout a stretch of days in which the same rules are in force.

    Attributes:
        state: The recipient.
        day: A day of the stretch.
        epoch: Number of the stretch between two changes of the rules in force.
        facts: Facts of the recipient and the moment that the State and the day settle.
        dual: Offence code to whether it is criminal there; only what is known.
    """

    state: str
    day: dt.date
    epoch: int
    facts: Mapping[str, FactValue]
    dual: Mapping[str, str]


@dataclass(slots=True)
class Calendar:
    """The days of a pack: where the rules in force change, and what is known of each State on each day.

    Attributes:
        epochs: First day of each stretch with the same rules in force; the last is open.
    """

    pack: Pack
    treaties: TreatyTable
    epochs: tuple[dt.date, ...] = field(init=False)
    _books: dict[dt.date, RecipientBook] = field(init=False, default_factory=dict)
    _everyone: frozenset[dt.date] = field(init=False)

    def __post_init__(self) -> None:
        self.epochs = tuple(sorted({day for rule in self.pack.rules for day in _edges(rule.valid)}))
        own = [
            one.parties[self.pack.state] for one in self.treaties.instruments.values() if self.pack.state in one.parties
        ]
        begun = {one.in_force for one in self.treaties.instruments.values() if one.in_force is not None}
        self._everyone = frozenset(begun | {day for period in own for day in _edges(period)})

    def in_force(self, valid: Period) -> frozenset[int]:
        """Return the epochs in which a rule with this validity is in force."""
        return frozenset(number for number, day in enumerate(self.epochs) if valid.holds(day))

    def worlds(self, *, dual: bool) -> Iterator[World]:
        """Yield all worlds, those of the day of consolidation first.

        Args:
            dual: Whether dual criminality is asked, and so looked up.
        """
        for state in sorted(FACTS["recipient.state"].values - {self.pack.state}):
            for first, after in self._stretches(state):
                book = self._book(first)
                facts, _ = book.look_up(state, named=False, codes=None)
                known = _dual_criminality(book, state) if dual else {}
                for epoch, day in self._overlapping(first, after):
                    yield World(state, day, epoch, facts, known)

    def _book(self, day: dt.date) -> RecipientBook:
        if day not in self._books:
            self._books[day] = RecipientBook(self.pack, self.treaties, day, {})
        return self._books[day]

    def _stretches(self, state: str) -> list[tuple[dt.date, dt.date]]:
        """Return the stretches of days, the latest first, in which nothing about a State changes."""
        periods = [one.parties[state] for one in self.treaties.instruments.values() if state in one.parties]
        periods += [members[state] for members in self.treaties.memberships.values() if state in members]
        periods += [one.valid for one in self.pack.bilateral.values() if one.state == state]
        days = {*self._everyone, *(day for period in periods for day in _edges(period))}
        days |= {one.date for one in self.pack.assessments if state in one.states}
        cuts = [self.epochs[0], *sorted(day for day in days if day > self.epochs[0]), _FAR]
        return list(reversed(list(pairwise(cuts))))

    def _overlapping(self, first: dt.date, after: dt.date) -> Iterator[tuple[int, dt.date]]:
        """Yield the epochs that share days with a stretch, and one such day of each."""
        for number, begin in enumerate(self.epochs):
            end = self.epochs[number + 1] if number + 1 < len(self.epochs) else _FAR
            low, high = max(first, begin), min(after, end)
            if low < high:
                preferred = self.pack.consolidated_at
                yield number, preferred if low <= preferred < high else low


def _edges(period: Period) -> Iterator[dt.date]:
    yield period.start
    if period.end is not None:
        yield period.end + _DAY


def _dual_criminality(book: RecipientBook, state: str) -> dict[str, str]:
    found = {}
    for code in OFFENCES:
        answer = book.look_up(state, named=False, codes=frozenset({code}))[0][DUAL]
        if isinstance(answer, str):
            found[code] = answer
    return found


def alike(values: Iterable[str], tests: Sequence[Test]) -> list[list[str]]:
    """Return the elements of a closed list in classes that tests on sets cannot tell apart."""
    classes: dict[tuple[object, ...], list[str]] = {}
    for value in sorted(values):
        key = tuple(_part(value, test) for test in tests)
        classes.setdefault(key, []).append(value)
    return list(classes.values())


def _part(value: str, test: Test) -> object:
    asked = isinstance(test.operand, frozenset) and value in test.operand
    # Of what must all be there, each element counts for itself.
    return value if asked and test.operator is Operator.INCLUDES else asked


def subsets(values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every subset, the smallest first."""
    return chain.from_iterable(combinations(values, size) for size in range(len(values) + 1))


def offence_points(
    classes: Sequence[Sequence[str]], dual: Mapping[str, str]
) -> Iterator[tuple[frozenset[str], str | None]]:
    """Yield sets of offence codes, with dual criminality as it then is: one for each that can be told apart.

    Every stated offence must be criminal there; one that is not makes it NO, else one that is unknown makes it so.
    """
    by_answer = [{dual.get(code): code for code in reversed(members)} for members in classes]
    for chosen in subsets([str(index) for index in range(len(classes))]):
        groups = [by_answer[int(index)] for index in chosen]
        if not groups:
            continue
        if all("YES" in group for group in groups):
            yield frozenset(group["YES"] for group in groups), "YES"
        for answer in ("NO", None):
            asked = next((group for group in groups if answer in group), None)
            rest = [group for group in groups if group is not asked]
            if asked is None or (answer is None and not all({"YES", None} & group.keys() for group in rest)):
                continue
            picked = [group.get("YES", group.get(None, group.get("NO"))) for group in rest]
            yield frozenset(code for code in (asked[answer], *picked) if code is not None), answer
