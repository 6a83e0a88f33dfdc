"""Readers of the directory that are closed when a test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sharing.kafka.directory_reader import DirectoryReader
from sharing.testing.broker import Broker

OpenReader = Callable[..., DirectoryReader]


@pytest.fixture
def open_reader() -> Iterator[OpenReader]:
    """Open readers that apply every change at once, if nothing else is asked for."""
    readers: list[DirectoryReader] = []

    def open_next(broker: Broker, **options: Any) -> DirectoryReader:
        readers.append(DirectoryReader(broker.bootstrap, **{"change_interval_s": 0.0, **options}))
        return readers[-1]

    yield open_next
    for reader in readers:
        reader.close()
