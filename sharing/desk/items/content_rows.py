"""What an item says, line by line, for a page: a label, and texts with the meaning of their codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sharing.desk.contents.item_content import ItemContent
from sharing.desk.items.content_words import describe_code, split_admiralty
from sharing.desk.web.catalogue import _
from sharing.desk.web.code_words import show_state
from sharing.desk.web.value_words import name_value
from sharing.law.fact_questions import QUESTIONS


class ContentLine(NamedTuple):
    """One text of a row.

    Attributes:
        text: The text, which may be of others; of a code what it means, in the language of the page.
        words: A remark on the text, in the language of the page; "" if there is none.
        code: The code whose meaning the text is; "" if the text is not the meaning of a code.
    """

    text: str
    words: str = ""
    code: str = ""


class ContentRow(NamedTuple):
    """One row.

    Attributes:
        label: What it is, in the language of the page.
        lines: The texts.
        instant: A time in UTC milliseconds, in place of texts.
    """

    label: str
    lines: tuple[ContentLine, ...] = ()
    instant: int | None = None


def list_content_rows(content: ItemContent) -> list[ContentRow]:
    """Return what an item says, in the order in which an officer needs it. What is not stated is left out."""
    return [row for row in _list_rows(content) if row.lines or row.instant is not None]


def _list_rows(content: ItemContent) -> Iterator[ContentRow]:
    fields = content.fields
    yield _code(_("Use it as"), "form", content.form)
    yield _code(_("Type"), "type", fields["type"])
    yield _text(_("Value"), fields["value"])
    yield _text(_("Summary"), fields["summary"])
    yield _text(_("Why it is an emergency"), content.urgency_reason)
    yield _text(_("Why it was withdrawn"), content.withdrawal_reason)
    yield ContentRow(_("Observed"), instant=fields["observed_at"])
    yield _text(_("Source agency"), fields["source_agency"])
    yield _code(_("Kind of agency"), "source_authority", fields["source_authority"])
    yield _text(_("Case of the source"), fields["source_case"])
    yield ContentRow(_("Offences"), _name_values(fields["offence_codes"], "offence.codes"))
    yield ContentRow(_("Details of the offence"), _name_values(fields["offence_modifiers"], "offence.modifiers"))
    yield ContentRow(_("Modus operandi"), _plain(fields["modus_operandi"]))
    yield _text(_("Maximum penalty, in years"), _format_number(fields["max_penalty_years"]))
    yield _code(_("Whom it is about"), "subject_class", fields["subject_class"])
    yield _code(_("Fact or assessment"), "assertion", fields["assertion"])
    yield _code(_("Source (Europol 4x4)"), "grading_source", fields["grading_source"])
    yield _code(_("Information (Europol 4x4)"), "grading_information", fields["grading_information"])
    yield ContentRow(_("Admiralty system"), _describe_admiralty(fields["grading_admiralty"]))
    yield ContentRow(_("Handling"), tuple(_name_code("handling", code) for code in fields["handling"]))
    yield _text(_("Handling instructions"), fields["handling_text"])
    yield _code(_("TLP"), "tlp", fields["tlp"])
    yield _code(_("PAP"), "pap", fields["pap"])
    yield _code(_("Purpose"), "purpose", fields["purpose"])
    yield _code(_("How it was obtained"), "collection", fields["collection"])
    yield _text(_("State to which it belongs"), show_state(fields["origin_state"]) if fields["origin_state"] else None)
    yield _answer(_("Personal data"), fields["personal_data"])
    yield _answer(_("Special category of personal data"), fields["special_category"])
    yield ContentRow(_("Look at it again"), instant=content.review_at)
    yield ContentRow(_("Delete it by"), instant=content.retain_until)
    yield ContentRow(
        _("Why this State"),
        tuple(ContentLine(detail, _(describe_code("relevance", kind))) for kind, detail in content.relevance),
    )
    yield ContentRow(
        _("Answers of the agency"),
        tuple(
            ContentLine(_(QUESTIONS.get(f"findings.{name}", name)), _(describe_code("tristate", answer)))
            for name, answer in content.findings
        ),
    )


def _text(label: str, value: Any) -> ContentRow:
    return ContentRow(label, () if value is None or value == "" else (ContentLine(str(value)),))


def _code(label: str, field: str, code: Any) -> ContentRow:
    return ContentRow(label, () if code is None else (_name_code(field, str(code)),))


def _name_code(field: str, code: str) -> ContentLine:
    words = describe_code(field, code)
    return ContentLine(code) if words == code else ContentLine(_(words), code="" if code == "UNKNOWN" else code)


def _answer(label: str, answer: Any) -> ContentRow:
    return _text(label, None if answer is None else _(describe_code("tristate", answer)))


def _name_values(codes: Any, fact: str) -> tuple[ContentLine, ...]:
    return tuple(ContentLine(name_value(str(code), fact), code=str(code)) for code in codes)


def _format_number(number: Any) -> Any:
    """Return a number as an officer writes it: 10, and 2.5."""
    return f"{number:g}" if isinstance(number, float) else number


def _plain(values: Any) -> tuple[ContentLine, ...]:
    return tuple(ContentLine(str(value)) for value in values)


def _describe_admiralty(grade: Any) -> tuple[ContentLine, ...]:
    if grade is None:
        return ()
    parts = split_admiralty(grade)
    if parts is None:
        return (ContentLine(str(grade)),)
    source, information = parts
    words = f"{_(describe_code('admiralty_source', source))}; {_(describe_code('admiralty_information', information))}"
    return (ContentLine(words, code=str(grade)),)
