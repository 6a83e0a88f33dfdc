"""What left a State, to whom, under which law and basis: counts from its audit logs, without items and persons.

A *transfer* is one disclosure to one State. What the gate decides to disclose is sent with its decision; what it offers
or holds is sent later, after an answer, and then an act says so. A decision names law and basis; an act does not: it
has those of the decision on the same version of the item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sharing.model.vocabulary import NoticeKind, Outcome


class TransferKind(StrEnum):
    """What was done with respect to a State.

    Attributes:
        SENT: An item was sent by the gate's decision.
        RELEASED: An item was sent after an answer: an approval, or the acceptance of conditions.
        CORRECTED: A correction was sent after an answer or by an officer.
        RECALLED: The State was asked to stop using an item.
        OFFERED: Conditions were offered, without content.
        HELD: People had to answer first.
        WITHHELD: Nothing was sent.
    """

    SENT = "SENT"
    RELEASED = "RELEASED"
    CORRECTED = "CORRECTED"
    RECALLED = "RECALLED"
    OFFERED = "OFFERED"
    HELD = "HELD"
    WITHHELD = "WITHHELD"


TRANSFERS: Final = frozenset({TransferKind.SENT, TransferKind.RELEASED, TransferKind.CORRECTED, TransferKind.RECALLED})
"""What reached the other State: content, or a message about content that it has."""

UNKNOWN_BASIS: Final = "no longer known"
"""Used instead of law and basis if the decision is not found because the item's conversation has ended."""

_BY_OUTCOME: Final = {
    Outcome.DISCLOSE: TransferKind.SENT,
    Outcome.OFFER: TransferKind.OFFERED,
    Outcome.HOLD: TransferKind.HELD,
    Outcome.WITHHOLD: TransferKind.WITHHELD,
}
_BY_NOTICE: Final = {
    NoticeKind.ITEM: TransferKind.RELEASED,
    NoticeKind.CORRECTION: TransferKind.CORRECTED,
    NoticeKind.RECALL: TransferKind.RECALLED,
}
_PERMITTING: Final = frozenset({"PERMIT", "APPROVAL", "OBLIGE"})
_FORBIDDING: Final = frozenset({"DENY"})


class Grounds(NamedTuple):
    """Under which law, and on which basis.

    Attributes:
        basis: The treaty; "" if no common treaty is known.
        law: Citations of the rules that permit it, or forbid it, joined by "; ".
    """

    basis: str
    law: str


class DecisionKey(NamedTuple):
    """Which decision, for one State.

    Attributes:
        indicator: Id of the indicator.
        version: Its version.
        amendment: Number of the amendment of that version.
        state: The State.
    """

    indicator: str
    version: int
    amendment: int
    state: str


class TransferRow(NamedTuple):
    """What is counted together.

    Attributes:
        month: Year and month, in UTC: `2026-11`.
        state: The other State.
        kind: What was done.
        grounds: Under which law, and on which basis.
    """

    month: str
    state: str
    kind: TransferKind
    grounds: Grounds


class Release(NamedTuple):
    """A notice that the conversation has sent.

    Attributes:
        month: As in `TransferRow`.
        kind: As there.
        item: Id of the item.
        version: Its version.
        amendment: Number of the amendment.
        state: The State that got it.
    """

    month: str
    kind: TransferKind
    item: str
    version: int
    amendment: int
    state: str


def format_month(instant: datetime) -> str:
    """Return year and month of an instant, in UTC."""
    return instant.astimezone(UTC).strftime("%Y-%m")


class TransferCounts:
    """Counts the transfers of a State.

    Attributes:
        rows: How often each row occurred.
    """

    def __init__(self) -> None:
        self.rows: Counter[TransferRow] = Counter()
        self._releases: list[Release] = []
        self._wanted: dict[DecisionKey, Grounds | None] = {}

    def add_acts(self, acts: Iterable[Mapping[str, Any]], state: str, indicators: Mapping[str, str]) -> None:
        """Add the notices that the conversation has sent about the State's own items.

        Args:
            acts: Decoded acts. Add all of them before the decisions.
            state: The State.
            indicators: The id of the indicator of each item, as far as it is known.
        """
        for act in acts:
            if act["kind"] != "NOTICE_SENT" or act["provider"] != state:
                continue
            kind = _BY_NOTICE[NoticeKind(act["notice_kind"])]
            for other in act["states"]:
                release = Release(
                    format_month(act["at"]), kind, act["item_id"], act["version"], act["amendment"], other
                )
                self._releases.append(release)
                key = _find_key(release, indicators)
                if key is not None:
                    self._wanted.setdefault(key, None)

    def add_decision(self, decision: Mapping[str, Any], *, is_counted: bool = True) -> None:
        """Add a decoded decision.

        Args:
            decision: The decision.
            is_counted: Whether it is in the period; otherwise it only determines under which law something was sent in
                the period.
        """
        month = format_month(decision["decided_at"]) if is_counted else ""
        for each in decision["recipients"]:
            outcome = Outcome(each["outcome"])
            grounds = _read_grounds(each, outcome)
            if is_counted:
                self.rows[TransferRow(month, each["state"], _BY_OUTCOME[outcome], grounds)] += 1
            key = DecisionKey(decision["indicator_id"], decision["version"], decision["amendment"], each["state"])
            if key in self._wanted and outcome is not Outcome.WITHHOLD:
                self._wanted[key] = grounds

    @property
    def lacks_grounds(self) -> bool:
        """Whether a notice was sent by a decision that was not added yet."""
        return None in self._wanted.values()

    def finish(self, indicators: Mapping[str, str]) -> Counter[TransferRow]:
        """Return the counts with what the conversation has sent, under the law of the decision.

        Args:
            indicators: As in `add_acts`.
        """
        total = self.rows.copy()
        unknown = Grounds(UNKNOWN_BASIS, UNKNOWN_BASIS)
        for release in self._releases:
            key = _find_key(release, indicators)
            grounds = unknown if key is None else self._wanted[key] or unknown
            total[TransferRow(release.month, release.state, release.kind, grounds)] += 1
        return total


def count_yearly(rows: Mapping[TransferRow, int]) -> dict[tuple[str, str], Counter[TransferKind]]:
    """Return how often each thing was done in a year under a treaty, by year and basis, in order."""
    years: dict[tuple[str, str], Counter[TransferKind]] = {}
    for row, count in sorted(rows.items()):
        years.setdefault((row.month[:4], row.grounds.basis), Counter())[row.kind] += count
    return dict(sorted(years.items()))


def _find_key(release: Release, indicators: Mapping[str, str]) -> DecisionKey | None:
    indicator = indicators.get(release.item)
    return None if indicator is None else DecisionKey(indicator, release.version, release.amendment, release.state)


def _read_grounds(recipient: Mapping[str, Any], outcome: Outcome) -> Grounds:
    effects = _FORBIDDING if outcome is Outcome.WITHHOLD else _PERMITTING
    citations = dict.fromkeys(rule["citation"] for rule in recipient["rules"] if rule["effect"] in effects)
    return Grounds(recipient["basis"] or "", "; ".join(citations))
