"""What a notice says is never markup, a link, a field or another text than the one that is seen."""

from __future__ import annotations

import io
import re
import unicodedata
import xml.etree.ElementTree as ET
import zipfile
from html.parser import HTMLParser
from typing import Any

import pytest
from docx import Document
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sharing.followups.document import FollowUpKind
from sharing.followups.drafting import make_draft
from sharing.followups.files import DraftFormat, write_file
from sharing.followups.html_page import write_html
from sharing.followups.markdown_file import escape_markdown, write_markdown
from sharing.followups.plain_text import make_plain, split_lines
from sharing.followups.word_file import write_word_file
from tests.followups.drafts import DRAFTS, KINDS
from tests.followups.samples import make_context, make_notice

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</code></dd><style>*{display:none}</style>",
    "[click](javascript:alert(1))",
    "![x](https://tracker.example/x.png)",
    "<https://tracker.example>",
    "https://tracker.example/a",
    "www.tracker.example",
    "a@tracker.example",
    "`code` ``` <b>",
    "``` \n# heading",
    "# heading",
    "- list\n- of\n- items",
    "1. first",
    "12345) number",
    "> quote",
    "| a | b |\n|---|---|\n| c | d |",
    "***bold*** __b__ ~~s~~",
    "&lt;b&gt; &amp; &#60;",
    "---",
    "===",
    "+ plus",
    "$E=mc^2$",
    "\\*not escaped\\*",
    "[ref]: https://tracker.example",
    "[^1]: note",
    "{{7*7}} {% raw %} ${7*7}",
    '=HYPERLINK("https://tracker.example")',
    "]]> <!-- --> <?xml version='1.0'?>",
    "\x1b[31mred\x07\x00",
    "left\u202eright\u2066x\u2069\u200f\u200bnone",
    "a\u3164b\ufe0fc\U000e0041",
    "line\u2028other\u2029third\x85fourth\x0bfifth",
    "z" + "\u0301" * 30,
]
TEXT_FIELDS = ("value", "summary", "source_agency", "source_case", "handling_text", "type", "collection")


def make_hostile(text: str) -> Any:
    content = dict.fromkeys(TEXT_FIELDS, text) | {
        "offence_codes": [text],
        "modus_operandi": [text],
        "handling": [text],
        "tlp": text,
        "pap": text,
        "origin_state": text,
        "relevance": [{"kind": "NEXUS_STATED", "detail": text}],
    }
    condition = {"code": text, "kind": "OTHER", "text": text, "exculpatory_exception": False}
    rule = {"id": text, "citation": text, "effect": "PERMIT"}
    return make_notice(content, conditions=[condition], rules=[rule], basis=text)


def draft(kind: FollowUpKind, notice: Any) -> Any:
    if kind is FollowUpKind.STOP_PAYMENT:
        notice = make_notice({**notice.content, "type": "iban", "relevance": []})
    return make_draft(kind, notice, make_context())


class TagCollector(HTMLParser):
    """Collects what a browser would see: tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


PLAIN_TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "section", "ul", "li", "strong", "dl",
    "dt", "dd", "mark", "code", "span",
}  # fmt: skip
PARSER = MarkdownIt("js-default", {"html": True})  # CommonMark with tables and strikethrough
AUTOLINK = re.compile(r"www\.|[a-z]://|(?<!\\)@|(?<!\\)\.(?=\w)", re.IGNORECASE)
"""What programs that look for addresses take for one (GitHub Flavored Markdown 0.29, section 6.9)."""

CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
MARKDOWN_TAGS = {"h1", "h2", "p", "ul", "li", "strong", "code"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_html_has_no_other_tags_than_its_own(kind: FollowUpKind, text: str) -> None:
    page = write_html(draft(kind, make_hostile(text)))
    seen = TagCollector()
    seen.feed(page)
    assert seen.tags <= PLAIN_TAGS
    assert seen.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert page.count("<style>") == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_has_no_other_markup_than_its_own(kind: FollowUpKind, text: str) -> None:
    seen = TagCollector()
    document = draft(kind, make_hostile(text))
    written = write_markdown(document)
    seen.feed(PARSER.render(written))
    assert seen.tags <= MARKDOWN_TAGS
    assert not seen.attributes
    headings = 1 + bool(document.cautions) + len(document.sections)
    assert sum(line.startswith("#") for line in written.splitlines()) == headings
    assert not AUTOLINK.search(CODE_SPAN.sub("", written))
    # Nothing is lost by escaping: what is rendered has the text as it was made plain.
    shown = " ".join("".join(seen.text).split())
    assert make_plain(text) in shown or "\n" in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_word_file_has_text_and_nothing_else(text: str) -> None:
    data = write_word_file(draft(FollowUpKind.ASSISTANCE, make_hostile(text)))
    opened = Document(io.BytesIO(data))
    shown = "\n".join(paragraph.text for paragraph in opened.paragraphs)
    assert all(line in shown for line in split_lines(text))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        body = ET.fromstring(archive.read("word/document.xml"))  # noqa: S314 the test wrote it
        relations = archive.read("word/_rels/document.xml.rels").decode()
    names = {element.tag.rpartition("}")[2] for element in body.iter()}
    assert not names & {"hyperlink", "fldSimple", "instrText", "fldChar", "object", "altChunk", "drawing"}
    assert "hyperlink" not in relations
    assert 'TargetMode="External"' not in relations


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_in_a_draft_is_invisible_or_turns_text_around(text: str) -> None:
    for kind in KINDS:
        document = draft(kind, make_hostile(text))
        for written in (write_markdown(document), write_html(document)):
            wrong = {unicodedata.name(c, hex(ord(c))) for c in written if c != "\n" and not c.isprintable()}
            assert not wrong


def test_each_character_that_is_not_seen_becomes_one_that_is() -> None:
    assert make_plain("a\u202eb\x00c\ud800d\u200be") == "a\ufffdb\ufffdc\ufffdd\ufffde"
    assert make_plain(" a\n\tb\u00a0c ") == "a b c"
    assert split_lines("one\r\n\n two \nthree\u202e") == ("one", "two", "three\ufffd")


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_is_shown_as_it_was_made_plain(text: str) -> None:
    plain = make_plain(text)
    tags = TagCollector()
    tags.feed(PARSER.render(f"- **x:** {escape_markdown(plain)}\n"))
    assert tags.tags == {"ul", "li", "strong"}
    assert "".join(tags.text).strip() == f"x: {plain}".strip()


@pytest.mark.parametrize("form", DraftFormat)
def test_a_file_has_no_content_in_its_name_and_properties(form: DraftFormat) -> None:
    for document in DRAFTS.values():
        file = write_file(document, form)
        assert re.fullmatch(r"draft-[a-z-]+-018f3c1e\.(md|docx|html)", file.name)
        assert "DE89" not in repr(file)
    document = DRAFTS["account-unknown-stop-payment"]
    if form is DraftFormat.WORD:
        properties = Document(io.BytesIO(write_file(document, form).data)).core_properties
        assert properties.title == "Draft: Stop-payment sheet"
        assert properties.author == properties.last_modified_by == properties.comments == properties.keywords == ""


def test_a_word_file_marks_what_is_blank_and_bears_the_marking_on_each_page() -> None:
    opened = Document(io.BytesIO(write_word_file(DRAFTS["domain-known-preservation"])))
    blanks = [
        run.text for paragraph in opened.paragraphs for run in paragraph.runs if run.font.highlight_color is not None
    ]
    assert len(blanks) == DRAFTS["domain-known-preservation"].blanks + 1
    assert all(text.startswith("[") and text.endswith("]") for text in blanks)
    assert opened.sections[0].header.paragraphs[0].text == "TLP:AMBER"
    assert opened.sections[0].footer.paragraphs[0].text == "TLP:AMBER"
    headings = [each.text for each in opened.paragraphs if each.style is not None and each.style.name == "Heading 1"]
    assert headings[0] == "Read first"
