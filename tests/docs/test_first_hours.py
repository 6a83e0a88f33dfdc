"""Follows the pages of `docs/first-hours`: an agency engineer's, an analyst's and an operator's first hour."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sharing.cli.broker import default_folder
from sharing.cli.shared import console
from sharing.testing.broker.kafka import KafkaBroker
from tests.docs.doc_files import ROOT, get_page_name, read_blocks
from tests.docs.first_hours import HourRunner
from tests.docs.keyed_before import prepare_keyed_bus
from tests.docs.test_examples import FIRST_HOURS, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kafka


@pytest.fixture
def reader(kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The empty folder of somebody who follows a page. `kafka` skips the test if this machine cannot run one."""
    for name in [name for name in os.environ if name.startswith("SHARING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for stream in (console.out, console.err):
        monkeypatch.setattr(stream, "_width", WIDTH)
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        stack.callback(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        stack.callback(KafkaBroker(default_folder()).stop)
        yield tmp_path


def follow(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, bootstrap: str = "") -> None:
    """Execute all blocks of a page, on a broker that runs or that the page starts."""
    runner = HourRunner(get_page_name(page), folder, bootstrap, monkeypatch)
    try:
        for block in read_blocks(page):
            runner.process_block(block)
        runner.stop_gates()
    finally:
        runner.kill_gates()


def test_an_agency_engineers_first_hour(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follow(FIRST_HOURS / "agency-engineer.md", reader, monkeypatch)


def test_an_operators_first_hour(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (reader / "monitoring").symlink_to(ROOT / "monitoring")
    follow(FIRST_HOURS / "operator.md", reader, monkeypatch)


def test_an_analysts_first_hour(reader: Path, kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with KafkaBroker(default_folder()) as broker, ExitStack() as stack:
        prepare_keyed_bus(broker, reader, stack)
        follow(FIRST_HOURS / "analyst.md", reader, monkeypatch, broker.bootstrap)
