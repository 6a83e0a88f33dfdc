"""A word in sealed content, searched in everything that an operator can read: it must stand nowhere in clear."""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry, generate_latest

from sharing.clients.notice_intake import UnreadableNotice
from sharing.clients.subscriber import Subscriber
from sharing.errors import SharingError
from sharing.ids import make_first_offer_id, make_item_id, make_notice_id
from sharing.model.indicator import Indicator
from sharing.model.notice import Notice
from sharing.seal.indicators import IndicatorSealer
from sharing.serialization.codec import get_codec
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.topology.topics import (
    CLOCK,
    DECISIONS,
    DRAFTS,
    INDICATORS,
    NOTICES,
    OUTCOMES,
    TOPIC_KINDS,
    find_topic_kind,
)
from sharing.trust.public_keys import KeyRole
from tests.kafka.topic_io import read_records, write_records
from tests.secure.canary_objects import make_objects
from tests.secure.canary_path import converse, keep_at_desk
from tests.secure.canary_search import Find, Search, list_log_files, read_raw_topics, search_all, search_files
from tests.secure.secure_bus import CITATION, CONDITION, PARTITIONS, PLAIN, SECURE, SecureBus, make_item
from tests.secure.secure_states import read_now
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

PARTS = ("value", "summary", "officer", "case", "modus", "reason")
CONTENT = {f"canary-{part}": f"canary-{part}".encode() for part in PARTS}
LAW = {word: word.encode() for word in (CONDITION, CITATION)}
CONTROL = {f"control-{part}": f"control-{part}".encode() for part in PARTS}


@dataclass
class Exposed:
    """Everything that was said, written or shown while the canary was on its way.

    Attributes:
        expected: Ids of the notices and of the offer that DE must have.
        offer_id: Id of the offer.
        texts: Logs, pages, traces, errors, metrics and representations, by where they are from.
        topics: Key, value and headers of every record on the cluster.
        files: The files of the broker.
        notices: What DE's reader received.
    """

    expected: frozenset[str] = frozenset()
    offer_id: str = ""
    texts: dict[str, bytes | str] = field(default_factory=dict)
    topics: dict[str, bytes] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


@pytest.fixture(scope="module")
def exposed(secure_bus: SecureBus) -> Exposed:
    """The canary's way from CH's agency to DE's reader; then everything is read that an operator can read."""
    result = Exposed()
    with _capture_logs() as logs:
        offered = _publish(secure_bus, result)
        converse(secure_bus, offered)
        result.texts["what the desk keeps"] = keep_at_desk(secure_bus, "CH", {"values": list(CONTENT), **offered})
        _publish_control(secure_bus)
        _receive(secure_bus, result)
    result.texts["log of the clients"] = "\n".join(logs)
    for state, worker in secure_bus.workers.items():
        worker.wait_until(lambda state=state: secure_bus.is_ready(state), poll_s=0.2)  # type: ignore[misc]  # at once
        for page in ("metrics", "health", "ready", ""):
            result.texts[f"/{page} of {state}"] = secure_bus.fetch_page(state, page)
        result.texts[f"log of {state}"] = worker.log.read_bytes()
    wait_until(lambda: bool(secure_bus.collector.spans()), "the workers have exported spans")
    result.texts["traces"] = b"".join(secure_bus.collector.bodies)
    result.topics = read_raw_topics(secure_bus.broker)
    result.files = list_log_files(secure_bus.broker)
    return result


class _Capture(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def _capture_logs() -> Iterator[list[str]]:
    """Collect every line that any logger of this process writes during the block."""
    handler, root = _Capture(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _publish(bus: SecureBus, result: Exposed) -> dict[str, Any]:
    """Publish what is disclosed, offered, withheld, refused and quarantined, all full of the canary.

    Return what is offered.
    """
    registry = CollectorRegistry()
    ordinary, urgent = (
        make_item("CH", "DE", f"canary {urgency}", urgency=urgency) for urgency in ("ORDINARY", "URGENT")
    )
    offence = {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": ["canary-modus"]}
    offered = make_item("CH", "DE", "canary offered", offence=offence)
    withheld = make_item("CH", "DE", "canary withheld", live_case_harm=True)
    caller = TracerProvider().get_tracer("an agency's system")
    with (
        caller.start_as_current_span("publish"),
        bus.open_publisher("CH", metrics=PublisherMetrics(registry)) as publisher,
    ):
        for item in (ordinary, urgent, offered, withheld):
            publisher.publish(item)
        for number, wrong in enumerate(({"value": "canary-value canary-value"}, {"tlp": "canary-reason"})):
            with pytest.raises(SharingError) as refused:
                publisher.publish({**ordinary, **wrong})
            result.texts[f"refusal {number}"] = _show_error(refused.value)
        result.texts["publisher"] = f"{publisher!r} {publisher} {publisher._sealing!r} {publisher._sealing}"
    result.texts["metrics of the publisher"] = generate_latest(registry)
    result.offer_id = make_first_offer_id(make_item_id("CH", "agency", offered["id"]), 1, "DE")
    notice_ids = (make_notice_id("CH", "agency", item["id"], 1, "DE") for item in (ordinary, urgent))
    result.expected = frozenset([*notice_ids, result.offer_id])
    _publish_bad(bus, ordinary)
    bus.workers["DE"].wait_until(lambda: result.expected <= set(bus.list_item_ids("DE")), poll_s=0.2)
    bus.workers["CH"].wait_until(lambda: len(bus.read_quarantine("CH")) >= 2, poll_s=0.2)
    for entry in bus.read_quarantine("CH"):
        result.texts[f"message of quarantine {entry['offset']}"] = f"{entry['cause']} {entry['message']}"
    return offered


def _publish_bad(bus: SecureBus, item: Mapping[str, Any]) -> None:
    """Publish content that is no valid indicator, sealed as a publisher seals, and a sealed record that was cut."""
    now = read_now()
    keys = bus.states["CH"].list_keys(KeyRole.SEAL)
    sealer = IndicatorSealer("CH", secrets.token_bytes)
    record = {**Indicator.parse(dict(item)).to_record(), "tlp": "canary-reason"}
    key, content = item["id"].encode(), get_codec("indicator").encode(record)
    value = sealer.seal_indicator(key, content, keys[-1].to_published(), now)
    write_records(bus.broker, INDICATORS.topic("CH"), [value, value[:-40]], key=key)


def _publish_control(bus: SecureBus) -> None:
    """Publish the control word in plain mode, from a State without keys to another one."""
    state, partner = PLAIN
    with bus.open_publisher(state, pins=None) as publisher:
        publisher.publish(make_item(state, partner, "control", word="control"))
    kinds = (INDICATORS.topic(state), DRAFTS.topic(state), NOTICES.topic(partner))
    bus.workers[state].wait_until(
        lambda: all(read_records(bus.broker, topic, PARTITIONS) for topic in kinds), poll_s=0.2
    )


def _receive(bus: SecureBus, result: Exposed) -> None:
    registry, reports = CollectorRegistry(), list[UnreadableNotice]()
    with bus.open_reader("DE") as reader:
        subscriber = Subscriber(
            bus.bootstrap, "DE", reader=reader, group="canary", stop_at_end=True,
            metrics=SubscriberMetrics(registry), on_unreadable=reports.append,
        )  # fmt: skip
        with subscriber:
            result.notices = [notice for notice in subscriber if notice.id in result.expected]
            result.texts["subscriber"] = f"{subscriber!r} {subscriber} {reader!r} {reader}"
    result.texts["reports of the subscriber"] = repr(reports)
    result.texts["metrics of the subscriber"] = generate_latest(registry)


def _show_error(error: BaseException) -> str:
    """Return an error in every form in which a program shows it."""
    return f"{error} {error!r} {''.join(traceback.format_exception(error))}"


@pytest.fixture(scope="module")
def secret_words(secure_bus: SecureBus) -> dict[str, bytes]:
    """The passphrases and private keys of both States."""
    return {name: word for state in secure_bus.states.states.values() for name, word in state.read_secrets().items()}


def test_what_was_sealed_was_delivered(exposed: Exposed, secure_bus: SecureBus) -> None:
    assert {notice.id for notice in exposed.notices} == exposed.expected - {exposed.offer_id}
    assert len(exposed.notices) == 2
    for notice in exposed.notices:
        content = f"{notice.content} {notice.conditions} {notice.rules}"
        assert Search({**CONTENT, **LAW}).find("notice", content)
        assert CONDITION in content
        assert "canary-summary" in content
    opened = [item for item in secure_bus.read_items("DE") if item.envelope.id in exposed.expected]
    assert len(opened) == 3


def test_nothing_of_the_content_stands_in_a_topic(exposed: Exposed) -> None:
    assert _merge(search_all(Search(CONTENT), exposed.topics)) == set()


def test_every_kind_of_topic_was_searched_with_something_in_it(exposed: Exposed) -> None:
    """What is new in the table must be filled here, too: an empty topic shows nothing."""
    names = {place.partition("[")[0] for place in exposed.topics}
    of_states = [name for name in names if len(parts := name.split(".")) > 1 and parts[1].upper() in SECURE]
    filled = {kind.name for name in of_states if (kind := find_topic_kind(name)) is not None}
    assert filled == {kind.name for kind in TOPIC_KINDS} - {CLOCK.name}  # whose records are empty


def test_conditions_and_rules_stand_in_the_decisions_and_outcomes_of_the_state_alone(exposed: Exposed) -> None:
    """A decision is not sealed: it says by which rules and under which conditions something was sent.

    Nor is what the State's own agencies are told of it.
    """
    found = {find.place.partition("[")[0] for find in search_all(Search(LAW), exposed.topics)}
    assert found == {DECISIONS.topic("CH"), OUTCOMES.topic("CH")}


def test_nothing_of_the_content_stands_in_a_file_of_the_broker(exposed: Exposed) -> None:
    assert exposed.files
    assert _merge(search_files(Search(CONTENT), exposed.files)) == set()


def test_nothing_of_it_is_logged_shown_counted_or_traced(exposed: Exposed) -> None:
    assert _merge(search_all(Search({**CONTENT, **LAW, **CONTROL}), exposed.texts)) == set()
    for place in ("log of CH", "/metrics of DE", "traces", "metrics of the subscriber"):
        assert len(exposed.texts[place]) > 200, place
    for metric in (b"sharing_inbox_records_total", b'sharing_key_problems{urgent="true"} 0.0'):
        assert metric in _to_bytes(exposed.texts["/metrics of DE"])


def test_no_passphrase_and_no_private_key_stands_anywhere(exposed: Exposed, secret_words: dict[str, bytes]) -> None:
    assert len(secret_words) > 20
    search = Search({**secret_words, "passphrases": b"canary-passphrase"})
    assert _merge(search_all(search, exposed.topics)) == set()
    assert _merge(search_all(search, exposed.texts)) == set()
    assert _merge(search_files(search, exposed.files)) == set()


def test_objects_with_secrets_or_content_show_nothing(
    secure_bus: SecureBus, exposed: Exposed, secret_words: dict[str, bytes]
) -> None:
    objects = {**make_objects(secure_bus), "notices": exposed.notices}
    shown = {place: f"{value!r} {value!s}" for place, value in objects.items()}
    assert len(shown) > 15
    search = Search({**secret_words, **CONTENT, **LAW, "passphrases": b"canary-passphrase"})
    assert _merge(search_all(search, shown)) == set()


def test_the_search_finds_what_is_not_sealed(exposed: Exposed) -> None:
    """The control: without keys the same content stands in every topic through which it goes, and on the disk."""
    state, partner = PLAIN
    found = {(find.place.partition("[")[0], find.word) for find in search_all(Search(CONTROL), exposed.topics)}
    places = {place for place, _ in found}
    assert {INDICATORS.topic(state), DRAFTS.topic(state), NOTICES.topic(partner)} <= places
    assert {word for place, word in found if place == INDICATORS.topic(state)} == set(CONTROL)
    on_disk = {find.word for find in search_files(Search(CONTROL), exposed.files)}
    assert on_disk == set(CONTROL)


def _merge(found: list[Find]) -> set[Find]:
    """Return finds without offsets, so that a failure is readable."""
    return {find._replace(place=find.place.partition("@")[0]) for find in found}


def _to_bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
