"""The threat model of `docs/security.md`: every element has all six letters of STRIDE, and each named test exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import NamedTuple

from tests.docs.doc_files import ROOT

PAGE = ROOT / "docs" / "security.md"
ELEMENTS = (
    "Publisher", "Gate worker", "Inbox worker", "Broker and operator", "Directory", "Key folder and token",
    "Officer's client", "Duty desk", "Partner State", "Subscriber", "Monitoring",
)  # fmt: skip
HEADING = "| | threat | stopped by | shown by | remains |"


class Row(NamedTuple):
    """One row of the page."""

    element: str
    letter: str
    threat: str
    stopped_by: str
    shown_by: str
    remains: str


def read_rows() -> list[Row]:
    section = PAGE.read_text(encoding="utf-8").partition("\n## Threats by element\n")[2].partition("\n## ")[0]
    rows = []
    for part in section.split("\n### ")[1:]:
        element, _, table = part.partition("\n")
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert lines[0] == HEADING
        for line in lines[2:]:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 5, line
            rows.append(Row(element, cells[0].strip("*"), *cells[1:]))
    return rows


@cache
def list_tests(path: str) -> frozenset[str]:
    """Return the names of the test functions at the top of a file: those that pytest collects."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_element_has_all_six_threats() -> None:
    letters = {element: "".join(row.letter for row in read_rows() if row.element == element) for element in ELEMENTS}
    assert letters == dict.fromkeys(ELEMENTS, "STRIDE")
    assert {row.element for row in read_rows()} == set(ELEMENTS)


def test_each_row_says_what_stops_the_threat_and_what_remains() -> None:
    for row in read_rows():
        assert all(row), row


def test_each_named_test_exists() -> None:
    for row in read_rows():
        for shown_by in row.shown_by.split(", "):
            named = re.fullmatch(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", shown_by)
            assert named is not None, row
            path, name = named.groups()
            assert (ROOT / path).is_file(), row
            assert name in list_tests(path), row
