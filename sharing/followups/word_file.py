"""A draft as a Word document (Office Open XML), in which nothing from the notice is a field, a link or markup."""

from __future__ import annotations

import io
from typing import Any, Final

from docx import Document
from docx.enum.text import WD_COLOR_INDEX
from docx.shared import Mm, Pt

from sharing.followups.document import DraftField, FollowUpDocument, Severity
from sharing.followups.instants import describe_instant
from sharing.model.times import from_milliseconds

_SEVERITY_WORDS: Final = {
    Severity.CONSENT: "CONSENT FIRST",
    Severity.CHECK: "CHECK",
    Severity.DUTY: "BINDS",
}
_MARGIN: Final = Mm(20)


def write_word_file(document: FollowUpDocument) -> bytes:
    """Return a draft as the bytes of a .docx file. Blank fields are highlighted; each page has the marking.

    The file names no author, and its properties contain nothing from the notice.
    """
    file = Document()
    _set_properties(file, document)
    for part in file.sections:
        part.left_margin = part.right_margin = part.top_margin = part.bottom_margin = _MARGIN
        if document.marking:
            part.header.paragraphs[0].add_run(document.marking).bold = True
            part.footer.paragraphs[0].add_run(document.marking).bold = True
    file.add_heading(f"DRAFT: {document.title}", level=0)
    opening = file.add_paragraph(
        f"Drafted on {describe_instant(document.made_at)}, from notice {document.notice}. {document.blanks} fields are "
        "left to the drafter, "
    )
    _highlight(opening.add_run("[marked so]"))
    opening.add_run(".")
    if document.cautions:
        file.add_heading("Read first", level=1)
        for caution in document.cautions:
            paragraph = file.add_paragraph(style="List Bullet")
            paragraph.add_run(f"{_SEVERITY_WORDS[caution.severity]}: ").bold = True
            paragraph.add_run(caution.text)
    for number, section in enumerate(document.sections, 1):
        source = f" ({section.source})" if section.source else ""
        file.add_heading(f"{number}. {section.title}{source}", level=1)
        for field in section.fields:
            _add_field(file, field)
    written = io.BytesIO()
    file.save(written)
    return written.getvalue()


def _set_properties(file: Any, document: FollowUpDocument) -> None:
    properties, made_at = file.core_properties, from_milliseconds(document.made_at).replace(tzinfo=None)
    properties.title = f"Draft: {document.title}"
    properties.author = properties.last_modified_by = properties.comments = properties.keywords = ""
    properties.created = properties.modified = made_at


def _add_field(file: Any, field: DraftField) -> None:
    paragraph = file.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(4)
    paragraph.add_run(f"{field.label}: ").bold = True
    if field.blank is not None:
        _highlight(paragraph.add_run(field.mark))
        return
    for number, line in enumerate(field.lines):
        run = paragraph.add_run(line)
        if field.exact:
            run.font.name = "Consolas"
        if number < len(field.lines) - 1:
            run.add_break()
    if field.hint:
        paragraph.add_run(f" ({field.hint})").italic = True


def _highlight(run: Any) -> None:
    run.bold = True
    run.font.highlight_color = WD_COLOR_INDEX.YELLOW
