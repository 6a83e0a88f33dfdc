"""What officers do at a desk, whatever the journey: sign in, find a question, rule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.desk.browser import LIMIT_S, DeskBrowser
from tests.desk.published_items import PublishedItem
from tests.desk.world import DeskWorld
from tests.support.waiting import wait_until

OUTCOME = "[data-ruling-outcome]"
DIALOG = ".ruling-dialog"

APPROVE = "Approve the disclosure of an item that the law holds"
ACCEPT = "Accept the conditions of an offer"
REDECIDE = "Decide again on an item that cannot be provided as it was offered"
SUPPLY = "Supply the facts without which the law withholds an item"
ACKNOWLEDGE = "Acknowledge that a recalled item is used no longer"
CONFIRM = "Confirm in writing a disclosure that was made in an emergency"
"""What is asked, as the desk says it."""


@dataclass
class Person:
    """An officer with a browser.

    Attributes:
        world: The world.
        id: Id of the officer.
        browser: The browser.
    """

    world: DeskWorld
    id: str
    browser: DeskBrowser

    def sign_in(self) -> None:
        """Sign in with the passkey; the list of questions is shown."""
        self.browser.open("/sign-in")
        self.browser.click("Sign in with a passkey")
        self.browser.await_path("/asks")
        self.browser.await_text(self.world.officers[self.id].name, within="header")

    def open_ask(self, item: PublishedItem, what: str) -> None:
        """Open what is asked about an item: find it in the list, which shows it by itself once it is asked."""
        self.browser.open(f"/asks?q={item.id}")
        self.browser.await_text(what, within="#ask-rows")
        self.browser.follow_on(f'#ask-rows [data-row]:has(a[href$="{item.id}"]) h2 a')

    def open_item(self, item: PublishedItem) -> None:
        """Open the page of an item."""
        self.browser.open(f"/items/{item.indicator.source.state}/{item.id}")

    def await_item(self, item: PublishedItem, *texts: str) -> None:
        """Open the page of an item again and again until it says all this; then examine it."""
        path = f"/items/{item.indicator.source.state}/{item.id}"

        def says_it() -> bool:
            self.browser.driver.get(self.browser.origin + path)
            shown = self.browser.read_text("main")
            return all(text in shown for text in texts)

        with self.browser.expect_errors("status of 404"):  # until it has arrived
            wait_until(says_it, f"{path} says {texts}", LIMIT_S)
        self.browser.examine()

    def rule(self, form: str, picture: str = "") -> str:
        """Send a form that needs a ruling, sign in the dialog, and return what the dialog has said.

        Args:
            form: Selector of the form.
            picture: Name of a picture of the dialog; "" for none.
        """
        browser = self.browser
        browser.click_on(f"{form} button[type=submit]")
        browser.await_text("What you sign", within=DIALOG)
        summary = browser.read_text(DIALOG)
        browser.examine()
        if picture:
            browser.capture(picture, DIALOG)
        browser.click("Sign with your passkey", DIALOG)
        browser.await_text("What became of it", within=OUTCOME)
        return summary

    def answer(self, answer: str, picture: str = "") -> str:
        """Answer the question that is shown; return what the dialog said before it was signed."""
        return self.rule(answer_form(answer), picture)

    def shows(self, selector: str) -> bool:
        """Return whether an element is to be seen."""
        return any(each.is_displayed() for each in self.browser.find_all(selector))

    def await_outcome(self, *texts: str) -> None:
        """Wait until the page says these of what became of a ruling."""
        self.browser.await_text(*texts, within=OUTCOME)


def answer_form(answer: str) -> str:
    """Return the selector of the form that gives an answer."""
    return f'form:has(input[name="answer"][value="{answer}"])'


@contextmanager
def at_desk(world: DeskWorld, officer: str) -> Iterator[Person]:
    """Let an officer sit at the desk of his or her State, signed in, during the block."""
    with world.browse(officer) as browser:
        person = Person(world, officer, browser)
        person.sign_in()
        yield person
