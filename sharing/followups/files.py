"""The files in which an officer downloads a draft."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from sharing.followups.document import FollowUpDocument
from sharing.followups.html_page import write_html
from sharing.followups.markdown_file import write_markdown

_ID_DIGITS = 8


class DraftFormat(StrEnum):
    """The form of the file."""

    MARKDOWN = "md"
    WORD = "docx"
    HTML = "html"

    @property
    def media_type(self) -> str:
        """Its media type (RFC 7763 for Markdown)."""
        match self:
            case DraftFormat.MARKDOWN:
                return "text/markdown; charset=utf-8; variant=CommonMark"
            case DraftFormat.WORD:
                return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            case DraftFormat.HTML:
                return "text/html; charset=utf-8"
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file. Its `repr` shows no content.

    Attributes:
        name: Its name: the kind and the beginning of the notice's id, but no content.
        media_type: Its media type.
        data: Its bytes.
    """

    name: str
    media_type: str
    data: bytes = field(repr=False)


def write_file(document: FollowUpDocument, form: DraftFormat) -> DraftFile:
    """Return a draft as a file."""
    match form:
        case DraftFormat.MARKDOWN:
            data = write_markdown(document).encode()
        case DraftFormat.HTML:
            data = write_html(document).encode()
        case DraftFormat.WORD:
            from sharing.followups.word_file import write_word_file  # noqa: PLC0415 needs an extra

            data = write_word_file(document)
        case _:
            assert_never(form)
    return DraftFile(format_file_name(document, form), form.media_type, data)


def format_file_name(document: FollowUpDocument, form: DraftFormat) -> str:
    """Return the name of the file: `draft-preservation-018f3c1e.docx`."""
    digits = "".join(digit for digit in document.notice if digit in "0123456789abcdef")[:_ID_DIGITS]
    return f"draft-{document.kind.slug}-{digits or 'notice'}.{form}"
