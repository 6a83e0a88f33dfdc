"""The capacity tables are computed from their figures, and the page holds what they make."""

from __future__ import annotations

import json
import shutil
from dataclasses import astuple
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from sharing.errors import InputError
from sharing.tools.capacity import BEGIN, END, SCENARIOS, insert, main, plan, read_figures, render
from tests.docs.doc_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FIGURES = ROOT / "docs" / "capacity.json"
PAGE = ROOT / "docs" / "maintain.md"


def test_the_page_holds_what_the_figures_make() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert insert(text, render(read_figures(FIGURES))) == text, "run `make capacity`"


def test_by_hand() -> None:
    """193 States with 10⁹ a day: 11,574/s in the mean, thrice that at the peak, a quarter of it in one State."""
    figures = read_figures(FIGURES).model_copy(
        update={"gate_per_second": 10_000, "pass_through_per_second": 50_000, "broker_terabytes": 1e9}
    )
    found = plan(193, 10**9, figures)
    assert found.peak_per_second == pytest.approx(34_722, abs=1)
    assert found.workers == 2 + 192  # 8,681/s at 5,000 a worker; 136/s in each other State
    assert found.partitions == 4
    assert found.replicas == (193 * 7 * 4 + 2) * 3
    assert found.brokers == found.brokers_without_disk == 5  # 16,218 replicas; by rate as many
    bytes_each = 550 + 480 + 0.1 * 900 + 0.17 * 960 + 0.03 * 910
    assert found.bytes_a_day == pytest.approx(10**9 * bytes_each * 3)
    kept = 550 * 30 + (480 + 0.1 * 900 + 0.17 * 960 + 0.03 * 910) * 365
    assert found.bytes_kept == pytest.approx(10**9 * kept * 3)


def test_more_never_needs_less() -> None:
    figures = read_figures(FIGURES)
    assert (193, 10**9) in SCENARIOS
    plans = [plan(states, daily, figures) for states, daily in SCENARIOS]
    for smaller, larger in pairwise(plans):
        assert all(one <= other for one, other in zip(astuple(smaller), astuple(larger), strict=True))
    slower = figures.model_copy(update={"gate_per_second": figures.gate_per_second / 100})
    assert plan(193, 10**9, slower).workers > plans[-1].workers
    assert plan(193, 10**9, slower).partitions > plans[-1].partitions


def test_a_benchmarks_figures_are_taken_over(tmp_path: Path) -> None:
    figures, page, bench = tmp_path / "capacity.json", tmp_path / "page.md", tmp_path / "bench.json"
    shutil.copy(FIGURES, figures)
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    bench.write_text(
        json.dumps({
            "rates": {"gate": 12345.6, "pass_through": 99999.4}, "rss_mb": 311.2, "machine": "a machine",
            "measured_at": {"rates": "2026-11-25T17:10:58+00:00"},
        })
    )  # fmt: skip
    assert main([str(figures), str(page), str(bench)]) == 0
    taken = read_figures(figures)
    assert (taken.gate_per_second, taken.pass_through_per_second, taken.gate_megabytes) == (12346, 99999, 311)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "12,346 indicators a second" in text
    assert "old" not in text


@pytest.mark.parametrize(
    ("bench", "says"),
    [("{}", "lacks the rates"), ("not JSON", "lacks the rates")],
)
def test_what_is_no_benchmark_is_refused(
    bench: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(FIGURES, tmp_path / "capacity.json")
    (tmp_path / "bench.json").write_text(bench)
    assert main([str(tmp_path / "capacity.json"), str(PAGE), str(tmp_path / "bench.json")]) == 2
    assert says in capsys.readouterr().err
    assert main([]) == 2


def test_wrong_figures_and_pages_are_named(tmp_path: Path) -> None:
    wrong = tmp_path / "capacity.json"
    wrong.write_text(FIGURES.read_text().replace('"peak": 3.0', '"peak": 0.5'))
    with pytest.raises(InputError, match=r"capacity\.json: peak: "):
        read_figures(wrong)
    with pytest.raises(InputError, match="cannot be read"):
        read_figures(tmp_path / "none.json")
    with pytest.raises(InputError, match="lacks the markers"):
        insert("no markers", "text")
