"""Codes that officers quote have words, each with its code."""

from __future__ import annotations

from sharing.console.code_words import ANSWER_WORDS, describe_answer, say_instant
from sharing.conversation.vocabulary import Answer
from sharing.model.code_words import (
    AUTHORITY_WORDS,
    OUTCOME_WORDS,
    TREATY_WORDS,
    describe_authority,
    describe_outcome,
    describe_treaty,
)
from sharing.model.vocabulary import Authority, Outcome
from sharing.packs.library import load_shipped_treaties


def test_every_code_has_words() -> None:
    assert set(ANSWER_WORDS) == set(Answer)
    assert set(AUTHORITY_WORDS) == set(Authority)
    assert set(OUTCOME_WORDS) == set(Outcome)
    assert set(TREATY_WORDS) == {*load_shipped_treaties().instruments, "NONE"}


def test_a_code_is_said_in_words_with_the_code_and_an_unknown_one_as_it_is() -> None:
    assert describe_answer("ACCEPTED") == "conditions accepted (ACCEPTED)"
    assert describe_authority("COURT") == "court (COURT)"
    assert describe_outcome("HOLD") == "it is held until it is approved (HOLD)"
    assert describe_treaty("BUDAPEST") == "Budapest Convention on Cybercrime (BUDAPEST)"
    assert describe_treaty("BILATERAL:DE-2020") == "agreement with one State (BILATERAL:DE-2020)"
    for describe in (describe_answer, describe_authority, describe_outcome, describe_treaty):
        assert describe("LATER") == "LATER"


def test_an_instant_in_a_sentence_keeps_its_time() -> None:
    said = say_instant(1_767_225_600_000)
    assert (said, said.at) == ("2026-01-01T00:00:00.000Z", 1_767_225_600_000)
