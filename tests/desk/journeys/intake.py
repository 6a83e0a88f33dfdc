"""A withheld item is disclosed by an answer; new items are entered by hand, and from a published MISP file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import as_file

from sharing.testing.samples import sample_file
from tests.desk.browser import DeskBrowser
from tests.desk.journeys.people import ACCEPT, SUPPLY, at_desk
from tests.desk.published_items import UNANSWERED, make_item
from tests.desk.world import DeskWorld

ADDRESS, WALLET = "198.51.100.23", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"


def test_a_withheld_item_is_disclosed_by_an_answer(world: DeskWorld) -> None:
    item = world.publish(make_item(UNANSWERED, officer="jp-2"))
    with at_desk(world, "jp-1") as yui:
        yui.open_ask(item, SUPPLY)
        yui.browser.follow("Answer in an interview, and see who would get the item")
        yui.browser.capture("supply")
        yui.browser.choose("fact:live_case_harm", "NO")
        summary = yui.rule("form[data-ruling]")
        assert "live_case_harm" in summary
        yui.await_outcome("Done.")
    with at_desk(world, "de-1") as jonas:
        jonas.await_item(item, ADDRESS)


ANSWERS: Mapping[str, tuple[str, ...]] = {
    "source.authority": ("PROSECUTOR",),
    "form": ("INFORMATION",),
    "offence.codes": ("ICT_FRAUD_THEFT", "LAUNDERING"),
    "offence.max_penalty_years": ("5",),
    "collection": ("SEARCH",),
    "secrecy_domain": ("NO",),
    "personal_data": ("NO",),
    "special_category": ("NO",),
    "subject_class": ("NONE",),
    "assertion": ("FACT",),
    "purpose": ("INVESTIGATION",),
    "enables_request": ("YES",),
    "live_case_harm": ("NO",),
    "character": ("-",),
    "findings.essential_interest_harm": ("NO",),
}
"""What the officer knows of the item, by the name of the fact. Everything else is not known."""

PAGES_MAX = 12


def answer_questions(browser: DeskBrowser) -> int:
    """Answer what the interview asks, page after page; return the number of pages."""
    for page in range(PAGES_MAX):
        if not browser.path.endswith("/questions"):
            return page
        names = {str(field.get_attribute("name")) for field in browser.find_all("main form [name]")}
        for fact in sorted(ANSWERS.keys() & {name.removeprefix("fact:") for name in names}):
            for value in ANSWERS[fact]:
                if fact == "offence.max_penalty_years":
                    browser.fill(f"fact:{fact}", value)
                else:
                    browser.choose(f"fact:{fact}", value)
        if page == 0:
            browser.capture("questions")
        browser.follow("Save and go on")
    raise AssertionError(f"more than {PAGES_MAX} pages of questions")


def test_a_new_item_is_entered_by_hand_and_offered(world: DeskWorld) -> None:
    with at_desk(world, "ch-1") as anna:
        browser = anna.browser
        browser.follow("New item", "nav")
        browser.follow("Enter an item")
        browser.choose("type", "btc-address")
        browser.fill("value", "not a wallet")
        browser.fill("nexus", "DE")
        with browser.expect_errors("status of 400"):
            browser.follow("Save and go on")
        browser.await_text("There is a problem")  # and nothing that was typed is lost
        assert browser.find_all('[name="nexus"]')[0].get_attribute("value") == "DE"
        browser.fill("value", WALLET)
        browser.fill("nexus_reason", "victims live there")
        browser.choose("urgency", "ORDINARY")
        browser.await_text("Gets nothing: 1.", "Germany", within="#picture")
        browser.follow("Save and go on")
        assert answer_questions(browser) > 0
        browser.await_text("Offered: 1.", "is offered it", within="#picture")
        browser.capture("intake")
        browser.follow("Publish the item")
        browser.await_text("The item is with the gate.")
        browser.follow("See what became of it")
        item = browser.path.partition("?")[0].rpartition("/")[2]
    with at_desk(world, "de-1") as jonas:
        jonas.browser.open(f"/asks?q={item}")
        jonas.browser.await_text(ACCEPT, within="#ask-rows")


EVENT = "2018-11-20_Zebrocy.json"
"""A published event (ESET, BSD-2-Clause), all of whose values MISP marks as context."""


def test_a_misp_file_becomes_unsent_items_of_which_one_goes_through_the_interview(world: DeskWorld) -> None:
    with at_desk(world, "ch-1") as anna, as_file(sample_file(EVENT)) as file:
        browser = anna.browser
        browser.follow("New item", "nav")
        browser.follow("Read a MISP file")
        browser.attach("file", file)
        browser.follow("Read the file")
        browser.await_text("0 items are kept, unsent.", "Marked as context, not as an indicator.")
        browser.attach("file", file)
        browser.choose("context", "1")
        browser.follow("Read the file")
        browser.await_text("items are kept, unsent.", "Not taken", "No item has this type.")
        rows = browser.find_all("main [data-row] a")
        assert len(rows) > 5
        browser.follow("All items that are not sent yet")
        assert len(browser.find_all("main [data-row]")) >= len(rows)
        browser.follow_on('[data-row]:has(.muted) a[href^="/intake/"]')
        browser.await_text("Check the item")
        browser.follow("Change what it is")
        assert browser.find_all('[name="value"]')[0].get_attribute("value")
        browser.choose("type", "url")
        browser.fill("value", "https://malware.example.org/a")
        browser.fill("nexus", "DE")
        browser.fill("nexus_reason", "the server is there")
        browser.follow("Save for later")
        browser.await_text("https://malware.example.org/a", "Germany (DE)")
