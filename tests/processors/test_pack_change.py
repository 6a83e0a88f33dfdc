"""A worker that lives through a change of law: both hashes stand on its topic of decisions, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from processors.composition import compose
from sharing._publisher import Publisher
from sharing.errors import PackError, SettingsError
from sharing.packs.library import find_law
from sharing.serialization.codec import codec_of
from sharing.settings import Settings
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DECISIONS, topics_for
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import read
from tests.packs.test_library import TEMPLATE
from tests.processors.test_pack_reloader import item, put

LIMIT_S = 60.0
STATE = "XA"


def law_of(state: str, version: str) -> str:
    """Return the text of a State's pack."""
    return TEMPLATE.replace("state: EU", f"state: {state}").replace("2026.1", version)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """A test State with a pack, its topics, and no gate yet."""
    broker: Broker = request.getfixturevalue(request.param)
    for topic in topics_for([STATE], 1).values():
        broker.create_topics([topic.name], topic.partitions)
    return Stage(broker, STATE, tmp_path)


class Stage:
    """What the tests do with one State."""

    def __init__(self, broker: Broker, state: str, folder: Path) -> None:
        self.broker = broker
        self.state = state
        self.pack = folder / "packs" / f"{state.lower()}.yaml"
        self.pack.parent.mkdir()
        self.pack.write_text(law_of(state, "2026.1"))
        self.gate = GateProcess(broker.bootstrap, state, folder, packs=str(self.pack.parent))

    @property
    def sha256(self) -> str:
        """Hash of the pack that lies on the shelf."""
        return find_law(self.state, self.pack.parent).pack.sha256

    def publish(self, *numbers: int) -> None:
        """Publish items by their numbers."""
        with Publisher(self.broker.bootstrap, self.state, "A") as publisher:
            for number in numbers:
                publisher.publish(item(number, self.state))

    def decisions(self) -> dict[int, tuple[str, str]]:
        """Return by which version and hash each item was decided; each was decided once."""
        found: dict[int, tuple[str, str]] = {}
        for message in read(self.broker, DECISIONS.topic(self.state), 1):
            decision: dict[str, Any] = codec_of("decision").decode(message.value() or b"")
            number = int(decision["indicator_id"][-12:])
            assert number not in found
            found[number] = (decision["pack"]["version"], decision["pack"]["sha256"])
        return found

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Wait while the gate runs."""
        self.gate.wait_until(reached, LIMIT_S, 0.2)

    def ends(self) -> tuple[int, str]:
        """Return the code that the gate ends with by itself, and its log."""
        assert self.gate.process is not None
        return self.gate.process.wait(LIMIT_S), self.gate.text()


def test_a_new_law_is_taken_up_and_a_bad_one_ends_the_worker(stage: Stage) -> None:
    before = stage.sha256
    with stage.gate as gate:
        stage.publish(1, 2)
        stage.wait_until(lambda: len(stage.decisions()) == 2)
        put(stage.pack, law_of(stage.state, "2026.2"))
        after = stage.sha256
        stage.wait_until(lambda: f"sha256 {before} comes {stage.state} 2026.2" in gate.text())
        stage.publish(3)
        stage.wait_until(lambda: len(stage.decisions()) == 3)
        put(stage.pack, law_of(stage.state, "2026.3").replace("effect: PERMIT", "effect: ALLOW"))
        code, log = stage.ends()
        assert code == 2, log
        assert "the law on the shelf has changed, and is not to be applied; no more is decided" in log
        logger = r'"level": "critical", "logger": "processors\.exactly_once\.loop"'
        assert re.search(rf'"event": "xa\.yaml:\d+: rules\.0\.effect: .*{logger}', log)
        stage.publish(4)  # waits
        gate.start()  # as its supervisor does
        code, log = stage.ends()
        assert code == 2, log
        assert len(stage.decisions()) == 3
        if isinstance(stage.broker, EmbeddedBroker):
            return  # it forgets the offsets of transactions: a gate that starts anew decides everything again
        put(stage.pack, law_of(stage.state, "2026.3"))
        mended = stage.sha256
        gate.start()
        stage.wait_until(lambda: len(stage.decisions()) == 4)
        assert gate.stop() == 0, gate.text()
    expected = {1: ("2026.1", before), 2: ("2026.1", before), 3: ("2026.2", after), 4: ("2026.3", mended)}
    assert stage.decisions() == expected


def test_a_worker_is_not_put_together_under_a_law_that_is_not_to_be_applied(tmp_path: Path) -> None:
    (tmp_path / "xa.yaml").write_text(law_of("XA", "2026.1"))
    settings = Settings(state="XA", bootstrap="127.0.0.1:1", packs=tmp_path, pack_key=tmp_path / "key.pem")
    with pytest.raises(SettingsError, match=r"SHARING_PACK_KEY names .* cannot be read"):
        compose(settings)
    (tmp_path / "xa.yaml").write_text(law_of("XA", "2026.1").replace("at: 2026-01-01", "at: 2999-01-01"))
    with pytest.raises(SettingsError, match="was consolidated on 2999-01-01"):
        compose(settings.model_copy(update={"pack_key": None}))
    (tmp_path / "xa.yaml").write_text("")
    with pytest.raises(PackError, match="is empty"):
        compose(settings.model_copy(update={"pack_key": None}))
