"""What the desk publishes, and what it decides with, on a broker."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from sharing.console.connection import ConsoleConnection
from sharing.desk.broker_state import BrokerState
from sharing.desk.intake.decision_source import AGE_SECONDS_MAX, DecisionSource
from sharing.desk.intake.desk_publisher import DeskPublisher
from sharing.desk.intake.item_draft import ItemBasics, ItemDraft, check_draft
from sharing.desk.settings import DeskSettings
from sharing.errors import InfrastructureError, SettingsError
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.topics import DIRECTORY, INDICATORS
from tests.desk.intake.intake_fixtures import NOW
from tests.kafka.directory_fixtures import encode, write_to_directory
from tests.kafka.topic_io import read_records
from tests.support.waiting import wait_until

ORIGIN = "https://desk.example"


def make_console(servers: str, state: str, **settings: object) -> ConsoleConnection:
    return ConsoleConnection(Settings.model_validate(settings), state, servers, {}, SINGLE_OBJECT_FRAMING)


def make_item(state: str, agency: str = "duty") -> Indicator:
    draft = ItemDraft.begin(basics=ItemBasics(type="domain-name", value="example.org"))
    item, wrong = check_draft(draft, state, agency, "anna")
    assert item is not None, wrong
    return item


def test_an_item_is_on_the_agencys_topic_once_it_is_published_and_again_with_the_same_content(
    embedded: EmbeddedBroker, state: str
) -> None:
    topic = INDICATORS.topic(state)
    console = make_console(embedded.bootstrap, state)
    publisher = DeskPublisher(console, DeskSettings(state, ORIGIN, agency="duty"))
    item = make_item(state)
    with pytest.raises(InfrastructureError):
        publisher.publish(item)
    embedded.create_topics([topic], 1)
    publisher.publish(item)
    publisher.publish(item)
    publisher.close()
    publisher.publish(item)
    records = [get_codec("indicator").decode(message.value()) for message in read_records(embedded, topic, 1)]
    assert len(records) == 3
    assert records[0] == records[1] == records[2]
    assert (records[0]["id"], records[0]["source"]["officer"]) == (item.id, "anna")


def test_the_desk_publishes_under_the_certificate_of_its_own_agency_only(tmp_path: Path) -> None:
    plain = make_console("127.0.0.1:1", "CH")
    with pytest.raises(SettingsError, match="SHARING_DESK_AGENCY"):
        DeskPublisher(plain, DeskSettings("CH", ORIGIN))
    with pytest.raises(SettingsError, match="SHARING_TLS_CERTIFICATE"):
        DeskPublisher(plain, DeskSettings("CH", ORIGIN, agency="duty", agency_certificate=tmp_path / "x"))


@pytest.mark.kafka
def test_with_access_control_the_agencys_certificate_publishes_and_the_consoles_does_not(
    secure_kafka: SecureKafka,
) -> None:
    files = secure_kafka.broker.client_properties
    own, agency, other = files("console.ch"), files("agency.ch.fedpol"), files("agency.ch.customs")
    settings = {
        "tls_ca": own["ssl.ca.location"],
        "tls_certificate": own["ssl.certificate.location"],
        "tls_key": own["ssl.key.location"],
    }
    console = make_console(secure_kafka.broker.bootstrap, "CH", **settings)

    def open_with(properties: dict[str, str] | None) -> DeskPublisher:
        chosen = properties or {}
        certificate, key = chosen.get("ssl.certificate.location"), chosen.get("ssl.key.location")
        return DeskPublisher(
            console,
            DeskSettings(
                "CH",
                ORIGIN,
                agency="fedpol",
                agency_certificate=None if certificate is None else Path(certificate),
                agency_key=None if key is None else Path(key),
            ),
        )

    for wrong, message in ((other, "agency.ch.customs"), (own, "console.ch"), (None, "SHARING_DESK_AGENCY_KEY")):
        with pytest.raises(SettingsError, match=message):
            open_with(wrong)
    open_with(agency).publish(make_item("CH", "fedpol"))


def test_the_directory_is_followed_and_what_is_not_read_yet_is_said(embedded: EmbeddedBroker) -> None:
    other = "FR"
    console = make_console(embedded.bootstrap, "CH")
    now = [NOW]
    source = DecisionSource(console, find_law("CH"), lambda: now[0])
    with pytest.raises(InfrastructureError, match="has just started"):
        source.get_context()
    embedded.create_topics([DIRECTORY.topic(other)], 1)
    write_to_directory(embedded, other, encode(other))
    source.start()
    try:

        def is_read() -> bool:
            try:
                return other in source.get_context().directory.entries
            except InfrastructureError:
                return False

        wait_until(is_read, "the directory is read")
        context = source.get_context()
        assert source.get_context() is context
        interest = {"id": "new", "types": ["domain-name"]}
        write_to_directory(embedded, other, encode(other, interests=[interest]))
        wait_until(lambda: source.get_context() is not context, "the new entry is in effect")
        now[0] += 86_400_000
        assert source.get_context().covers(now[0])
    finally:
        source.close()


class AgedReader:
    """A reader of the directory that is as old as a test says, and makes no connection."""

    made: ClassVar[list[AgedReader]] = []

    def __init__(self, *_: object, **__: object) -> None:
        self.age_s = 0.0
        self.is_closed = False
        self.made.append(self)

    def read_to_end(self) -> Directory:
        return Directory()

    def poll_updates(self, seconds: float) -> Directory:
        time.sleep(min(seconds, 0.01))
        return self.read_to_end()

    def close(self) -> None:
        self.is_closed = True


def test_a_directory_that_cannot_be_confirmed_is_said_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.desk.following_thread.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("sharing.desk.intake.decision_source.DirectoryReader", AgedReader)
    monkeypatch.setattr(AgedReader, "made", [])
    broker = BrokerState()
    source = DecisionSource(make_console("127.0.0.1:1", "CH"), find_law("CH"), lambda: NOW, broker)
    with closing(source):
        source.start()
        wait_until(lambda: len(AgedReader.made) == 1, "that it is read")
        wait_until(lambda: broker.count_silent_seconds()["directory"] < 0.05, "that the broker is heard")
        AgedReader.made[0].age_s = AGE_SECONDS_MAX  # older than what counts as heard, and not yet too old
        wait_until(lambda: broker.count_silent_seconds()["directory"] > 0.2, "that it is not heard any more")
        assert len(AgedReader.made) == 1
        AgedReader.made[0].age_s = AGE_SECONDS_MAX + 1.0
        wait_until(lambda: len(AgedReader.made) == 2, "that new clients read it")
        assert AgedReader.made[0].is_closed
        wait_until(lambda: broker.count_silent_seconds()["directory"] < 0.05, "that the broker is heard again")
        assert broker.away_since is None
