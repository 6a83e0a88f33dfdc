"""The broker does not answer: the desk says so, what was typed stays, and it is sent once when the broker is back."""

from __future__ import annotations

from tests.desk.journeys.people import ACCEPT, DIALOG, OUTCOME, answer_form, at_desk
from tests.desk.published_items import OFFERED, make_item
from tests.desk.world import DeskWorld
from tests.support.waiting import wait_until

BACK_S = 240.0
TYPED = "Typed while the broker was away."


def test_a_broker_that_is_away_is_said_and_what_was_typed_is_sent_once(world: DeskWorld) -> None:
    offered = world.publish(make_item(OFFERED))
    form = answer_form("ACCEPTED")
    error = f"{form} .error-summary"
    with at_desk(world, "de-1") as jonas:
        browser = jonas.browser
        jonas.open_ask(offered, ACCEPT)
        browser.fill("text", TYPED, form)
        with browser.expect_errors("status of 503"):
            with world.without_broker():
                browser.await_text("broker", within="#desk-broker")
                browser.examine()
                browser.capture("broker-away")
                browser.click_on(f"{form} button[type=submit]")
                wait_until(lambda: browser.has(DIALOG) or browser.has(error), "an answer")
                if browser.has(DIALOG):  # it was prepared from what is known; only sending needs the broker
                    browser.click("Sign with your passkey", DIALOG)
                    wait_until(lambda: browser.has(error) or browser.has(f"{OUTCOME} .panel"), "what became of it")
                assert browser.find_all(f"{form} textarea")[0].get_attribute("value") == TYPED
            wait_until(lambda: "broker" not in browser.read_text("#desk-broker"), "the broker is back")
            if browser.has(f"{error} button"):  # it was signed: the same signature is sent again
                browser.click_on(f"{error} button")
            elif not browser.has(f"{OUTCOME} .panel"):
                jonas.answer("ACCEPTED")

            def is_done() -> bool:
                world.supervise()
                return "Done." in browser.read_text(OUTCOME)

            wait_until(is_done, "the worker, which was without it, too", BACK_S)
        browser.open(f"/asks?q={offered.id}")
        browser.await_text("No open question matches the filter.")
