"""One bus for all tests of this package: its start takes half a minute. What a test changes stays changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sharing.testing.broker.kafka import KafkaBroker
from tests.secure.secure_bus import SecureBus, run_secure_bus
from tests.telemetry.collector import run_collector

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def secure_bus(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBus]:
    """A bus with keys on its own Kafka; `kafka` skips the tests if this machine cannot run one."""
    del kafka
    folder = tmp_path_factory.mktemp("secure_bus")
    with (
        KafkaBroker(folder / "kafka") as broker,
        run_collector() as collector,
        run_secure_bus(broker, folder, collector) as bus,
    ):
        yield bus
