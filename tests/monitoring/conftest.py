"""The running system that is watched, one for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sharing.testing.broker import KafkaUnavailableError
from sharing.testing.broker.jars import EXPORTER, fetch_jars
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import free_port
from sharing.tools.manifests.kafka_metrics import FILE, agent_option, render_rules
from tests.monitoring.monitored_gate import Stage
from tests.monitoring.tools import find_tool


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A system on a broker of its own, that tests may kill. Where there is none to be had, its tests skip."""
    find_tool("prometheus")
    folder, exporter = tmp_path_factory.mktemp("watched-kafka"), free_port()
    try:
        (folder / FILE).write_text(render_rules())
        (jar,) = fetch_jars(print, (EXPORTER,))
        options = [agent_option(str(jar), FILE, "127.0.0.1", exporter)]
        broker = KafkaBroker(folder, java_options=options)
        broker.start()
    except KafkaUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    try:
        with Stage(broker, exporter, tmp_path_factory.mktemp("watched")) as stage:
            yield stage
    finally:
        broker.stop()
