"""Terminal output that several commands share: the progress bar, and long JSON documents."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.cli.shared import console

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard error as a terminal."""
    shown = io.StringIO()
    monkeypatch.setattr(console, "err", console._Console(file=shown, force_terminal=True, width=120))
    return shown


@pytest.mark.parametrize(
    ("options", "rate"),
    [({}, True), ({"as_percentage": True}, False), ({"as_percentage": True, "count_done": lambda: 700}, True)],
)
def test_a_bar_shows_amount_rate_and_time_left(terminal: io.StringIO, options: dict[str, Any], *, rate: bool) -> None:
    with console.progress_bar("publishing", 10, **options) as set_done:
        for done in range(11):
            set_done(done)
    text = terminal.getvalue()
    assert "publishing" in text
    assert ("100%" if "as_percentage" in options else "10/10") in text
    assert ("/s" in text) == rate
    assert "0:00:00" in text


def test_a_bar_is_drawn_now_and_then_however_often_it_is_told(
    terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates: list[Any] = []
    monkeypatch.setattr("rich.progress.Progress.update", lambda *arguments, **_: updates.append(arguments))
    with console.progress_bar("publishing", 100_000) as set_done:
        for done in range(100_000):
            set_done(done)
    assert len(updates) < 1_000
    assert terminal.getvalue()


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress_bar("publishing", 10) as set_done:
        set_done(5)
    assert capsys.readouterr() == ("", "")


@given(st.dictionaries(st.text(max_size=5), JSON | st.lists(JSON, max_size=7), min_size=1, max_size=4), st.data())
def test_a_document_that_is_printed_bit_by_bit_is_the_same(document: dict[str, Any], data: st.DataObject) -> None:
    lazy = {
        name: iter(value) if isinstance(value, list) and data.draw(st.booleans()) else value
        for name, value in document.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "_ENTRIES_AT_ONCE", 2)
        text = "".join(console._iterate_json(lazy))
    assert text == console.format_json(document)
    assert json.loads(text) == document


def test_a_closed_pipe_is_noticed_although_nothing_is_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As by `sharing items show ITEM --watch | head -1`, to which nothing happens."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert not console.out.is_closed
        assert not console.await_closed_output(0.01)
        os.close(reader)
        assert console.out.is_closed
        assert console.await_closed_output(60)
    with (tmp_path / "file").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert not console.await_closed_output(0.01)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert not console.out.is_closed
