"""A recall: an officer recalls an item at the desk, and the other State acknowledges it at its own."""

from __future__ import annotations

from tests.desk.journeys.people import ACKNOWLEDGE, at_desk
from tests.desk.published_items import UNANSWERED, make_item
from tests.desk.world import DeskWorld

ADDRESS = "198.51.100.23"
RECALL = 'form:has(input[name="act"][value="recall"])'


def test_a_recalled_item_is_acknowledged_and_shown_no_longer(world: DeskWorld) -> None:
    item = world.publish(make_item(UNANSWERED, officer="jp-1", live_case_harm=False))
    with at_desk(world, "de-1") as jonas, at_desk(world, "jp-1") as yui:
        jonas.await_item(item, ADDRESS)
        yui.open_item(item)
        yui.browser.click("Recall it")
        yui.browser.fill("text", "The server was attributed wrongly.", RECALL)
        assert "recall the item" in yui.rule(RECALL)
        yui.await_outcome("Done.", "The recall was sent to Germany (DE).")

        jonas.open_ask(item, ACKNOWLEDGE)
        jonas.browser.capture("recall")
        jonas.answer("ACKNOWLEDGED")
        jonas.await_outcome("Done.")
        jonas.open_item(item)
        jonas.browser.await_text("The content is not shown.")
        assert ADDRESS not in jonas.browser.driver.page_source
