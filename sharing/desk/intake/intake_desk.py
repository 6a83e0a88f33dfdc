"""What the pages of the intake use: drafts, profiles, open questions, and the picture of who would get an item."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from sharing.desk.intake.answer_profiles import AnswerProfiles
from sharing.desk.intake.desk_publisher import ItemPublisher
from sharing.desk.intake.item_draft import ItemDraft
from sharing.desk.intake.open_questions import OpenQuestions, find_open_questions
from sharing.desk.intake.picture import Picture, draw_picture
from sharing.desk.intake.unsent_items import RecordStore, UnsentItems
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import read_all_facts
from sharing.model.bounded_cache import BoundedCache
from sharing.model.indicator import Indicator

SEARCHES_KEPT_MAX: Final = 500


class ContextSource(Protocol):
    """Gives what decisions are made with: `DecisionSource`."""

    def get_context(self) -> DecisionContext:
        """Return what decisions are made with now.

        Raises:
            InfrastructureError: It is not known yet.
        """
        ...


class IntakeDesk:
    """What the pages of the intake use. Threads may share it.

    Args:
        store: Where the desk keeps records.
        decisions: Gives law and directory.
        publisher: Publishes; None if the desk publishes nothing.
        state: The State.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(
        self,
        store: RecordStore,
        decisions: ContextSource,
        publisher: ItemPublisher | None,
        state: str,
        clock: Callable[[], int],
    ) -> None:
        self.publisher = publisher
        self.agency = "" if publisher is None else publisher.agency
        self.items = UnsentItems(store, state, self.agency, clock)
        self.profiles = AnswerProfiles(store)
        self._decisions = decisions
        self._clock = clock
        self._lock = threading.Lock()
        self._searched: BoundedCache[Hashable, OpenQuestions] = BoundedCache(SEARCHES_KEPT_MAX)
        self._searched_in: DecisionContext | None = None

    def ask(self, item: Indicator, draft: ItemDraft) -> OpenQuestions:
        """Return the questions about an item that are open. A search takes up to some seconds for a bare item.

        Raises:
            InfrastructureError: The directory has not been read yet.
        """
        context, now, record = self._decisions.get_context(), self._clock(), item.to_record()
        facts = tuple(read_all_facts(record, now).items())
        declined = tuple(sorted(draft.declined))
        key = (item.type, facts, context.finder.find_audience(record), item.offence.modus_operandi, declined)
        with self._lock:
            if self._searched_in is not context:
                self._searched_in, self._searched = context, BoundedCache(SEARCHES_KEPT_MAX)
            found = self._searched.get(key)
        if found is None:
            found = find_open_questions(context, record, now, declined)
            with self._lock:
                if self._searched_in is context:
                    self._searched.put(key, found)
        return found

    def draw(self, item: Indicator) -> Picture:
        """Return who would get an item, and why not.

        Raises:
            InfrastructureError: The directory has not been read yet.
        """
        return draw_picture(self._decisions.get_context(), item.to_record(), self._clock())
