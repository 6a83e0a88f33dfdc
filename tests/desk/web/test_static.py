"""Static files: contrast of the colours, licences of what is vendored, and nothing that reaches another host."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

import sharing.desk
from sharing.desk.web.static_files import StaticFiles
from tests.desk.asgi import open_desk
from tests.support.waiting import TIMEOUT_S

FOLDER = Path(sharing.desk.__file__).parent / "static"
OWN = [path for path in sorted(FOLDER.iterdir()) if path.suffix in {".css", ".js", ".svg"}]
CSS = (FOLDER / "desk.css").read_text()

THREADS = 40
"""In how many threads Starlette runs pages."""

TEXT_PAIRS = [
    ("text", "page"), ("text", "card"), ("text", "row"), ("muted", "page"), ("muted", "card"), ("link", "page"),
    ("link", "card"), ("link", "row"), ("muted", "row"), ("link-hover", "page"), ("link-hover", "row"),
    ("on-accent", "accent"), ("on-good", "good"), ("on-bad", "bad"), ("bad", "page"), ("bad", "card"),
    ("on-urgent", "urgent"), ("on-wait", "wait"), ("on-header", "header"), ("on-focus", "focus"),
]  # fmt: skip
SHAPE_PAIRS = [
    ("line", "page"),
    ("line", "card"),
    ("accent", "page"),
    ("good", "page"),
    ("urgent", "page"),
    ("line", "row"),
]


def read_colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


LIGHT = read_colours(CSS[CSS.index(":root") : CSS.index("@media")])
DARK = {**LIGHT, **read_colours(CSS[CSS.index("prefers-color-scheme: dark") : CSS.index("*, *::before")])}


def compute_contrast(first: str, second: str) -> float:
    """Return the contrast of two colours (WCAG 2.2, definition of contrast ratio)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_enough_contrast_in_light_and_dark(colours: dict[str, str]) -> None:
    for front, back in TEXT_PAIRS:
        assert compute_contrast(colours[front], colours[back]) >= 4.5, (front, back)
    for front, back in SHAPE_PAIRS:
        assert compute_contrast(colours[front], colours[back]) >= 3, (front, back)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert compute_contrast("#000000", "#ffffff") == pytest.approx(21)
    assert compute_contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_light_and_dark_define_the_same_colours() -> None:
    dark = read_colours(CSS[CSS.index("prefers-color-scheme: dark") : CSS.index("*, *::before")])
    assert dark.keys() <= LIGHT.keys()
    used = set(re.findall(r"var\(--([a-z-]+)\)", "".join(path.read_text() for path in OWN if path.suffix == ".css")))
    assert used <= LIGHT.keys()


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_own_file_reaches_another_host_or_runs_text(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    for word in ("eval(", "new Function", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "@import",
                 "localStorage"):  # fmt: skip
        assert word not in text, word


def test_what_is_vendored_has_its_licence_and_a_notice() -> None:
    vendored = {path.name for path in (FOLDER / "vendor").iterdir()}
    assert vendored == {"htmx.min.js", "sse.js", "LICENSE.htmx", "LICENSE.sse"}
    notice = (Path(sharing.desk.__file__).parents[2] / "NOTICE").read_text()
    for name in ("htmx", "htmx-ext-sse"):
        assert f"| {name} |" in notice or f"{name} " in notice
    assert "sharing/desk/static/vendor" in notice


def test_a_file_is_kept_by_browsers_under_the_address_of_its_content_only() -> None:
    url = StaticFiles().make_url("desk.css")
    with open_desk(officer=None) as desk:
        response = desk.get(url)
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["content-type"] == "text/css; charset=utf-8"
        assert "set-cookie" not in response.headers
        other = desk.get("/static/desk.css?v=0")
        assert other.headers["cache-control"] == "no-cache"
        again = desk.get("/static/desk.css", headers={"If-None-Match": other.headers["etag"]})
        assert (again.status_code, again.text) == (304, "")
        for path in (
            "/static/",
            "/static/none.css",
            "/static/../settings.py",
            "/static/vendor/LICENSE.htmx",
            "/static/%2e%2e/x",
        ):
            assert desk.get(path).status_code in {303, 404}


def test_files_and_health_are_answered_while_every_page_waits_for_the_broker() -> None:
    """Pages run in threads, of which there are a few dozen. A probe that waits for one would restart the desk."""
    may_end, waiting = threading.Event(), threading.Semaphore(0)

    def list_routes(_services: object) -> list[BaseRoute]:
        def wait(_request: Request) -> Response:
            waiting.release()
            may_end.wait(TIMEOUT_S)
            return PlainTextResponse("done")

        return [Route("/wait", wait, methods=["GET"])]

    with open_desk(list_routes) as desk, ThreadPoolExecutor(THREADS + 2) as pool:
        pages = [pool.submit(desk.get, "/wait") for _ in range(THREADS)]
        try:
            assert all(waiting.acquire(timeout=TIMEOUT_S) for _ in range(THREADS))
            answers = [pool.submit(desk.get, path) for path in ("/healthz", "/static/desk.css")]
            assert [answer.result(TIMEOUT_S).status_code for answer in answers] == [200, 200]
        finally:
            may_end.set()
        assert {page.result(TIMEOUT_S).text for page in pages} == {"done"}
