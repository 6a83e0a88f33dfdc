"""Reading works without JavaScript; supervisors see what is theirs; the pages speak two languages."""

from __future__ import annotations

from functools import partial

from tests.desk.browser import LIMIT_S
from tests.desk.desk_officers import SUPERVISING
from tests.desk.journeys.people import ACCEPT, APPROVE, Person, at_desk
from tests.desk.published_items import HELD, OFFERED, UNANSWERED, make_item
from tests.desk.world import DeskWorld
from tests.support.waiting import wait_until

ADDRESS = "198.51.100.23"
SUPERVISION = ("", "/decisions", "/audit", "/refusals", "/uses")
SHOWN = ("/decisions", "/audit")


def test_list_question_and_item_are_read_without_scripts(world: DeskWorld) -> None:
    offered = world.publish(make_item(OFFERED))
    sent = world.publish(make_item(UNANSWERED, officer="jp-1", live_case_harm=False))
    with at_desk(world, "de-1") as jonas:
        browser = jonas.browser
        jonas.open_ask(offered, ACCEPT)
        address = browser.path
        jonas.await_item(sent, ADDRESS)
        browser.use_scripts(enabled=False)
        browser.open(f"/asks?q={offered.id}")
        browser.await_text(ACCEPT, "You can read everything without JavaScript.")
        browser.open(address)
        browser.await_text("ch.imac-67.speciality", "Answering needs JavaScript")
        jonas.open_item(sent)
        browser.await_text(ADDRESS)
        browser.open("/inbox")
        browser.await_text(sent.id[:8])
        browser.use_scripts(enabled=True)


def _is_computed(person: Person, page: str) -> bool:
    """Load a page of supervision again, and return whether what it shows is computed."""
    person.browser.driver.get(f"{person.browser.origin}/supervision{page}")
    return "is being computed" not in person.browser.read_text("main")


def test_a_supervisor_sees_what_officers_do_not(world: DeskWorld) -> None:
    held = world.publish(make_item(HELD, officer="de-1"))  # so that there is something to count
    with at_desk(world, "de-2") as lena:
        lena.open_ask(held, APPROVE)
    with at_desk(world, SUPERVISING) as petra:
        for page in SUPERVISION:
            petra.browser.open(f"/supervision{page}")
            wait_until(partial(_is_computed, petra, page), f"{page} is computed", LIMIT_S)
            petra.browser.examine()
            if page in SHOWN:
                petra.browser.capture(f"supervision{page.replace('/', '-')}")
    with at_desk(world, "de-1") as jonas:
        assert "Supervision" not in jonas.browser.read_text("nav")
        with jonas.browser.expect_errors("status of 403"):
            jonas.browser.open("/supervision")


def test_the_pages_speak_french(world: DeskWorld) -> None:
    with at_desk(world, "ch-1") as anna:
        anna.browser.follow("Français", "footer")
        assert anna.browser.find_all("html")[0].get_attribute("lang") == "fr"
        anna.browser.await_text("Se déconnecter")
        for path in ("/items", "/inbox", "/intake", "/followups"):
            anna.browser.open(path)
