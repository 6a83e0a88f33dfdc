"""The page on which an invited officer makes a passkey: it gives out what the registrar's own machine accepts."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sharing.desk.enrolment import list_routes
from sharing.desk.settings import DeskSettings
from sharing.officers.passkey_request import read_request, verify_request
from tests.desk.asgi import Clock, Desk, FakeRegister, make_services, open_desk
from tests.officers.invitation_fixtures import make_test_invitation, sign_test_invitation
from tests.officers.register_fixtures import KEYS, make_registrars, revoke_registrars
from tests.passkeys.passkey_fixtures import DEVICES
from tests.support.soft_authenticator import ORIGIN, PRESENT, SoftAuthenticator, to_browser_json
from tests.trust.trust_fixtures import DAY, NOW

PHONE = SoftAuthenticator()
INVITATION = sign_test_invitation().decode()
CHALLENGE = make_test_invitation().challenge
JSON = {"Accept": "application/json"}


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def register() -> FakeRegister:
    return FakeRegister(keys=KEYS)


@pytest.fixture
def desk(clock: Clock, register: FakeRegister) -> Iterator[Desk]:
    """A desk on which nobody is signed in; the browser has opened the page, so it has a session."""
    services = make_services(clock, settings=DeskSettings("CH", ORIGIN), register=register)
    with open_desk(list_routes, services=services, officer=None) as desk:
        begin_session(desk)
        yield desk


def begin_session(desk: Desk) -> None:
    desk.client.headers["X-CSRF-Token"] = desk.get("/session", headers=JSON).json()["csrf"]


def ask(desk: Desk, invitation: str = INVITATION) -> Any:
    return desk.post("/enrol/invitation", {"invitation": invitation}, headers=JSON)


def enrol(desk: Desk, device: SoftAuthenticator = PHONE, invitation: str = INVITATION, **changes: Any) -> Any:
    """Do what the page does: ask, let the device make a passkey, and send what it said."""
    asked = changes.pop("challenge", None) or base64.urlsafe_b64decode(ask(desk, invitation).json()["challenge"] + "=")
    credential = json.dumps(to_browser_json(device.register(asked, **changes)))
    return desk.post("/enrol/passkey", {"invitation": invitation, "credential": credential}, headers=JSON)


def expect_refused(answer: Any, said: str, status: int = 400) -> None:
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert said in told["error"], told
    assert told["remedy"]
    assert "Traceback" not in answer.text


def test_the_page_is_open_to_somebody_without_a_passkey(desk: Desk) -> None:
    page = desk.get("/enrol/")
    assert page.status_code == 200
    assert "Make a passkey" in page.text
    assert 'id="enrol-invitation"' in page.text
    assert "<noscript>" in page.text
    assert not re.search(r"<script(?![^>]* src=)", page.text), "no inline script"
    assert "no-store" in page.headers["cache-control"]
    french = desk.get("/enrol/", headers={"Accept-Language": "fr"})
    assert french.status_code == 200


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: str(device.algorithm))
@pytest.mark.parametrize("fmt", ["none", "packed"])
def test_what_the_desk_gives_out_the_registrar_accepts(desk: Desk, device: SoftAuthenticator, fmt: str) -> None:
    made = enrol(desk, device, fmt=fmt)
    assert made.status_code == 200, made.text
    assert made.json()["fingerprint"] == device.passkey.fingerprint
    saved = desk.post("/enrol/file", {"file": made.json()["file"]})
    assert saved.headers["content-disposition"] == 'attachment; filename="o1.passkey.json"'
    verified, passkey = verify_request(KEYS, read_request(saved.content), NOW)
    assert (verified.invitation.officer, passkey) == ("o1", device.passkey)


def test_the_browser_is_asked_as_rulings_need_it(desk: Desk) -> None:
    asked = ask(desk).json()
    assert base64.urlsafe_b64decode(asked["challenge"] + "=") == CHALLENGE
    assert (asked["rp_id"], asked["officer"], asked["algorithms"]) == ("desk.example", "o1", [-8, -7])
    assert len(base64.urlsafe_b64decode(asked["user_id"] + "=")) == 32, "no name in the authenticator's user handle"


@pytest.mark.parametrize(
    "form",
    [
        lambda text: f"  {text}\n",
        lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
        lambda text: f"{ORIGIN}/enrol/#\n{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}",
    ],
)
def test_an_invitation_is_taken_as_file_link_or_part_of_it(desk: Desk, form: Any) -> None:
    assert ask(desk, form(INVITATION)).json()["officer"] == "o1"
    assert enrol(desk, invitation=form(INVITATION)).status_code == 200


@pytest.mark.parametrize(
    "text",
    ["x", "{", "{}", "#", "https://desk.example/enrol/#", "ä" * 10, "\x00", "<script>alert(1)</script>",
     INVITATION[:-10], INVITATION.replace("o1", "o1\u202e"), "A" * 10_000],
)  # fmt: skip
def test_what_is_no_invitation_is_refused(desk: Desk, text: str) -> None:
    answer = ask(desk, text)
    expect_refused(answer, "This is not an invitation")
    assert "script" not in answer.text


def test_an_empty_field_says_what_to_do(desk: Desk) -> None:
    expect_refused(ask(desk, "  "), "Paste the invitation")


def test_an_invitation_that_does_not_count_is_refused(desk: Desk, clock: Clock, register: FakeRegister) -> None:
    expect_refused(ask(desk, INVITATION.replace('"o1"', '"o2"')), "not signed with a registrar key of this State")
    other = sign_test_invitation(origin="https://other.example").decode()
    expect_refused(ask(desk, other), "for another desk: https://other.example")
    register.keys = make_registrars("DE")
    expect_refused(ask(desk), "from another State")
    register.keys = revoke_registrars(KEYS, 3, at=NOW)
    expect_refused(ask(desk), "not signed with a registrar key of this State")
    register.keys = None
    expect_refused(ask(desk), "does not know the State's keys now", 503)
    register.keys = KEYS
    clock.pass_ms(-DAY)
    expect_refused(ask(desk), "not valid yet")
    clock.pass_ms(9 * DAY)
    begin_session(desk)
    expect_refused(ask(desk), "has expired")
    expect_refused(enrol(desk, challenge=CHALLENGE), "has expired")


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("signed something else", {"challenge": make_test_invitation(officer_id="o2").challenge}),
        ("used for something else", {"type": "webauthn.get"}),
        ("another page than the desk", {"origin": "https://evil.example"}),
        ("another site", {"crossOrigin": True}),
        ("another host name", {"rp_id": "192.0.2.1"}),
        ("has not verified who used it", {"flags": 0x40 | PRESENT}),
        ("vouches for the passkey", {"fmt": "android-key"}),
        ("not in the form", {"tail": b"\0"}),
    ],
)
def test_a_passkey_that_no_ruling_could_use_is_refused_here_already(
    desk: Desk, said: str, changes: dict[str, Any]
) -> None:
    expect_refused(enrol(desk, **changes), said)


@pytest.mark.parametrize("credential", ["", "{", "[]", "{}", '{"response": {}}', "[" * 10_000, "\x1b[31m"])
def test_what_no_browser_sends_is_refused(desk: Desk, credential: str) -> None:
    answer = desk.post("/enrol/passkey", {"invitation": INVITATION, "credential": credential}, headers=JSON)
    expect_refused(answer, "not in the form of Web Authentication")


def test_the_desk_gives_no_file_that_it_could_not_have_made(desk: Desk) -> None:
    file = json.loads(enrol(desk).json()["file"])
    for changed in ({**file, "credential_id": "00"}, {**file, "invitation": "{}"}, {"kind": "passkey-request"}):
        assert desk.post("/enrol/file", {"file": json.dumps(changed)}).status_code == 400
    for text in ("", "<script>alert(1)</script>", "x" * 50_000):
        answer = desk.post("/enrol/file", {"file": text})
        assert answer.status_code == 400
        assert "alert(1)" not in answer.text


@pytest.mark.parametrize("path", ["/enrol/invitation", "/enrol/passkey", "/enrol/file"])
def test_a_request_that_another_page_has_sent_is_refused(desk: Desk, path: str) -> None:
    fields = {"invitation": INVITATION}
    assert desk.post(path, fields, headers={"Origin": "https://evil.example"}).status_code == 403
    assert desk.post(path, fields, headers={"X-CSRF-Token": "forged"}).status_code == 403


def test_a_desk_of_another_name_refuses_the_same_invitation(clock: Clock, register: FakeRegister) -> None:
    settings = replace(DeskSettings("CH", ORIGIN), origin="https://desk2.example")
    services = make_services(clock, settings=settings, register=register)
    with open_desk(list_routes, services=services, officer=None) as desk:
        begin_session(desk)
        expect_refused(ask(desk), f"for another desk: {ORIGIN}")
