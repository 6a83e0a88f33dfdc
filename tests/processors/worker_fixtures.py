"""What tests of whole workers share: a State's topics, and an item that its gate can decide on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sharing.kafka.directory_topic import announce, read_entries
from sharing.testing.samples import sample_directory
from sharing.topology.topics import topics_for

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
    """Make the topics of a State and of the Netherlands, and announce the sample directory."""
    for topic in topics_for([state, "NL"], partitions).values():
        broker.create_topics([topic.name], topic.partitions)
    for entry in read_entries(*sample_directory()):
        announce(broker.bootstrap, entry)
