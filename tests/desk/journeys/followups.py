"""A follow-up: from a received item to the draft of a preservation request, and its date is watched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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
        browser.await_text("DRAFT", ADDRESS, "left to you, and marked")
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
