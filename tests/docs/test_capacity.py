"""Tests that the capacity tables are computed from their figures, and that the page contains them."""

from __future__ import annotations

import json
import shutil
from dataclasses import astuple
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from sharing.errors import InputError
from sharing.tools.capacity import (
    BEGIN,
    END,
    SCENARIOS,
    insert_tables,
    main,
    plan_capacity,
    read_figures,
    render_tables,
)
from tests.docs.doc_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FIGURES = ROOT / "docs" / "capacity.json"
PAGE = ROOT / "docs" / "maintain.md"


def test_the_page_contains_the_tables_for_the_figures() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert insert_tables(text, render_tables(read_figures(FIGURES))) == text, "run `make capacity`"


def test_a_plan_computed_by_hand() -> None:
    """193 States with 10⁹ per day: 11,574/s on average, three times that at the peak, a quarter of it in one State."""
    figures = read_figures(FIGURES).model_copy(
        update={"gate_per_second": 10_000, "pass_through_per_second": 50_000, "broker_terabytes": 1e9}
    )
    plan = plan_capacity(193, 10**9, figures)
    assert plan.peak_per_second == pytest.approx(34_722, abs=1)
    assert plan.workers == 2 + 192  # 8,681/s at 5,000 per worker; 136/s in each other State
    assert plan.partitions == 4
    # Eighteen topics of four partitions, the directory and the officers; and the clock.
    assert plan.replicas == (193 * (18 * 4 + 3) + 1) * 3
    assert plan.brokers == plan.brokers_without_disk == 11  # 42,849 replicas; the rate requires five
    bytes_per_indicator = 2160 + 300 + 0.1 * 1050 + 0.17 * 3210 + 0.03 * 3180 + 0.2 * 3800
    assert plan.bytes_per_day == pytest.approx(10**9 * bytes_per_indicator * 3)
    bytes_retained = (2160 + 0.17 * 3210 + 0.03 * 3180) * 30 + (300 + 0.1 * 1050 + 0.2 * 3800) * 365
    assert plan.bytes_kept == pytest.approx(10**9 * bytes_retained * 3)


def test_a_larger_load_never_needs_fewer_resources() -> None:
    figures = read_figures(FIGURES)
    assert (193, 10**9) in SCENARIOS
    plans = [plan_capacity(states, daily, figures) for states, daily in SCENARIOS]
    for smaller, larger in pairwise(plans):
        assert all(low <= high for low, high in zip(astuple(smaller), astuple(larger), strict=True))
    slower = figures.model_copy(update={"gate_per_second": figures.gate_per_second / 100})
    assert plan_capacity(193, 10**9, slower).workers > plans[-1].workers
    assert plan_capacity(193, 10**9, slower).partitions > plans[-1].partitions


def test_the_figures_of_a_benchmark_are_copied(tmp_path: Path) -> None:
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
    updated = read_figures(figures)
    assert (updated.gate_per_second, updated.pass_through_per_second, updated.gate_megabytes) == (12346, 99999, 311)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "12,346 indicators per second" in text
    assert "old" not in text


@pytest.mark.parametrize(
    ("bench", "message"),
    [("{}", "lacks the rates"), ("not JSON", "lacks the rates")],
)
def test_a_file_that_is_not_a_benchmark_is_refused(
    bench: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(FIGURES, tmp_path / "capacity.json")
    (tmp_path / "bench.json").write_text(bench)
    assert main([str(tmp_path / "capacity.json"), str(PAGE), str(tmp_path / "bench.json")]) == 2
    assert message in capsys.readouterr().err


def test_invalid_figures_and_pages_are_named(tmp_path: Path) -> None:
    invalid = tmp_path / "capacity.json"
    invalid.write_text(FIGURES.read_text().replace('"peak": 3.0', '"peak": 0.5'))
    with pytest.raises(InputError, match=r"capacity\.json: peak: "):
        read_figures(invalid)
    with pytest.raises(InputError, match="cannot be read"):
        read_figures(tmp_path / "none.json")
    with pytest.raises(InputError, match="lacks the markers"):
        insert_tables("no markers", "text")
