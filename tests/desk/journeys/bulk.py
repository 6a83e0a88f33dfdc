"""More alike questions than one signature has room for: the page says so before, and leads through them."""

from __future__ import annotations

from sharing.rulings.ruling import ASKS_MAX
from tests.desk.journeys.people import APPROVE, DIALOG, OUTCOME, at_desk
from tests.desk.published_items import HELD, make_item
from tests.desk.world import DeskWorld
from tests.support.waiting import wait_until

MORE = 3
LIMIT_S = 180.0


def test_more_alike_questions_than_one_signature_takes_are_answered_one_signature_after_the_other(
    world: DeskWorld,
) -> None:
    items = [make_item(HELD, officer="de-2", urgency="URGENT") for _ in range(ASKS_MAX + MORE)]
    world.publish_all(items)
    with at_desk(world, "de-1") as jonas:
        browser = jonas.browser
        jonas.open_ask(items[-1], APPROVE)

        def is_said() -> bool:
            browser.driver.get(browser.origin + browser.path)
            return f"Also answer {len(items) - 1} similar questions" in browser.read_text("main")

        wait_until(is_said, "all of them are asked", LIMIT_S)
        browser.await_text(f"One signature answers at most {ASKS_MAX} questions, so this takes 2 signatures.")
        browser.examine()
        browser.choose("alike", "1", 'form:has(input[name="answer"][value="REFUSED"])')
        browser.choose("ground", "LIVE_CASE", 'form:has(input[name="answer"][value="REFUSED"])')
        assert f"{MORE} more similar questions need a further signature" in jonas.answer("REFUSED")
        jonas.await_outcome("Done.")
        browser.examine()
        browser.click(f"Go on with the next similar questions ({MORE})", OUTCOME)
        browser.await_text("What you sign", f"{MORE} questions", within=DIALOG)
        browser.click("Sign with your passkey", DIALOG)
        browser.await_text("Done.", f"({MORE} times)", within=OUTCOME)
        browser.open(f"/asks?q={items[0].id}")
        browser.await_text("No open question matches the filter.")
        browser.open(f"/asks?q={items[-1].id}")
        browser.await_text("No open question matches the filter.")
