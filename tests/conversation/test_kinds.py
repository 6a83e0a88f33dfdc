"""The table of kinds is complete, and silence never releases."""

from __future__ import annotations

import pytest

from sharing.conversation.kinds import KINDS, KindRow
from sharing.conversation.vocabulary import Answer, AskKind, Consequence
from sharing.model.vocabulary import Urgency

RELEASING = {Answer.APPROVED, Answer.ACCEPTED, Answer.PROVIDE_ANYWAY}
PERSISTENT = {AskKind.ACK_RECALL, AskKind.CONFIRM_IN_WRITING}


def test_each_kind_has_a_row_and_each_answer_a_kind() -> None:
    assert set(KINDS) == set(AskKind)
    assert {answer for row in KINDS.values() for answer in row.answers} == set(Answer)


@pytest.mark.parametrize("kind", AskKind)
def test_only_these_answers_release_and_silence_never_does(kind: AskKind) -> None:
    row = KINDS[kind]
    releasing = {answer for answer, consequence in row.answers.items() if consequence is Consequence.RELEASE}
    assert releasing <= RELEASING
    assert row.silence is not Consequence.RELEASE
    assert (row.silence is Consequence.REPEAT) == (kind in PERSISTENT)


@pytest.mark.parametrize("kind", AskKind)
def test_an_emergency_is_never_slower(kind: AskKind) -> None:
    lasts = KINDS[kind].lasts
    assert lasts[Urgency.EMERGENCY] <= lasts[Urgency.URGENT] <= lasts[Urgency.ORDINARY]
    assert list(KINDS[kind].escalations) == sorted(KINDS[kind].escalations)
    assert all(0 < share < 1 for share in KINDS[kind].escalations)


def test_a_row_in_which_silence_releases_is_refused() -> None:
    with pytest.raises(ValueError, match="silence never releases"):
        KindRow(
            asks_recipient=True,
            answers={Answer.ACCEPTED: Consequence.RELEASE},
            silence=Consequence.RELEASE,
            lasts=KINDS[AskKind.ACCEPT].lasts,
        )
