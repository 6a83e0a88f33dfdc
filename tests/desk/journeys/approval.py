"""What the law holds is approved by a second person; who has published it is refused."""

from __future__ import annotations

from tests.desk.journeys.people import ACCEPT, APPROVE, at_desk
from tests.desk.published_items import HELD, make_item
from tests.desk.world import DeskWorld

NUMBER = "+41446681800"


def test_a_hold_is_approved_by_a_second_person_and_not_by_the_first(world: DeskWorld) -> None:
    held = make_item(HELD, officer="de-1")
    world.publish(held)
    with at_desk(world, "de-1") as jonas:
        jonas.open_ask(held, APPROVE)
        jonas.browser.await_text("You may not answer this.", "Four eyes")
        assert not jonas.browser.has('input[name="answer"]')
        jonas.browser.capture("barred", "#conditions")
        jonas.open_item(held)
        jonas.browser.await_text(NUMBER)  # it is the officer's own
    with at_desk(world, "de-2") as lena:
        lena.open_ask(held, APPROVE)
        lena.browser.await_text("de.stpo-479")
        lena.browser.capture("approve", "#answers")
        lena.rule('form:has(input[name="act"][value="claim"])')
        lena.await_outcome("Done.", "Claimed for half an hour")
        assert lena.shows("[data-while-open]"), "a claim ends nothing"
        lena.answer("APPROVED")  # on the same page
        lena.await_outcome("Done.", "Answered")
        assert not lena.shows("[data-while-open]"), "what is answered is not open"
    with at_desk(world, "ch-1") as anna:
        anna.open_ask(held, ACCEPT)
        anna.answer("ACCEPTED")
        anna.await_outcome("Done.")
        anna.await_item(held, NUMBER)
