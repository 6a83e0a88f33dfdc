"""The interview: one page of open questions at a time, and the page on which given answers are changed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

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
from sharing.desk.intake.item_draft import ItemDraft
from sharing.desk.intake.item_form import (
    FieldOfQuestion,
    fill_answers,
    make_all_fields,
    make_fields,
    read_answers,
    read_asked,
    refuse_all,
)
from sharing.desk.intake.open_questions import OpenQuestion, OpenQuestions
from sharing.desk.intake.unsent_items import UnsentItem
from sharing.desk.web.catalogue import translate_error
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.desk.web.typed_fields import FACT_PREFIX
from sharing.errors import InfrastructureError
from sharing.law.fact_questions import QUESTIONS


class AnswerPages:
    """Pages of questions.

    Args:
        desk: What they use.
    """

    def __init__(self, desk: IntakeDesk) -> None:
        self._desk = desk

    def show_open(self, request: Request) -> Response:
        """Show the next questions; the page of the whole item if none is open any more."""
        item = require_open(require_item(self._desk, request))
        checked, wrong = self._desk.items.check(get_officer(request), item.draft)
        if checked is None:
            page = "answers" if wrong.keys() <= QUESTIONS.keys() else "item"
            return go_to(f"/intake/{item.id}/{page}")
        try:
            found = self._desk.ask(checked, item.draft)
        except InfrastructureError as error:
            form = Form()
            form.refuse("", translate_error(error))
            return self._render(request, form, item, OpenQuestions(()), 503)
        if not found.questions:
            return go_to(f"/intake/{item.id}")
        return self._render(request, Form(), item, found)

    def save_open(self, request: Request) -> Response:
        """Keep the answers of a page, and go on to the next."""
        return self._save(request, "questions")

    def show_given(self, request: Request) -> Response:
        """Show what was answered, also with "not known", to change it."""
        item = require_open(require_item(self._desk, request))
        names = _list_given(item.draft)
        return self._render(request, fill_answers(item.draft, names), item, _to_questions(names))

    def save_given(self, request: Request) -> Response:
        """Keep changed answers."""
        return self._save(request, "")

    def draw(self, request: Request) -> Response:
        """Return the picture with what is answered now, without keeping it. htmx asks for it after each change."""
        officer, form = get_officer(request), read_form(request)
        item = require_item(self._desk, request)
        draft = item.draft.answer(read_answers(form))
        return render(request, "intake/picture.html", **draw_draft(self._desk, officer, draft))

    def _save(self, request: Request, page: str) -> Response:
        officer, form = get_officer(request), read_form(request)
        item = require_open(require_item(self._desk, request))
        draft = item.draft.answer(read_answers(form))
        _checked, wrong = self._desk.items.check(officer, draft)
        refuse_all(form, {name: wrong[name] for name in wrong if name in read_asked(form)}, facts_here=True)
        status = 400
        if form.is_valid:
            status = try_to_keep(form, lambda: self._desk.items.save(officer, draft, read_version(form, item)))
        if not form.is_valid:
            return self._render(request, form, item, _to_questions(read_asked(form)), status, draft)
        if form.get("do") == "later" or not page:
            return go_to(f"/intake/{item.id}")
        return go_to(f"/intake/{item.id}/{page}")

    def _render(
        self,
        request: Request,
        form: Form,
        item: UnsentItem,
        found: OpenQuestions,
        status: int = 200,
        draft: ItemDraft | None = None,
    ) -> Response:
        is_given = request.url.path.endswith("/answers")
        fields = (make_all_fields if is_given or not form.is_valid else make_fields)(found.questions)
        shown = [field.name.removeprefix(FACT_PREFIX) for field in fields]
        return render(
            request,
            "intake/questions.html",
            status,
            form=_with_default(form, fields),
            item=item,
            fields=fields,
            asked=shown,
            remaining=max(0, len(found.questions) - len(shown)),
            is_complete=found.is_complete,
            is_given=is_given,
            **draw_draft(self._desk, get_officer(request), draft or item.draft),
        )


def _with_default(form: Form, fields: list[FieldOfQuestion]) -> Form:
    """Choose "not known" where nothing was chosen: it is always an answer."""
    for field in fields:
        if field.kind == "radios" and not form.get_all(field.name):
            form.values[field.name] = [""]
    return form


def _list_given(draft: ItemDraft) -> list[str]:
    given = {*draft.answers, *draft.declined}
    return [name for name in QUESTIONS if name in given]


def _to_questions(names: list[str]) -> OpenQuestions:
    return OpenQuestions(tuple(OpenQuestion(name, QUESTIONS[name]) for name in names))
