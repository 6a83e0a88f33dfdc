"""The golden drafts: each kind from each sample notice, with and without what is known beyond it.

`python -m tests.followups.drafts --write` writes them again after a wanted change.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sharing.followups.context import FollowUpContext
from sharing.followups.document import FollowUpDocument, FollowUpKind
from sharing.followups.drafting import list_fitting, make_draft
from sharing.followups.html_page import write_html
from sharing.followups.markdown_file import write_markdown
from sharing.model.notice import Notice
from tests.followups.real_notices import list_real_notices, read_sample_directory
from tests.followups.samples import (
    ITEM_ID,
    NOTICE_ID,
    make_account_notice,
    make_context,
    make_domain_notice,
    make_full_context,
)

REAL = {
    "real-account": "German prosecutors hold the account to which a Dutch victim's money went to NL",
    "real-wallet": "Swiss prosecutors find the wallet of a German ransomware case in a seized computer to DE",
    "real-report": "A transaction report of the Japanese unit, for the French one to FR",
}
"""Titles of the demo's items from which golden drafts are made."""

FOLDER = Path(__file__).parent / "golden"


def list_samples() -> Iterator[tuple[str, Notice, FollowUpContext]]:
    """Yield the samples with their names."""
    yield "domain-known", make_domain_notice(), make_full_context()
    yield "domain-unknown", make_domain_notice(), make_context()
    yield "account-to-provider", make_account_notice(), make_full_context("CH")
    yield "account-unknown", make_account_notice(), make_context()
    for name, title in REAL.items():
        notice = replace(list_real_notices()[title], id=NOTICE_ID, item_id=ITEM_ID)  # the demo's ids are random
        entries = read_sample_directory().entries
        own, provider = entries[notice.to_state], entries[notice.from_state]
        yield name, notice, make_context(own=own, provider=provider)


def list_drafts() -> Iterator[tuple[str, FollowUpDocument]]:
    """Yield each draft that fits a sample, with its name."""
    for name, notice, context in list_samples():
        for kind in list_fitting(notice):
            yield f"{name}-{kind.slug}", make_draft(kind, notice, context)


def list_golden() -> Iterator[tuple[Path, str]]:
    """Yield the golden files with their texts: Markdown of all drafts, and HTML of one."""
    for name, document in list_drafts():
        yield FOLDER / f"{name}.md", write_markdown(document)
        if name == "account-unknown-stop-payment":
            yield FOLDER / f"{name}.html", write_html(document)


KINDS = tuple(FollowUpKind)
DRAFTS = dict(list_drafts())

if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    for path, text in list_golden():
        path.write_text(text, encoding="utf-8")
