"""A draft as one HTML file to print: no scripts, links or external resources."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from sharing.followups.document import DraftField, DraftSection, FollowUpDocument, Severity
from sharing.followups.instants import describe_instant

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE: Final = """
body { font: 11pt/1.45 Georgia, "Times New Roman", serif; color: #111; background: #fff; max-width: 48rem;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; border-bottom: 1px solid #555; margin-top: 1.8rem; }
dt { font-weight: bold; margin-top: .7rem; } dd { margin: 0 0 0 1rem; }
.source { font-weight: normal; color: #444; } .marking { font-weight: bold; }
mark { background: #ffef9c; color: #111; border: 1px solid #6b5900; padding: 0 .25rem; font-weight: bold; }
.read-first { border: 2px solid #111; padding: 0 1rem .6rem; } .read-first li { margin: .4rem 0; }
code { font-family: "DejaVu Sans Mono", Consolas, monospace; }
@page { margin: 20mm; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } dt { break-after: avoid; }
  mark { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""
_SEVERITY_WORDS: Final = {
    Severity.CONSENT: "Consent first",
    Severity.CHECK: "Check",
    Severity.DUTY: "Binds",
}


def write_html(document: FollowUpDocument) -> str:
    """Return a draft as an HTML document, which any browser shows and prints without a connection."""
    return "\n".join(_list_lines(document)) + "\n"


def _list_lines(document: FollowUpDocument) -> Iterator[str]:
    title = f"DRAFT: {document.title}"
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">\n<meta name="format-detection" content="telephone=no">'
    yield f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>"
    if document.marking:
        yield f'<p class="marking">{escape(document.marking)}</p>'
    yield f"<h1>{escape(title)}</h1>"
    yield (
        f"<p>Drafted on {escape(describe_instant(document.made_at))}, from notice {escape(document.notice)}. "
        f"{document.blanks} fields are left to the drafter, <mark>[marked so]</mark>.</p>"
    )
    yield from _list_cautions(document)
    for number, section in enumerate(document.sections, 1):
        yield from _list_section(number, section)
    if document.marking:
        yield f'<p class="marking">{escape(document.marking)}</p>'
    yield "</main>\n</body>\n</html>"


def _list_cautions(document: FollowUpDocument) -> Iterator[str]:
    if not document.cautions:
        return
    yield '<section class="read-first">\n<h2>Read first</h2>\n<ul>'
    for caution in document.cautions:
        yield f"<li><strong>{_SEVERITY_WORDS[caution.severity]}:</strong> {escape(caution.text)}</li>"
    yield "</ul>\n</section>"


def _list_section(number: int, section: DraftSection) -> Iterator[str]:
    source = f' <span class="source">({escape(section.source)})</span>' if section.source else ""
    yield f"<section>\n<h2>{number}. {escape(section.title)}{source}</h2>\n<dl>"
    for field in section.fields:
        yield f"<dt>{escape(field.label)}</dt>"
        yield from _list_field(field)
    yield "</dl>\n</section>"


def _list_field(field: DraftField) -> Iterator[str]:
    if field.blank is not None:
        yield f"<dd><mark>{escape(field.mark)}</mark></dd>"
        return
    hint = f" ({escape(field.hint)})" if field.hint else ""
    for line in field.lines:
        text = f"<code>{escape(line)}</code>" if field.exact else escape(line)
        yield f"<dd>{text}{hint}</dd>"
