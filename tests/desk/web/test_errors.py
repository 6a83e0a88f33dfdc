"""Error pages and the log: a sentence and what to do; no traceback, and nothing of what was asked for."""

from __future__ import annotations

import logging

import pytest

from sharing.desk.broker_state import BrokerState
from sharing.desk.web.headers import shorten_path
from tests.desk.asgi import make_services, open_desk
from tests.desk.spoken import find_english
from tests.desk.web.sample_pages import CONTENT, list_routes


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        ("input", 400, "the field `text` is too long; shorten it"),
        ("broker", 503, "The broker does not answer"),
        ("settings", 500, "SHARING_X is wrong"),
        ("conflict", 409, "Somebody else was faster"),
        ("bug", 500, "Something went wrong in the desk. Nothing was sent."),
    ],
)
def test_an_error_is_one_sentence_and_what_to_do(
    kind: str, status: int, sentence: str, caplog: pytest.LogCaptureFixture, untranslated: set[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with open_desk(list_routes) as desk:
        page = desk.get(f"/sample/fail/{kind}")
        assert page.status_code == status
        assert f"<h1>{sentence}" in page.text.replace("&#39;", "'")
        assert '<p class="remedy">' in page.text
        told = desk.get(f"/sample/fail/{kind}", headers={"Accept": "application/json"}).json()
        assert told["status"] == status
        assert told["error"].startswith(sentence)
        assert told["remedy"]
        fragment = desk.get(f"/sample/fail/{kind}", headers={"HX-Request": "true"})
        assert fragment.headers["hx-retarget"] == "#desk-notice"
        assert "<html" not in fragment.text
    everything = page.text + fragment.text + str(told) + caplog.text
    for word in (CONTENT, "Mustermann", "Traceback", "ValueError(", "10.9.8.7" if kind != "broker" else "\0"):
        assert word not in everything
    assert "10.9.8.7" not in page.text + fragment.text + str(told)
    untranslated.discard(sentence)  # of errors that only this test raises


@pytest.mark.parametrize("kind", ["input", "settings"])
def test_what_has_no_translation_is_not_said_in_english_on_a_french_page(kind: str, untranslated: set[str]) -> None:
    with open_desk(list_routes) as desk:
        assert desk.session is not None
        desk.session.language = "fr"
        page = desk.get(f"/sample/fail/{kind}").text
    assert "shorten it" not in page
    assert "is wrong" not in page
    assert find_english(page) == []
    assert len(untranslated) == 1
    untranslated.clear()


def test_the_log_of_a_bug_says_where_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with open_desk(list_routes) as desk:
        desk.get("/sample/fail/bug")
    assert "a request failed: ValueError at " in caplog.text
    assert "sample_pages.py" in caplog.text


def test_an_unknown_path_is_404_and_is_not_repeated_on_the_page() -> None:
    with open_desk(list_routes) as desk:
        response = desk.get("/sample/<script>alert(1)</script>")
        assert response.status_code == 404
        assert "<script>alert" not in response.text


def test_the_log_of_requests_has_no_values(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with open_desk(list_routes) as desk:
        desk.get("/items/DE/018f3c1e-7b1a-7c3d-8e2f-0123456789ab?q=secret-value")
        desk.post("/sample", {"text": "typed-value"})
    logged = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("sharing."))
    assert "GET /items/*/*: 404" in logged
    assert "POST /sample: 200" in logged
    for word in ("018f3c1e", "secret-value", "typed-value", "anna"):
        assert word not in logged


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/*"),
        ("/asks", "/asks"),
        ("/asks/ABC", "/asks/*"),
        ("/static/vendor/htmx.min.js", "/static/vendor/*"),
        ("/items/x1/y", "/items/*/y"),
        ("/a/b/c/d/e/f/g", "/a/b/c/d/e"),
        ("/\n\x1b[31m", "/*"),
        ("/" + "a" * 100, "/*"),
    ],
)
def test_a_path_is_shortened_to_words_of_the_program(path: str, shown: str) -> None:
    assert shorten_path(path) == shown


def test_the_metrics_count_requests_without_naming_anybody() -> None:
    from prometheus_client import generate_latest

    with open_desk(list_routes) as desk:
        desk.get("/sample")
        desk.client.request("BREW", "/sample")
        text = generate_latest(desk.client.app.state.metrics.registry).decode()  # type: ignore[attr-defined]
    assert 'sharing_desk_requests_total{method="GET",status="200"} 1.0' in text
    assert 'sharing_desk_requests_total{method="OTHER",status="405"} 1.0' in text
    assert "sharing_desk_sessions 1.0" in text
    assert "anna" not in text


def test_the_metrics_say_who_hears_nothing_what_waits_and_what_was_not_recorded() -> None:
    from prometheus_client import generate_latest

    uptime = [0.0]
    services = make_services(broker=BrokerState(lambda: uptime[0]))
    services.broker.expect("inbox", services.read_clock())
    services.figures.note_unrecorded()
    services.figures.watch_rulings(lambda: 7.0)
    uptime[0] = 40.0
    with open_desk(list_routes, services=services) as desk:
        text = generate_latest(desk.client.app.state.metrics.registry).decode()  # type: ignore[attr-defined]
        assert "The broker has not answered since" in desk.get("/notices").text
    assert 'sharing_desk_silent_seconds{follower="inbox"} 40.0' in text
    assert "sharing_desk_ruling_wait_seconds 7.0" in text
    assert "sharing_desk_views_unrecorded_total 1.0" in text
