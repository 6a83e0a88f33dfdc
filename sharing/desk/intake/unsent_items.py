"""The items that officers have not published yet, in the desk's store: saved at each step, published exactly once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sharing.desk.intake.desk_publisher import ItemPublisher
from sharing.desk.intake.item_draft import DraftStage, ItemBasics, ItemDraft, check_draft
from sharing.desk.store.desk_record import (
    DeskRecord,
    RecordConflictError,
    UnopenedRecord,
    list_unknown,
    read_content,
)
from sharing.errors import InputError
from sharing.ids import make_item_id
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import DeskKind
from sharing.sentences import say

Records = list[DeskRecord]


class RecordStore(Protocol):
    """Where the desk keeps records: `DeskStore`."""

    def get(self, kind: DeskKind, id: str) -> DeskRecord | None:  # noqa: A002 as in the record
        """Return a record."""
        ...

    def list(self, kind: DeskKind, officer: str | None = None) -> Records:
        """Return the records of a kind."""
        ...

    def list_unopened(self) -> tuple[UnopenedRecord, ...]:
        """Return what cannot be opened."""
        ...

    def require_newest(self, kind: DeskKind, id: str) -> None:  # noqa: A002 as in the record
        """Refuse to act on a record that may have a newer version in what cannot be read."""
        ...

    def put(
        self,
        kind: DeskKind,
        id: str,  # noqa: A002 as in the record
        officer: str,
        content: dict[str, Any],
        *,
        replaces: int = 0,
        is_new_id: bool = False,
    ) -> DeskRecord:
        """Write a record."""
        ...

    def delete(self, kind: DeskKind, id: str, *, replaces: int) -> None:  # noqa: A002 as in the record
        """Delete a record."""
        ...


@dataclass(frozen=True, slots=True)
class UnsentItem:
    """An item that was not published yet, or was a moment ago.

    Attributes:
        record: The record that keeps it.
        draft: Its content.
    """

    record: DeskRecord
    draft: ItemDraft

    @property
    def id(self) -> str:
        """Id of the record, which is that of the item."""
        return self.record.id

    @property
    def version(self) -> int:
        """Version of the record: what a change of it replaces."""
        return self.record.version


class UnsentItems:
    """The unsent items of one desk. Threads may share it.

    Args:
        store: Where they are kept.
        state: The State.
        agency: Id of the agency under which the desk publishes; "" if it publishes nothing.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(self, store: RecordStore, state: str, agency: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._state = state
        self._agency = agency
        self._clock = clock

    def find(self, officer: str, id: str) -> UnsentItem | None:  # noqa: A002 as in the record
        """Return an item of an officer; None if there is none, or it is that of somebody else."""
        try:
            record = self._store.get(DeskKind.UNSENT, id)
        except InputError:
            return None  # no id of the desk
        draft = None if record is None or record.officer != officer else read_content(record, ItemDraft)
        return None if record is None or draft is None else UnsentItem(record, draft)

    def list_own(self, officer: str) -> list[UnsentItem]:
        """Return the items of an officer, the newest first."""
        found = self._store.list(DeskKind.UNSENT, officer)
        return [UnsentItem(record, draft) for record in found if (draft := read_content(record, ItemDraft))]

    def list_unopened(self, officer: str) -> tuple[UnopenedRecord, ...]:
        """Return the records of the desk that cannot be opened, and the items of an officer that cannot be read."""
        return *self._store.list_unopened(), *list_unknown(self._store.list(DeskKind.UNSENT, officer), ItemDraft)

    def add(self, officer: str, draft: ItemDraft, *, is_new_id: bool = False) -> UnsentItem:
        """Keep a new item.

        Args:
            officer: Id of the officer.
            draft: The item.
            is_new_id: Whether its id was made just now; otherwise what cannot be read may have the item already.

        Raises:
            RecordConflictError: It is there already.
            HiddenVersionError: It may be there already, among what cannot be read.
            InfrastructureError: The broker did not confirm it.
        """
        return self._put(officer, draft, 0, is_new_id=is_new_id)

    def begin_version(self, officer: str, draft: ItemDraft) -> UnsentItem:
        """Keep a later version of an item that was published. What is being written or sent of it already goes on.

        Raises:
            InputError: A version as late was sent from here, and the gate has not decided on it yet; or one may be
                among what cannot be read.
            RecordConflictError: Another officer, or another press of the button, keeps one.
            InfrastructureError: The broker did not confirm it.
        """
        known = self.find(officer, draft.indicator_id)
        if known is None:
            return self.add(officer, draft)
        if known.draft.stage is not DraftStage.SENT:
            return known
        if known.draft.version >= draft.version:
            raise InputError(
                say(
                    "Version %(version)s was sent, and the gate has not decided on it yet. Wait a moment.",
                    version=known.draft.version,
                )
            )
        return self._put(officer, draft, known.version)

    def save(self, officer: str, draft: ItemDraft, replaces: int) -> UnsentItem:
        """Keep a change of an item.

        Raises:
            RecordConflictError: It has changed since it was read.
            InputError: It was sent, and does not change any more; or what cannot be read may have a newer version.
            InfrastructureError: The broker did not confirm it.
        """
        if draft.is_frozen:
            raise InputError(say("the item was sent, or may have been, so it does not change any more"))
        return self._put(officer, draft, replaces)

    def delete(self, item: UnsentItem) -> None:
        """Delete an item.

        Raises:
            RecordConflictError: It has changed since it was read.
            InfrastructureError: The broker did not confirm it.
        """
        self._store.delete(DeskKind.UNSENT, item.id, replaces=item.version)

    def check(self, officer: str, draft: ItemDraft) -> tuple[Indicator | None, dict[str, str]]:
        """Return the item of a draft as it would be published, or what is wrong, by field."""
        return check_draft(draft, self._state, self._agency or "desk", officer)

    def publish(self, officer: str, item: UnsentItem, publisher: ItemPublisher) -> UnsentItem:
        """Publish an item exactly once, and return it as sent.

        What is sent is kept before it is sent. So whatever is pressed twice, and wherever this process ends, the same
        id, version and content are sent again, and the gate recognises the repetition.

        Raises:
            InputError: It is not valid, too large, or what cannot be read may have a newer version. Nothing was sent.
            RecordConflictError: It has changed since it was read, and is not about to be sent. Nothing was sent.
            InfrastructureError: The broker did not confirm it. It may have been sent; sending it again is safe.
        """
        if item.draft.stage is DraftStage.SENT:
            return item
        self._store.require_newest(DeskKind.UNSENT, item.id)
        frozen = item if item.draft.stage is DraftStage.SENDING else self._freeze(officer, item)
        if frozen.draft.stage is DraftStage.SENT:
            return frozen
        indicator = Indicator.parse(json.loads(frozen.draft.decided_as))
        try:
            publisher.publish(indicator)
        except InputError as error:
            if error.field != "id":  # nothing of it was ever sent: it is too large whenever it is tried
                opened = frozen.draft.model_copy(update={"stage": DraftStage.OPEN, "decided_as": ""})
                self._put(officer, opened, frozen.version)
            raise
        return self._settle(officer, frozen)

    def name_item(self, draft: ItemDraft) -> str:
        """Return the id that the item has in the conversation, once it was published."""
        return make_item_id(self._state, self._agency, draft.indicator_id)

    def _freeze(self, officer: str, item: UnsentItem) -> UnsentItem:
        """Keep what is about to be sent; or return what another press of the button has kept."""
        indicator, wrong = self.check(officer, item.draft)
        if indicator is None:
            name, sentence = next(iter(wrong.items()))
            raise InputError(say("%(field)s: %(what)s", field=name, what=sentence), field=name)
        update = {"stage": DraftStage.SENDING, "decided_as": indicator.to_json()}
        try:
            return self._put(officer, item.draft.model_copy(update=update), item.version)
        except RecordConflictError:
            current = self.find(officer, item.id)
            if current is None or not current.draft.is_frozen:
                raise
            return current

    def _settle(self, officer: str, item: UnsentItem) -> UnsentItem:
        """Keep that it was sent, and nothing of its content."""
        sent = ItemDraft(
            indicator_id=item.draft.indicator_id,
            version=item.draft.version,
            stage=DraftStage.SENT,
            basics=ItemBasics(type=item.draft.basics.type),
            origin=item.draft.origin,
            sent_at=self._clock(),
        )
        try:
            return self._put(officer, sent, item.version)
        except RecordConflictError:  # another press of the button has kept it
            return self.find(officer, item.id) or UnsentItem(item.record, sent)

    def _put(self, officer: str, draft: ItemDraft, replaces: int, *, is_new_id: bool = False) -> UnsentItem:
        content = json.loads(draft.model_dump_json())
        record = self._store.put(
            DeskKind.UNSENT, draft.indicator_id, officer, content, replaces=replaces, is_new_id=is_new_id
        )
        return UnsentItem(record, draft)
