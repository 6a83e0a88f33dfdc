"""A desk with the pages of follow-ups: a fake inbox, and a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sharing.console.inbox_items import InboxItem
from sharing.console.received_items import ReceivedPlace
from sharing.desk.contents.access import HiddenReason
from sharing.desk.contents.desk_contents import ContentView
from sharing.desk.contents.inbox_index import InboxIndex, InboxPlace
from sharing.desk.contents.item_content import ItemContent
from sharing.desk.followups import draft_making, list_routes
from sharing.errors import InfrastructureError
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.notice import Notice
from sharing.model.vocabulary import MessageKind
from sharing.officers.entry import OfficerEntry
from tests.desk.asgi import Clock, Desk, make_services, open_desk
from tests.desk.store.memory_store import MemoryDeskStore
from tests.followups.samples import ITEM_ID, NOTICE_ID, make_account_notice, make_entry
from tests.kafka.topic_io import notice_record

PLACE = f"/followups/CH/{ITEM_ID}"


@dataclass
class FakeContents:
    """An inbox with one notice. Each view is noted, as the real one records it."""

    notice: Notice | None = field(default_factory=make_account_notice)
    reason: HiddenReason | None = None
    views: list[tuple[str, str, str]] = field(default_factory=list)
    inbox: InboxIndex = field(default_factory=InboxIndex)

    def fill(self) -> None:
        fields = {**notice_record("DE", identity=NOTICE_ID), "item_id": ITEM_ID}
        item = InboxItem(NOTICE_ID, MessageKind.NOTICE, 1_780_000_000_000, fields, "place")
        self.inbox.take(NOTICE_ID, InboxPlace("inbox", 0, 0), item)
        self.inbox.mark_read()

    def show_received(
        self, officer: OfficerEntry, provider: str, item: str, place: ReceivedPlace | None
    ) -> ContentView:  # fmt: skip
        if self.reason is not None or self.notice is None:
            return ContentView(reason=self.reason)
        self.views.append((officer.id, provider, item))
        return ContentView(ItemContent.from_notice(self.notice), notice=self.notice)


@dataclass
class FakeContext:
    """What decisions are made with: the directory alone."""

    directory: Directory


@dataclass
class FakeDecisions:
    """The directory of some States. `away` makes it unknown."""

    entries: dict[str, DirectoryEntry] = field(
        default_factory=lambda: {state: make_entry(state) for state in ("CH", "DE", "NL")}
    )
    away: bool = False

    def get_context(self) -> FakeContext:
        if self.away:
            raise InfrastructureError("the directory is not read yet")
        return FakeContext(Directory(self.entries))


@dataclass
class FollowUpDesk:
    """A desk, and its fakes."""

    desk: Desk
    contents: FakeContents
    store: MemoryDeskStore
    decisions: FakeDecisions
    clock: Clock

    def draft(self, kind: str = "PRESERVATION", form: str = "show", **fields: str) -> Any:
        return self.desk.post(f"{PLACE}/drafts", {"kind": kind, "form": form, **fields})


@contextmanager
def open_followups(monkeypatch: pytest.MonkeyPatch, officer: str | None = "anna") -> Iterator[FollowUpDesk]:
    clock = Clock()
    contents, store, decisions = FakeContents(), MemoryDeskStore(clock.read), FakeDecisions()
    contents.fill()
    monkeypatch.setattr(draft_making, "find_received_item", lambda *_: None)  # no broker
    services = make_services(clock, contents=contents, store=store, decisions=decisions)
    with open_desk(list_routes, services=services, officer=officer) as desk:
        yield FollowUpDesk(desk, contents, store, decisions, clock)
