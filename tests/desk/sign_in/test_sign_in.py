"""Signing in by passkey: the challenge of this desk, once, by an officer of the register; and out again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sharing.desk.sign_in.pages import CHALLENGE_MS
from sharing.desk.sign_in.tries import TRIES_PER_MINUTE, TRIES_PER_MINUTE_TOGETHER, SignInTries
from sharing.desk.web.sessions import COOKIE
from sharing.model.times import MINUTE_MS
from sharing.passkeys.browser_json import decode_base64url
from sharing.passkeys.cose_key import PasskeyAlgorithm
from sharing.passkeys.sign_in import compute_sign_in_challenge
from tests.desk.asgi import NOW, STATE, Clock, Desk, FakeRegister, make_officer, make_services, open_desk
from tests.desk.web.sample_pages import list_routes
from tests.support.soft_authenticator import SoftAuthenticator, to_browser_json


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> Iterator[Desk]:
    with open_desk(list_routes, services=make_services(clock), officer=None) as opened:
        yield opened


def ask_challenge(desk: Desk) -> dict[str, Any]:
    """Ask for a challenge as the page's script does: with the token of the anonymous session."""
    token = desk.get("/session").json()["csrf"]
    desk.session = next(each for each in desk.services.sessions._anonymous.values() if each.csrf == token)
    answer = desk.post_json("/sign-in/challenge", {}, headers={"X-CSRF-Token": token})
    assert answer.status_code == 200, answer.text
    return {**answer.json(), "csrf": token}


def send_assertion(
    desk: Desk,
    asked: dict[str, Any],
    authenticator: SoftAuthenticator,
    more: dict[str, Any] | None = None,
    **changes: Any,
) -> Any:
    assertion = authenticator.sign(decode_base64url(asked["challenge"]), **changes)
    body = {"id": asked["id"], "assertion": to_browser_json(assertion), **(more or {})}
    return desk.post_json("/sign-in", body, headers={"X-CSRF-Token": asked["csrf"]})


@pytest.mark.parametrize("algorithm", list(PasskeyAlgorithm))
def test_an_officer_signs_in_and_gets_the_page(algorithm: PasskeyAlgorithm, desk: Desk) -> None:
    phone = SoftAuthenticator("any", algorithm)
    register = desk.services.register
    assert isinstance(register, FakeRegister)
    register.add(make_officer("carla", phone))
    challenge = ask_challenge(desk)
    assert challenge["rp_id"] == "desk.example"
    before = desk.client.cookies[COOKIE]
    answer = send_assertion(desk, challenge, phone)
    assert answer.status_code == 200, answer.text
    assert answer.json()["officer"] == "carla"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-desk=")
    for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Strict"):
        assert attribute in cookie.split("; ")
    assert "Domain" not in cookie
    assert desk.client.cookies[COOKIE] != before  # what another knew before signing in is worth nothing after
    assert desk.get("/sample").text == "carla"
    desk.client.cookies.clear()
    desk.client.cookies.set(COOKIE, before)
    assert desk.get("/sample").status_code == 303


def test_the_challenge_is_the_desks_and_of_its_own_domain(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.desk.sign_in.pages.secrets.token_bytes", lambda count: b"n" * count)
    challenge = ask_challenge(desk)
    expected = compute_sign_in_challenge(STATE, b"n" * 32, NOW + CHALLENGE_MS)
    assert decode_base64url(challenge["challenge"]) == expected


def test_an_assertion_signs_in_once(desk: Desk) -> None:
    phone = SoftAuthenticator("anna")
    challenge = ask_challenge(desk)
    session_id = desk.client.cookies[COOKIE]
    assert send_assertion(desk, challenge, phone).status_code == 200
    desk.client.cookies.clear()
    desk.client.cookies.set(COOKIE, session_id)  # the anonymous session is gone, and its challenge with it
    assert send_assertion(desk, challenge, phone).status_code == 403
    fresh = ask_challenge(desk)
    assert send_assertion(desk, {**fresh, "challenge": challenge["challenge"]}, phone).status_code == 403
    assert send_assertion(desk, fresh, phone).status_code == 403  # the wrong try has used it up
    assert desk.get("/sample").status_code == 303


def test_an_assertion_counts_for_the_browser_that_was_asked(desk: Desk) -> None:
    first = ask_challenge(desk)
    desk.client.cookies.clear()
    second = ask_challenge(desk)
    stolen = {**second, "id": first["id"], "challenge": first["challenge"]}
    assert send_assertion(desk, stolen, SoftAuthenticator("anna")).status_code == 403


def test_a_challenge_expires(desk: Desk, clock: Clock) -> None:
    challenge = ask_challenge(desk)
    clock.pass_ms(CHALLENGE_MS)
    assert send_assertion(desk, challenge, SoftAuthenticator("anna")).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://desk.example"},
        {"rp_id": "evil.example"},
        {"type": "webauthn.create"},
        {"flags": 0x01},  # present, not verified
        {"flags": 0x04},  # verified, not present
        {"crossOrigin": True},
        {"challenge": b"another"},
    ],
)
def test_what_was_signed_elsewhere_or_otherwise_signs_nobody_in(desk: Desk, changes: dict[str, Any]) -> None:
    challenge = ask_challenge(desk)
    refused = send_assertion(desk, challenge, SoftAuthenticator("anna"), **changes)
    assert refused.status_code == 403
    assert refused.json()["error"] == "You cannot sign in with this passkey."
    assert "set-cookie" not in refused.headers
    assert desk.get("/sample").status_code == 303


def test_only_a_passkey_of_an_officer_in_force_signs_in(desk: Desk) -> None:
    register = desk.services.register
    assert isinstance(register, FakeRegister)
    assert send_assertion(desk, ask_challenge(desk), SoftAuthenticator("stranger")).status_code == 403
    register.add(make_officer("anna", revoked_at=NOW))
    assert send_assertion(desk, ask_challenge(desk), SoftAuthenticator("anna")).status_code == 403
    elsewhere = SoftAuthenticator("dora", origin="https://other.example")
    register.add(make_officer("dora", elsewhere))
    assert send_assertion(desk, ask_challenge(desk), elsewhere).status_code == 403  # a good one, of another desk
    assert send_assertion(desk, ask_challenge(desk), elsewhere, origin="https://desk.example").status_code == 403
    impostor = SoftAuthenticator("bert", PasskeyAlgorithm.EDDSA)
    assertion = replace(impostor.sign(b"x"), credential_id=SoftAuthenticator("bert").credential_id)
    challenge = ask_challenge(desk)
    body = {"id": challenge["id"], "assertion": to_browser_json(assertion)}
    assert desk.post_json("/sign-in", body, headers={"X-CSRF-Token": challenge["csrf"]}).status_code == 403


def test_while_the_register_cannot_be_read_it_is_said_that_nobody_can_sign_in(desk: Desk) -> None:
    register = desk.services.register
    assert isinstance(register, FakeRegister)
    register.problem = "no broker answers at 10.0.0.1"
    refused = send_assertion(desk, ask_challenge(desk), SoftAuthenticator("anna"))
    assert refused.status_code == 503
    assert "register of officers cannot be read" in refused.json()["error"]
    assert "10.0.0.1" not in refused.text
    register.problem = None
    assert send_assertion(desk, ask_challenge(desk), SoftAuthenticator("anna")).status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b'{"id": 1}', b'{"assertion": {}}', b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_assertion_is_refused(desk: Desk, body: bytes) -> None:
    challenge = ask_challenge(desk)
    headers = {"Origin": desk.services.settings.origin, "Accept": "application/json", "X-CSRF-Token": challenge["csrf"],
               "Content-Type": "application/json"}  # fmt: skip
    response = desk.client.post("/sign-in", content=body, headers=headers)
    assert response.status_code in {400, 403, 413}
    assert response.json()["remedy"]


def test_signing_in_needs_the_token_and_the_origin(desk: Desk) -> None:
    challenge = ask_challenge(desk)
    assert send_assertion(desk, {**challenge, "csrf": "x"}, SoftAuthenticator("anna")).status_code == 403
    headers = {"X-CSRF-Token": challenge["csrf"]}
    assert desk.client.post("/sign-in", json={}, headers=headers).status_code == 403
    evil = {**headers, "Origin": "https://evil.example"}
    assert desk.client.post("/sign-in/challenge", json={}, headers=evil).status_code == 403


def test_tries_are_limited(desk: Desk, clock: Clock) -> None:
    challenge = ask_challenge(desk)
    token = {"X-CSRF-Token": challenge["csrf"]}
    statuses = [desk.post_json("/sign-in", {}, headers=token).status_code for _ in range(TRIES_PER_MINUTE)]
    assert statuses[:-1] == [403] * (TRIES_PER_MINUTE - 1)
    assert statuses[-1] == 429
    assert desk.post_json("/sign-in/challenge", {}, headers=token).status_code == 429
    clock.pass_ms(MINUTE_MS)
    assert desk.post_json("/sign-in/challenge", {}, headers=token).status_code == 200


def test_tries_are_counted_for_each_address_and_together() -> None:
    tries = SignInTries()
    assert [tries.note("a", NOW) for _ in range(TRIES_PER_MINUTE + 1)] == [True] * TRIES_PER_MINUTE + [False]
    assert tries.note("b", NOW)
    assert tries.note("a", NOW + MINUTE_MS)
    others = [tries.note(f"c{number}", NOW + 1) for number in range(TRIES_PER_MINUTE_TOGETHER)]
    assert others.count(False) > 0
    assert not tries.note("fresh", NOW + 1)
    assert tries.note("fresh", NOW + 2 * MINUTE_MS)


def test_a_few_clients_do_not_keep_others_from_signing_in() -> None:
    """One machine has all addresses of an IPv6 network; all clients of a proxy have one address."""
    tries = SignInTries()
    for number in range(3 * TRIES_PER_MINUTE):
        is_allowed = tries.note(f"2001:db8:1:2:{number:x}::1", NOW)
        assert is_allowed is (number < TRIES_PER_MINUTE)
    assert tries.note("2001:db8:1:3::1", NOW)
    assert [tries.note("::ffff:192.0.2.1", NOW) for _ in range(TRIES_PER_MINUTE + 1)].count(False) == 1
    assert tries.note("::ffff:192.0.2.2", NOW)
    for number in range(10):
        for _ in range(TRIES_PER_MINUTE):
            tries.note(f"198.51.100.{number}", NOW)
    assert tries.note("203.0.113.1", NOW)
    assert all(tries.note("127.0.0.1", NOW) for _ in range(2 * TRIES_PER_MINUTE))


def test_sign_out_ends_this_session_and_makes_the_browser_forget_it(desk: Desk) -> None:
    desk.sign_in("anna")
    other = desk.client.cookies[COOKIE]
    desk.sign_in("anna")
    left = desk.post("/sign-out")
    assert left.headers["location"] == "/sign-in"
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert desk.services.sessions.count_signed_in() == 1
    desk.client.cookies.clear()
    desk.client.cookies.set(COOKIE, other)
    assert desk.get("/sample").text == "anna"


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/asks/1?a=b", "/asks/1?a=b"),
        ("", "/asks"),
        ("https://evil.example", "/asks"),
        ("//evil.example", "/asks"),
        ("/\\evil.example", "/asks"),
        ("/a\\b", "/asks"),
        ("/\tx", "/asks"),
        ("javascript:alert(1)", "/asks"),
        ("/sign-in?next=/sign-in", "/asks"),
    ],
)
def test_after_signing_in_an_officer_goes_to_a_page_of_the_desk_only(desk: Desk, asked: str, target: str) -> None:
    page = desk.get("/sign-in", params={"next": asked}).text
    assert f'data-next="{target}"' in page.replace("&amp;", "&")
    desk.sign_in("anna")
    assert desk.get("/sign-in", params={"next": asked}).headers["location"] == target


def test_language_and_zone_are_kept_through_signing_in(desk: Desk) -> None:
    challenge = ask_challenge(desk)
    assert desk.post("/time-zone", {"zone": "Europe/Paris"}).json() == {"changed": True}
    assert desk.post("/time-zone", {"zone": "Mars/Base"}).json() == {"changed": False}
    assert desk.post("/language", {"language": "fr", "next": "/sign-in"}).headers["location"] == "/sign-in"
    assert desk.post("/language", {"language": "xx"}).status_code == 400
    page = desk.get("/sign-in").text
    assert '<html lang="fr"' in page
    assert "Europe/Paris" in page
    assert send_assertion(desk, challenge, SoftAuthenticator("anna")).status_code == 200
    (session,) = desk.services.sessions._signed_in.values()
    assert (session.language, session.time_zone) == ("fr", "Europe/Paris")


def test_a_page_that_signs_in_again_keeps_its_language_and_zone(desk: Desk) -> None:
    """The session that has ended knew them; the new one is told by the page."""
    more: dict[str, Any] = {"language": "fr", "zone": "Europe/Paris"}
    assert send_assertion(desk, ask_challenge(desk), SoftAuthenticator("anna"), more).status_code == 200
    (session,) = desk.services.sessions._signed_in.values()
    assert (session.language, session.time_zone) == ("fr", "Europe/Paris")
    desk.post("/sign-out")
    for wrong in ({"language": "xx", "zone": "Mars/Base"}, {"language": ["fr"], "zone": 7}, {"language": None}):
        desk.client.cookies.clear()
        assert send_assertion(desk, ask_challenge(desk), SoftAuthenticator("bert"), wrong).status_code == 200
    sessions = [each for each in desk.services.sessions._signed_in.values() if each.officer_id == "bert"]
    assert {(each.language, each.time_zone) for each in sessions} == {("en", "UTC")}


def test_the_language_is_the_one_that_the_browser_prefers(desk: Desk) -> None:
    for accepted, language in (
        ("fr-CH, en;q=0.5", "fr"),
        ("de, *;q=0.1", "en"),
        ("en;q=0.1,fr;q=0.9", "fr"),
        ("x;q=a", "en"),
    ):
        desk.client.cookies.clear()
        assert f'<html lang="{language}"' in desk.get("/sign-in", headers={"Accept-Language": accepted}).text


def test_reading_the_page_without_scripts_says_that_signing_in_needs_them(desk: Desk) -> None:
    assert "<noscript>" in desk.get("/sign-in").text
