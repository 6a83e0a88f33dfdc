"""An offer is accepted and its content read; another one cannot be complied with, is relaxed, and then accepted."""

from __future__ import annotations

from tests.desk.journeys.people import ACCEPT, APPROVE, REDECIDE, answer_form, at_desk
from tests.desk.published_items import HELD, OFFERED, RELAXABLE, make_item
from tests.desk.world import DeskWorld

WALLET, ACCOUNT = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "DE89370400440532013000"
KEPT, LEFT_OUT = "jp.aptcp-14.no-evidence", "jp.aptcp-14.onward"


def test_an_offer_is_accepted_and_its_content_is_read(world: DeskWorld) -> None:
    offered = make_item(OFFERED)
    world.publish(make_item(RELAXABLE, officer="jp-1"))
    with at_desk(world, "de-1") as jonas:
        browser = jonas.browser
        world.publish(offered)
        browser.await_text(ACCEPT, within="#ask-rows")  # the list shows it by itself
        threat = {"urgency": "EMERGENCY", "urgency_reason": "The caller threatens to kill tonight."}
        urgent = world.publish(make_item(HELD, officer="de-2", **threat))
        browser.await_text("EMERGENCY", within="#ask-rows [data-row]:first-child")
        assert WALLET not in browser.driver.page_source
        browser.examine()
        browser.capture("list", everywhere=True)
        jonas.open_ask(urgent, APPROVE)
        jonas.answer("APPROVED")
        jonas.await_outcome("Done.")
        jonas.open_item(offered)
        browser.await_text("The content is not shown.")
        assert WALLET not in browser.driver.page_source
        jonas.open_ask(offered, ACCEPT)
        browser.capture("ask", everywhere=True)
        assert "ch.imac-67.speciality" in jonas.answer("ACCEPTED", picture="signing")
        jonas.await_outcome("Done.", "The answer was sent to the State that asks.")
        jonas.await_item(offered, WALLET, "That you see this is recorded.")
        browser.await_text("You may not", "Switzerland")
        assert WALLET not in browser.title + browser.path
        browser.capture("item", everywhere=True)
        # What is answered is no longer asked.
        browser.open(f"/asks?q={offered.id}")
        browser.await_text("No open question matches the filter.")
        browser.open("/inbox")
        browser.await_text(offered.id[:8])
        assert WALLET not in browser.driver.page_source


def test_conditions_that_cannot_be_complied_with_are_relaxed_and_then_accepted(world: DeskWorld) -> None:
    report = make_item(RELAXABLE, officer="jp-1")
    with at_desk(world, "de-1") as jonas, at_desk(world, "jp-2") as ren:
        world.publish(report)
        jonas.open_ask(report, ACCEPT)
        form = answer_form("CANNOT_COMPLY")
        jonas.browser.choose("unmet", LEFT_OUT, form)
        jonas.browser.fill("our_law", "StPO § 161", form)
        jonas.answer("CANNOT_COMPLY")
        jonas.await_outcome("Done.")

        ren.open_ask(report, REDECIDE)
        form = answer_form("RELAX")
        ren.browser.click_on(f'{form} input[name="relaxed"][value="{LEFT_OUT}"]')
        summary = ren.answer("RELAX")
        assert KEPT in summary
        assert LEFT_OUT not in summary
        ren.await_outcome("Done.")

        jonas.open_ask(report, ACCEPT)
        offered_now = " ".join(each.text for each in jonas.browser.find_all(".condition"))
        assert KEPT in offered_now
        assert LEFT_OUT not in offered_now
        assert KEPT in jonas.answer("ACCEPTED")
        jonas.await_outcome("Done.")
        jonas.await_item(report, ACCOUNT, KEPT)
