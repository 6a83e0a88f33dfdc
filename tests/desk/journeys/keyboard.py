"""The list by keyboard alone: `j k c a ?`."""

from __future__ import annotations

from selenium.webdriver.common.keys import Keys

from tests.desk.journeys.people import DIALOG, at_desk
from tests.desk.published_items import OFFERED, make_item
from tests.desk.world import DeskWorld
from tests.support.waiting import wait_until

CURRENT = "return document.activeElement.closest('[data-row]')?.dataset.ask ?? ''"


def test_a_question_is_found_claimed_and_opened_without_a_mouse(world: DeskWorld) -> None:
    for _ in range(2):
        world.publish(make_item(OFFERED))
    with at_desk(world, "de-2") as lena:
        browser = lena.browser
        browser.open("/asks?each=1&kind=ACCEPT")
        wait_until(lambda: len(browser.find_all("#ask-rows [data-row]")) >= 2, "both are asked")

        def find_current() -> str:
            return str(browser.driver.execute_script(CURRENT))

        browser.press("j")
        first = find_current()
        browser.press("j")
        second = find_current()
        assert first
        assert second not in {"", first}
        browser.press("k")
        assert find_current() == first
        browser.press("?")
        browser.await_text("Keyboard shortcuts", within="dialog[open]")
        browser.examine()
        browser.press(Keys.ESCAPE)
        wait_until(lambda: not browser.has("dialog[open]"), "the dialog is closed")

        browser.press("c")
        browser.await_text("What you sign", within=DIALOG)
        browser.press(Keys.ENTER)  # the button that signs has the focus
        lena.await_outcome("Done.", "Claimed for half an hour")
        browser.await_text("Lena Vogt (de-2)", within=f'#ask-rows [data-ask="{first}"]')
        browser.press("j")
        assert find_current(), "the list was replaced, and the keys still work"
        browser.open("/asks?each=1&kind=ACCEPT")
        browser.press("j")
        browser.press("a")
        browser.await_path(r"/asks/[0-9a-f-]{36}#answers")
