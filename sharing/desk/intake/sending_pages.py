"""The page of a whole item: what it says, who would get it, and its publication."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sharing.desk.intake.answer_profiles import NAME_MAX, apply_profile
from sharing.desk.intake.intake_desk import IntakeDesk
from sharing.desk.intake.intake_page import (
    draw_draft,
    get_officer,
    go_to,
    read_version,
    require_item,
    require_open,
    try_to_keep,
)
from sharing.desk.intake.item_draft import DraftStage
from sharing.desk.intake.item_form import say_wrong
from sharing.desk.intake.unsent_items import UnsentItem
from sharing.desk.store.desk_record import RecordConflictError
from sharing.desk.web.catalogue import _, translate_error
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.desk.web.value_words import name_value
from sharing.errors import InfrastructureError, InputError
from sharing.law.fact_questions import QUESTIONS
from sharing.sentences import Sentence, get_sentence


class SendingPages:
    """Pages about a whole item.

    Args:
        desk: What they use.
        state: The State.
    """

    def __init__(self, desk: IntakeDesk, state: str) -> None:
        self._desk = desk
        self._state = state

    def show(self, request: Request) -> Response:
        """Show an item: before it is sent, what it says and who would get it; after, where to see what became of it."""
        return self._render(request, require_item(self._desk, request), Form())

    def publish(self, request: Request) -> Response:
        """Publish an item, exactly once."""
        officer, form = get_officer(request), read_form(request)
        item = require_item(self._desk, request)
        publisher = self._desk.publisher
        if publisher is None:
            raise PageError(
                409,
                _("This desk publishes nothing: it has no agency of its own."),
                _("Ask the operator to set SHARING_DESK_AGENCY. The item stays here, unsent."),
            )
        if not item.draft.is_frozen and read_version(form, item) != item.version:
            form.refuse("", _("This has changed since you looked at it. Look at it again, then publish it."))
            return self._render(request, item, form, 409)
        try:
            self._desk.items.publish(officer, item, publisher)
        except RecordConflictError as error:
            form.refuse("", translate_error(error))
            return self._render(request, require_item(self._desk, request), form, 409)
        except InputError as error:
            form.refuse("", _explain(error))
            return self._render(request, require_item(self._desk, request), form, 400)
        except InfrastructureError:
            form.refuse(
                "",
                _("The broker did not confirm it. Publish it again when the broker is back: it is sent once at most."),
            )
            return self._render(request, self._find_again(request, item), form, 503)
        return go_to(f"/intake/{item.id}")

    def keep_profile(self, request: Request) -> Response:
        """Keep the answers of an item under a name."""
        officer, form = get_officer(request), read_form(request)
        item = require_open(require_item(self._desk, request))
        name = form.read_text("profile_name", required=_("Give the profile a name."), length_max=NAME_MAX)
        status = 400
        if form.is_valid:
            status = try_to_keep(form, lambda: self._desk.profiles.keep(officer, name, item.draft))
        return self._render(request, item, form, status) if not form.is_valid else go_to("/intake#profiles")

    def use_profile(self, request: Request) -> Response:
        """Give the answers of a profile to what is not answered yet."""
        officer, form = get_officer(request), read_form(request)
        item = require_open(require_item(self._desk, request))
        profile = self._desk.profiles.find(officer, form.get("profile"))
        if profile is None:
            form.refuse("profile", _("Choose a profile."))
            return self._render(request, item, form, 400)
        draft = apply_profile(item.draft, profile)
        status = try_to_keep(form, lambda: self._desk.items.save(officer, draft, read_version(form, item)))
        return self._render(request, item, form, status) if status else go_to(f"/intake/{item.id}/questions")

    def delete(self, request: Request) -> Response:
        """Delete an item from the desk. What was published stays published."""
        form, item = read_form(request), require_item(self._desk, request)
        status = 409 if read_version(form, item) != item.version else 0
        if status:
            form.refuse("", _("This has changed since you looked at it. Look at it again, then delete it."))
        else:
            status = try_to_keep(form, lambda: self._desk.items.delete(item))
        return self._render(request, item, form, status) if status else go_to("/intake")

    def _find_again(self, request: Request, item: UnsentItem) -> UnsentItem:
        return self._desk.items.find(get_officer(request), item.id) or item

    def _render(self, request: Request, item: UnsentItem, form: Form, status: int = 200) -> Response:
        if item.draft.is_frozen:
            return render(
                request,
                "intake/sent.html",
                status,
                form=form,
                item=item,
                is_sent=item.draft.stage is DraftStage.SENT,
                item_path=f"/items/{self._state}/{self._desk.items.name_item(item.draft)}",
            )
        officer = get_officer(request)
        checked, wrong = self._desk.items.check(officer, item.draft)
        return render(
            request,
            "intake/check.html",
            status,
            form=form,
            item=item,
            indicator=checked,
            wrong=wrong,
            say_wrong=say_wrong,
            answers=_word_answers(item),
            declined=[QUESTIONS[name] for name in QUESTIONS if name in item.draft.declined],
            **draw_draft(self._desk, officer, item.draft),
            profiles=self._desk.profiles.list_own(officer),
            publishes=self._desk.publisher is not None,
            agency=self._desk.agency,
        )


def _explain(error: InputError) -> str:
    """Return why an item was not sent: what is wrong with it, or what the publisher refuses of a valid one."""
    sentence = get_sentence(error)
    if isinstance(sentence, Sentence):
        return _(sentence)
    if error.field == "id":
        return _("This version was sent before with another content. Begin a later version on the page of the item.")
    return _("The item is too large to be sent. Shorten its texts, then publish it again.")


def _word_answers(item: UnsentItem) -> list[tuple[str, str]]:
    answers = item.draft.answers
    return [
        (_(QUESTIONS[name]), ", ".join(name_value(value, name) for value in answers[name]) or _("None of these"))
        for name in QUESTIONS
        if name in answers
    ]
