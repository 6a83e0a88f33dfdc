"""A draft as Markdown (CommonMark), in which nothing from the notice is markup, a link or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sharing.followups.document import DraftField, FollowUpDocument, Severity
from sharing.followups.instants import describe_instant

_MARKUP: Final = re.compile(
    r"[\\`*_{}\[\]<>#!|~&$^@]|\.(?=\w)|:(?=/)|^[-+=]|(?<=-)-|-(?=-)|(?<=^\d)[.)]|(?<=^\d\d)[.)]|(?<=^\d\d\d)[.)]"
)
_LONG_NUMBER: Final = re.compile(r"^(\d{4,9})([.)])")
"""The beginning of a numbered list: up to nine digits."""

_SEVERITY_WORDS: Final = {
    Severity.CONSENT: "CONSENT FIRST",
    Severity.CHECK: "CHECK",
    Severity.DUTY: "BINDS",
}


def escape_markdown(text: str) -> str:
    r"""Return a text of one line in which CommonMark, and GitHub's autolinks, see no markup.

    A backslash before punctuation is the punctuation itself (CommonMark 0.31, section 2.4). A period within a word and
    a colon before a slash are also escaped, so that a program that looks for addresses does not turn them into links.
    """
    escaped = _MARKUP.sub(lambda found: f"\\{found[0]}", text)
    return _LONG_NUMBER.sub(r"\1\\\2", escaped)


def write_markdown(document: FollowUpDocument) -> str:
    """Return a draft as Markdown."""
    return "\n".join(_list_lines(document)) + "\n"


def _list_lines(document: FollowUpDocument) -> Iterator[str]:
    yield f"# DRAFT: {escape_markdown(document.title)}"
    yield ""
    if document.marking:
        yield f"**{escape_markdown(document.marking)}**"
        yield ""
    at = describe_instant(document.made_at)
    yield f"Drafted on {escape_markdown(at)}, from notice {escape_markdown(document.notice)}."
    yield f"{document.blanks} fields are left to the drafter, **\\[marked so\\]**."
    if document.cautions:
        yield ""
        yield "## Read first"
        yield ""
        for caution in document.cautions:
            yield f"- **{_SEVERITY_WORDS[caution.severity]}:** {escape_markdown(caution.text)}"
    for number, section in enumerate(document.sections, 1):
        source = f" ({escape_markdown(section.source)})" if section.source else ""
        yield ""
        yield f"## {number}. {escape_markdown(section.title)}{source}"
        yield ""
        for field in section.fields:
            yield from _list_field(field)
    if document.marking:
        yield ""
        yield f"**{escape_markdown(document.marking)}**"


def _list_field(field: DraftField) -> Iterator[str]:
    label = f"- **{escape_markdown(field.label)}:**"
    if field.blank is not None:
        yield f"{label} **{escape_markdown(field.mark)}**"
        return
    hint = f" ({escape_markdown(field.hint)})" if field.hint else ""
    lines = [_quote(line) if field.exact else escape_markdown(line) for line in field.lines]
    if len(lines) == 1:
        yield f"{label} {lines[0]}{hint}"
        return
    yield f"{label}{hint}"
    yield from (f"  - {line}" for line in lines)


def _quote(text: str) -> str:
    """Return a text as a code span, which is copied as is: enclosed in more backticks than it has in a row."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"
