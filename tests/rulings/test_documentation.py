"""docs/conversation.md names every code of rulings, replies and acts, and no other."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from sharing.conversation.vocabulary import Answer, Refusal, ReplyResult
from sharing.rulings.act import ActKind
from sharing.rulings.answer_parts import ANSWER_PARTS
from sharing.rulings.reply import ReplyKind
from sharing.rulings.vocabulary import OpeningKind, RefusalGround, RulingFault
from tests.docs.doc_files import ROOT

PAGE = (ROOT / "docs" / "conversation.md").read_text(encoding="utf-8")


def read_section(title: str) -> str:
    section = re.split(rf"^#+ {title}$", PAGE, flags=re.MULTILINE)[1]
    return re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0]


def list_codes(title: str) -> list[list[str]]:
    """Return the codes in the first column of each table of a section."""
    tables = re.findall(r"(?:^\|.*\n)+", read_section(title), re.MULTILINE)
    rows = [[row.split("|")[1] for row in table.splitlines()[2:]] for table in tables]
    return [[code for cell in cells for code in re.findall(r"`(\w+)`", cell)] for cells in rows]


@pytest.mark.parametrize(
    ("title", "codes"),
    [
        ("What an answer needs", [Answer]),
        ("Grounds of refusal", [RefusalGround]),
        ("Why a ruling is refused", [RulingFault, Refusal]),
        ("Replies", [ReplyKind]),
        ("Acts", [ActKind]),
    ],
)
def test_the_tables_have_every_code_and_no_other(title: str, codes: list[type[StrEnum]]) -> None:
    assert [sorted(listed) for listed in list_codes(title)] == [sorted(map(str, members)) for members in codes]


def test_the_checks_are_documented_in_their_order() -> None:
    assert list_codes("Why a ruling is refused")[0] == [str(fault) for fault in RulingFault]


def test_what_an_officer_can_open_and_what_becomes_of_a_reply_is_named() -> None:
    for code in (*OpeningKind, *ReplyResult):
        assert f"`{code}`" in PAGE


def test_what_an_answer_needs_is_what_the_page_says() -> None:
    words = {
        "grounds": "grounds", "conditions_hash": "hash", "text": "text", "relaxed": "offered again", "facts": "facts",
    }  # fmt: skip
    rows = re.findall(r"^\| (`[A-Z_`, ]+) \| ([^|]*)\| ([^|]*)\|$", read_section("What an answer needs"), re.MULTILINE)
    assert len(rows) == 8
    for row in rows:
        for code in re.findall(r"`(\w+)`", row[0]):
            needed, allowed = ANSWER_PARTS.get(Answer(code), (frozenset(), frozenset()))
            assert {name for name, word in words.items() if word in row[1]} == needed, code
            assert {name for name, word in words.items() if word in row[2]} == allowed, code
