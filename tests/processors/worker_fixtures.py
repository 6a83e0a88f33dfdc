"""A State's topics and an indicator that its gate can decide, for tests of whole workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.testing.samples import sample_directory
from sharing.topology.topics import DIRECTORY, list_topics

if TYPE_CHECKING:
    from sharing.testing.broker import Broker

ITEM: dict[str, Any] = {
    "type": "domain-name",
    "value": "bad.example.nl",
    "source": {"authority": "POLICE"},
    "form": "INFORMATION",
    "offence": {"codes": ["ILLEGAL_ACCESS"]},
}


def prepare_state(broker: Broker, state: str, partitions: int = 2) -> None:
    """Create the topics of a State and of the Netherlands, and announce the sample directory."""
    for topic in list_topics([state, "NL"], partitions).values():
        broker.create_topics([topic.name], topic.partitions)
    entries = parse_entries(*sample_directory())
    broker.create_topics([DIRECTORY.topic(entry.state) for entry in entries], 1)
    for entry in entries:
        announce_entry(broker.bootstrap, entry)
