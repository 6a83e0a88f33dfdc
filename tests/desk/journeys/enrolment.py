"""Enrolment: an invitation, a passkey made in the browser, two registrars, and the first sign-in."""

from __future__ import annotations

from pathlib import Path

from tests.desk.world import DeskWorld
from tests.support.waiting import wait_until

OFFICER, NAME = "ch-7", "Rosa Bianchi"


def test_an_invited_officer_makes_a_passkey_and_signs_in_with_it(world: DeskWorld, tmp_path: Path) -> None:
    with world.open_browser("CH") as browser:
        browser.open(world.invite("CH", OFFICER))
        browser.await_text("1. Your invitation")
        assert "#" not in browser.path, "the invitation is in no history"
        browser.click("Continue")
        browser.await_text("2. Your passkey", OFFICER)
        browser.capture("enrolment")
        browser.click("Make the passkey")
        browser.await_text("3. Your registrar", "Read out the fingerprint")
        browser.examine()
        fingerprint = browser.read_text("#enrol-fingerprint")
        file = tmp_path / "passkey.json"
        file.write_text(browser.find_all("#enrol-file")[0].get_attribute("value") or "")
        passkey = world.read_passkey("CH", OFFICER, file, fingerprint)
        assert passkey.rp_id == "localhost"

        # Before the registrars have entered it, it opens nothing.
        browser.open("/sign-in")
        with browser.expect_errors("status of 40"):
            browser.click("Sign in with a passkey")
            wait_until(lambda: "not" in browser.read_text("#sign-in-message"), "the desk does not know the passkey")
        assert browser.path == "/sign-in"

        world.enter_officer("CH", OFFICER, NAME, [passkey])

        def signs_in() -> bool:
            """Try until the desk has read the register again."""
            browser.driver.get(f"{browser.origin}/sign-in")
            browser.click("Sign in with a passkey")
            wait_until(lambda: browser.path == "/asks" or "not" in browser.read_text("#sign-in-message"), "an answer")
            return browser.path == "/asks"

        with browser.expect_errors("status of 40"):
            wait_until(signs_in, "the officer signs in")
        browser.await_text(NAME, within="header")
        browser.examine()
