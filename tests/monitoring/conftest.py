"""The monitored system: one for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sharing.testing.broker import KafkaUnavailableError
from sharing.testing.broker.jars import JMX_EXPORTER, fetch_jars
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import find_free_port
from sharing.tools.manifests.kafka_metrics import FILE, agent_option, render_rules
from tests.monitoring.monitored_system import MonitoredSystem
from tests.monitoring.tools import find_tool


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredSystem]:
    """A system on its own broker, which tests may kill. If no broker is available, the tests are skipped."""
    find_tool("prometheus")
    folder, exporter = tmp_path_factory.mktemp("monitored-kafka"), find_free_port()
    try:
        (folder / FILE).write_text(render_rules())
        (jar,) = fetch_jars(print, (JMX_EXPORTER,))
        options = [agent_option(str(jar), FILE, "127.0.0.1", exporter)]
        broker = KafkaBroker(folder, java_options=options)
        broker.start()
    except KafkaUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    try:
        with MonitoredSystem(broker, exporter, tmp_path_factory.mktemp("monitored")) as system:
            yield system
    finally:
        broker.stop()
