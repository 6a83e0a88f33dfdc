"""What a browser says of a page: errors of its console, and whether it shows another page by now."""

from __future__ import annotations

import re
from collections.abc import Iterable

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.remote.webelement import WebElement

ABANDONED = r'"htmx:(afterRequest|sendError|sendAbort)'
"""What htmx says of a request when its page is left. One that cannot be sent is an error of the browser, too."""


_REPLACED = "does not belong to the document"
"""What the driver says if the page is replaced while it is asked about an element."""


def list_errors(driver: webdriver.Chrome, expected: Iterable[str]) -> list[str]:
    """Return the errors since the last call, without those that match a pattern."""
    log = driver.get_log("browser")  # type: ignore[no-untyped-call]
    errors = [str(entry["message"]) for entry in log if entry["level"] == "SEVERE"]
    return [error for error in errors if not any(re.search(pattern, error) for pattern in (ABANDONED, *expected))]


def is_stale(element: WebElement) -> bool:
    """Return whether the page of an element is not shown any more."""
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    except WebDriverException as error:
        if _REPLACED in str(error):
            return True
        raise
    return False
