"""Fixtures of the journeys: one world for all of them, because its start takes half a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sharing.testing.broker.kafka import KafkaBroker
from tests.desk.axe import read_axe
from tests.desk.chromium import Chromium, find_chromium
from tests.desk.spoken import record_untranslated
from tests.desk.world import DeskWorld, run_world


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Chromium:
    """Chromium. Without it or axe-core a test is skipped; with CI=true it fails."""
    read_axe()
    return find_chromium(tmp_path_factory.mktemp("chromium"))


@pytest.fixture(scope="package")
def world(chromium: Chromium, kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskWorld]:
    """Kafka, workers, officers and desks; `kafka` skips the tests if this machine cannot run one."""
    del kafka
    with run_world(tmp_path_factory.mktemp("desk_world"), chromium) as world:
        yield world


@pytest.fixture(autouse=True)
def untranslated(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Find messages without a translation, whatever a test shows: in English they would stand on French pages, too."""
    with record_untranslated(monkeypatch) as missing:
        yield missing
    assert missing == set(), "add their translations to sharing/desk/messages"
