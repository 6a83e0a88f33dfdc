"""A running worker applies a changed law: its decisions name both hashes, and no record is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from processors.worker.composition import compose
from sharing.clients.publisher import Publisher
from sharing.errors import PackError, SettingsError
from sharing.packs.library import find_law
from sharing.settings import Settings
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DECISIONS, list_topics
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import read_records
from tests.processors.pack_fixtures import make_form, make_pack_text, replace_file
from tests.support.audit_entries import list_entries

LIMIT_S = 240.0
STATE = "XA"


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def gate_setup(request: pytest.FixtureRequest, tmp_path: Path) -> GateSetup:
    """A test State with a pack and topics. Its gate is not started."""
    broker: Broker = request.getfixturevalue(request.param)
    for topic in list_topics([STATE], 1).values():
        broker.create_topics([topic.name], topic.partitions)
    return GateSetup(broker, STATE, tmp_path)


class GateSetup:
    """One State with its pack, its topics and its gate."""

    def __init__(self, broker: Broker, state: str, folder: Path) -> None:
        self.broker = broker
        self.state = state
        self.pack = folder / "packs" / f"{state.lower()}.yaml"
        self.pack.parent.mkdir()
        self.pack.write_text(make_pack_text(state, "2026.1"))
        self.gate = GateProcess(broker.bootstrap, state, folder, packs=str(self.pack.parent))

    @property
    def sha256(self) -> str:
        """Hash of the pack in the folder."""
        return find_law(self.state, self.pack.parent).pack.sha256

    def publish(self, *numbers: int) -> None:
        """Publish indicators by number."""
        with Publisher(self.broker.bootstrap, self.state, "A") as publisher:
            for number in numbers:
                publisher.publish(make_form(number, self.state))

    def read_decisions(self) -> dict[int, tuple[str, str]]:
        """Return the version and hash of the law applied to each indicator. Each must have one decision."""
        law_by_number: dict[int, tuple[str, str]] = {}
        for decision in list_entries(read_records(self.broker, DECISIONS.topic(self.state), 1)):
            number = int(decision["indicator_id"][-12:])
            assert number not in law_by_number
            law_by_number[number] = (decision["pack"]["version"], decision["pack"]["sha256"])
        return law_by_number

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition while the gate runs."""
        self.gate.wait_until(condition, LIMIT_S, 0.2)

    def wait_for_exit(self) -> tuple[int, str]:
        """Return the code with which the gate exits by itself, and its log."""
        assert self.gate.process is not None
        return self.gate.process.wait(LIMIT_S), self.gate.read_log_tail()


def test_a_new_law_is_applied_and_an_invalid_one_stops_the_worker(gate_setup: GateSetup) -> None:
    before = gate_setup.sha256
    with gate_setup.gate as gate:
        gate_setup.publish(1, 2)
        gate_setup.wait_until(lambda: len(gate_setup.read_decisions()) == 2)
        replace_file(gate_setup.pack, make_pack_text(gate_setup.state, "2026.2"))
        after = gate_setup.sha256
        gate_setup.wait_until(lambda: f"sha256 {before} to {gate_setup.state} 2026.2" in gate.read_log_tail())
        gate_setup.publish(3)
        gate_setup.wait_until(lambda: len(gate_setup.read_decisions()) == 3)
        replace_file(
            gate_setup.pack, make_pack_text(gate_setup.state, "2026.3").replace("effect: PERMIT", "effect: ALLOW")
        )
        code, log = gate_setup.wait_for_exit()
        assert code == 2, log
        assert "the law pack has changed and cannot be applied; no further records are processed" in log
        logger = r'"level": "critical", "logger": "processors\.exactly_once\.loop"'
        assert re.search(rf'"event": "xa\.yaml:\d+: rules\.0\.effect: .*{logger}', log)
        gate_setup.publish(4)  # waits
        gate.start()  # as its supervisor would
        code, log = gate_setup.wait_for_exit()
        assert code == 2, log
        assert len(gate_setup.read_decisions()) == 3
        if isinstance(gate_setup.broker, EmbeddedBroker):
            return  # it does not keep transactional offsets, so a restarted gate processes everything again
        replace_file(gate_setup.pack, make_pack_text(gate_setup.state, "2026.3"))
        corrected = gate_setup.sha256
        gate.start()
        gate_setup.wait_until(lambda: len(gate_setup.read_decisions()) == 4)
        assert gate.stop() == 0, gate.read_log_tail()
    expected = {1: ("2026.1", before), 2: ("2026.1", before), 3: ("2026.2", after), 4: ("2026.3", corrected)}
    assert gate_setup.read_decisions() == expected


def test_a_worker_is_not_composed_under_a_law_that_cannot_be_applied(tmp_path: Path) -> None:
    (tmp_path / "xa.yaml").write_text(make_pack_text("XA", "2026.1"))
    settings = Settings(state="XA", bootstrap="127.0.0.1:1", packs=tmp_path, pack_key=tmp_path / "key.pem")
    with pytest.raises(SettingsError, match=r"SHARING_PACK_KEY names .* cannot be read"):
        compose(settings)
    (tmp_path / "xa.yaml").write_text(make_pack_text("XA", "2026.1").replace("at: 2026-01-01", "at: 2999-01-01"))
    with pytest.raises(SettingsError, match="was consolidated on 2999-01-01"):
        compose(settings.model_copy(update={"pack_key": None}))
    (tmp_path / "xa.yaml").write_text("")
    with pytest.raises(PackError, match="is empty"):
        compose(settings.model_copy(update={"pack_key": None}))
