"""A ruling that was signed elsewhere, as at the duty desk, is written and followed as one signed here with a key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sharing.console.ruling_submission import RulingBus, make_ruling, submit_signed
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.errors import InputError
from sharing.rulings.act import ActKind
from sharing.rulings.ruling import Answering, AskReference
from sharing.rulings.signing import assemble_ruling, compute_ruling_challenge
from sharing.rulings.vocabulary import RulingError
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from tests.cli.conftest import Call
from tests.cli.conversation_bus import HELD_BY, ConversationBus, now_ms, open_conversation_bus
from tests.conversation.people import JUDGE, held
from tests.support.soft_authenticator import SoftAuthenticator

PHONE = SoftAuthenticator("judge's phone")


@pytest.fixture
def ch(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConversationBus]:
    with open_conversation_bus(call, empty_folder, monkeypatch) as bus:
        known = bus.officers[JUDGE.id]
        bus.officers[JUDGE.id] = replace(known, keys=(), passkeys=(PHONE.passkey,))
        yield bus


def approve(ch: ConversationBus) -> tuple[RulingBus, Answering]:
    item, story = ch.publish(1, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    reference = AskReference(ask=ask.id, nonce=ask.nonce, provider="CH", item=item, partition=0)
    act = Answering(
        asks=(reference,), about=AskKind.APPROVE, recipients=("DE",), rule=HELD_BY.id, answer=Answer.APPROVED
    )
    return RulingBus(ch.broker.bootstrap, "CH", None, SINGLE_OBJECT_FRAMING, lambda now: None), act


def test_a_ruling_by_passkey_is_written_and_followed(ch: ConversationBus) -> None:
    bus, act = approve(ch)
    ruling = make_ruling(bus, JUDGE.id, act, "seen", now_ms())
    record = assemble_ruling(ruling, PHONE.sign(compute_ruling_challenge(ruling)))
    with ch.working():
        outcome = submit_signed(bus, record, {0: act.asks[0].item}, 30)
    assert (outcome.digest, outcome.is_refused) == (compute_ruling_challenge(ruling).hex(), False)
    assert {kind.kind for _, kind in outcome.acts} == {ActKind.ASK_ENDED, ActKind.NOTICE_SENT}
    assert (outcome.silent, outcome.pending) == (set(), {})
    (verified,) = ch.read_rulings()
    assert (verified.officer, verified.ruling) == (JUDGE, ruling)


def test_what_the_worker_refuses_is_told(ch: ConversationBus) -> None:
    bus, act = approve(ch)
    ruling = make_ruling(bus, JUDGE.id, act, "seen", now_ms())
    other = make_ruling(bus, JUDGE.id, act, "other words", ruling.signed_at)
    record = assemble_ruling(ruling, PHONE.sign(compute_ruling_challenge(other)))
    with ch.working():
        outcome = submit_signed(bus, record, {0: act.asks[0].item}, 30)
    ((partition, said),) = outcome.refusals
    assert (partition, outcome.is_refused, outcome.acts) == (0, True, [])
    assert "has signed something else than this" in said


def test_without_a_worker_it_is_written_and_waits(ch: ConversationBus) -> None:
    bus, act = approve(ch)
    ruling = make_ruling(bus, JUDGE.id, act, "", now_ms())
    record = assemble_ruling(ruling, PHONE.sign(compute_ruling_challenge(ruling)))
    outcome = submit_signed(bus, record, {0: act.asks[0].item}, 0)
    assert (set(outcome.written), outcome.silent, outcome.acts) == ({0}, {0}, [])
    assert outcome.pending == {act.asks[0].ask: 0}


def test_what_is_no_ruling_is_not_written(ch: ConversationBus) -> None:
    bus, act = approve(ch)
    with pytest.raises(RulingError):
        submit_signed(bus, b"no ruling", {0: act.asks[0].item}, 0)
    assert ch.read_rulings() == []
    with pytest.raises(InputError, match="text"):
        make_ruling(bus, JUDGE.id, act, "x" * 2_001, now_ms())
