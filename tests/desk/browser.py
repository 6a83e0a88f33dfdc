"""A person's browser: it has passkeys, sizes and colours, and no page of it may have an error that nobody expected."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import (
    Credential,
    Protocol,
    Transport,
    VirtualAuthenticatorOptions,
)
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from tests.desk.axe import find_violations
from tests.desk.page_errors import is_stale, list_errors
from tests.desk.pictures import write_pictures
from tests.support.waiting import wait_until

DESKTOP, PHONE = (1280, 900), (360, 740)
"""Width and height in CSS pixels. At neither a page scrolls sideways."""

DEVICES = {DESKTOP: "desktop", PHONE: "phone"}
TIME_ZONE = "Europe/Berlin"
LIMIT_S = 180.0
SCHEMES = ("light", "dark")
WRITES_PICTURES = os.environ.get("SHARING_SCREENSHOTS") == "1"


@dataclass
class DeskBrowser:
    """One browser of one person.

    Attributes:
        driver: Chromium.
        origin: Of the desk, such as `https://localhost:8443`.
        expected: Patterns of console errors that a test expects, as long as it does.
        checked: The pages that were examined: path, and number of times.
        runs_scripts: Whether the scripts of pages run.
    """

    driver: webdriver.Chrome
    origin: str
    expected: list[str] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    runs_scripts: bool = True

    def __post_init__(self) -> None:
        self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": TIME_ZONE})
        self.driver.set_script_timeout(LIMIT_S)
        self.resize(DESKTOP)
        self.use_scheme("light")
        options = VirtualAuthenticatorOptions(
            protocol=Protocol.CTAP2,
            transport=Transport.INTERNAL,
            has_resident_key=True,
            has_user_verification=True,
            is_user_verified=True,
        )
        self.driver.add_virtual_authenticator(options)

    # Passkeys

    def add_passkey(self, credential_id: bytes, private_key: bytes, rp_id: str, user: bytes) -> None:
        """Put a passkey into the authenticator: its private key as PKCS #8, in DER."""
        credential = Credential.create_resident_credential(credential_id, rp_id, user, private_key, 0)
        self.driver.add_credential(credential)

    # What is shown

    def resize(self, size: tuple[int, int]) -> None:
        """Show pages on a screen of this size."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def use_scheme(self, scheme: str) -> None:
        """Prefer `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def use_scripts(self, enabled: bool) -> None:
        """Run scripts of pages that are opened from now on, or do not."""
        self.runs_scripts = enabled
        self._switch_scripts(enabled)

    @property
    def path(self) -> str:
        """Path of the page that is shown, with its query."""
        return self.driver.current_url.removeprefix(self.origin)

    @property
    def title(self) -> str:
        """Its title."""
        return self.driver.title

    def read_text(self, selector: str = "body") -> str:
        """Return the visible text of an element; "" if there is none or it is just being replaced."""
        try:
            return self.driver.find_element(By.CSS_SELECTOR, selector).text
        except (NoSuchElementException, StaleElementReferenceException):
            return ""

    # What a person does

    def open(self, path: str) -> None:
        """Open a page of the desk, and examine it."""
        self.driver.get(self.origin + path)
        self.examine()

    def click(self, text: str, within: str = "body") -> None:
        """Click on the button or link with this text, as soon as it is there, visible and enabled."""
        self._do(f"a button or link {text!r} in {within}", lambda: self._find_clickable(text, within).click())

    def click_on(self, selector: str) -> None:
        """Click on an element, as soon as it is there, visible and enabled."""
        self._do(f"something to click: {selector}", lambda: self._find_shown(selector).click())

    def follow(self, text: str, within: str = "body") -> None:
        """Click on what opens another page and has this text; examine that page."""
        self._await_page(lambda: self.click(text, within), repr(text))

    def follow_on(self, selector: str) -> None:
        """Click on what opens another page; examine that."""
        self._await_page(lambda: self.click_on(selector), selector)

    def fill(self, name: str, value: str, within: str = "body") -> None:
        """Write into a field; what was in it is replaced."""

        def write() -> None:
            element = self._find_field(name, within)
            element.clear()
            element.send_keys(value)

        self._do(f"a field {name!r}", write)

    def fill_date(self, name: str, day: date, within: str = "body") -> None:
        """Choose a day in the browser's own field for dates."""

        def write() -> None:
            element = self._find_field(name, within)
            # Keys would depend on the language of the browser.
            script = (
                "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', {bubbles: true}))"
            )
            self.driver.execute_script(script, element, day.isoformat())
            assert element.get_attribute("value") == day.isoformat()

        self._do(f"a field {name!r} for a day", write)

    def attach(self, name: str, file: Path, within: str = "body") -> None:
        """Choose a file of this machine."""
        self._do(f"a field {name!r} for a file", lambda: self._find_field(name, within).send_keys(str(file)))

    def download(self, selector: str, folder: Path) -> Path:
        """Click on what gives a file, and return the file once it is there. The page stays."""
        before = set(folder.iterdir())
        settings = {"behavior": "allow", "downloadPath": str(folder)}
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
        self.click_on(selector)
        arrived: list[Path] = []

        def is_there() -> bool:
            arrived[:] = [file for file in set(folder.iterdir()) - before if file.suffix != ".crdownload"]
            return bool(arrived) and not any(file.suffix == ".crdownload" for file in folder.iterdir())

        wait_until(is_there, f"a file by {selector}", LIMIT_S)
        return arrived[0]

    def choose(self, name: str, value: str, within: str = "body") -> None:
        """Choose a value: of a list, of a group of radio buttons, or a checkbox."""

        def select() -> None:
            element = self._find_field(name, within)
            if element.tag_name == "select":
                Select(element).select_by_value(value)
                return
            box = self.driver.find_element(By.CSS_SELECTOR, f'{within} [name="{name}"][value="{value}"]')
            if not box.is_selected():
                ActionChains(self.driver).move_to_element(box).click().perform()
            assert box.is_selected()

        self._do(f"a choice {name}={value}", select)

    def press(self, *keys: str) -> None:
        """Press keys, without a field that has the focus being chosen for that."""
        ActionChains(self.driver).send_keys(*keys).perform()

    # What a person sees

    def await_text(self, *texts: str, within: str = "body") -> None:
        """Wait until all these texts are to be seen."""
        wanted = [re.sub(r"\s+", " ", text) for text in texts]

        def is_there() -> bool:
            shown = re.sub(r"\s+", " ", self.read_text(within))
            return all(text in shown for text in wanted)

        try:
            wait_until(is_there, f"{texts} in {within}", LIMIT_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.path} shows:\n{self.read_text()[:3000]}") from None

    def await_path(self, pattern: str) -> None:
        """Wait until a page whose path matches is shown; examine it."""
        wait_until(
            lambda: bool(re.fullmatch(pattern, self.path)) and self._is_complete(),
            f"{pattern}, instead of {self.path}: {self.read_text()[:2000]}",
            LIMIT_S,
        )
        self.examine()

    def has(self, selector: str) -> bool:
        """Return whether the page has such an element, shown or not."""
        return bool(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def find_all(self, selector: str) -> Sequence[WebElement]:
        """Return such elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    # What must hold of every page

    def examine(self) -> None:
        """Check the page: axe-core in both colour schemes, no error, and no sideways scrolling at either width."""
        path = self.path
        self.checked[path] = self.checked.get(path, 0) + 1
        self.check_console()
        self._check_widths()
        self._switch_scripts(enabled=True)  # axe-core is one; those of a page that is loaded stay out
        violations = find_violations(self.driver)
        self.use_scheme("dark")
        violations += [f"dark: {found}" for found in find_violations(self.driver, "color-contrast")]
        self.use_scheme("light")
        self._switch_scripts(self.runs_scripts)
        assert not violations, f"{path}: " + "\n".join(violations)

    def check_console(self) -> None:
        """Check that no script failed, nothing was refused by the page's policy, and nothing could not be loaded."""
        unexpected = list_errors(self.driver, self.expected)
        assert not unexpected, f"{self.path}: " + "\n".join(unexpected)

    @contextmanager
    def expect_errors(self, *patterns: str) -> Iterator[None]:
        """Accept console errors that match, during the block only."""
        self.check_console()
        self.expected += patterns
        yield
        self.check_console()
        del self.expected[-len(patterns) :]

    def capture(self, name: str, place: str = "body", *, everywhere: bool = False) -> None:
        """Write what is shown into docs/desk, if SHARING_SCREENSHOTS=1.

        Args:
            name: Name of the picture.
            place: Selector of what is to be seen at its top.
            everywhere: On a desktop and on a phone, light and dark; otherwise on a light desktop only.
        """
        if not WRITES_PICTURES:
            return
        pictures = {}
        for size, device in DEVICES.items() if everywhere else list(DEVICES.items())[:1]:
            self.resize(size)
            for scheme in SCHEMES if everywhere else SCHEMES[:1]:
                self.use_scheme(scheme)
                self.driver.execute_script("document.querySelector(arguments[0]).scrollIntoView()", place)
                pictures[f"{name}-{device}-{scheme}.png"] = self.driver.get_screenshot_as_png()
        self.resize(DESKTOP)
        self.use_scheme(SCHEMES[0])
        write_pictures(self.driver, pictures)

    def _await_page(self, act: Callable[[], None], what: str) -> None:
        before = self.driver.find_element(By.TAG_NAME, "html")
        act()
        try:
            wait_until(lambda: is_stale(before) and self._is_complete(), f"{what} opens another page", LIMIT_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.path} shows:\n{self.read_text()[:3000]}") from None
        self.examine()

    def _switch_scripts(self, enabled: bool) -> None:
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not enabled})

    def _check_widths(self) -> None:
        for size in (PHONE, DESKTOP):
            self.resize(size)
            width = self.driver.execute_script("return document.documentElement.scrollWidth")
            assert width <= size[0], f"{self.path} scrolls sideways at {size[0]} px: it is {width} px wide"

    def _is_complete(self) -> bool:
        return bool(self.driver.execute_script("return document.readyState === 'complete'"))

    def _do(self, what: str, act: Callable[[], None]) -> None:
        """Do something as soon as it can be done: pages change while people use them."""
        failures: list[str] = []

        def try_it() -> bool:
            try:
                act()
            except (WebDriverException, AssertionError) as error:
                failures[:] = [str(error).splitlines()[0] if str(error) else type(error).__name__]
                return False
            return True

        try:
            wait_until(try_it, what, LIMIT_S)
        except AssertionError as error:
            raise AssertionError(f"{error} ({failures}); {self.path} shows:\n{self.read_text()[:3000]}") from None

    def _find_shown(self, selector: str) -> WebElement:
        for element in self.driver.find_elements(By.CSS_SELECTOR, selector):
            if element.is_displayed() and element.is_enabled():
                return element
        raise NoSuchElementException(f"no {selector!r} that is shown")

    def _find_clickable(self, text: str, within: str) -> WebElement:
        for element in self.driver.find_elements(By.CSS_SELECTOR, f"{within} :is(a, button, summary, [role=button])"):
            if " ".join(element.text.split()) == text and element.is_displayed() and element.is_enabled():
                return element
        raise NoSuchElementException(f"no {text!r}")

    def _find_field(self, name: str, within: str) -> WebElement:
        fields = self.driver.find_elements(By.CSS_SELECTOR, f'{within} [name="{name}"]:not([type=hidden])')
        if not fields:
            raise NoSuchElementException(f"no field {name!r}")
        return next((element for element in fields if element.is_displayed()), fields[0])
