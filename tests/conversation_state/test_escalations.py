"""What people are told by a message: the questions, how long they have, and nothing of the item."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.conversation_state.escalation_messages import (
    ALIKE_LINES_MAX,
    LISTED_MAX,
    format_time_left,
    make_message,
)
from sharing.conversation_state.escalations import (
    EscalationCause,
    EscalationKey,
    EscalationMark,
    find_escalation,
    read_escalation_key,
    read_escalation_mark,
)
from sharing.conversation_state.item_keys import is_log_key, make_own_key, make_received_key
from sharing.conversation_state.open_asks import may_have_open_asks
from sharing.errors import DecodeError
from sharing.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from sharing.model.vocabulary import Urgency
from tests.conversation.people import NOW, offered
from tests.conversation_state.escalated_asks import LASTS, escalate, hold_item, keep, receive_offer
from tests.conversation_state.kept_states import make_item

LINK = "https://desk.example/asks/"


def test_a_message_says_what_waits_and_for_how_long() -> None:
    escalation = escalate(0)
    message = make_message([escalation], NOW + HOUR_MS, LINK)
    ask = escalation.key.ask
    assert message.subject == "[CH] URGENT: APPROVE waits, 1 d 23 h left"
    assert message.body == f"URGENT APPROVE {ask}: not answered yet, 1 d 23 h left\n  {LINK}{ask}\n"
    assert message.document == {
        "id": message.id,
        "state": "CH",
        "questions": [
            {
                "ask": ask,
                "kind": "APPROVE",
                "urgency": "URGENT",
                "cause": "UNANSWERED",
                "asks_another_state": False,
                "for_superior": False,
                "seconds_left": 47 * 3600,
                "link": f"{LINK}{ask}",
            }
        ],
        "more": 0,
    }


def test_several_questions_are_one_digest_the_most_pressing_first() -> None:
    escalations = [escalate(number, expires_at=NOW + (number + 1) * HOUR_MS) for number in range(LISTED_MAX + 7)]
    escalations[3] = escalate(3, urgency=Urgency.EMERGENCY, expires_at=NOW + 4 * HOUR_MS)
    message = make_message(escalations[::-1], NOW, unlisted=5)
    assert message.subject == f"[CH] EMERGENCY: {LISTED_MAX + 12} questions wait, 1 h left"
    listed = [question["ask"] for question in message.document["questions"]]
    assert listed == [escalation.key.ask for escalation in escalations[:LISTED_MAX]]
    assert message.document["more"] == 12
    assert message.body.endswith("\n… and 5 more\n")
    assert "http" not in message.body


def test_the_text_names_few_of_many_alike_questions_and_counts_the_others() -> None:
    """A feed of which each item is held: what is different stays visible."""
    many = [escalate(number, expires_at=NOW + (number + 2) * HOUR_MS) for number in range(400)]
    other = escalate(400, EscalationCause.OVERDUE, expires_at=NOW + 300 * HOUR_MS)
    pressing = escalate(401, urgency=Urgency.EMERGENCY, expires_at=NOW + HOUR_MS)
    lines = make_message([*many, other, pressing], NOW).body.splitlines()
    assert lines == [
        f"EMERGENCY APPROVE {pressing.key.ask}: not answered yet, 1 h left",
        *(
            f"URGENT APPROVE {each.key.ask}: not answered yet, {number + 2} h left"
            for number, each in enumerate(many[:ALIKE_LINES_MAX])
        ),
        f"  … and {400 - ALIKE_LINES_MAX} more URGENT APPROVE: not answered yet",
        f"URGENT APPROVE {other.key.ask}: overdue, asked again, 12 d 12 h left",
    ]


def test_the_id_is_that_of_the_questions() -> None:
    first, second = escalate(0), escalate(1)
    again = make_message([second, first], NOW + HOUR_MS)
    assert again.id == make_message([first, second], NOW).id
    later = escalate(0, step=1)
    assert len({again.id, make_message([first], NOW).id, make_message([later], NOW).id}) == 3


def test_the_other_state_and_its_texts_are_not_in_it() -> None:
    key, entry = receive_offer("canary: the suspect is in Zurich")
    escalation = find_escalation(key, EscalationMark(EscalationCause.OPENED), entry)
    assert escalation is not None
    message = make_message([escalation], NOW, LINK)
    everything = f"{message.subject}{message.body}{json.dumps(message.document)}"
    assert "canary" not in everything
    assert "JP" not in everything
    assert message.document["questions"][0]["ask"] is None
    assert "EMERGENCY ACCEPT: new, 2 h left" in message.body
    held = escalate(0)
    message = make_message([held], NOW, LINK)
    assert "JP" not in f"{message.subject}{message.body}{json.dumps(message.document)}"


def test_another_state_is_asked_but_not_named() -> None:
    key, entry = keep(hold_item(0, terms=offered("JP", "NO_ONWARD")))
    (ask,) = hold_item(0, terms=offered("JP", "NO_ONWARD")).asks
    escalation = find_escalation(EscalationKey(1, key, ask), EscalationMark(EscalationCause.UNANSWERED), entry)
    assert escalation is not None
    message = make_message([escalation], NOW)
    assert message.body == f"URGENT ACCEPT {ask}: another State is asked, not answered yet, 2 d left\n"
    assert message.document["questions"][0]["asks_another_state"] is True
    assert "JP" not in f"{message.subject}{message.body}{json.dumps(message.document)}"
    assert "another State" not in make_message([escalate(0)], NOW).body


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (2 * DAY_MS + 3 * HOUR_MS + MINUTE_MS, "2 d 3 h left"),
        (2 * DAY_MS, "2 d left"),
        (HOUR_MS + 59 * MINUTE_MS + 59_999, "1 h 59 min left"),
        (5 * MINUTE_MS, "5 min left"),
        (MINUTE_MS - 1, "less than a minute left"),
        (0, "no time left"),
        (-HOUR_MS, "no time left"),
    ],
)
def test_the_time_left_in_words(left: int, text: str) -> None:
    assert format_time_left(NOW + left, NOW) == text


@pytest.mark.parametrize(
    ("cause", "step", "is_last"),
    [
        (EscalationCause.OPENED, 0, False),
        (EscalationCause.UNANSWERED, 0, False),
        (EscalationCause.UNANSWERED, 1, True),
        (EscalationCause.OVERDUE, 0, True),
    ],
)
def test_the_superior_is_told_of_the_last_step(cause: EscalationCause, step: int, is_last: bool) -> None:
    escalation = escalate(0, cause, step)
    assert escalation.is_last_step is is_last
    assert escalation.expires_at == NOW + LASTS[Urgency.URGENT]


def test_nobody_is_told_of_what_is_not_open() -> None:
    key, _ = keep(hold_item(0))
    mark = EscalationMark(EscalationCause.UNANSWERED)
    assert find_escalation(EscalationKey(1, key, "another"), mark, keep(hold_item(0))[1]) is None
    assert find_escalation(EscalationKey(1, key, "another"), mark, None) is None


@given(
    key=st.one_of(
        st.integers(0, 99).map(lambda number: make_own_key(make_item(number))),
        st.integers(0, 99).map(lambda number: make_received_key("JP", make_item(number))),
    ),
    ask=st.text(min_size=1, max_size=40),
    mark=st.builds(EscalationMark, st.sampled_from(EscalationCause), st.integers(0, 255)),
)
def test_entries_are_read_as_they_were_written(key: bytes, ask: str, mark: EscalationMark) -> None:
    escalation = EscalationKey(2, key, ask)
    assert read_escalation_key(2, escalation.encode()) == escalation
    assert read_escalation_mark(mark.encode()) == mark
    assert is_log_key(escalation.encode())
    assert not may_have_open_asks(escalation.encode(), mark.encode())


@pytest.mark.parametrize(
    "key", [b"told/", b"told/out/short/ask", b"out/" + bytes(16), b"told/out/" + bytes(16) + b"/\xff"]
)
def test_a_malformed_key_is_refused(key: bytes) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        read_escalation_key(0, key)


@pytest.mark.parametrize("value", [b"", b"UN", b"XX\x00", b"UN\x00\x00"])
def test_a_malformed_mark_is_refused(value: bytes) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        read_escalation_mark(value)


def test_an_entry_of_another_kind_is_refused() -> None:
    key, entry = receive_offer()
    with pytest.raises(DecodeError):
        find_escalation(EscalationKey(1, keep(hold_item(0))[0], key.ask), EscalationMark(EscalationCause.OPENED), entry)
