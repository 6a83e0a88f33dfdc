"""The page shows what the state machines do now, and all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.conversation.kinds import KINDS
from sharing.conversation.vocabulary import AskStatus, DeliveryStatus
from sharing.errors import InputError
from sharing.tools.conversation_diagram import DEPTH, find_arrows, insert_diagrams

PAGE = Path(__file__).parents[2] / "docs" / "conversation.md"


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == insert_diagrams(page), "run `make diagram`"


def test_longer_sequences_show_nothing_more_and_every_status_and_kind_is_reached() -> None:
    arrows = find_arrows()
    assert arrows == find_arrows(DEPTH + 1)
    assert {after for _, after, _ in arrows.deliveries} == {str(status) for status in DeliveryStatus}
    assert {after for _, after, _ in arrows.asks} == {str(status) for status in AskStatus}
    assert all(arrows.openings[kind] for kind in KINDS)


def test_nothing_leaves_waiting_for_sent_without_a_releasing_answer() -> None:
    released = {label for before, after, label in find_arrows().deliveries if (before, after) == ("WAITING", "SENT")}
    assert released == {"ACCEPTED", "APPROVED", "PROVIDE_ANYWAY"}


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(InputError, match="markers"):
        insert_diagrams("# A page")
