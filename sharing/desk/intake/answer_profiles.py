"""Answers that an officer keeps under a name, to give them again for the next item."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from sharing.clients.publisher import new_id
from sharing.desk.intake.item_draft import ItemDraft
from sharing.desk.intake.unsent_items import RecordStore
from sharing.desk.store.desk_record import DeskRecord, UnopenedRecord, list_unknown, read_content
from sharing.errors import InputError
from sharing.model.strict_model import StrictModel
from sharing.model.vocabulary import DeskKind
from sharing.sentences import say

NAME_MAX: Final = 80
PROFILES_MAX: Final = 50


class ProfileContent(StrictModel):
    """The content of a PROFILE record. Its `repr` does not show the answers.

    Attributes:
        name: The name that the officer gave it.
        answers: The answers, by fact.
    """

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
    answers: dict[str, Annotated[tuple[str, ...], Field(strict=False)]] = Field(repr=False)


@dataclass(frozen=True, slots=True)
class AnswerProfile:
    """A profile.

    Attributes:
        record: The record that keeps it.
        content: Its content.
    """

    record: DeskRecord
    content: ProfileContent


class AnswerProfiles:
    """The profiles of a desk's officers. Threads may share it.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def list_own(self, officer: str) -> list[AnswerProfile]:
        """Return the profiles of an officer, by name."""
        found = [
            AnswerProfile(record, content)
            for record in self._store.list(DeskKind.PROFILE, officer)
            if (content := read_content(record, ProfileContent)) is not None
        ]
        return sorted(found, key=lambda profile: profile.content.name.casefold())

    def list_unread(self, officer: str) -> tuple[UnopenedRecord, ...]:
        """Return the profiles of an officer that cannot be read."""
        return tuple(list_unknown(self._store.list(DeskKind.PROFILE, officer), ProfileContent))

    def find(self, officer: str, id: str) -> AnswerProfile | None:  # noqa: A002 as in the record
        """Return a profile of an officer; None if there is none, or it is that of somebody else."""
        return next((profile for profile in self.list_own(officer) if profile.record.id == id), None)

    def keep(self, officer: str, name: str, draft: ItemDraft) -> AnswerProfile:
        """Keep the answers of a draft under a name; those that were kept under it before are replaced.

        Raises:
            InputError: The name is missing or too long, nothing was answered, or there are too many profiles.
            RecordConflictError: The profile has changed meanwhile.
            InfrastructureError: The broker did not confirm it.
        """
        if not name or len(name) > NAME_MAX:
            raise InputError(
                say("give the profile a name of 1 to %(count)s characters", count=NAME_MAX), field="profile_name"
            )
        if not draft.answers:
            raise InputError(say("nothing is answered yet, so there is nothing to keep"), field="profile_name")
        own = self.list_own(officer)
        before = next((each for each in own if each.content.name.casefold() == name.casefold()), None)
        if before is None and len(own) >= PROFILES_MAX:
            raise InputError(
                say("there are %(count)s profiles already; delete one first", count=PROFILES_MAX), field="profile_name"
            )
        content = ProfileContent(name=name, answers=draft.answers)
        record = self._store.put(
            DeskKind.PROFILE,
            new_id() if before is None else before.record.id,
            officer,
            json.loads(content.model_dump_json()),
            replaces=0 if before is None else before.record.version,
            is_new_id=before is None,
        )
        return AnswerProfile(record, content)

    def delete(self, profile: AnswerProfile) -> None:
        """Delete a profile.

        Raises:
            RecordConflictError: It has changed meanwhile.
            InfrastructureError: The broker did not confirm it.
        """
        self._store.delete(DeskKind.PROFILE, profile.record.id, replaces=profile.record.version)


def apply_profile(draft: ItemDraft, profile: AnswerProfile) -> ItemDraft:
    """Return a draft with the answers of a profile; what was answered already stays."""
    answers = {name: values for name, values in profile.content.answers.items() if name not in draft.answers}
    return draft.answer(dict(answers))
