"""A worker that gets a ruling by passkey: it releases what the officer may release, and nothing else ever does."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.vocabulary import Answer, AskStatus, DeliveryStatus, Refusal
from sharing.model.vocabulary import NoticeKind
from sharing.passkeys.sign_in import compute_sign_in_challenge
from sharing.rulings.act import ActKind
from sharing.rulings.ruling import Answering
from sharing.rulings.signing import compute_ruling_challenge, read_ruling
from tests.processors.conversation.conversation_driver import (
    AUTHOR,
    JUDGE,
    STATE,
    STRANGER,
    Driver,
    StampedMessage,
    answer,
    get_device,
    get_item,
    make_draft,
    make_ruling,
    make_ruling_by_passkey,
    open_record,
    read_acts,
    read_causes,
    read_sent,
)
from tests.processors.gate.gate_fixtures import HELD, NOW_MS
from tests.support.soft_authenticator import PRESENT, SoftAuthenticator

ITEM = get_item(1)
LATER_MS = NOW_MS + 5_000


@pytest.fixture
def driver() -> Driver:
    """A worker with an item that the law holds until a judge has approved it."""
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    return driver


def approve(driver: Driver) -> Answering:
    return answer(ITEM, driver.get_ask(), Answer.APPROVED)


def list_statuses(driver: Driver) -> list[DeliveryStatus]:
    return [delivery.status for delivery in driver.find(1).conversation.deliveries.values()]


def test_a_ruling_by_passkey_releases_the_delivery(driver: Driver) -> None:
    assert list_statuses(driver) == [DeliveryStatus.WAITING]
    ruling = make_ruling_by_passkey(approve(driver), at_ms=LATER_MS)
    result = driver.process(ruling, now_ms=LATER_MS)
    ended, sent = read_acts(result)
    assert (ended.ask_status, ended.officer) == (AskStatus.ANSWERED, JUDGE.id)
    ((topic, notice),) = read_sent(result)
    assert (topic, notice["kind"], notice["item_id"]) == ("exchange.us.notices", NoticeKind.ITEM, ITEM)
    challenge = compute_ruling_challenge(read_ruling(open_record(ruling))).hex()
    assert sent.ruling == ended.ruling == challenge, "the audit log names what the authenticator has signed"
    assert list_statuses(driver) == [DeliveryStatus.SENT]


def test_four_eyes_hold_for_passkeys_too(driver: Driver) -> None:
    result = driver.process(make_ruling_by_passkey(approve(driver), AUTHOR, at_ms=LATER_MS), now_ms=LATER_MS)
    (act,) = read_acts(result)
    assert (act.kind, act.reason) == (ActKind.RULING_REFUSED, Refusal.BARRED)
    assert list_statuses(driver) == [DeliveryStatus.WAITING]


def test_the_same_ruling_by_key_and_by_passkey_has_one_effect(driver: Driver) -> None:
    act = approve(driver)
    first = driver.process(make_ruling_by_passkey(act, at_ms=LATER_MS), now_ms=LATER_MS)
    assert len(first.sent) == 1
    for ruling in (
        make_ruling_by_passkey(act, at_ms=LATER_MS),
        make_ruling(act, at_ms=LATER_MS, expires_at=LATER_MS + 600_000),
    ):
        again = driver.process(ruling, now_ms=LATER_MS)
        assert (again.sent, again.kept) == ([], [])
        assert [act.kind for act in read_acts(again)] == [ActKind.RULING_REFUSED]


@pytest.mark.parametrize(
    ("cause", "changes"),
    [
        ("BAD_ASSERTION", {"said": {"type": "webauthn.create"}}),
        ("BAD_ASSERTION", {"said": {"origin": "https://desk.other"}}),
        ("BAD_ASSERTION", {"said": {"rp_id": "192.0.2.1"}}),
        ("BAD_ASSERTION", {"said": {"crossOrigin": True}}),
        ("BAD_ASSERTION", {"said": {"flags": PRESENT}}),
        ("BAD_ASSERTION", {"challenge": bytes(32)}),
        ("BAD_ASSERTION", {"challenge": compute_sign_in_challenge(STATE, bytes(32), LATER_MS)}),
        ("UNKNOWN_PASSKEY", {"device": SoftAuthenticator("somebody's phone")}),
        ("UNKNOWN_PASSKEY", {"device": get_device(AUTHOR.id)}),
        ("UNKNOWN_OFFICER", {"officer": STRANGER}),
    ],
)
def test_what_does_not_count_is_quarantined_and_releases_nothing(
    driver: Driver, cause: str, changes: dict[str, Any]
) -> None:
    ruling = make_ruling_by_passkey(approve(driver), at_ms=LATER_MS, **changes)
    before = driver.list_entries()
    result = driver.process(ruling, now_ms=LATER_MS)
    assert (read_causes(result), result.effects, result.sent) == ([cause], 0, [])
    assert driver.list_entries() == before
    assert list_statuses(driver) == [DeliveryStatus.WAITING]


def test_an_assertion_is_not_replayed_for_another_item(driver: Driver) -> None:
    driver.process(make_draft(2, **HELD))
    first, second = approve(driver), answer(get_item(2), driver.get_ask(2), Answer.APPROVED)
    signed = make_ruling_by_passkey(first, at_ms=LATER_MS)
    challenge = compute_ruling_challenge(read_ruling(open_record(signed)))
    replayed: StampedMessage = make_ruling_by_passkey(second, at_ms=LATER_MS, challenge=challenge)
    result = driver.process(replayed, now_ms=LATER_MS)
    assert (read_causes(result), result.sent) == (["BAD_ASSERTION"], [])
