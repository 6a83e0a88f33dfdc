"""An emergency: it is disclosed at once, a message leads to the question, and the officer confirms it in writing."""

from __future__ import annotations

import re

from tests.desk.journeys.people import CONFIRM, Person, answer_form, at_desk
from tests.desk.published_items import UNANSWERED, make_item
from tests.desk.world import DeskWorld
from tests.support.waiting import wait_until

ADDRESS = "198.51.100.23"


def test_an_emergency_leads_from_its_message_to_the_written_confirmation(world: DeskWorld) -> None:
    emergency = make_item(
        UNANSWERED, officer="jp-1", live_case_harm=False,
        urgency="EMERGENCY", urgency_reason="The server attacks a hospital now.",
    )  # fmt: skip
    with at_desk(world, "de-1") as jonas, world.browse("jp-1") as browser:
        world.publish(emergency)
        jonas.await_item(emergency, ADDRESS)  # without being asked

        link = world.find_message("CONFIRM_IN_WRITING")
        assert link.startswith(browser.origin)
        # Nobody is signed in: the link leads to the sign-in, and from there to the question.
        with browser.expect_errors("status of 401"):
            browser.open(link.removeprefix(browser.origin))
        browser.click("Sign in with a passkey")
        browser.await_path(r"/asks/[0-9a-f-]{36}")
        browser.await_text("EMERGENCY", CONFIRM)
        yui = Person(world, "jp-1", browser)
        browser.capture("emergency")
        browser.open("/asks")
        browser.await_text("EMERGENCY", within="#ask-rows")
        wait_until(lambda: re.match(r"\(\d+\) ", browser.title) is not None, "an emergency is seen from another tab")
        yui.open_ask(emergency, CONFIRM)
        browser.fill("text", "Telephoned at 03:10, confirmed.", answer_form("CONFIRMED"))
        yui.answer("CONFIRMED")
        yui.await_outcome("Done.")
        browser.open(f"/asks?q={emergency.id}")
        browser.await_text("No open question matches the filter.")
