"""The pages of questions follow from the shipped packs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.packs.library import list_shipped_pack_codes
from sharing.tools.question_pages import render_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "questions"


@pytest.mark.parametrize("code", list_shipped_pack_codes())
def test_the_page_of_each_pack_is_current_and_complete(code: str) -> None:
    text = render_page(code)
    assert (PAGES / f"{code.lower()}.md").read_text(encoding="utf-8") == text, "run `make questions`"
    assert "was cut short" not in text
    assert text.count("\n| ") > 5


def test_there_is_no_page_without_a_pack() -> None:
    assert {page.stem.upper() for page in PAGES.glob("*.md")} == set(list_shipped_pack_codes())
