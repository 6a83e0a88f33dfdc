"""A session ends while an officer writes: nothing that was typed is lost, and nothing is sent without the passkey."""

from __future__ import annotations

from tests.desk.journeys.people import ACCEPT, Person, answer_form, at_desk
from tests.desk.published_items import OFFERED, make_item
from tests.desk.world import DeskWorld
from tests.support.waiting import wait_until

TYPED = "Typed for half an hour, and not to be typed again."
SIGN_IN = "#sign-in-dialog[open]"


def end_session(person: Person) -> None:
    """Sign out in another tab, as somebody else may who uses the device."""
    driver = person.browser.driver
    here = driver.current_window_handle
    driver.switch_to.new_window("tab")
    driver.get(f"{person.browser.origin}/inbox")
    person.browser.click("Sign out")
    wait_until(lambda: person.browser.path.startswith("/sign-in"), "the session has ended")
    driver.close()
    driver.switch_to.window(here)


def test_a_session_that_ends_while_writing_loses_nothing(world: DeskWorld) -> None:
    offered = world.publish(make_item(OFFERED))
    form = answer_form("DECLINED")
    with at_desk(world, "de-2") as lena:
        browser = lena.browser
        lena.open_ask(offered, ACCEPT)
        browser.fill("text", TYPED, form)
        with browser.expect_errors("status of 401", r"\[object Event\]"):  # also of the list of changes
            end_session(lena)
            browser.await_text("Sign in", within=SIGN_IN)  # by itself
            browser.examine()
            browser.capture("session")
            browser.click("Sign in with a passkey", SIGN_IN)
            wait_until(lambda: not browser.has(SIGN_IN), "the officer is signed in again")
        assert browser.find_all(f"{form} textarea")[0].get_attribute("value") == TYPED
        lena.answer("DECLINED")
        lena.await_outcome("Done.")
