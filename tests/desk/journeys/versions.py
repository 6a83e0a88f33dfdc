"""A later version: an officer changes her own item, and who has it gets the correction; then she withdraws it."""

from __future__ import annotations

from tests.desk.journeys.people import Person, at_desk
from tests.desk.published_items import UNANSWERED, make_item
from tests.desk.world import DeskWorld

BEFORE, AFTER = "198.51.100.23", "198.51.100.77"
WITHDRAWAL = 'form[action="/intake/versions"]:has(input[name="action"])'


def await_version(person: Person, item: str, version: str) -> None:
    """Open the page of an own item until the gate has decided on a version."""
    person.browser.open(f"/items/JP/{item}")
    person.browser.await_text(f"version {version}", within="main")


def test_a_new_version_of_an_own_item_corrects_it_where_it_is_and_a_withdrawal_ends_it(world: DeskWorld) -> None:
    item = world.publish(make_item(UNANSWERED, officer="jp-1", live_case_harm=False))
    with at_desk(world, "jp-1") as yui, at_desk(world, "de-1") as jonas:
        jonas.await_item(item, BEFORE)
        yui.await_item(item, BEFORE, "What you can publish")
        browser = yui.browser
        browser.follow("New version")
        assert browser.find_all('[name="value"]')[0].get_attribute("value") == BEFORE
        browser.capture("version")
        browser.fill("value", AFTER)
        browser.follow("Save and go on")
        if browser.path.endswith("/questions"):
            browser.follow("Save for later")
        browser.await_text("This is version 2 of an item that was published before.", AFTER)
        browser.follow("Publish version 2")
        browser.await_text("The item is with the gate.")
        jonas.await_item(item, AFTER, "correction")
        assert BEFORE not in jonas.browser.read_text("main")

        yui.await_item(item, AFTER, "What you can publish")
        browser.click("Withdraw it as its agency")
        browser.fill("reason", "The server was attributed wrongly.", WITHDRAWAL)
        browser.follow("Go on to the withdrawal")
        browser.await_text("This withdraws the item.", "The server was attributed wrongly.")
        browser.follow("Withdraw this item")
        browser.await_text("The item is with the gate.")
        jonas.await_item(item, "It was recalled")
        assert AFTER not in jonas.browser.driver.page_source
