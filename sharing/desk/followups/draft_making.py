"""Makes a draft for an officer: opens the notice, which is recorded, and gathers what else is known."""

from __future__ import annotations

import logging

from sharing.console.received_items import find_received_item
from sharing.desk.followups.hidden_words import explain_hidden
from sharing.desk.services import DeskServices
from sharing.desk.web.errors import PageError
from sharing.errors import SharingError
from sharing.followups.context import Drafter, FollowUpContext
from sharing.followups.document import FollowUpDocument, FollowUpKind
from sharing.followups.drafting import make_draft
from sharing.model.countries import STATES
from sharing.model.directory import DirectoryEntry
from sharing.model.notice import Notice
from sharing.model.times import to_utc_day
from sharing.officers.entry import OfficerEntry

log = logging.getLogger(__name__)


class DraftMaker:
    """Makes drafts. Thread-safe; its methods block.

    Args:
        services: What the pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services

    def open_notice(self, officer: OfficerEntry, provider: str, item: str) -> Notice:
        """Return the newest notice of a received item. That it was opened is recorded before.

        Args:
            officer: The officer, as the register has him or her now.
            provider: The State that sent it.
            item: Id of the item.

        Raises:
            PageError: It is hidden from the officer; the sentence says why.
            SharingError: No broker answers, or the inbox cannot be read.
        """
        services = self._services
        place = find_received_item(services.console, provider, item)
        view = services.contents.show_received(officer, provider, item, place)
        notice: Notice | None = view.notice
        if notice is None:
            raise PageError(409 if view.reason is not None else 404, *explain_hidden(view.reason))
        return notice

    def make(
        self, officer: OfficerEntry, notice: Notice, kind: FollowUpKind, addressee: str | None, extends: str | None
    ) -> FollowUpDocument:
        """Return a draft.

        Args:
            officer: Who drafts.
            notice: The notice.
            kind: What is drafted.
            addressee: The State that is asked; None if the officer has not chosen one.
            extends: Reference of an earlier preservation; None if there is none.

        Raises:
            InputError: It does not fit the notice.
        """
        services = self._services
        now, state = services.read_clock(), services.console.state
        entries = self._read_entries(now)
        return make_draft(
            kind,
            notice,
            FollowUpContext(
                now=now,
                drafter=Drafter(officer.name, officer.agency, officer.authority),
                own=entries.get(state),
                provider=entries.get(notice.from_state),
                addressee=addressee,
                requested=entries.get(addressee) if addressee else None,
                instruments=self._find_instruments(addressee, now),
                extends=extends,
            ),
        )

    def list_states(self) -> tuple[list[str], bool]:
        """Return the other States, first those that the directory has now, and whether the directory is known."""
        entries, own = self._read_entries(self._services.read_clock()), self._services.console.state
        ordered = sorted(STATES - {own}, key=lambda state: (state not in entries, state))
        return ordered, bool(entries)

    def _read_entries(self, now: int) -> dict[str, DirectoryEntry]:
        """Return what States announce; nothing if that is not known: then the draft marks it as not known."""
        source = self._services.decisions
        if source is None:
            return {}
        try:
            return dict(source.get_context().directory.get_valid_entries(now))
        except SharingError as error:
            log.warning("a draft is made without contact points: %s", error)
            return {}

    def _find_instruments(self, addressee: str | None, now: int) -> frozenset[str] | None:
        if addressee is None:
            return None
        treaties = self._services.law.treaties
        return treaties.list_common_instruments(self._services.console.state, addressee, to_utc_day(now))
