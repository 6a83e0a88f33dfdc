"""The rows of a table of outcomes: few, also for items of which different facts are missing."""

from __future__ import annotations

from sharing.cli.publish.reason_rows import list_reason_rows

FEW = {
    ("NL", "WITHHOLD", "missing: a"): 1,
    ("NL", "WITHHOLD", "missing: b"): 3,
    ("NL", "DISCLOSE", "law"): 2,
    ("DE", "WITHHOLD", "missing: a, b"): 1,
}


def test_few_reasons_are_rows_of_their_own() -> None:
    assert [(row.state, row.why, row.items) for row in list_reason_rows(FEW.items())] == [
        ("DE", "missing: a, b", 1), ("NL", "law", 2), ("NL", "missing: b", 3), ("NL", "missing: a", 1),
    ]  # fmt: skip


def test_many_reasons_are_one_row_that_counts_each_fact() -> None:
    counts = {**FEW, ("NL", "WITHHOLD", "missing: a, b"): 2, ("NL", "WITHHOLD", "missing: c"): 1}
    asked = {(state, outcome, f"{why}; people are asked"): count for (state, outcome, why), count in counts.items()}
    for given, end in ((counts, ""), (asked, "; people are asked")):
        (only,) = (row for row in list_reason_rows(given.items()) if (row.state, row.outcome) == ("NL", "WITHHOLD"))
        assert only.items == 7
        assert only.why == f"missing: different facts, with the number of items: b (5), a (3), c (1){end}"
        assert sum(row.items for row in list_reason_rows(given.items())) == sum(given.values())


def test_the_most_frequent_facts_are_shown() -> None:
    counts = {("NL", "WITHHOLD", f"missing: x, f{number:02d}"): 1 for number in range(20)}
    (row,) = list_reason_rows(counts.items())
    assert row.why.startswith("missing: different facts, with the number of items: x (20), f00 (1), ")
    assert row.why.endswith("f08 (1) and 11 more facts")
