"""A bus on a real Kafka whose States have keys: workers as processes, sealed publishers, sealed inboxes."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sharing.clients.inbox_reader import InboxReader
from sharing.clients.publisher import Publisher
from sharing.clients.subscriber import Subscriber
from sharing.ids import make_content_id
from sharing.kafka.directory_topic import announce_entry
from sharing.kafka.topic_admin import apply_topics
from sharing.model.notice import Notice
from sharing.seal.inbox_opening import OpenedItem
from sharing.serialization.codec import get_codec
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import find_free_port
from sharing.topology.topics import INBOX, INBOX_URGENT, QUARANTINE, list_topics
from tests.bench.workload import OPEN_FACTS
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import read_records
from tests.processors.gate.gate_fixtures import PACK, directory_entry
from tests.secure.secure_states import SecureStates, make_states, read_now
from tests.telemetry.collector import Collector

SECURE = ("CH", "DE")
PLAIN = ("NL", "FR")
"""States without keys on the same cluster, which show that a search finds what is not sealed."""

PARTITIONS = 2
CONDITION, CITATION = "canary-condition", "canary-citation"


def write_law(folder: Path, state: str, partner: str, word: str = "canary") -> None:
    """Write the law of a State, which discloses all information to a partner, under a condition."""
    law = PACK.partition("  - {id: ch.tomorrow")[0]
    law = law.replace("state: CH", f"state: {state}").replace("id: ch.", f"id: {state.lower()}.")
    law = law.replace("[BUDAPEST, UNCAC]", "[UNCAC, BUDAPEST]")  # under UNCAC, a condition is attached, not asked for
    law = law.replace("states: [DE, FR, IE, US]", f"states: [{partner}]").replace(
        "citation: art. 2", f"citation: {word}-citation"
    )
    law = law.replace("when: {offence.codes: LAUNDERING}", f"when: {{recipient.state: {partner}}}")
    (folder / f"{state.lower()}.yaml").write_text(law.replace("text: Only so.", f"text: Only {word}-condition."))


def make_item(state: str, partner: str, name: str, word: str = "canary", **changes: Any) -> dict[str, Any]:
    """Return an indicator of which everything that a person could have written contains the word."""
    return {
        "id": make_content_id(f"{state} {name}"),
        "type": "domain-name",
        "value": f"{word}-value.example.{partner.lower()}",
        "summary": f"{word}-summary of {name}",
        "source": {
            "state": state,
            "agency": "agency",
            "authority": "POLICE",
            "officer": f"{word}-officer, a text and no id",
            "case": f"{word}-case",
        },
        **OPEN_FACTS,
        "offence": {"codes": ["CORRUPTION"], "modus_operandi": [f"{word}-modus"]},
        "nexus": [{"state": partner, "reason": f"{word}-reason"}],
        **changes,
    }


@dataclass
class SecureBus:
    """The running bus. Each worker keeps its log, over its restarts.

    Attributes:
        broker: The Kafka.
        folder: Folder of logs and laws.
        states: The keys.
        collector: Receives the traces of the workers.
        workers: The workers of all States, by code.
        ports: Ports of their HTTP endpoints.
    """

    broker: KafkaBroker
    folder: Path
    states: SecureStates
    collector: Collector
    workers: dict[str, GateProcess] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        """Kafka bootstrap servers."""
        return self.broker.bootstrap

    def make_worker(self, state: str, **changes: str) -> GateProcess:
        """Return a worker of a State, not yet started: with keys, or in plain mode. Its log says everything."""
        port = self.ports.setdefault(state, find_free_port())
        settings = {
            "packs": str(self.folder / "packs"),
            "web_port": str(port),
            "log_level": "debug",
            "otlp_endpoint": self.collector.endpoint,
            "batch_records_max": "50",
            **(self._make_keyed_settings(state) if state in SECURE else {}),
        }
        return GateProcess(self.bootstrap, state, self.folder, **{**settings, **changes})

    def _make_keyed_settings(self, state: str) -> dict[str, str]:
        """Return the settings of a State with keys. The others with keys witness its audit logs."""
        others = ",".join(other for other in SECURE if other != state)
        return {**self.states.make_settings(state), "witnesses": others, "witness_for": others}

    def is_ready(self, state: str) -> bool:
        """Return whether a worker is ready, its inbox included."""
        return '"ready":true' in self.fetch_page(state, "ready").replace(" ", "")

    def fetch_page(self, state: str, name: str) -> str:
        """Return the body of a response of a worker, whatever its status; "" while it is not served."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[state]}/{name}", timeout=60) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.read().decode())
        except OSError:
            return ""

    def open_publisher(self, state: str, **options: Any) -> Publisher:
        """Return a publisher that seals to the gate of its State."""
        pins = {code: known.pin for code, known in self.states.states.items()}
        return Publisher(self.bootstrap, state, "agency", **{"pins": pins, **options})

    @contextmanager
    def open_subscriber(self, state: str, **options: Any) -> Iterator[Subscriber]:
        """Open the subscriber of a State's reader during the block."""
        with ExitStack() as stack:
            reader = stack.enter_context(self.open_reader(state))
            yield stack.enter_context(Subscriber(self.bootstrap, state, reader=reader, **options))

    def open_reader(self, state: str) -> InboxReader:
        """Return the reader of a State's inbox."""
        return InboxReader.open(self.bootstrap, state, *self.states[state].reader_files, self.states.trust_file)

    def receive(self, state: str, group: str) -> list[Notice]:
        """Return all notices in a State's inbox that a group has not received."""
        with self.open_subscriber(state, group=group, stop_at_end=True) as subscriber:
            return list(subscriber)

    def read_items(self, state: str) -> list[OpenedItem]:
        """Return the items of a State's inbox, opened with the keys of its reader; revoked gate keys count."""
        keys, opener = self.states[state].read_lasting_keys(), self.states[state].open_inbox()
        messages = [
            message
            for kind in (INBOX_URGENT, INBOX)
            for message in read_records(self.broker, kind.topic(state), PARTITIONS)
        ]
        return [opener.open(message.value(), keys, read_now()) for message in messages if message.value() is not None]

    def list_item_ids(self, state: str) -> list[str]:
        """Return the ids of the items of a State's inbox, without opening them."""
        kinds = (INBOX_URGENT, INBOX)
        messages = [message for kind in kinds for message in read_records(self.broker, kind.topic(state), PARTITIONS)]
        return [(message.key() or b"").decode() for message in messages if message.value() is not None]

    def read_quarantine(self, state: str) -> list[dict[str, Any]]:
        """Return the records of a State's quarantine."""
        messages = read_records(self.broker, QUARANTINE.topic(state), PARTITIONS)
        return [dict(get_codec("quarantine").decode(message.value())) for message in messages]


@contextmanager
def run_secure_bus(broker: KafkaBroker, folder: Path, collector: Collector) -> Iterator[SecureBus]:
    """Run a bus during the block: two States with keys, and two in plain mode of which one has a worker."""
    apply_topics(broker.bootstrap, list_topics([*SECURE, *PLAIN], PARTITIONS), 1)
    packs = folder / "packs"
    packs.mkdir()
    for state, partner in zip(SECURE, reversed(SECURE), strict=True):
        write_law(packs, state, partner)
    write_law(packs, *PLAIN, word="control")
    states = make_states(folder / "states", SECURE)
    states.announce(broker.bootstrap, map(directory_entry, SECURE))
    for state in PLAIN:
        announce_entry(broker.bootstrap, directory_entry(state))
    bus = SecureBus(broker, folder, states, collector)
    with ExitStack() as stack:
        for state in (*SECURE, PLAIN[0]):
            bus.workers[state] = stack.enter_context(bus.make_worker(state))
        for state, worker in bus.workers.items():
            worker.wait_until(lambda state=state: bus.is_ready(state), poll_s=0.2)  # type: ignore[misc]  # at once
        yield bus
