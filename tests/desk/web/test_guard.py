"""What every request must pass: host, session, officer, origin and token."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from sharing.desk.web.body import FORM_BYTES_MAX, UPLOAD_BYTES_MAX, read_body
from sharing.desk.web.errors import PageError
from sharing.desk.web.headers import SECURITY_HEADERS
from sharing.desk.web.sessions import COOKIE, IDLE_MAX_MS, SESSION_MAX_MS
from sharing.model.times import MINUTE_MS
from tests.desk.asgi import NOW, Clock, Desk, FakeRegister, make_officer, make_services, open_desk
from tests.desk.web.sample_pages import CONTENT, list_routes
from tests.support.soft_authenticator import ORIGIN, SoftAuthenticator

HERE = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


def test_an_officer_who_is_signed_in_gets_the_page() -> None:
    with open_desk(list_routes) as desk:
        assert desk.get("/sample").text == "anna"
        assert desk.post("/sample", {"text": "é"}).json()["values"]["text"] == ["é"]


@pytest.mark.parametrize("path", ["/sample/open", "/sample", "/", "/events", "/notices", "/nothing"])
def test_without_an_officer_nothing_is_shown_even_by_a_page_that_asks_for_none(path: str) -> None:
    with open_desk(list_routes, officer=None) as desk:
        response = desk.get(path)
        assert response.status_code == 303
        assert response.headers["location"].startswith("/sign-in?next=")
        assert CONTENT not in response.text
        for headers in ({"Accept": "application/json"}, {"HX-Request": "true"}):
            response = desk.get(path, headers=headers)
            assert response.status_code == 401
            assert CONTENT not in response.text


@pytest.mark.parametrize(
    "headers",
    [
        {},  # no origin at all
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{ORIGIN}.evil.example"},
        {"Origin": ORIGIN.replace("https", "http")},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_post_from_elsewhere_is_refused_although_it_has_the_token(headers: dict[str, str]) -> None:
    with open_desk(list_routes) as desk:
        assert desk.session is not None
        data = {"csrf": desk.session.csrf}
        assert desk.client.post("/sample", data=data, headers=headers).status_code == 403
        assert desk.client.post("/sample", data=data, headers=HERE).status_code == 200


def test_a_post_without_the_token_of_its_session_is_refused() -> None:
    with open_desk(list_routes) as desk:
        _, other = desk.services.sessions.begin_anonymous(NOW, "en")
        for token in ("", "x", "é" * 40, other.csrf):
            assert desk.client.post("/sample", data={"csrf": token}, headers=HERE).status_code == 403
        assert desk.client.post("/sample", headers=HERE).status_code == 403
        assert desk.session is not None
        token_header = {**HERE, "X-CSRF-Token": desk.session.csrf}
        assert desk.client.post("/sample", json={}, headers=token_header).status_code == 200


def test_a_cookie_of_another_state_is_refused() -> None:
    """The desk of another State makes sessions of its own; the same browser shows its cookie here, too."""
    elsewhere = make_services()
    foreign = replace(elsewhere, sessions=type(elsewhere.sessions)("NL"))
    _, before = foreign.sessions.begin_anonymous(NOW, "en")
    session_id, _ = foreign.sessions.begin("anna", b"c", NOW, before)
    with open_desk(list_routes, officer=None) as desk:
        desk.client.cookies.set(COOKIE, session_id)
        assert desk.get("/sample").status_code == 303
    # And if one process had both in one store: the State in the session counts.
    mixed = make_services()
    with open_desk(list_routes, services=mixed) as desk:
        assert desk.session is not None
        desk.session.state = "NL"
        assert desk.get("/sample").status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "desk.example:8443", "desk.example.evil.example", "127.0.0.1", ""])
def test_a_request_for_another_host_is_refused(host: str) -> None:
    with open_desk(list_routes) as desk:
        for path in ("/sample", "/sign-in", "/static/desk.css"):
            response = desk.get(path, headers={"Host": host})
            assert response.status_code == 400
            assert "anna" not in response.text
        assert desk.get("/healthz", headers={"Host": host}).text == "ok\n"


def test_a_session_ends_after_a_time_without_requests_and_after_twelve_hours() -> None:
    clock = Clock()
    with open_desk(list_routes, services=make_services(clock)) as desk:
        clock.pass_ms(IDLE_MAX_MS - 1)
        assert desk.get("/sample").status_code == 200
        clock.pass_ms(IDLE_MAX_MS - 1)
        assert desk.get("/sample").status_code == 200
        clock.pass_ms(IDLE_MAX_MS)
        assert desk.get("/sample").status_code == 303
        desk.sign_in()
        for _ in range(SESSION_MAX_MS // (20 * MINUTE_MS) - 1):
            clock.pass_ms(20 * MINUTE_MS)
            assert desk.get("/sample").status_code == 200
        clock.pass_ms(20 * MINUTE_MS)
        assert desk.get("/sample").status_code == 303


def test_what_an_open_page_fetches_by_itself_keeps_no_session_alive() -> None:
    clock = Clock()
    with open_desk(list_routes, services=make_services(clock)) as desk:
        clock.pass_ms(IDLE_MAX_MS - 1)
        assert desk.get("/sample", headers={"X-Desk-Background": "1"}).status_code == 200
        clock.pass_ms(1)
        assert desk.get("/sample", headers={"X-Desk-Background": "1"}).status_code == 303


def test_a_stream_that_a_page_opens_again_by_itself_keeps_no_session_alive() -> None:
    """A browser sends no header of the page with it, and a proxy may cut it off every minute."""
    clock = Clock()
    with open_desk(list_routes, services=make_services(clock)) as desk:
        for _ in range(3):
            clock.pass_ms(IDLE_MAX_MS // 3)
            answer = desk.client.head("/events")
            desk.client.head("/sample", headers={"X-Desk-Background": "1"})
        assert answer.status_code == 303
        assert desk.get("/sample").status_code == 303


def test_a_session_ends_with_the_passkey_that_began_it() -> None:
    """A registrar takes a stolen passkey out of the entry. The officer stays one, and has another."""
    services = make_services()
    register = services.register
    assert isinstance(register, FakeRegister)
    with open_desk(list_routes, services=services) as desk:
        assert desk.get("/sample").text == "anna"
        register.add(make_officer("anna", SoftAuthenticator("another")))
        assert desk.post("/sample", {"text": "typed"}).status_code == 401
        register.add(make_officer("anna"))
        assert desk.get("/sample").status_code == 303, "it has ended, and does not come back"
        desk.sign_in("bert")
        assert desk.get("/sample").text == "bert"


@pytest.mark.parametrize("path", ["//evil.example/x", "//evil.example/x?y=1", "/%09/evil.example", "/%0a/evil.example"])
def test_a_link_from_elsewhere_does_not_lead_away_from_the_desk(path: str) -> None:
    """A browser reads two slashes as the beginning of another host (CWE-601)."""
    with open_desk(list_routes, officer=None) as desk:
        for kind in ("cross-site", "none"):
            answer = desk.get(f"{ORIGIN}{path}", headers={"Sec-Fetch-Site": kind})
            assert "evil" not in answer.text
            assert "evil" not in answer.headers.get("location", "")
        answer = desk.post(f"{ORIGIN}{path}", {"text": "typed"})
        assert answer.status_code == 401
        assert "evil" not in answer.text
        answer = desk.get("/sample?page=2", headers={"Sec-Fetch-Site": "cross-site"})
        assert 'content="0; url=/sample?page=2"' in answer.text


def test_an_officer_who_is_revoked_is_out_with_the_next_request_and_stays_out() -> None:
    services = make_services()
    register = services.register
    assert isinstance(register, FakeRegister)
    with open_desk(list_routes, services=services) as desk:
        assert desk.get("/sample").status_code == 200
        register.add(make_officer("anna", revoked_at=NOW))
        assert desk.get("/sample").status_code == 303
        assert desk.post("/sample", {"text": "typed"}).status_code == 401
        assert services.sessions.count_signed_in() == 0
        register.add(make_officer("anna"))
        assert desk.get("/sample").status_code == 303
        desk.sign_in("bert")
        assert desk.get("/sample").text == "bert"


def test_while_the_register_cannot_be_read_nobody_is_served_and_no_session_is_lost() -> None:
    services = make_services()
    register = services.register
    assert isinstance(register, FakeRegister)
    with open_desk(list_routes, services=services) as desk:
        register.problem = "no broker answers"
        assert desk.get("/sample").status_code == 303
        register.problem = None
        assert desk.get("/sample").status_code == 200


def test_several_officers_are_signed_in_at_once() -> None:
    services = make_services()
    with open_desk(list_routes, services=services) as first, open_desk(list_routes, services=services) as second:
        second.sign_in("bert")
        assert (first.get("/sample").text, second.get("/sample").text) == ("anna", "bert")
        assert first.post("/sign-out").status_code == 303
        assert first.get("/sample").status_code == 303
        assert second.get("/sample").text == "bert"


def test_what_was_typed_is_shown_again_when_the_session_has_ended() -> None:
    clock = Clock()
    with open_desk(list_routes, services=make_services(clock)) as desk:
        clock.pass_ms(IDLE_MAX_MS)
        typed = {"text": "line one\nline two <b>&", "reference": ["a", "b\u200c\u202e"], "type": "iban", "version": "7"}
        response = desk.post("/sample?page=2", typed)
        assert response.status_code == 401
        assert 'action="/sample?page=2"' in response.text
        assert "line one\nline two &lt;b&gt;&amp;</textarea>" in response.text
        assert response.text.count('name="reference"') == 2
        for label, value in (
            ("Your text", "line one\nline two &lt;b&gt;&amp;"),
            ("Reference", "b\ufffd"),
            ("Type", "IBAN (iban)"),
        ):
            assert f'<dt>{label}</dt><dd class="typed">{value}</dd>' in response.text
        assert "<dt>version</dt>" not in response.text, "what the page has put there is sent again, and not shown"
        assert "b\u200c\u202e</textarea>" in response.text  # sent again as it was typed
        assert response.text.count("\u202e") == 1  # and shown with a mark
        assert response.text.count('name="csrf"') == 1
        assert "Nothing that you typed is lost" in response.text
        assert desk.post("/sample", typed, headers={"Accept": "application/json"}).json()["status"] == 401


def test_a_page_of_an_earlier_session_is_not_sent_as_somebody_else_and_nothing_typed_is_lost() -> None:
    """In another tab, anna has signed out and bert has signed in."""
    with open_desk(list_routes) as desk:
        assert desk.session is not None
        stale = desk.session.csrf
        bert = desk.sign_in("bert")
        response = desk.client.post("/sample", data={"csrf": stale, "text": "of anna"}, headers=HERE)
        assert response.status_code == 403
        assert "of anna</textarea>" in response.text
        assert f'name="csrf" value="{bert.csrf}"' in response.text
        assert stale not in response.text
        assert "Nothing that you typed is lost" in response.text
        for headers in ({**HERE, "Accept": "application/json"}, {**HERE, "HX-Request": "true"}):
            refused = desk.client.post("/sample", data={"csrf": stale, "text": "of anna"}, headers=headers)
            assert refused.status_code == 403
            assert "of anna" not in refused.text


def test_signing_out_of_a_session_that_has_ended_is_signing_out() -> None:
    with open_desk(list_routes) as desk:
        desk.services.sessions.end_officer("anna")
        assert desk.post("/sign-out").headers["location"] == "/sign-in"


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so() -> None:
    with open_desk(list_routes) as desk:
        assert desk.session is not None
        headers = {**HERE, "X-CSRF-Token": desk.session.csrf}
        form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        body = b"text=" + b"x" * FORM_BYTES_MAX
        assert desk.client.post("/sample", content=body, headers=form).status_code == 413
        pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
        assert desk.client.post("/sample", content=pieces, headers=form).status_code == 413
        assert desk.client.post("/sample", content=b"&" * 5_000, headers=form).status_code == 413
        file = {"file": ("a.json", b"y" * (UPLOAD_BYTES_MAX - 1_000))}
        assert desk.client.post("/sample", files=file, headers=headers).json()["files"] == {
            "file": UPLOAD_BYTES_MAX - 1_000
        }
        file = {"file": ("a.json", b"y" * UPLOAD_BYTES_MAX)}
        assert desk.client.post("/sample", files=file, headers=headers).status_code == 413


def test_a_body_that_does_not_come_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.desk.web.body.BODY_SECONDS", -59.8)
    headers = Headers({"content-type": "application/x-www-form-urlencoded", "content-length": "9"})
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.sleep(60)
        sent = True
        return {"type": "http.request", "body": b"a=", "more_body": True}

    with pytest.raises(PageError) as refused:
        asyncio.run(read_body(receive, headers, 60 * 64 * 1024))
    assert refused.value.status_code == 408
    assert "nothing was saved" in refused.value.sentence


def test_a_body_that_is_no_form_is_refused() -> None:
    with open_desk(list_routes) as desk:
        assert desk.session is not None
        headers = {**HERE, "X-CSRF-Token": desk.session.csrf}
        kinds = ("multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary=\xe9")
        for kind in kinds:
            given: Any = {**headers, "Content-Type": kind.encode("latin-1")}
            assert desk.client.post("/sample", content=b"--x\r\nbroken", headers=given).status_code == 400
        given = {**headers, "Content-Length": "-1"}
        assert desk.client.post("/sample", content=b"", headers=given).status_code == 400


def test_nobody_uploads_much_without_being_signed_in() -> None:
    with open_desk(list_routes, officer=None) as desk:
        file = {"file": ("a.json", b"y" * 100_000)}
        assert desk.client.post("/sample", files=file, headers=HERE).status_code == 413
        assert desk.client.post("/sign-in", files=file, headers=HERE).status_code == 413


def test_other_methods_are_refused_and_head_is_get_without_a_body() -> None:
    with open_desk(list_routes) as desk:
        for method in ("PUT", "DELETE", "PATCH", "TRACE"):
            assert desk.client.request(method, "/sample", headers=HERE).status_code == 405
        assert desk.client.options("/sample").status_code == 405
        head = desk.client.head("/sample")
        assert (head.status_code, head.text) == (200, "")
        assert desk.post("/notices").status_code == 405


def test_every_response_has_the_security_headers() -> None:
    with open_desk(list_routes) as desk:
        _check_headers(desk, signed_in=True)
    with open_desk(list_routes, officer=None) as desk:
        _check_headers(desk, signed_in=False)


def _check_headers(desk: Desk, *, signed_in: bool) -> None:
    responses = [
        desk.get(path)
        for path in ("/", "/sample", "/nothing", "/sample/fail/bug", "/sample/fail/broker", "/sign-in", "/healthz",
                     "/static/desk.css", "/static/none", "/session")
    ]  # fmt: skip
    responses += [
        desk.client.request("PUT", "/sample"),
        desk.client.post("/sample"),
        desk.client.head("/sample"),
        desk.client.options("/sample"),
        desk.get("/sample", headers={"Host": "evil.example"}),
        desk.get("/sample?" + "x" * 3_000),
    ]
    assert {response.status_code for response in responses} >= ({200, 500, 503} if signed_in else {303}) | {
        400,
        403,
        404,
        405,
    }
    for response in responses:
        for name, value in SECURITY_HEADERS.items():
            assert response.headers[name] == value, response.url
        assert response.headers["strict-transport-security"].startswith("max-age=")
        assert response.headers["cache-control"] in {"no-store", "no-cache"}
        assert "server" not in response.headers


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    for word in ("unsafe", "http:", "https:", "*", "nonce", "blob:"):
        assert word not in policy


def test_a_link_of_a_mail_works_although_the_browser_keeps_the_cookie_back() -> None:
    """SameSite=Strict: the first request from another site has no cookie; the page asks for itself once more."""
    with open_desk(list_routes, officer=None) as desk:
        response = desk.get("/sample?a=%22%3E", headers={"Sec-Fetch-Site": "cross-site"})
        assert response.status_code == 200
        assert '<meta http-equiv="refresh" content="0; url=/sample?a=%22%3E">' in response.text
        assert "set-cookie" not in response.headers
        assert desk.get("/sample", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
