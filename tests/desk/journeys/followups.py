"""A follow-up: from a received item to the draft of a preservation request, as a page and as files, and its date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import docx

from tests.desk.journeys.people import at_desk
from tests.desk.published_items import UNANSWERED, make_item
from tests.desk.world import DeskWorld

ADDRESS = "198.51.100.23"
WATCH = 'form[action="/followups/preservations"]'


def test_a_preservation_is_drafted_from_a_received_item_and_watched(world: DeskWorld) -> None:
    item = world.publish(make_item(UNANSWERED, officer="jp-1", live_case_harm=False))
    today = datetime.now(UTC).date()
    with at_desk(world, "de-1") as jonas:
        browser = jonas.browser
        jonas.await_item(item, ADDRESS)
        browser.follow("Draft a follow-up from it")
        browser.choose("kind", "PRESERVATION")
        browser.choose("addressee", "JP")
        browser.follow_on('button[name="form"][value="show"]')
        browser.await_text("DRAFT", ADDRESS, "to fill in, and marked")
        browser.capture("draft", everywhere=True)
        browser.fill_date("requested", today, WATCH)
        browser.fill_date("expires", today + timedelta(days=90), WATCH)
        browser.fill("reference", "JP-2026-117", WATCH)
        browser.follow("Watch it", WATCH)
        browser.await_text("The preservation is watched.", "JP-2026-117", "In time")
        browser.capture("preservations")
        # A colleague of the same State sees it; it is on the topic and not in the desk.
    with at_desk(world, "de-2") as lena:
        lena.browser.open("/followups")
        lena.browser.await_text("JP-2026-117")


def read_docx(file: Path) -> str:
    """Return the text of a document, with that of its tables."""
    document = docx.Document(str(file))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def test_a_draft_is_taken_away_as_a_document_and_as_a_page_to_print(world: DeskWorld, tmp_path: Path) -> None:
    item = world.publish(make_item(UNANSWERED, officer="jp-1", live_case_harm=False))
    with at_desk(world, "de-1") as jonas:
        browser = jonas.browser
        jonas.await_item(item, ADDRESS)
        browser.follow("Draft a follow-up from it")
        browser.choose("kind", "ASSISTANCE")
        browser.choose("addressee", "JP")
        browser.follow_on('button[name="form"][value="show"]')
        shown = browser.read_text("article")
        title = browser.find_all("article h1")[0].text.removeprefix("DRAFT: ")
        document = browser.download('button[name="form"][value="docx"]', tmp_path)
        page = browser.download('button[name="form"][value="html"]', tmp_path)
        assert (document.suffix, page.suffix) == (".docx", ".html")
        assert ADDRESS not in document.name + page.name, "no content is in the name of a file"
        for text in (read_docx(document), unescape(page.read_text("utf-8"))):
            for part in (title, ADDRESS, "DRAFT"):
                assert part in text, part
        numbered = [each.text.partition(". ")[2] for each in browser.find_all("article h2[id^=section]")]
        headings = [text.partition(" (")[0] for text in numbered]
        assert len(headings) > 2
        for heading in headings:
            assert heading in read_docx(document), heading
        assert ADDRESS in shown
        # The page to print stands by itself: no script, and nothing that it loads.
        browser.driver.get(page.as_uri())
        assert ADDRESS in browser.read_text()
        assert browser.find_all("script, link, img, iframe") == []
        browser.open("/followups")
